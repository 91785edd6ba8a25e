package schedule_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/schedule"
	"carnet.dev/carnet/shared/wire"
)

// A fleet is tenants with one destination each, whose credentials live for an hour.
type fleet struct {
	tenants  int
	delivery exchange.Delivery
	reading  time.Duration // a tenant's file
	minting  time.Duration
	broken   map[string]error // by tenant
	lost     map[string]error // by tenant, in the catalog
	mu       sync.Mutex
	minted   int
}

const lifetime = time.Hour

func (f *fleet) list(context.Context) ([]string, error) {
	var names []string
	for i := range f.tenants {
		names = append(names, fmt.Sprint("t-", i))
	}
	return names, nil
}

func (f *fleet) Tenant(ctx context.Context, name string) (*exchange.Tenant, error) {
	if err := wait(ctx, f.reading); err != nil || f.lost[name] != nil {
		return nil, errors.Join(err, f.lost[name])
	}
	t := &exchange.Tenant{Name: name, Destinations: map[string]exchange.Destination{"lake": nil}}
	if d := f.delivery; d.Every > 0 {
		d.Secret = "secret-of-" + name
		t.Deliveries = map[string]exchange.Delivery{"lake": d}
	}
	return t, nil
}

func (f *fleet) vend(ctx context.Context, r exchange.Request) (*exchange.Credential, error) {
	if err := wait(ctx, f.minting); err != nil {
		return nil, err
	}
	if err := f.broken[r.Tenant]; err != nil {
		return nil, err
	}
	if r.Caller != exchange.Schedule || !r.Fresh {
		return nil, fmt.Errorf("%+v asks, and takes what is kept: %v", r.Caller, !r.Fresh)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.minted++
	return &exchange.Credential{Kind: "s3", Principal: "arn:…", Expires: time.Now().Add(lifetime), Session: &exchange.Session{
		AccessKeyID: fmt.Sprint("AKID", f.minted), SecretAccessKey: exchange.NewSecret("s"), SessionToken: exchange.NewSecret("t"),
	}}, nil
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A safe keeps secrets as Secrets Manager does, which takes our ids, or as Secret Manager
// does, which only knows when a version was made.
type safe struct {
	byID   bool
	refuse error
	pace   float64
	mu     sync.Mutex
	kept   map[string][]version
}

type version struct {
	id   string
	made time.Time
	text []byte
}

func (s *safe) Pace() float64 { return s.pace }

func (s *safe) Delivered(_ context.Context, secret string, ids []string, since time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.kept[secret], func(v version) bool {
		return s.byID && slices.Contains(ids, v.id) || !s.byID && !v.made.Before(since)
	}), nil
}

func (s *safe) Deliver(_ context.Context, secret, id string, text []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return s.refuse
	}
	if len(id) != 64 {
		return fmt.Errorf("the id %q has not 32 to 64 characters", id)
	}
	if s.kept == nil {
		s.kept = map[string][]version{}
	}
	if !s.byID || !slices.ContainsFunc(s.kept[secret], func(v version) bool { return v.id == id }) {
		s.kept[secret] = append(s.kept[secret], version{id, time.Now(), text})
	}
	return nil
}

func (s *safe) current(secret string) version {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept[secret]) == 0 {
		return version{}
	}
	return s.kept[secret][len(s.kept[secret])-1]
}

func runner(f *fleet, s *safe) *schedule.Runner {
	if s.pace == 0 {
		s.pace = 1000
	}
	return &schedule.Runner{Vend: f.vend, Tenants: f, List: f.list, Store: s}
}

func deliver(t *testing.T, r *schedule.Runner) schedule.Report {
	t.Helper()
	report, err := r.Run(t.Context(), schedule.Input{Action: schedule.Deliver})
	if err != nil || report.Failed != 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	return report
}

func clouds(t *testing.T, test func(*testing.T, *safe)) {
	t.Helper()
	for name, byID := range map[string]bool{"Secrets Manager": true, "Secret Manager": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, &safe{byID: byID}) })
		})
	}
}

// TestASchedulerThatIsLateAndComesTwice runs two days of each interval, the scheduler up to
// a minute late, coming again within minutes, and by hand in between.
func TestASchedulerThatIsLateAndComesTwice(t *testing.T) {
	clouds(t, func(t *testing.T, s *safe) {
		for _, every := range []time.Duration{10 * time.Minute, 30 * time.Minute, 40 * time.Minute, 55 * time.Minute} {
			for seed := range uint64(5) {
				s.kept = nil
				days(t, s, every, rand.New(rand.NewPCG(seed, 0)))
			}
		}
	})
}

func days(t *testing.T, s *safe, every time.Duration, chance *rand.Rand) {
	t.Helper()
	r := runner(&fleet{tenants: 1, delivery: exchange.Delivery{Every: every, Format: "json", Lifetime: lifetime}}, s)
	time.Sleep(time.Duration(chance.Int64N(int64(every)))) // a phase of its own
	began, runs := time.Now(), int(48*time.Hour/every)
	until := func(at time.Time) {
		time.Sleep(time.Until(at))
		if v := s.current("secret-of-t-0"); !v.made.IsZero() && time.Since(v.made) >= lifetime {
			t.Fatalf("every %s: a job reads what ended %s ago", every, time.Since(v.made)-lifetime)
		}
	}
	for i := range runs {
		turn := began.Add(time.Duration(i) * every)
		until(turn.Add(time.Duration(chance.Int64N(int64(time.Minute)))))
		if first := deliver(t, r); first.Kept == 0 && chance.IntN(3) == 0 {
			time.Sleep(time.Duration(chance.Int64N(int64(3 * time.Minute))))
			if again := deliver(t, r); again.Kept != 1 {
				t.Fatalf("every %s: who comes twice delivers twice", every)
			}
		}
		if chance.IntN(10) == 0 {
			until(turn.Add(time.Minute + time.Duration(chance.Int64N(int64(every-time.Minute)))))
			deliver(t, r) // by hand
		}
	}
	if n := len(s.kept["secret-of-t-0"]); n < runs*2/3 || n > runs*3/2 {
		t.Errorf("every %s: %d runs make %d versions", every, runs, n)
	}
}

func TestEachRunInItsTurnDelivers(t *testing.T) {
	clouds(t, func(t *testing.T, s *safe) {
		r := runner(&fleet{tenants: 1, delivery: exchange.Delivery{Every: 30 * time.Minute, Format: "json", Lifetime: lifetime}}, s)
		time.Sleep(30*time.Minute - 5*time.Second)
		for i := range 20 { // on either side of every half hour
			if report := deliver(t, r); report.Kept != 0 {
				t.Errorf("run %d delivers nothing", i)
			}
			time.Sleep(30*time.Minute + []time.Duration{10, -10}[i%2]*time.Second)
		}
	})
}

func TestTwoRunsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &safe{byID: true}
		r := runner(&fleet{tenants: 20, minting: time.Second, delivery: exchange.Delivery{Every: 30 * time.Minute, Format: "aws", Lifetime: lifetime}}, s)
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() { deliver(t, r) })
		}
		both.Wait()
		for secret, versions := range s.kept {
			if len(versions) != 1 || !strings.Contains(string(versions[0].text), `"Version":1`) {
				t.Errorf("%s has %d versions", secret, len(versions))
			}
		}
	})
}

func TestWhatFailsFailsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		edge := &exchange.EdgeError{Edge: exchange.Edge{To: "role"}, Code: "AccessDenied", Reason: exchange.Refused, Owner: exchange.ThirdParty, Err: errors.New("no")}
		f := &fleet{
			tenants: 5, delivery: exchange.Delivery{Every: 30 * time.Minute, Format: "json", Lifetime: lifetime},
			broken: map[string]error{"t-1": edge}, lost: map[string]error{"t-3": errors.New("tenants/t-3.yaml:1: no")},
		}
		s := &safe{}
		r := runner(f, s)
		report, err := r.Run(t.Context(), schedule.Input{Action: schedule.Deliver})
		if err != nil || report.Failed != 2 || report.Destinations != 4 || len(s.kept) != 3 {
			t.Fatalf("%+v, %v; %d secrets", report, err, len(s.kept))
		}
		if one := report.Failures[0]; one.Tenant != "t-1" || one.Destination != "lake" || one.Code != "AccessDenied" || one.Owner != "third-party" || one.RequestID == "" {
			t.Errorf("%+v", one)
		}
		if lost := report.Failures[1]; lost.Tenant != "t-3" || lost.Code != "catalog" {
			t.Errorf("%+v", lost)
		}
		time.Sleep(30 * time.Minute)
		before := s.current("secret-of-t-0")
		s.refuse = errors.New("throttled")
		if report, err = r.Run(t.Context(), schedule.Input{Action: schedule.Deliver}); err != nil || report.Failed != 5 {
			t.Errorf("%+v, %v", report, err)
		}
		if after := s.current("secret-of-t-0"); after.id != before.id {
			t.Error("a delivery that failed changed the secret")
		}
		if _, id, err := wire.Decode(before.text); err != nil || id == "" {
			t.Errorf("what was delivered is no credential: %v", err)
		}
	})
}

// TestOneCheckADayTriesWhatMustBeRefused, and no other does.
func TestOneCheckADayTriesWhatMustBeRefused(t *testing.T) {
	f := &fleet{tenants: 4, broken: map[string]error{"t-3": fmt.Errorf("linking: %w", exchange.ErrUnverified)}}
	found := map[string]error{"t-1": fmt.Errorf("%w: it lets us in without the ExternalId", schedule.ErrLetIn), "t-2": schedule.ErrUnproven}
	var mu sync.Mutex
	asked := 0
	r := runner(f, &safe{})
	r.Refuse = func(_ context.Context, req exchange.Request) error {
		mu.Lock()
		defer mu.Unlock()
		if asked++; req.Caller != exchange.Schedule || req.ID == "" || !strings.HasPrefix(req.Job, "check ") {
			return fmt.Errorf("%+v", req)
		}
		return found[req.Tenant]
	}
	often, err := r.Run(t.Context(), schedule.Input{Action: schedule.Check})
	if err != nil || asked != 0 || often.Failed != 0 || often.Unverified != 1 {
		t.Errorf("an hourly check: %+v, %v; %d were asked", often, err, asked)
	}
	daily, err := r.Run(t.Context(), schedule.Input{Action: schedule.Check, Refusals: true})
	if err != nil || asked != 4 || daily.Destinations != 4 || daily.Failed != 1 || daily.Unproven != 1 {
		t.Fatalf("the daily one: %+v, %v; %d were asked", daily, err, asked)
	}
	if unsafe := daily.Failures[0]; unsafe.Tenant != "t-1" || unsafe.Code != "let_in" || unsafe.Owner != "third-party" {
		t.Errorf("%+v", unsafe)
	}
}

func TestACredentialThatEndsBeforeTheNextRunIsNotDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &safe{}
		report, err := runner(&fleet{tenants: 1, delivery: exchange.Delivery{Every: 2 * time.Hour, Format: "json"}}, s).Run(t.Context(), schedule.Input{Action: schedule.Deliver})
		if err != nil || report.Failed != 1 || !strings.Contains(report.Failures[0].Error, "2h") || len(s.kept) != 0 {
			t.Errorf("%+v, %v", report, err)
		}
	})
}

// TestTenThousandWithinAFunctionsTime has one destination a tenant, each file 30 ms away
// and each chain half a second, at the pace that the quotas give.
func TestTenThousandWithinAFunctionsTime(t *testing.T) {
	for in, want := range map[*schedule.Input]time.Duration{
		{Action: schedule.Check}: 160 * time.Second, {Action: schedule.Deliver}: 255 * time.Second,
		{Action: schedule.Check, Refusals: true}: 405 * time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fleet{tenants: 10_000, reading: 30 * time.Millisecond, minting: 500 * time.Millisecond, delivery: exchange.Delivery{Every: 30 * time.Minute, Format: "json", Lifetime: lifetime}}
			began, r := time.Now(), runner(f, &safe{byID: true, pace: 40})
			r.Refuse = func(ctx context.Context, req exchange.Request) error { _, err := f.vend(ctx, req); return err }
			report, err := r.Run(t.Context(), *in)
			if took := time.Since(began); err != nil || report.Failed != 0 || report.Destinations != 10_000 || took > want {
				t.Errorf("%+v: %d destinations, %d failed, in %s: %v", *in, report.Destinations, report.Failed, took, err)
			}
		})
	}
}

func TestOutOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		report, err := runner(&fleet{tenants: 10_000, minting: time.Second}, &safe{}).Run(ctx, schedule.Input{Action: schedule.Check})
		if !errors.Is(err, context.DeadlineExceeded) && (err == nil || !strings.Contains(err.Error(), "shards")) {
			t.Errorf("%v", err)
		}
		if took := time.Since(began); took > 10*time.Second || report.Destinations < 250 || report.Destinations > 330 {
			t.Errorf("%d destinations, %d of them failed, in %s", report.Destinations, report.Failed, took)
		}
	})
}

// TestAnAlarmStandsOnTheMetrics when most of all fails.
func TestAnAlarmStandsOnTheMetrics(t *testing.T) {
	report := schedule.Report{ID: "run-1", Action: schedule.Check, Destinations: 5000, Failed: 2000}
	for i := range 1000 {
		report.Failures = append(report.Failures, schedule.Failure{Tenant: fmt.Sprint("t-", i), Error: strings.Repeat("no ", 300)})
	}
	var emf, log bytes.Buffer
	if err := errors.Join(report.EMF(&emf, "carnet-schedule"), report.Log(&log)); err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(emf.String(), "\n")
	var metric struct {
		AWS struct {
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name string }
			}
		} `json:"_aws"`
		Function string `json:"function"`
		Failed   int    `json:"checks_failed"`
		All      int    `json:"destinations"`
	}
	if err := json.Unmarshal([]byte(first), &metric); err != nil || metric.Function != "carnet-schedule" || metric.Failed != 2000 || metric.All != 5000 {
		t.Errorf("%+v, %v", metric, err)
	}
	if m := metric.AWS.CloudWatchMetrics; len(m) != 1 || m[0].Namespace != "carnet" || m[0].Metrics[0].Name != "checks_failed" || fmt.Sprint(m[0].Dimensions) != "[[function]]" {
		t.Errorf("%+v", m)
	}
	if !strings.HasPrefix(log.String(), `{"message":"schedule check","metric":"checks_failed","schedule":`) || !strings.Contains(log.String(), `"severity":"ERROR","value":2000}`) {
		t.Error(strings.SplitN(log.String(), "\n", 2)[0])
	}
	for _, text := range []string{emf.String(), log.String()} {
		if n := strings.Count(text, `"failure":`); n != 1000 {
			t.Errorf("%d of 1000 failures", n)
		}
		for line := range strings.Lines(text) {
			if len(line) > 256<<10 {
				t.Errorf("a line of %d bytes is no metric", len(line))
			}
		}
	}
}

func TestTheInput(t *testing.T) {
	read := func(text string, want schedule.Input) {
		t.Helper()
		if in, err := schedule.Parse([]byte(text)); err != nil || fmt.Sprint(in) != fmt.Sprint(want) {
			t.Errorf("%s: %+v, %v", text, in, err)
		}
	}
	refuse := func(why, text, hint string) {
		t.Helper()
		if _, err := schedule.Parse([]byte(text)); !errors.Is(err, schedule.ErrInput) || !strings.Contains(err.Error(), hint) {
			t.Errorf("%s: %v, wanted %q", why, err, hint)
		}
	}
	read(`{"action":"check","tenants":"all"}`, schedule.Input{Action: schedule.Check})
	read(`{"action":"deliver","tenants":["globex","acme"],"shard":"2/4"}`, schedule.Input{Action: schedule.Deliver, Tenants: []string{"acme", "globex"}, Shard: schedule.Shard{N: 2, Of: 4}})
	refuse("an action of another kind", `{"action":["check"],"tenants":"all"}`, `"check" or "deliver"`)
	refuse("a null", `{"action":"check","tenants":[null]}`, "null is no tenant's name")
	refuse("a way out of the folder", `{"action":"check","tenants":["../carnet"]}`, "a-z, 0-9")
	refuse("a tenant twice", `{"action":"check","tenants":["acme","acme"]}`, "twice")
	refuse("a null for all", `{"action":"check","tenants":null}`, `"all"`)
	refuse("a shard of null", `{"action":"check","tenants":"all","shard":null}`, "first of four")
	read(`{"action":"check","tenants":"all","refusals":true}`, schedule.Input{Action: schedule.Check, Refusals: true})
	read(`{"action":"deliver","tenants":"all","refusals":false}`, schedule.Input{Action: schedule.Deliver})
	refuse("a delivery that is refused", `{"action":"deliver","tenants":"all","refusals":true}`, "a check's")
	refuse("a word for true", `{"action":"check","tenants":"all","refusals":"true"}`, "leave it out")
	refuse("a key twice, in another case", `{"action":"check","tenants":"all","Action":"deliver"}`, "twice")
	refuse("too much of it", `{"action":"check","tenants":"all"`+strings.Repeat(" ", 300<<10)+`}`, "bytes")
}

// FuzzInput: an input asks for something that there is, or is refused.
func FuzzInput(f *testing.F) {
	f.Add([]byte(`{"action":"check","tenants":"all","shard":"1/2"}`))
	f.Add([]byte(`{"action":"deliver","tenants":["acme"]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		in, err := schedule.Parse(text)
		if err == nil && in.Action != schedule.Check && in.Action != schedule.Deliver {
			t.Fatalf("%q is taken for %+v", text, in)
		}
	})
}
