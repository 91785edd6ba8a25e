package deployment

import (
	"bytes"
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
	var line bytes.Buffer // of each record in turn
	encoder := json.NewEncoder(&line)
	return func(_ context.Context, r exchange.Record) error {
		mu.Lock()
		defer mu.Unlock()
		line.Reset()
		err := encoder.Encode(struct {
			Audit exchange.Record `json:"audit"`
		}{r})
		if err != nil {
			return err
		}
		_, err = w.Write(line.Bytes())
		return err
	}
}
