package api

import (
	"carnet.dev/carnet/shared/exchange"
)

// check answers POST /v1/check: what was found of a chain, whatever that is. Nobody is
// named in it.
func (c *call) check() ([]byte, error) {
	who, text, err := c.asked()
	if err != nil {
		return nil, err
	}
	req, probe, err := parseCheck(text)
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

func parseCheck(text []byte) (req exchange.Request, probe bool, err error) {
	raw, err := object(text, "tenant", "destination", "probe", "job")
	if err != nil {
		return req, false, err
	}
	f := fields{Object: raw}
	req = exchange.Request{Tenant: f.text("tenant"), Destination: f.text("destination"), Job: f.text("job")}
	probe = f.flag("probe")
	switch {
	case f.err != nil:
		return req, false, f.err
	case req.Tenant == "" || req.Destination == "":
		return req, false, bad("name the tenant and the destination")
	case len(req.Job) > maxJob:
		return req, false, bad("job has more than %d bytes", maxJob)
	}
	return req, probe, nil
}

func (f *fields) flag(key string) bool {
	raw, ok := f.Get(key)
	if !ok || f.err != nil {
		return false
	}
	switch string(raw) {
	case "true":
		return true
	case "false":
		return false
	}
	f.err = bad("%s is neither true nor false", key)
	return false
}
