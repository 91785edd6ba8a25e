package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
)

// An Authorize proves a request to be the runtime's own.
type Authorize func(context.Context, *http.Request) error

// An endpoint is what both stores do alike.
type endpoint struct {
	name      string // as errors have it
	client    *http.Client
	authorize Authorize
	told      func(http.Header)
	listing   string // the right to list
}

// get makes one request and reads its answer, within bounds.
func (e endpoint) get(ctx context.Context, from, etag string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, nil, err
	}
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	if err := e.authorize(ctx, req); err != nil {
		return nil, nil, err
	}
	resp, err := e.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(text) > maxAnswer {
		err = fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	if err == nil && e.told != nil {
		e.told(resp.Header)
	}
	return resp, text, err
}

// object reads an object. hint says of an answer of the store's own what to do about it;
// empty: nothing is known.
func (e endpoint) object(ctx context.Context, from, etag string, hint func(*http.Response, string) string) (Object, error) {
	resp, text, err := e.get(ctx, from, etag)
	if err != nil {
		return Object{}, err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return Object{Text: text, ETag: resp.Header.Get("ETag")}, nil
	case http.StatusNotModified:
		return Object{Unchanged: true}, nil
	}
	code := errorCode(text)
	if resp.StatusCode == http.StatusNotFound && code != "NoSuchBucket" {
		return Object{}, fs.ErrNotExist
	}
	if what := hint(resp, code); what != "" {
		return Object{}, &RefusedError{"answer of " + e.name + ": " + what}
	}
	return Object{}, answered(e.name, resp, code)
}

// list lists page by page. page reads one and what names the next, nothing after the last;
// token is the parameter that asks for it.
func (e endpoint) list(ctx context.Context, at string, query url.Values, token string, page func([]byte) (keys []string, next string, err error)) (all []string, err error) {
	for {
		resp, text, err := e.get(ctx, at+query.Encode(), "")
		if err != nil {
			return nil, err
		}
		if resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("listing %s, for which the runtime needs %s: %w", query.Get("prefix"), e.listing, answered(e.name, resp, errorCode(text)))
		}
		keys, next, err := page(text)
		if err != nil {
			return nil, err
		}
		all = append(all, keys...)
		switch next {
		case "":
			return all, nil
		case query.Get(token):
			return nil, errors.New("the listing does not go on: a page names itself as the next")
		}
		query.Set(token, next)
	}
}
