// Package gcpfunc is carnet on Cloud Functions: one source, deployed as two functions.
//
// Vend answers requests; Schedule does what Cloud Scheduler asks, and answers nobody. The
// platform serves only the one that a function's entry point names, so whoever may invoke
// the one has gained nothing of the other.
package gcpfunc

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"carnet.dev/carnet/shared/deployment"
	"carnet.dev/carnet/shared/schedule"
)

// The framework knows functions by what is registered here; nothing else happens before
// the first request.
func init() {
	start := sync.OnceValues(func() (*deployment.Deployment, error) {
		slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
		c, err := deployment.FromEnv()
		if err != nil {
			return nil, err
		}
		return deployment.New(context.Background(), c)
	})
	functions.HTTP("Vend", vend(start))
	functions.HTTP("Schedule", onSchedule(start))
}

type starter func() (*deployment.Deployment, error)

// started gives the deployment, or answers that there is none: why is in the log.
func (s starter) started(w http.ResponseWriter) *deployment.Deployment {
	d, err := s()
	if err == nil {
		return d
	}
	slog.Error("carnet cannot start", "error", err.Error())
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusInternalServerError)
	io.WriteString(w, `{"error":{"code":"internal","message":"the function cannot start: the operator's log says why"}}`)
	return nil
}

func vend(start starter) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if d := start.started(w); d != nil {
			d.Handler.ServeHTTP(w, r)
		}
	}
}

// maxInput bounds what a scheduler may send.
const maxInput = 256 << 10

// onSchedule runs what Cloud Scheduler posts to the function's root. Cloud Run's IAM has
// checked its token; it is told that the run is done, and no more. A run that could not
// begin, or ran out of time, is a 500, which the scheduler tries again.
func onSchedule(start starter) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/" && r.URL.Path != "" {
			http.NotFound(w, r)
			return
		}
		text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxInput))
		if err != nil {
			http.Error(w, "the input broke off, or is too long", http.StatusBadRequest)
			return
		}
		in, err := schedule.Parse(text)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if d := start.started(w); d != nil {
			run(w, r, d, in)
		}
	}
}

func run(w http.ResponseWriter, r *http.Request, d *deployment.Deployment, in schedule.Input) {
	report, err := d.Schedule.Run(r.Context(), in)
	if failed := report.Log(os.Stdout); failed != nil {
		slog.Error("the metrics could not be written", "error", failed.Error())
	}
	if err != nil {
		slog.Error("the run did not end", "run", report.ID, "error", err.Error())
		http.Error(w, "the run did not end: "+report.ID, http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
