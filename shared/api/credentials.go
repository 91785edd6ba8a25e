package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"carnet.dev/carnet/shared/caller"
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

// credentials answers POST /v1/credentials.
func (c *call) credentials() ([]byte, error) {
	who, text, err := c.asked()
	if err != nil {
		return nil, err
	}
	req, err := parse(text)
	if err != nil {
		return nil, err
	}
	req.ID, req.Caller = c.id, who
	return c.vended(req)
}

// asked verifies the caller before anything is read, and then reads what is asked, as JSON.
func (c *call) asked() (exchange.Caller, []byte, error) {
	who, err := c.who()
	if err != nil {
		return who, nil, err
	}
	text, err := c.body(jsonType)
	return who, text, err
}

func (c *call) vended(req exchange.Request) ([]byte, error) {
	cred, err := c.Vend(c.r.Context(), req)
	if err != nil {
		return nil, err
	}
	return wire.Encode(cred, req.ID)
}

// batch answers POST /v1/credentials:batch: one result or error for each request, in
// their order.
func (c *call) batch() ([]byte, error) {
	who, text, err := c.asked()
	if err != nil {
		return nil, err
	}
	raw, err := object(text, "requests")
	if err != nil {
		return nil, err
	}
	list, _ := raw.Get("requests")
	var all []json.RawMessage
	if json.Unmarshal(list, &all) != nil || len(all) == 0 || len(all) > maxBatch {
		return nil, bad("requests is a list of 1 to %d requests", maxBatch)
	}
	return c.results(who, all), nil
}

func (c *call) results(who exchange.Caller, all []json.RawMessage) []byte {
	results := make([][]byte, len(all))
	seats := make(chan struct{}, sideBySide)
	var done sync.WaitGroup
	for i, text := range all {
		seats <- struct{}{}
		done.Go(func() {
			defer func() { <-seats }()
			results[i] = c.result(who, text, fmt.Sprintf("%s-%d", c.id, i))
		})
	}
	done.Wait()
	var out bytes.Buffer
	out.WriteString(`{"results":[`)
	out.Write(bytes.Join(results, []byte(",")))
	fmt.Fprintf(&out, `],"request_id":%q}`, c.id)
	return out.Bytes()
}

// result is one of a batch. A panic in it is that one's error.
func (c *call) result(who exchange.Caller, text []byte, id string) (out []byte) {
	one := &call{handler: c.handler, r: c.r, id: id, began: time.Now()}
	fail := func(err error) []byte {
		return encoded(struct {
			Error problem `json:"error"`
		}{one.problem(err)})
	}
	defer func() {
		if recover() != nil {
			c.Log.Error("panic", "request_id", id, "stack", string(debug.Stack()))
			out = fail(errPanic)
		}
	}()
	req, err := parse(text)
	if err != nil {
		return fail(err)
	}
	req.ID, req.Caller = id, who
	cred, err := one.vended(req)
	if err != nil {
		return fail(err)
	}
	return append(append([]byte(`{"credential":`), cred...), '}')
}

// container answers an AWS SDK.
func (c *call) container() ([]byte, error) {
	who, err := c.who()
	if err != nil {
		return nil, err
	}
	if c.r.URL.RawQuery != "" || c.r.URL.ForceQuery {
		return nil, bad("this path takes no query")
	}
	cred, err := c.Vend(c.r.Context(), exchange.Request{
		ID: c.id, Caller: who, Tenant: c.args[0], Destination: c.args[1], MinTTL: containerTTL,
	})
	if err != nil {
		return nil, err
	}
	return wire.AWSContainer(cred)
}

// failContainer answers with an error in the shape of a container endpoint's.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
func (c *call) failContainer(err error) {
	p := c.problem(err)
	c.headers(p)
	c.send(p.status, encoded(map[string]string{"code": p.Code, "message": p.Message, "request_id": c.id}))
}

// isUnauthenticated tells whether an error means that nobody was verified.
func isUnauthenticated(err error) bool {
	return errors.Is(err, errUnauthenticated) || errors.Is(err, caller.ErrUnverified)
}
