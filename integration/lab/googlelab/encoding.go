package googlelab

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
)

// maxBody bounds what a request carries, packed and unpacked.
const maxBody = 64 << 20

var errTooLarge = errors.New("the request is too large for the lab")

// body reads what a request carries, within bounds.
func body(r *http.Request) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err == nil && len(data) > maxBody {
		err = errTooLarge
	}
	return data, err
}

// unpacked takes requests whose bodies are packed with gzip, as Google's client for Java
// sends all of its JSON.
// https://github.com/googleapis/google-http-java-client/blob/main/google-http-client/src/main/java/com/google/api/client/http/GZipEncoding.java
func unpacked(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("Content-Encoding") {
		case "", "identity":
		case "gzip":
			plain, err := gzip.NewReader(io.LimitReader(r.Body, maxBody))
			if err != nil {
				invalid("Failed to decompress the request's body.").write(w)
				return
			}
			r = r.Clone(r.Context())
			r.Body = io.NopCloser(plain)
			r.ContentLength = -1
			r.Header.Del("Content-Encoding")
			r.Header.Del("Content-Length")
		default:
			(&fault{code: http.StatusUnsupportedMediaType, status: "INVALID_ARGUMENT", message: "Unsupported Content-Encoding."}).write(w)
			return
		}
		h.ServeHTTP(w, r)
	})
}
