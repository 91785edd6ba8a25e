// Package gcpfunc is carnet on Cloud Functions: one source, deployed as two functions.
//
// Vend answers requests; Schedule does what Cloud Scheduler asks, and answers nobody. The
// platform serves only the one that a function's entry point names, so whoever may invoke
// the one has gained nothing of the other.
package gcpfunc

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"carnet.dev/carnet/shared/deployment"
	"carnet.dev/carnet/shared/exchange/gcpid/platform"
	"carnet.dev/carnet/shared/schedule"
)

// The framework knows functions by what is registered here. An environment that is wrong
// ends the process: a revision that cannot come up leaves the one before it in place.
func init() {
	slog.SetDefault(deployment.Log(os.Stderr, "gcp"))
	c, err := deployment.FunctionFromEnv()
	if err != nil {
		slog.Error("carnet cannot start", "error", err.Error())
		os.Exit(1)
	}
	c.Google = platform.Metadata{}
	start := &starter{config: c}
	functions.HTTP("Vend", start.vend)
	functions.HTTP("Schedule", start.schedule)
}

// A starter builds the deployment with the first request. What fails is tried again with
// the next one: a bucket that is away for a moment must not cost an instance its life.
type starter struct {
	config deployment.Config

	mu sync.Mutex
	d  *deployment.Deployment
}

func (s *starter) deployment(ctx context.Context) (*deployment.Deployment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.d != nil {
		return s.d, nil
	}
	d, err := deployment.New(ctx, s.config)
	if err == nil {
		s.d = d
	}
	return d, err
}

// started gives the deployment, or answers that there is none: why is in the log.
func (s *starter) started(w http.ResponseWriter, r *http.Request) *deployment.Deployment {
	d, err := s.deployment(r.Context())
	if err == nil {
		return d
	}
	id := rand.Text()
	slog.Error("carnet cannot start", "request_id", id, "error", err.Error())
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Request-Id", id)
	w.WriteHeader(http.StatusInternalServerError)
	fmt.Fprintf(w, `{"error":{"code":"internal","message":"the function cannot start: the operator's log says why","request_id":%q}}`, id)
	return nil
}

func (s *starter) vend(w http.ResponseWriter, r *http.Request) {
	if d := s.started(w, r); d != nil {
		d.Handler.ServeHTTP(w, r)
	}
}

// maxInput bounds what a scheduler may send.
const maxInput = 256 << 10

// schedule runs what Cloud Scheduler posts to the function's root. Cloud Run's IAM has
// checked its token; it is told that the run is done, and no more. A run that could not
// begin, or ran out of time, is a 500, which the scheduler tries again.
func (s *starter) schedule(w http.ResponseWriter, r *http.Request) {
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
	if d := s.started(w, r); d != nil {
		run(w, r, d, in)
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
