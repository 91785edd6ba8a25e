package googlelab

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
)

// A session is a resumable upload that is under way, or done. Whoever knows its id may go
// on with it, as whoever began it.
// https://cloud.google.com/storage/docs/resumable-uploads
type session struct {
	path     string
	data     []byte
	total    int64 // -1: not known yet
	finished bool
	deliver  func(data []byte) (any, *fault)
	answer   any
	fault    *fault
	reasons  map[int]string
}

const (
	maxUploads = 1000
	quantum    = 256 << 10 // of every chunk but the last
	unknown    = -1
)

// begin opens a session, for whoever may make the object.
func (c *Cloud) begin(w http.ResponseWriter, r *http.Request) {
	bucket, q := r.PathValue("bucket"), r.URL.Query()
	text, err := body(r)
	if err != nil {
		unreadable(err).writeListed(w, storageReasons)
		return
	}
	name, o, err := makeObject(text, q, r.Header.Get("X-Upload-Content-Type"), nil)
	if err != nil || name == "" {
		unreadable(err).writeListed(w, storageReasons)
		return
	}
	t, f := c.reach(w, r, objectAccess("insert", "create", bucket, name))
	if f == nil {
		f = c.replaceable(t, "insert", bucket, name, q)
	}
	if f != nil {
		f.writeListed(w, storageReasons)
		return
	}
	c.openUpload(w, r, name, &session{reasons: storageReasons, deliver: func(data []byte) (any, *fault) {
		o.data = data
		made, f := c.store(t, "insert", bucket, name, o, q)
		return made.resource(bucket, name), f
	}})
}

// openUpload keeps a session, and says where to send the data.
func (c *Cloud) openUpload(w http.ResponseWriter, r *http.Request, name string, s *session) {
	s.path, s.total = r.URL.Path, unknown
	if n, err := strconv.ParseInt(r.Header.Get("X-Upload-Content-Length"), 10, 64); err == nil {
		s.total = n
	}
	id := rand.Text()
	c.mu.Lock()
	if len(c.uploads) >= maxUploads {
		clear(c.uploads)
	}
	c.uploads[id] = s
	c.mu.Unlock()
	at := url.URL{Scheme: "https", Host: r.Host, Path: r.URL.Path, RawPath: r.URL.RawPath}
	if r.TLS == nil {
		at.Scheme = "http"
	}
	query := url.Values{"uploadType": {"resumable"}, "upload_id": {id}}
	if name != "" {
		query.Set("name", name)
	}
	at.RawQuery = query.Encode()
	w.Header().Set("X-GUploader-UploadID", id)
	w.Header().Set("Location", at.String())
	w.WriteHeader(http.StatusOK)
}

// A span is a Content-Range: where a chunk begins and ends, and how long the whole is.
type span struct {
	asks              bool // for the state alone
	from, last, total int64
}

var contentRange = regexp.MustCompile(`^bytes (?:(\*)|(\d{1,18})-(\d{1,18}|\*))/(\d{1,18}|\*)$`)

// spanOf reads a Content-Range. Without one the body is the whole object. Node's client does
// not know the end of what it streams: bytes 0-*/*.
// https://github.com/googleapis/nodejs-storage/blob/main/src/resumable-upload.ts
func spanOf(header string) (span, bool) {
	if header == "" {
		return span{last: unknown, total: unknown}, true
	}
	m := contentRange.FindStringSubmatch(header)
	if m == nil {
		return span{}, false
	}
	number := func(text string) int64 {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return unknown
		}
		return n
	}
	s := span{m[1] != "", 0, number(m[3]), number(m[4])}
	if !s.asks {
		s.from = number(m[2])
	}
	return s, s.asks || s.last == unknown || s.last >= s.from && (s.total == unknown || s.last < s.total)
}

// resume takes a chunk, or says how far the upload has come.
func (c *Cloud) resume(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("upload_id")
	c.mu.RLock()
	s := c.uploads[id]
	c.mu.RUnlock()
	if s == nil || s.path != r.URL.Path {
		missing("No such upload session.").writeListed(w, storageReasons)
		return
	}
	if r.Method == http.MethodDelete {
		c.mu.Lock()
		delete(c.uploads, id)
		c.mu.Unlock()
		w.WriteHeader(499) // https://cloud.google.com/storage/docs/performing-resumable-uploads#cancel-upload
		return
	}
	at, ok := spanOf(r.Header.Get("Content-Range"))
	data, err := body(r)
	if !ok || err != nil {
		invalid("Failed to parse Content-Range header.").writeListed(w, s.reasons)
		return
	}
	c.mu.Lock()
	f := s.take(at, data)
	last := f == nil && !s.finished && s.complete(at)
	s.finished = s.finished || last
	c.mu.Unlock()
	if f != nil {
		f.writeListed(w, s.reasons)
		return
	}
	c.progress(w, r, s, last)
}

// take adds a chunk. What is there already is skipped, and what is no multiple of 256 KiB
// is kept only at the end. The caller holds mu.
func (s *session) take(at span, data []byte) *fault {
	have := int64(len(s.data))
	switch {
	case s.finished || at.asks && len(data) == 0:
		return nil
	case at.asks, at.last != unknown && at.last-at.from+1 != int64(len(data)):
		return invalid("Invalid request. The request's body is not as long as its Content-Range says.")
	case at.from > have:
		return invalid("Invalid request. The chunk begins behind the bytes that were received.")
	case have+int64(len(data)) > maxBody:
		return unreadable(errTooLarge)
	}
	fresh := data[min(have-at.from, int64(len(data))):]
	if total := max(at.total, s.total); total != unknown && (have+int64(len(fresh)) > total || at.total != unknown && at.total != total || s.total != unknown && s.total != total) {
		return invalid("Invalid request. The upload was to have another length.")
	}
	s.data = append(s.data, fresh...)
	if !s.complete(at) {
		s.data = s.data[:len(s.data)/quantum*quantum]
	}
	return nil
}

// complete tells whether a chunk was the last: the whole is as long as it was said to be, or
// no end was named at all.
func (s *session) complete(at span) bool {
	open := !at.asks && at.last == unknown && at.total == unknown
	total := max(at.total, s.total)
	asked := at.asks && at.total == unknown
	return open || !asked && total != unknown && int64(len(s.data)) == total
}

// progress delivers the data once it is whole, and says how far it is before.
func (c *Cloud) progress(w http.ResponseWriter, r *http.Request, s *session, last bool) {
	if last {
		answer, f := s.deliver(s.data)
		c.mu.Lock()
		s.answer, s.fault = answer, f
		c.mu.Unlock()
	}
	c.mu.RLock()
	finished, answer, f, n := s.finished, s.answer, s.fault, len(s.data)
	c.mu.RUnlock()
	switch {
	case f != nil:
		f.writeListed(w, s.reasons)
	case finished:
		writeJSON(w, http.StatusOK, answer)
	default:
		if n > 0 {
			w.Header().Set("Range", "bytes=0-"+strconv.Itoa(n-1))
		}
		incomplete(w, r)
	}
}

// incomplete says that more is to come: with status 308, or in a header for clients of a
// library that takes 308 for a redirect.
// https://pkg.go.dev/google.golang.org/api/internal/gensupport
func incomplete(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-GUploader-No-308") == "yes" {
		w.Header().Set("X-Http-Status-Code-Override", "308")
		w.WriteHeader(http.StatusOK)
		return
	}
	w.WriteHeader(http.StatusPermanentRedirect)
}
