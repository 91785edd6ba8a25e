package bucket

import (
	"context"
	"io/fs"
	"testing"
	"time"
	"unsafe"
)

// This file looks inside: no test can freeze a machine, so it sets back what the clock on the
// wall showed when the bucket was asked, and leaves the other clock's reading as it is.

func asleepSince(t time.Time, by time.Duration) time.Time {
	const seconds = 30 // bits below them: https://pkg.go.dev/time#Time has the layout
	*(*uint64)(unsafe.Pointer(&t)) -= uint64(by/time.Second) << seconds
	return t
}

func TestAsleepDoesWhatItSays(t *testing.T) {
	now := time.Now()
	then := asleepSince(now, time.Hour)
	if now.Sub(then) != 0 || now.Round(0).Sub(then.Round(0)) != time.Hour {
		t.Fatalf("%s by one clock, %s by the other", now.Sub(then), now.Round(0).Sub(then.Round(0)))
	}
}

// A lone store has one file, until it is taken away.
type lone struct{ gone bool }

func (l *lone) Get(context.Context, string, string) (Object, error) {
	if l.gone {
		return Object{}, fs.ErrNotExist
	}
	return Object{Text: []byte("tenant: acme"), ETag: "1"}, nil
}

func (l *lone) List(context.Context, string) ([]string, error) { return nil, nil }

// TestACopyOfBeforeAFreezeIsAskedFor: who was cut off while a function was frozen is not
// served by the copy that was fresh when it fell asleep.
func TestACopyOfBeforeAFreezeIsAskedFor(t *testing.T) {
	const name = "tenants/acme.yaml"
	store := new(lone)
	s := New(store, "live")
	if _, _, err := s.Read(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	f, _ := s.files.Get(name)
	f.checked = asleepSince(f.checked, 10*time.Hour)
	s.files.Add(name, f)
	store.gone = true
	if text, _, err := s.Read(t.Context(), name); err == nil {
		t.Errorf("a file that is gone for hours is read: %s", text)
	}
}
