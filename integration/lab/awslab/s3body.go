package awslab

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxObject bounds what the lab keeps of one object, or of one part.
const maxObject = 256 << 20

// The forms of a body that is sent in chunks.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
const (
	signedChunks   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	signedTrailer  = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	unsignedChunks = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// body reads what a request sends: as it is, or in chunks of which it takes the coding off.
// Lengths, hashes and checksums that do not fit are refused before anything is kept.
func (s *session) body(r *http.Request) ([]byte, *fault) {
	if r.Method != http.MethodPut && r.Method != http.MethodPost {
		return nil, nil
	}
	sum := r.Header.Get("X-Amz-Content-Sha256")
	chunked := sum == signedChunks || sum == signedTrailer || sum == unsignedChunks
	if r.ContentLength < 0 && !chunked {
		return nil, &fault{http.StatusLengthRequired, "MissingContentLength", "You must provide the Content-Length HTTP header."}
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, maxObject+1))
	if err != nil {
		return nil, &fault{http.StatusBadRequest, "IncompleteBody", "The request body terminated unexpectedly"}
	}
	if len(text) > maxObject {
		return nil, &fault{http.StatusBadRequest, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size"}
	}
	trailer := http.Header{}
	if chunked {
		if text, trailer, err = s.unchunked(r, text); err != nil {
			return nil, err.(*fault)
		}
	} else if f := hashed(sum, text); f != nil {
		return nil, f
	}
	return text, checksums(r, trailer, text)
}

func hashed(sum string, text []byte) *fault {
	own := sha256.Sum256(text)
	switch {
	case sum == "UNSIGNED-PAYLOAD", sum == hex.EncodeToString(own[:]):
		return nil
	case regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(sum):
		return &fault{http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed."}
	}
	return &fault{http.StatusBadRequest, "InvalidArgument", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, " + unsignedChunks + ", " + signedChunks + ", " + signedTrailer + " or a valid sha256 value."}
}

// checksums are in the header, or in the trailer that it announces.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
func checksums(r *http.Request, trailer http.Header, text []byte) *fault {
	if sent := r.Header.Get("Content-Md5"); sent != "" {
		sum, err := base64.StdEncoding.DecodeString(sent)
		own := md5.Sum(text)
		switch {
		case err != nil || len(sum) != md5.Size:
			return &fault{http.StatusBadRequest, "InvalidDigest", "The Content-MD5 you specified was invalid."}
		case !bytes.Equal(sum, own[:]):
			return &fault{http.StatusBadRequest, "BadDigest", "The Content-MD5 you specified did not match what we received."}
		}
	}
	announced := strings.ToLower(strings.TrimSpace(r.Header.Get("X-Amz-Trailer")))
	if announced != "" && trailer.Get(announced) == "" || announced == "" && len(trailer) > 0 {
		return &fault{http.StatusBadRequest, "MalformedTrailerError", "The request contained trailing data that was not well-formed or did not conform to our published schema."}
	}
	if r.Method == http.MethodPost && !r.URL.Query().Has("delete") {
		return nil // of the whole object, which its parts become
	}
	for _, from := range []http.Header{r.Header, trailer} {
		for name, values := range from {
			algorithm, ok := strings.CutPrefix(name, "X-Amz-Checksum-")
			if !ok || algorithm == "Algorithm" || algorithm == "Type" || algorithm == "Mode" {
				continue
			}
			if f := checksum(strings.ToLower(algorithm), values[0], text); f != nil {
				return f
			}
		}
	}
	return nil
}

func checksum(algorithm, sent string, text []byte) *fault {
	own := algorithmOf(algorithm)
	if own == nil {
		return &fault{http.StatusNotImplemented, "NotImplemented", "A header you provided implies functionality that is not implemented: " + algorithm}
	}
	own.Write(text)
	sum, err := base64.StdEncoding.DecodeString(sent)
	switch {
	case err != nil || len(sum) != own.Size():
		return &fault{http.StatusBadRequest, "InvalidRequest", "Value for x-amz-checksum-" + algorithm + " header is invalid."}
	case !bytes.Equal(sum, own.Sum(nil)):
		return &fault{http.StatusBadRequest, "BadDigest", "The " + strings.ToUpper(algorithm) + " you specified did not match the calculated checksum."}
	}
	return nil
}

// algorithmOf knows all of S3's checksums but those of the family of xxHash.
func algorithmOf(name string) hash.Hash {
	switch name {
	case "crc32":
		return crc32.NewIEEE()
	case "crc32c":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "crc64nvme":
		return crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5)) // the polynomial 0xad93d23594c93659, reversed
	case "md5":
		return md5.New()
	case "sha1":
		return sha1.New()
	case "sha256":
		return sha256.New()
	case "sha512":
		return sha512.New()
	}
	return nil
}

// withoutChunks is a Content-Encoding as S3 keeps it: aws-chunked is the request's alone.
func withoutChunks(coding string) string {
	codings := strings.Split(coding, ",")
	for i := range codings {
		codings[i] = strings.TrimSpace(codings[i])
	}
	return strings.Join(slices.DeleteFunc(codings, func(c string) bool { return c == "aws-chunked" || c == "" }), ",")
}

// A chunks is a body in chunks as it is read: each is announced by its length in hexadecimal
// digits and, where chunks are signed, a signature that goes on from the one before it.
type chunks struct {
	rest     []byte
	signed   bool
	previous string
	sign     func(kind, previous string, hashes ...string) string
	text     []byte
}

func malformed(what string) *fault {
	return &fault{http.StatusBadRequest, "InvalidChunk", "The body in aws-chunked is malformed: " + what}
}

// unchunked takes the chunks off a body, and reads the trailer behind them.
func (s *session) unchunked(r *http.Request, body []byte) ([]byte, http.Header, error) {
	form := r.Header.Get("X-Amz-Content-Sha256")
	sig, err := parseSignature(r.Header.Get("Authorization"))
	if err != nil {
		return nil, nil, &fault{http.StatusBadRequest, "IncompleteSignature", err.Error()}
	}
	date := r.Header.Get("X-Amz-Date")
	c := &chunks{rest: body, signed: form != unsignedChunks, previous: sig.mac, sign: func(kind, previous string, hashes ...string) string {
		scope := strings.Join([]string{sig.date, sig.region, sig.service, "aws4_request"}, "/")
		return hex.EncodeToString(sum(sig.key(s.secret), strings.Join(append([]string{"AWS4-HMAC-SHA256-" + kind, date, scope, previous}, hashes...), "\n")))
	}}
	for more := true; more; {
		var f *fault
		if more, f = c.next(); f != nil {
			return nil, nil, f
		}
	}
	if length := r.Header.Get("X-Amz-Decoded-Content-Length"); length != strconv.Itoa(len(c.text)) {
		return nil, nil, &fault{http.StatusBadRequest, "IncompleteBody", "The request body terminated unexpectedly: X-Amz-Decoded-Content-Length is " + length}
	}
	trailer, f := c.trailer(form != signedChunks)
	if f != nil {
		return nil, nil, f
	}
	return c.text, trailer, nil
}

// next reads one chunk. The last one is empty.
func (c *chunks) next() (more bool, f *fault) {
	head, rest, ok := bytes.Cut(c.rest, []byte("\r\n"))
	size, signature, _ := strings.Cut(string(head), ";chunk-signature=")
	n, err := strconv.ParseUint(size, 16, 32)
	if !ok || err != nil || n > uint64(len(rest)) {
		return false, malformed("a chunk's length")
	}
	text, rest := rest[:n], rest[n:]
	if c.signed {
		if want := c.sign("PAYLOAD", c.previous, hexHash(nil), hexHash(text)); !hmac.Equal([]byte(want), []byte(signature)) {
			return false, &fault{http.StatusForbidden, "SignatureDoesNotMatch", "The signature of a chunk does not match."}
		}
		c.previous = signature
	}
	if n == 0 {
		c.rest = rest
		return false, nil
	}
	if c.rest, ok = bytes.CutPrefix(rest, []byte("\r\n")); !ok {
		return false, malformed("a chunk's end")
	}
	c.text = append(c.text, text...)
	return true, nil
}

// trailer reads the lines behind the last chunk, up to an empty one.
func (c *chunks) trailer(may bool) (http.Header, *fault) {
	all, signed, signature := http.Header{}, "", ""
	for _, line := range strings.Split(strings.TrimSpace(string(c.rest)), "\n") {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\r"), ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch {
		case name == "" && !ok:
		case !ok || !may:
			return nil, malformed("a trailer that was not announced")
		case name == "x-amz-trailer-signature":
			signature = value
		default:
			all.Set(name, value)
			signed += name + ":" + value + "\n"
		}
	}
	if c.signed && may && !hmac.Equal([]byte(c.sign("TRAILER", c.previous, hexHash([]byte(signed)))), []byte(signature)) {
		return nil, &fault{http.StatusForbidden, "SignatureDoesNotMatch", "The signature of the trailer does not match."}
	}
	return all, nil
}

func hexHash(text []byte) string { return fmt.Sprintf("%x", sha256.Sum256(text)) }
