package awslab

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// operations of a service that speaks JSON 1.1, by name.
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
type operations map[string]func(s *session, region string, body []byte) (any, *fault)

// jsonService answers the operations of a service whose targets have the prefix.
func (c *Cloud) jsonService(service, target string, ops operations) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amzn-Requestid", requestID())
		w.Header().Set("Date", c.now().UTC().Format(http.TimeFormat))
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
		if err != nil {
			return
		}
		name := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), target+".")
		w.Header().Set("Lab-Operation", service+":"+name)
		result, f := c.operate(r, service, body, ops[name])
		if f != nil {
			w.WriteHeader(f.status)
			result = map[string]string{"__type": f.code, "message": f.message}
		}
		json.NewEncoder(w).Encode(result)
	})
}

func (c *Cloud) operate(r *http.Request, service string, body []byte, op func(*session, string, []byte) (any, *fault)) (any, *fault) {
	hash := sha256.Sum256(body)
	s, f := c.authenticate(r, service, hex.EncodeToString(hash[:]))
	switch {
	case f != nil:
		return nil, jsonWords(f)
	case op == nil:
		return nil, &fault{http.StatusBadRequest, "UnknownOperationException", ""}
	}
	result, f := op(s, regionOf(r.Host), body)
	return result, jsonWords(f)
}

// jsonWords: these services end their codes in Exception, and refuse with 400.
func jsonWords(f *fault) *fault {
	if f == nil {
		return nil
	}
	code := f.code
	if !strings.HasSuffix(code, "Exception") {
		code += "Exception"
	}
	status := f.status
	if status == http.StatusForbidden {
		status = http.StatusBadRequest
	}
	return &fault{status, code, f.message}
}

func read[T any](body []byte) (T, *fault) {
	var ask T
	if err := json.Unmarshal(body, &ask); err != nil {
		return ask, &fault{http.StatusBadRequest, "SerializationException", "the request is no JSON of the operation's shape"}
	}
	return ask, nil
}
