package awslab

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// TestSignedChunks has the guide's two examples, and alters each.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html#example-signature-calculations-streaming
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html#example-signature-calculations-trailing-header
func TestSignedChunks(t *testing.T) {
	text := strings.Repeat("a", 66560)
	body := func(first, second, last, rest string) string {
		return "10000;chunk-signature=" + first + "\r\n" + text[:65536] + "\r\n400;chunk-signature=" + second + "\r\n" + text[65536:] + "\r\n0;chunk-signature=" + last + "\r\n" + rest + "\r\n"
	}
	for form, c := range map[string]struct{ seed, body string }{
		signedChunks: {"4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9", body(
			"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648", "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
			"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9", "")},
		signedTrailer: {"106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e", body(
			"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2", "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
			"2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
			"x-amz-checksum-crc32c:sOO8/Q==\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n")},
	} {
		for _, alter := range []string{"", "aaaa", "chunk-signature=", "sOO8", "10000;"} {
			altered := c.body
			if alter != "" {
				altered = strings.Replace(c.body, alter, strings.ToUpper(alter[:1])+"0"+alter[2:], 1)
			}
			r := httptest.NewRequest(http.MethodPut, "/examplebucket/chunkObject.txt", nil)
			r.Header = http.Header{
				"X-Amz-Content-Sha256": {form}, "X-Amz-Date": {"20130524T000000Z"}, "X-Amz-Decoded-Content-Length": {"66560"},
				"Authorization": {"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=" + c.seed},
			}
			got, _, err := (&session{secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}).unchunked(r, []byte(altered))
			if good := altered == c.body; good != (err == nil) || good && string(got) != text {
				t.Errorf("%s, with %q altered: %v, %d bytes", form, alter, err, len(got))
			}
		}
	}
}

// FuzzUnchunked: a body in chunks is the text that was cut into them, and whatever else comes
// is refused or is a text no longer than itself.
func FuzzUnchunked(f *testing.F) {
	f.Add("helloworld", 5, "5\r\nhello\r\n0\r\n\r\n")
	f.Add("", 1, "0\r\n\r\n")
	f.Add("a", 7, "ffffffffffffffff\r\n\r\n0\r\nx:y\r\n")
	f.Fuzz(func(t *testing.T, text string, size int, body string) {
		read := func(body string, length int) ([]byte, error) {
			r := httptest.NewRequest(http.MethodPut, "/b/k", nil)
			r.Header = http.Header{"X-Amz-Content-Sha256": {unsignedChunks}, "X-Amz-Decoded-Content-Length": {strconv.Itoa(length)},
				"Authorization": {"AWS4-HMAC-SHA256 Credential=A/20130524/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=0"}}
			got, _, err := new(session).unchunked(r, []byte(body))
			return got, err
		}
		var cut strings.Builder
		for rest := text; rest != ""; {
			n := min(max(size, 1), len(rest))
			fmt.Fprintf(&cut, "%x\r\n%s\r\n", n, rest[:n])
			rest = rest[n:]
		}
		if got, err := read(cut.String()+"0\r\n\r\n", len(text)); err != nil || string(got) != text {
			t.Errorf("%q in chunks of %d became %q: %v", text, size, got, err)
		}
		if got, err := read(body, len(text)); err == nil && (len(got) != len(text) || len(got) > len(body)) {
			t.Errorf("%q became %q", body, got)
		}
	})
}
