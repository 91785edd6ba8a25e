// Package bucket is a catalog under a prefix of an S3 or Cloud Storage bucket.
//
// A file is read when somebody asks for it, and kept. For a minute the copy counts as
// fresh; after that the bucket is asked whether it changed, by its ETag. While the bucket
// is away the last good copy serves for a quarter of an hour more, and then nothing does:
// who was cut off in the catalog must not be served for ever because a bucket is down.
// That a file is missing is kept as well, for seconds, so that asking for tenants that do
// not exist costs the bucket nothing.
package bucket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"carnet.dev/carnet/shared/exchange/again"
	"carnet.dev/carnet/shared/exchange/clock"
	"carnet.dev/carnet/shared/exchange/flight"
)

// How long a copy counts.
const (
	FreshFor    = time.Minute
	ServesFor   = 15 * time.Minute // longer, while the bucket is away
	MissingFor  = 10 * time.Second // a tenant that was just added waits no longer
	againAfter  = 5 * time.Second  // between two tries of a bucket that is away
	readTimeout = 5 * time.Second
	maxAnswer   = 1 << 20 // of a file, or of a page of a listing
	// keptBytes and keptMisses bound the memory, however many tenants there are and
	// however long their files. There are two bounds so that made-up names push no tenant out.
	keptBytes  = 32 << 20
	keptMisses = 10_000
)

// A Store is where the files are.
type Store interface {
	// Get reads an object, unless its ETag is the given one. It fails with
	// fs.ErrNotExist if there is none.
	Get(ctx context.Context, key, etag string) (Object, error)
	// List lists the keys under a prefix.
	List(ctx context.Context, prefix string) ([]string, error)
}

// An Object is what a Store gives.
type Object struct {
	Text      []byte
	ETag      string
	Unchanged bool // the ETag is the one that was given, and there is no text
}

// A Source gives the files under a prefix. It implements the catalog's Source and is safe
// for concurrent use.
type Source struct {
	store  Store
	prefix string // empty, or ends in a slash

	flight flight.Group[file]
	mu     sync.Mutex
	files  *simplelru.LRU[string, file]
	bytes  int // of the files
	misses *simplelru.LRU[string, time.Time]
}

type file struct {
	text    []byte
	etag    string
	checked time.Time // when the bucket last said that this is it
	again   time.Time // no try before, after one that failed
}

// perFile is what a copy takes beside its text, about.
const perFile = 512

func (f file) size() int { return len(f.text) + perFile }

func (f file) known() bool { return f.etag != "" }

// New makes a source. The prefix may end in a slash or not.
func New(store Store, prefix string) *Source {
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	s := &Source{store: store, prefix: prefix}
	var errFiles, errMisses error
	s.files, errFiles = simplelru.NewLRU(keptBytes/perFile, func(_ string, f file) { s.bytes -= f.size() })
	s.misses, errMisses = simplelru.NewLRU[string, time.Time](keptMisses, nil)
	if err := errors.Join(errFiles, errMisses); err != nil {
		panic(err) // only for a size below one
	}
	return s
}

// Read implements the catalog's Source. The version is the ETag.
func (s *Source) Read(ctx context.Context, name string) ([]byte, string, error) {
	held, ask, missing := s.look(name)
	switch {
	case missing:
		return nil, "", fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	case !ask:
		return held.text, held.etag, nil
	}
	got, err := s.fetch(ctx, name)
	switch {
	case err == nil:
		return got.text, got.etag, nil
	case !errors.Is(err, fs.ErrNotExist) && held.known() && clock.Since(held.checked) < FreshFor+ServesFor:
		return held.text, held.etag, nil
	}
	return nil, "", err
}

// Unchanged implements the catalog's Source: it knows while a copy is fresh.
func (s *Source) Unchanged(name, of string) bool {
	held, ask, missing := s.look(name)
	return !ask && !missing && held.etag == of
}

// look tells what is held of a file, and whether the bucket is to be asked.
func (s *Source) look(name string) (held file, ask, missing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if since, ok := s.misses.Get(name); ok && clock.Since(since) < MissingFor {
		return held, false, true
	}
	held, _ = s.files.Get(name)
	age := clock.Since(held.checked)
	waits := time.Now().Before(held.again) && age < FreshFor+ServesFor
	return held, !held.known() || age >= FreshFor && !waits, false
}

// fetch asks the bucket, once for all who wait and whoever leaves, and once more for what it
// may answer in a moment.
func (s *Source) fetch(ctx context.Context, name string) (file, error) {
	return s.flight.Do(ctx, name, readTimeout, func(ctx context.Context) (file, error) {
		held, ask, missing := s.look(name) // again: another flight may just have landed
		if !ask && !missing {
			return held, nil
		}
		var o Object
		err := again.Call(ctx, func() (err error) {
			o, err = s.store.Get(ctx, s.prefix+name, held.etag)
			return err
		}, final)
		return s.keep(name, held, o, err)
	})
}

// final: what is missing or forbidden will be so in a moment, too.
func final(err error) (no bool, after time.Duration) {
	var refused *RefusedError
	var busy *busyError
	if errors.As(err, &busy) {
		after = busy.after
	}
	return errors.Is(err, fs.ErrNotExist) || errors.As(err, &refused), after
}

func (s *Source) keep(name string, held file, o Object, err error) (file, error) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.files.Remove(name)
		s.misses.Add(name, now)
		return file{}, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	case err != nil:
		if held.known() {
			held.again = now.Add(againAfter)
			s.put(name, held)
		}
		return file{}, fmt.Errorf("reading %s of the catalog's bucket: %w", name, err)
	case o.Unchanged:
		held.checked, held.again = now, time.Time{}
	default:
		held = file{text: o.Text, etag: cmp.Or(o.ETag, now.String()), checked: now}
	}
	s.put(name, held)
	s.misses.Remove(name)
	return held, nil
}

// put keeps a file, and drops those that were not asked for longest while there is too much.
func (s *Source) put(name string, f file) {
	s.files.Remove(name)
	for s.bytes+f.size() > keptBytes && s.files.Len() > 0 {
		s.files.RemoveOldest()
	}
	s.files.Add(name, f)
	s.bytes += f.size()
}

// Tenants lists the names of the tenants that have a file. It is for schedules: no
// look-up needs it.
func (s *Source) Tenants(ctx context.Context) ([]string, error) {
	var keys, names []string
	err := again.Call(ctx, func() (err error) {
		keys, err = s.store.List(ctx, s.prefix+"tenants/")
		return err
	}, final)
	for _, key := range keys {
		name, ok := strings.CutSuffix(strings.TrimPrefix(key, s.prefix+"tenants/"), ".yaml")
		if ok && !strings.Contains(name, "/") {
			names = append(names, name)
		}
	}
	return names, err
}

// A RefusedError is an answer that will be the same the next time: a right is missing, or
// there is no such bucket.
type RefusedError struct{ Answer string }

func (e *RefusedError) Error() string { return e.Answer }

// A busyError is an answer that may be another in a moment.
type busyError struct {
	answer string
	after  time.Duration // as the store asked; 0 where it did not
}

func (e *busyError) Error() string { return e.answer }

// answered reads what a store says that gives no object. S3 says with a 400 that a request
// took it too long, and with a 403 that its date is wrong, and then what time it is.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
func answered(store string, resp *http.Response, code string) error {
	text := strings.TrimSpace("answer of " + store + ": " + resp.Status + " " + code)
	passing := code == "RequestTimeout" || code == "RequestTimeTooSkewed"
	if passing || resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusRequestTimeout {
		return &busyError{text, again.After(resp.Header)}
	}
	return &RefusedError{text}
}
