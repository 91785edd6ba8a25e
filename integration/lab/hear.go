package lab

import (
	"bytes"
	"io"
	"net/http"
)

// An Exchange is one request that reached the lab, and what it was answered, whole. It has
// the credentials of a lab in it.
type Exchange struct {
	Method   string
	Host     string
	URI      string // path and query, as they came
	Header   http.Header
	Body     []byte
	Status   int
	Answered http.Header
	Answer   []byte
}

// Hear hands every exchange from now on to a listener, which may be called at the same time
// from several requests.
func (l *Lab) Hear(listener func(Exchange)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listener = listener
}

// heard tells the listener, if there is one, what passes a handler.
func (l *Lab) heard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		tell := l.listener
		l.mu.Unlock()
		if tell == nil {
			h.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client has left
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		e := Exchange{Method: r.Method, Host: hostOnly(r.Host), URI: r.RequestURI, Header: r.Header.Clone(), Body: body}
		told := &tee{ResponseWriter: w, status: http.StatusOK}
		h.ServeHTTP(told, r)
		e.Status, e.Answered, e.Answer = told.status, w.Header().Clone(), told.said.Bytes()
		tell(e)
	})
}

// A tee keeps what is answered.
type tee struct {
	http.ResponseWriter
	status int
	said   bytes.Buffer
}

func (t *tee) WriteHeader(code int) {
	t.status = code
	t.ResponseWriter.WriteHeader(code)
}

func (t *tee) Write(p []byte) (int, error) {
	t.said.Write(p)
	return t.ResponseWriter.Write(p)
}
