package integration

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/shared/deployment"
	"carnet.dev/carnet/shared/exchange"
)

// An insideWay leads to the lab within the process, so that both stand in one bubble of time, in
// which a day takes no longer than what is done in it.
type insideWay struct {
	lab   *lab.Lab
	mu    sync.Mutex
	away  string // a part of the names of hosts that cannot be reached
	calls map[string]int
}

func (w *insideWay) cut(host string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away = host
}

// counts gives the calls by host since the last time, those that failed too.
func (w *insideWay) counts() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	calls := w.calls
	w.calls = map[string]int{}
	return calls
}

// RoundTrip implements [http.RoundTripper].
func (w *insideWay) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.calls[r.URL.Host]++
	away := w.away != "" && strings.Contains(r.URL.Host, w.away)
	w.mu.Unlock()
	if away {
		return nil, syscall.ECONNREFUSED
	}
	in := r.Clone(r.Context())
	in.Host, in.RequestURI = r.URL.Host, r.URL.RequestURI()
	answer := httptest.NewRecorder()
	if w.lab.AWS.Owns(in.Host) {
		w.lab.AWS.ServeHTTP(answer, in)
	} else {
		w.lab.Google.ServeHTTP(answer, in)
	}
	resp := answer.Result()
	resp.Request = r
	return resp, nil
}

// inTheBubble is a function on AWS whose days pass as its test wants.
func inTheBubble(t *testing.T, l *lab.Lab, dir string) (*deployment.Deployment, *insideWay) {
	t.Helper()
	change(t, dir, "acme", "verified: 2026-11-20", "verified: 1999-12-01") // the bubble's clock begins in 2000
	w := &insideWay{lab: l, calls: map[string]int{}}
	d, err := deployment.New(t.Context(), deployment.Config{
		Catalog: dir, Runtime: "aws", Audit: io.Discard, HTTP: &http.Client{Transport: w},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			s, err := l.AWS.RoleSession(function, "carnet-vend")
			if err != nil {
				return aws.Credentials{}, err
			}
			return aws.Credentials{AccessKeyID: s.AccessKeyID, SecretAccessKey: s.SecretAccessKey, SessionToken: s.SessionToken, CanExpire: true, Expires: s.Expires}, nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return d, w
}

// asked vends, and tells whether it could. What is given has as much life as it must, by
// the cloud's clock too.
func asked(t *testing.T, d *deployment.Deployment, destination string) bool {
	t.Helper()
	cred, err := vend(t.Context(), d, "acme", destination)
	var edge *exchange.EdgeError
	switch {
	case err == nil && time.Until(cred.Expires) < exchange.DefaultMinTTL:
		t.Errorf("%s has %s left", destination, time.Until(cred.Expires))
	case err != nil && (!errors.As(err, &edge) || edge.Reason != exchange.Unavailable):
		t.Errorf("%s: %v", destination, err)
	}
	return err == nil
}

const (
	lake, warehouse = "lake", "warehouse"
	googles         = "googleapis"
	awss            = "amazonaws"
)

// TestADay: a destination that is asked for each minute is minted anew once in 45 to 54
// minutes, and so is what leads to it.
func TestADay(t *testing.T) {
	l, dir := onlyRole(t)
	synctest.Test(t, func(t *testing.T) {
		d, w := inTheBubble(t, l, dir)
		for range 24 * 60 {
			if !asked(t, d, lake) || !asked(t, d, warehouse) {
				t.Fatal("not vended")
			}
			time.Sleep(time.Minute)
		}
		const most = 33 // 24 h by 45 minutes, and the first
		calls := w.counts()
		for host, values := range map[string]int{"sts.eu-west-1.amazonaws.com": 2, "sts.googleapis.com": 1, "iamcredentials.googleapis.com": 1} {
			if n := calls[host]; n > most*values {
				t.Errorf("%d calls of %s in a day, for %d values", n, host, values)
			}
		}
		if n := calls["iamcredentials.googleapis.com"]; n < 24 {
			t.Errorf("%d tokens of an hour in a day", n)
		}
	})
}

// TestACloudThatIsAwayForLongerThanEveryLife, and comes back: until they end what is kept is
// served, the other cloud's destinations are as ever, and the first who asks afterwards is
// answered. While it is away an asking makes the three calls of its chain at the most, and
// two tries more.
func TestACloudThatIsAwayForLongerThanEveryLife(t *testing.T) {
	l, dir := onlyRole(t)
	synctest.Test(t, func(t *testing.T) {
		d, w := inTheBubble(t, l, dir)
		asked(t, d, lake)
		asked(t, d, warehouse)
		w.cut(googles)
		served := outage(t, d, w, func() { // three hours
			if !asked(t, d, lake) {
				t.Error("the other cloud's destination is not served")
			}
		})
		if served < 50 || served > 56 {
			t.Errorf("a token of an hour was served for %d minutes more", served)
		}
		w.cut("")
		if !asked(t, d, warehouse) {
			t.Error("the cloud is back, and carnet is not")
		}
		w.cut(awss) // the tenant is there, and the federated token came from it
		outage(t, d, w, func() { asked(t, d, lake) })
		w.cut("")
		if !asked(t, d, lake) || !asked(t, d, warehouse) {
			t.Error("the other cloud is back, and carnet is not")
		}
	})
}

// outage asks each minute for three hours, and counts the minutes in which the warehouse was
// served.
func outage(t *testing.T, d *deployment.Deployment, w *insideWay, other func()) (served int) {
	t.Helper()
	for range 3 * 60 {
		time.Sleep(time.Minute)
		other()
		w.counts()
		if asked(t, d, warehouse) {
			served++
		}
		total := 0
		for _, n := range w.counts() {
			total += n
		}
		if total > 3+2 {
			t.Errorf("%d calls for one asking", total)
		}
	}
	if asked(t, d, warehouse) {
		t.Error("served after everything has ended")
	}
	return served
}

// TestAThawedProcess: a function slept for a night, and nothing that it kept is good.
func TestAThawedProcess(t *testing.T) {
	l, dir := onlyRole(t)
	synctest.Test(t, func(t *testing.T) {
		d, _ := inTheBubble(t, l, dir)
		for range 3 {
			if !asked(t, d, lake) || !asked(t, d, warehouse) {
				t.Error("not vended")
			}
			time.Sleep(10 * time.Hour)
		}
	})
}
