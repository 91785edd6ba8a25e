package googlelab

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
)

// maxBatch: https://cloud.google.com/storage/docs/batch
const maxBatch = 100

// batch runs requests that come in one, each with its own authorization or the outer one's,
// and each refused by itself.
func (c *Cloud) batch(w http.ResponseWriter, r *http.Request) {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	text, bodyErr := body(r)
	if err != nil || bodyErr != nil {
		invalid("A batch is multipart/mixed.").writeListed(w, storageReasons)
		return
	}
	var out bytes.Buffer
	answers := multipart.NewWriter(&out)
	in := multipart.NewReader(bytes.NewReader(text), params["boundary"])
	for range maxBatch {
		part, err := in.NextPart()
		if err != nil {
			break
		}
		// Some clients end a request without body right behind its last header.
		inner, err := http.ReadRequest(bufio.NewReader(io.MultiReader(part, strings.NewReader("\r\n\r\n"))))
		if err != nil {
			invalid("A part of the batch is no request.").writeListed(w, storageReasons)
			return
		}
		c.oneOfBatch(answers, part.Header.Get("Content-ID"), inner, r)
	}
	answers.Close()
	w.Header().Set("Lab-Operation", "storage.batch")
	w.Header().Set("Content-Type", "multipart/mixed; boundary="+answers.Boundary())
	w.Write(out.Bytes())
}

func (c *Cloud) oneOfBatch(answers *multipart.Writer, id string, inner, outer *http.Request) {
	inner = inner.WithContext(outer.Context())
	inner.Host, inner.TLS = outer.Host, outer.TLS
	if inner.Header.Get("Authorization") == "" && outer.Header.Get("Authorization") != "" {
		inner.Header.Set("Authorization", outer.Header.Get("Authorization"))
	}
	w := httptest.NewRecorder()
	if inner.URL.Path == "/batch/storage/v1" {
		invalid("A batch has no batches in it.").writeListed(w, storageReasons)
	} else {
		c.Storage().ServeHTTP(w, inner)
	}
	header := textproto.MIMEHeader{"Content-Type": {"application/http"}}
	if len(id) > 2 {
		header.Set("Content-ID", id[:1]+"response-"+id[1:])
	}
	part, err := answers.CreatePart(header)
	if err != nil {
		return
	}
	fmt.Fprintf(part, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", w.Code, http.StatusText(w.Code), w.Header().Get("Content-Type"), w.Body.Len(), w.Body)
}
