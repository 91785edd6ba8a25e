package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sync/errgroup"

	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/wire"
)

const (
	maxBatch   = 100
	sideBySide = 16 // requests of a batch at a time
	jsonType   = "application/json"
	// containerTTL is what an answer to an AWS SDK has left at the least: botocore
	// refreshes at 15 minutes, and would ask again at once.
	containerTTL = 15 * time.Minute
)

// asked verifies the caller before anything is read, and then reads what is asked, as JSON.
func asked(answer func(*call, exchange.Caller, []byte) ([]byte, error)) func(*call) ([]byte, error) {
	return func(c *call) ([]byte, error) {
		who, err := c.who()
		if err != nil {
			return nil, err
		}
		text, err := c.body(jsonType)
		if err != nil {
			return nil, err
		}
		return answer(c, who, text)
	}
}

// credentials answers POST /v1/credentials.
func (c *call) credentials(who exchange.Caller, text []byte) ([]byte, error) {
	req, _, err := parse(text, "tenant", "destination", "min_ttl", "grant", "job")
	if err != nil {
		return nil, err
	}
	return c.vend(who, req, func(cred *exchange.Credential) ([]byte, error) { return wire.Encode(cred, c.id) })
}

// vend gives a caller what it asks for, in the form that its kind of client reads.
func (c *call) vend(who exchange.Caller, req exchange.Request, form func(*exchange.Credential) ([]byte, error)) ([]byte, error) {
	req.ID, req.Caller = c.id, who
	cred, err := c.Vend(c.r.Context(), req)
	if err != nil {
		return nil, err
	}
	return form(cred)
}

// check answers POST /v1/check: what was found of a chain, whatever that is. Nobody is
// named in it.
func (c *call) check(who exchange.Caller, text []byte) ([]byte, error) {
	req, probe, err := parse(text, "tenant", "destination", "probe", "job")
	if err != nil {
		return nil, err
	}
	req.ID, req.Caller = c.id, who
	report, err := c.Check(c.r.Context(), req, probe)
	if err != nil {
		return nil, err
	}
	return encoded(report.Told()), nil
}

// batch answers POST /v1/credentials:batch: one result or error for each request, in
// their order.
func (c *call) batch(who exchange.Caller, text []byte) ([]byte, error) {
	raw, err := object(text, "requests")
	if err != nil {
		return nil, err
	}
	list, _ := raw.Get("requests")
	var all []json.RawMessage
	if json.Unmarshal(list, &all) != nil || len(all) == 0 || len(all) > maxBatch {
		return nil, bad("requests is a list of 1 to %d requests", maxBatch)
	}
	results := make([]json.RawMessage, len(all))
	var batch errgroup.Group
	batch.SetLimit(sideBySide)
	for i, text := range all {
		batch.Go(func() error {
			results[i] = c.result(who, text, fmt.Sprintf("%s-%d", c.id, i))
			return nil
		})
	}
	err = batch.Wait()
	return encoded(struct {
		Results   []json.RawMessage `json:"results"`
		RequestID string            `json:"request_id"`
	}{results, c.id}), err
}

// result is one of a batch. A panic in it is that one's error.
func (c *call) result(who exchange.Caller, text []byte, id string) []byte {
	one := &call{handler: c.handler, r: c.r, id: id, began: time.Now()}
	cred, err := one.guarded(func(one *call) ([]byte, error) { return one.credentials(who, text) })
	if err != nil {
		return encoded(failure{one.problem(err)})
	}
	return encoded(struct {
		Credential json.RawMessage `json:"credential"`
	}{cred})
}

// container answers an AWS SDK.
func (c *call) container() ([]byte, error) {
	tenant, destination := c.r.PathValue("t"), c.r.PathValue("d")
	if strings.ContainsFunc(tenant+destination, unicode.IsControl) {
		return nil, errNowhere
	}
	who, err := c.who()
	if err != nil {
		return nil, err
	}
	if c.r.URL.RawQuery != "" || c.r.URL.ForceQuery {
		return nil, bad("this path takes no query")
	}
	return c.vend(who, exchange.Request{Tenant: tenant, Destination: destination, MinTTL: containerTTL}, wire.AWSContainer)
}

// failContainer answers with an error in the shape of a container endpoint's.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
func (c *call) failContainer(err error) {
	p := c.problem(err)
	c.headers(p)
	c.send(p.status, encoded(map[string]string{"code": p.Code, "message": p.Message, "request_id": c.id}))
}
