package deployment

import (
	"context"
	"encoding/json"
	"io"
	"sync"

	"carnet.dev/carnet/shared/exchange"
)

// auditTo writes records as lines of JSON. Lambda and Cloud Run both keep what is
// written to standard output.
func auditTo(w io.Writer) func(context.Context, exchange.Record) error {
	var mu sync.Mutex
	return func(_ context.Context, r exchange.Record) error {
		line, err := json.Marshal(struct {
			Audit exchange.Record `json:"audit"`
		}{r})
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		_, err = w.Write(append(line, '\n'))
		return err
	}
}
