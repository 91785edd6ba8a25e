package awslab

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"

// maxBody bounds a request's body.
const maxBody = 1 << 18

// STS is the token service, under whatever host it is asked.
func (c *Cloud) STS() http.Handler { return http.HandlerFunc(c.serveSTS) }

func (c *Cloud) serveSTS(w http.ResponseWriter, r *http.Request) {
	id := requestID()
	w.Header().Set("X-Amzn-Requestid", id)
	w.Header().Set("Date", c.now().UTC().Format(http.TimeFormat))
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return
	}
	args := arguments(r, body)
	w.Header().Set("Lab-Operation", "sts:"+args.Get("Action"))
	result, f := c.answer(r, body, args)
	if f != nil {
		writeXML(w, f.status, errorResponse{Error: errorBody{"Sender", f.code, f.message}, RequestID: id})
		return
	}
	action := args.Get("Action")
	writeXML(w, http.StatusOK, response{
		XMLName:  xml.Name{Space: stsNamespace, Local: action + "Response"},
		Result:   wrapped{XMLName: xml.Name{Local: action + "Result"}, Value: result},
		Metadata: metadata{id},
	})
}

// arguments are those of the query API: in the body, or in the URL, as a signed
// GetCallerIdentity has them.
func arguments(r *http.Request, body []byte) url.Values {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		if form, err := url.ParseQuery(string(body)); err == nil && len(form) > 0 {
			return form
		}
	}
	return r.URL.Query()
}

func (c *Cloud) answer(r *http.Request, body []byte, args url.Values) (any, *fault) {
	if v := args.Get("Version"); v != "2011-06-15" {
		return nil, &fault{http.StatusBadRequest, "InvalidAction", "Could not find operation " + args.Get("Action") + " for version " + v}
	}
	if c.world.Throttled {
		// https://repost.aws/knowledge-center/iam-sts-throttling-error
		return nil, &fault{http.StatusBadRequest, "Throttling", "Rate exceeded"}
	}
	if f := c.regionOff(args.Get("RoleArn"), regionOf(r.Host)); f != nil {
		return nil, f
	}
	if args.Get("Action") == "AssumeRoleWithWebIdentity" { // the one that nobody signs
		return c.assumeRoleWithWebIdentity(r, args)
	}
	hash := sha256.Sum256(body)
	s, f := c.authenticate(r, "sts", hex.EncodeToString(hash[:]))
	if f != nil {
		return nil, f
	}
	switch args.Get("Action") {
	case "AssumeRole":
		return c.assumeRole(s, args)
	case "GetCallerIdentity":
		// Needs no permission, and no policy can take it away.
		// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
		return callerIdentity{s.arn(), s.role.id + ":" + s.name, s.role.account}, nil
	case "GetWebIdentityToken":
		if hostOnly(r.Host) == "sts.amazonaws.com" {
			break // not at the global endpoint, says the service model
		}
		return c.getWebIdentityToken(s, args)
	}
	return nil, &fault{http.StatusBadRequest, "InvalidAction", "Could not find operation " + args.Get("Action") + " for version 2011-06-15"}
}

type response struct {
	XMLName  xml.Name
	Result   wrapped
	Metadata metadata `xml:"ResponseMetadata"`
}

type wrapped struct {
	XMLName xml.Name
	Value   any
}

// MarshalXML writes the value's fields under the result's own name.
func (w wrapped) MarshalXML(e *xml.Encoder, _ xml.StartElement) error {
	return e.EncodeElement(w.Value, xml.StartElement{Name: w.XMLName})
}

type metadata struct {
	RequestID string `xml:"RequestId"`
}

type errorResponse struct {
	XMLName   xml.Name  `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
	Error     errorBody `xml:"Error"`
	RequestID string    `xml:"RequestId"`
}

type errorBody struct {
	Type    string `xml:"Type"`
	Code    string `xml:"Code"`
	Message string `xml:"Message"`
}

type callerIdentity struct {
	Arn     string
	UserID  string `xml:"UserId"`
	Account string
}

type assumed struct {
	Credentials     credentials
	AssumedRoleUser assumedRoleUser
	tokenSize
	SourceIdentity string `xml:",omitempty"`
}

type assumedWithWebIdentity struct {
	Credentials     credentials
	AssumedRoleUser assumedRoleUser
	tokenSize
	SubjectFromWebIdentityToken string
	Provider                    string
	Audience                    string
}

type credentials struct {
	AccessKeyID     string `xml:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string
}

type assumedRoleUser struct {
	Arn           string
	AssumedRoleID string `xml:"AssumedRoleId"`
}

func (s *session) credentials() credentials {
	return credentials{s.keyID, s.secret, s.token, s.expires.UTC().Format(time.RFC3339)}
}

// A session token may have so many bytes since 2026-09; PackedPolicySize is no longer given.
const maxSessionToken = 4096

type tokenSize struct{ SessionTokenSize, SessionTokenUtilization int }

func (s *session) size() tokenSize {
	return tokenSize{len(s.token), (len(s.token)*100 + maxSessionToken - 1) / maxSessionToken}
}

// sessionToken has as many bytes as were asked for, and 128 at the least.
func sessionToken(least int) string {
	n := max(least, 128)
	return random(n)[:n]
}

func (s *session) user() assumedRoleUser { return assumedRoleUser{s.arn(), s.role.id + ":" + s.name} }

func writeXML(w http.ResponseWriter, status int, body any) {
	text, err := xml.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	w.Write(text)
}

// requestID has the shape of AWS's.
func requestID() string {
	b := make([]byte, 16)
	rand.Read(b)
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
