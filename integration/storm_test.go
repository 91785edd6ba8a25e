package integration

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"carnet.dev/carnet/integration/lab"
)

// A mood is how the last host of a chain answers a storm.
type mood struct {
	name    string
	fault   fault
	patient time.Duration // how long each caller waits
}

func moods() []mood {
	const trip = 50 * time.Millisecond
	return []mood{
		{"credential", nil, 20 * time.Second},
		{"403", late(trip, answering(http.StatusForbidden, "application/json", `{"error":{"code":403,"status":"PERMISSION_DENIED","message":"no"}}`)), 20 * time.Second},
		{"503", late(trip, answering(http.StatusServiceUnavailable, "application/json", `{"error":{"code":503,"status":"UNAVAILABLE","message":"later"}}`)), 20 * time.Second},
		{"none-for-3s", late(3*time.Second, passed), 100 * time.Millisecond},
	}
}

// late is a fault some time later, or at once when nobody waits any more.
func late(by time.Duration, then fault) fault {
	return func(r *http.Request, base http.RoundTripper) (*http.Response, error) {
		select {
		case <-time.After(by):
			return then(r, base)
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

func passed(r *http.Request, base http.RoundTripper) (*http.Response, error) {
	return base.RoundTrip(r)
}

// BenchmarkStorm sends 64 callers at once after one cold key, upstream 50 ms away. x-oauth2
// takes no context: whoever asks it waits for as long as it does.
func BenchmarkStorm(b *testing.B) {
	l, dir := onlyRole(b)
	l.Far(50 * time.Millisecond)
	for _, m := range moods() {
		for _, who := range contestants(threeHosts(), dir) {
			if who.name != openedInInit {
				b.Run("answer="+m.name+"/by="+who.name, func(b *testing.B) { storm(b, l, m, who) })
			}
		}
	}
}

func storm(b *testing.B, l *lab.Lab, m mood, who contestant) {
	var calls int64
	var first, last []time.Duration
	for b.Loop() {
		s, f := faultySeat(b, l)
		get := who.make(b, s)
		f.set("iamcredentials", m.fault)
		done := rush(64, m.patient, get)
		first, last = append(first, done[0]), append(last, done[len(done)-1])
		calls = s.web.Transport.(*counted).calls.Load()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(calls), "upstream-calls")
	b.ReportMetric(millis(median(last)), "ms-last")
	b.ReportMetric(millis(median(last)-median(first)), "ms-last-first")
}

// faultySeat is a seat on AWS whose way to the clouds can be broken.
func faultySeat(t testing.TB, l *lab.Lab) (seat, *faults) {
	s := seatOf(t, l, "aws")
	f := &faults{base: s.web.Transport}
	s.web = &http.Client{Transport: &counted{base: f}, Timeout: 10 * time.Second}
	return s, f
}

// counted counts the calls that ask for something.
type counted struct {
	base  http.RoundTripper
	calls atomic.Int64
}

// RoundTrip implements [http.RoundTripper].
func (c *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost {
		c.calls.Add(1)
	}
	return c.base.RoundTrip(r)
}

// rush lets so many callers ask at once, and tells when each was back, in order.
func rush(n int, patient time.Duration, get func(context.Context) error) []time.Duration {
	var mu sync.Mutex
	var done []time.Duration
	var all sync.WaitGroup
	began := time.Now()
	for range n {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patient)
			defer cancel()
			_ = get(ctx) // some moods give an error and no credential
			mu.Lock()
			defer mu.Unlock()
			done = append(done, time.Since(began))
		})
	}
	all.Wait()
	return done
}

// BenchmarkRefreshFails gives a token of 12 s, and from then on 503. It reports for how long
// callers got errors while the token was still good, and how many got one that was not.
func BenchmarkRefreshFails(b *testing.B) {
	const life = 12 * time.Second
	l, dir := onlyRole(b)
	for _, who := range contestants(threeHosts(), dir) {
		switch who.name {
		case openedInInit:
			continue
		case "carnet": // which otherwise gives nothing that ends within five minutes
			who.make = func(t testing.TB, s seat) func(context.Context) error {
				return asksFor(deployed(t, s, "aws", dir, false), threeHosts(), time.Millisecond)
			}
		}
		b.Run("by="+who.name, func(b *testing.B) {
			var without, past atomic.Int64
			for b.Loop() {
				s, f := faultySeat(b, l)
				f.set("iamcredentials", changed(func(text string) string { return shortLived(text, life) }))
				get := who.make(b, s)
				ends := time.Now().Add(life)
				if err := get(b.Context()); err != nil {
					b.Fatal(err)
				}
				f.set("iamcredentials", answering(http.StatusServiceUnavailable, "application/json", `{}`))
				askUntil(ends.Add(time.Second), get, func(err error, at time.Time) {
					switch good := at.Before(ends.Add(-time.Second)); { // a token tells its end in whole seconds
					case err != nil && good:
						without.Add(1)
					case err == nil && at.After(ends):
						past.Add(1)
					}
				})
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(without.Load())*asksEvery.Seconds()/float64(b.N), "s-without")
			b.ReportMetric(float64(past.Load())/float64(b.N), "expired-ones")
		})
	}
}

const asksEvery = 100 * time.Millisecond

// askUntil asks again and again, whoever still waits, and tells when each had asked.
func askUntil(end time.Time, get func(context.Context) error, told func(error, time.Time)) {
	var all sync.WaitGroup
	for at := time.Now(); at.Before(end); at = time.Now() {
		all.Go(func() { told(get(context.Background()), at) })
		time.Sleep(asksEvery)
	}
	all.Wait()
}

func shortLived(answer string, life time.Duration) string {
	before, rest, ok := strings.Cut(answer, `"expireTime":"`)
	_, after, also := strings.Cut(rest, `"`)
	if !ok || !also {
		return answer
	}
	return before + `"expireTime":"` + time.Now().Add(life).UTC().Format(time.RFC3339) + `"` + after
}
