package bucket_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/catalog/bucket"
)

// A shelf is a store in memory that counts how often it is asked.
type shelf struct {
	mu    sync.Mutex
	files map[string]string
	away  error
	slow  time.Duration
	gets  int
	texts int // answers with a text in them
}

func (s *shelf) Get(ctx context.Context, key, etag string) (bucket.Object, error) {
	select {
	case <-time.After(s.slow):
	case <-ctx.Done():
		return bucket.Object{}, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gets++
	text, ok := s.files[key]
	switch {
	case s.away != nil:
		return bucket.Object{}, s.away
	case !ok:
		return bucket.Object{}, fs.ErrNotExist
	case etag == "e-"+text:
		return bucket.Object{Unchanged: true}, nil
	}
	s.texts++
	return bucket.Object{Text: []byte(text), ETag: "e-" + text}, nil
}

func (s *shelf) List(context.Context, string) ([]string, error) {
	return []string{"c/tenants/acme.yaml", "c/tenants/globex.yaml", "c/tenants/notes.txt", "c/tenants/old/acme.yaml"}, nil
}

func (s *shelf) set(key, text string, away error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
	if text == "" {
		delete(s.files, key)
	} else {
		s.files[key] = text
	}
}

func (s *shelf) counts() (gets, texts int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gets, texts = s.gets, s.texts
	s.gets, s.texts = 0, 0
	return gets, texts
}

const acme = "c/tenants/acme.yaml"

func expect(t *testing.T, s *bucket.Source, want string, fails bool) {
	t.Helper()
	text, version, err := s.Read(t.Context(), "tenants/acme.yaml")
	if fails && s.Unchanged("tenants/acme.yaml", "e-"+want) || s.Unchanged("tenants/acme.yaml", "e-another") {
		t.Error("it is said to be as it was")
	}
	if (err != nil) != fails || string(text) != want || !fails && version != "e-"+want {
		t.Errorf("%q, %q, %v; wanted %q, failing %v", text, version, err, want, fails)
	}
}

func TestACopyIsFreshForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &shelf{files: map[string]string{acme: "one"}}
		s := bucket.New(store, "c")
		var _ catalog.Source = s
		for range 50 {
			expect(t, s, "one", false)
		}
		if gets, _ := store.counts(); gets != 1 {
			t.Errorf("fifty reads ask %d times", gets)
		}
		store.set(acme, "two", nil)
		expect(t, s, "one", false)
		time.Sleep(bucket.FreshFor)
		expect(t, s, "two", false)
		time.Sleep(bucket.FreshFor)
		store.counts()
		expect(t, s, "two", false)
		if gets, texts := store.counts(); gets != 1 || texts != 0 {
			t.Errorf("what has not changed is asked for %d times and sent %d times", gets, texts)
		}
	})
}

func TestWithTheBucketAwayTheLastCopyServesForAQuarterOfAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &shelf{files: map[string]string{acme: "one"}}
		s := bucket.New(store, "/c/")
		expect(t, s, "one", false)
		store.set(acme, "two", errors.New("away"))
		time.Sleep(bucket.FreshFor + bucket.ServesFor - time.Second)
		expect(t, s, "one", false)
		store.counts()
		for range 20 {
			expect(t, s, "one", false)
		}
		if gets, _ := store.counts(); gets != 0 {
			t.Errorf("a bucket that has just failed is asked %d times", gets)
		}
		time.Sleep(time.Second)
		expect(t, s, "", true)
		store.set(acme, "two", nil)
		expect(t, s, "two", false)
	})
}

func TestAFileThatIsGoneIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &shelf{files: map[string]string{acme: "one"}}
		s := bucket.New(store, "c")
		expect(t, s, "one", false)
		store.set(acme, "", nil)
		time.Sleep(bucket.FreshFor)
		if _, _, err := s.Read(t.Context(), "tenants/acme.yaml"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v", err)
		}
		store.counts()
		for range 50 {
			s.Read(t.Context(), "tenants/acme.yaml")
		}
		if gets, _ := store.counts(); gets != 0 {
			t.Errorf("a missing file is asked for %d times more", gets)
		}
		store.set(acme, "new", errors.New("away"))
		time.Sleep(bucket.MissingFor)
		expect(t, s, "", true)
		store.set(acme, "new", nil)
		expect(t, s, "new", false)
	})
}

func TestOneFlightThatOutlivesItsLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &shelf{files: map[string]string{acme: "one"}, slow: time.Second}
		s := bucket.New(store, "c")
		var all sync.WaitGroup
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			if _, _, err := s.Read(ctx, "tenants/acme.yaml"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the leader: %v", err)
			}
		})
		synctest.Wait()
		for range 20 {
			all.Go(func() { expect(t, s, "one", false) })
		}
		all.Wait()
		if gets, _ := store.counts(); gets != 1 {
			t.Errorf("%d flights", gets)
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	store := &shelf{files: map[string]string{acme: "one"}}
	s := bucket.New(store, "c")
	expect(t, s, "one", false)
	for i := range 30_000 {
		s.Read(t.Context(), fmt.Sprintf("tenants/made-up-%d.yaml", i))
	}
	store.counts()
	expect(t, s, "one", false)
	if gets, _ := store.counts(); gets != 0 {
		t.Error("made-up names pushed a tenant out")
	}
}

// TestLongFilesAreBoundedToo: what is kept has 32 MiB, not a number of files.
func TestLongFilesAreBoundedToo(t *testing.T) {
	store := &shelf{files: map[string]string{}}
	s := bucket.New(store, "c")
	long := strings.Repeat("#", 1<<20)
	for i := range 100 {
		name := fmt.Sprintf("tenants/t-%d.yaml", i)
		store.set("c/"+name, long+name, nil)
		if _, _, err := s.Read(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	store.counts()
	for i := 99; i >= 0; i-- {
		s.Read(t.Context(), fmt.Sprintf("tenants/t-%d.yaml", i))
	}
	if gets, _ := store.counts(); gets < 100-32 || gets > 100-30 {
		t.Errorf("of a hundred files of 1 MiB, %d were kept", 100-gets)
	}
}

func TestWhatABucketAnswersInAMomentIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &shelf{files: map[string]string{acme: "one"}, away: errors.New("503 Slow Down")}
		s := bucket.New(store, "c")
		expect(t, s, "", true)
		if gets, _ := store.counts(); gets != 3 {
			t.Errorf("%d tries", gets)
		}
		store.set(acme, "one", &bucket.RefusedError{Answer: "AccessDenied"})
		expect(t, s, "", true)
		if gets, _ := store.counts(); gets != 1 {
			t.Errorf("%d tries of what is forbidden", gets)
		}
		store.set(acme, "one", nil)
		expect(t, s, "one", false)
	})
}

func TestTenants(t *testing.T) {
	names, err := bucket.New(&shelf{}, "c/").Tenants(t.Context())
	if err != nil || strings.Join(names, " ") != "acme globex" {
		t.Errorf("%v, %v", names, err)
	}
}
