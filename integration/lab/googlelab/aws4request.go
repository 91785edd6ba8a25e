package googlelab

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"carnet.dev/carnet/integration/lab/world"
)

// A signedRequest is a subject token of type aws4_request.
// https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token#request-body
type signedRequest struct {
	URL     string `json:"url"`
	Method  string `json:"method"`
	Headers []struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	} `json:"headers"`
}

const maxSubjectToken = 16 << 10

// parse reads the token and rebuilds its request out of what was checked.
func parse(text, audience string) (*http.Request, error) {
	if len(text) > maxSubjectToken {
		return nil, errors.New("too long")
	}
	plain, err := url.QueryUnescape(text)
	if err != nil {
		return nil, err
	}
	var s signedRequest
	dec := json.NewDecoder(strings.NewReader(plain))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return nil, err
	}
	u, err := url.Parse(s.URL)
	if err != nil || !callerIdentity(u) || s.Method != http.MethodPost {
		return nil, errors.New("not a POST of GetCallerIdentity to a regional endpoint of AWS STS")
	}
	header := http.Header{}
	for _, h := range s.Headers {
		if len(header.Values(h.Key)) > 0 {
			return nil, errors.New("header " + h.Key + " is repeated")
		}
		header.Set(h.Key, h.Value)
	}
	if header.Get("Host") != u.Host {
		return nil, errors.New("the host header is not the URL's host")
	}
	// Signing the header is recommended; sending it is required, and it must name
	// the provider that is asked.
	target := header.Get("X-Goog-Cloud-Target-Resource")
	if strings.TrimPrefix(target, "https:") != audience {
		return nil, fmt.Errorf("the x-goog-cloud-target-resource header is missing or names another provider")
	}
	return &http.Request{Method: s.Method, URL: u, Host: u.Host, Header: header, Body: http.NoBody}, nil
}

func callerIdentity(u *url.URL) bool {
	host := regexp.MustCompile(`^sts(\.[a-z0-9-]+)?\.amazonaws\.com$`).MatchString(u.Host)
	q := u.Query()
	return host && u.Scheme == "https" && (u.Path == "" || u.Path == "/") && u.User == nil &&
		len(q) == 2 && len(q["Action"]) == 1 && q.Get("Action") == "GetCallerIdentity" && q.Get("Version") == "2011-06-15"
}

type callerIdentityResponse struct {
	XMLName xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ GetCallerIdentityResponse"`
	Result  struct {
		Arn     string `xml:"Arn"`
		UserID  string `xml:"UserId"`
		Account string `xml:"Account"`
	} `xml:"GetCallerIdentityResult"`
}

type awsError struct {
	XMLName xml.Name `xml:"ErrorResponse"`
	Code    string   `xml:"Error>Code"`
	Message string   `xml:"Error>Message"`
}

// replay sends the signed request to AWS, and takes AWS's word for who signed it.
func (c *Cloud) replay(r *http.Request, p *world.Provider, audience, text string) (map[string]any, *oauthFault) {
	req, err := parse(text, audience)
	if err != nil {
		return nil, oauth("invalid_grant", "Invalid format of AWS credentials: "+err.Error())
	}
	if slices.Contains(c.world.Unreachable, req.URL.Host) {
		return nil, oauth("invalid_grant", "Error connecting to the given credential's issuer.")
	}
	resp, err := c.transport.RoundTrip(req.WithContext(r.Context()))
	if err != nil {
		return nil, oauth("invalid_grant", "Error connecting to the given credential's issuer.")
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err != nil {
		return nil, oauth("invalid_grant", "Error connecting to the given credential's issuer.")
	}
	if resp.StatusCode != http.StatusOK {
		var e awsError
		if xml.Unmarshal(answer, &e) != nil {
			return nil, oauth("invalid_grant", "Received invalid AWS response.")
		}
		return nil, oauth("invalid_grant", "Received invalid AWS response of type "+e.Code+" with error message: "+e.Message)
	}
	var who callerIdentityResponse
	if err := xml.NewDecoder(bytes.NewReader(answer)).Decode(&who); err != nil || who.Result.Arn == "" {
		return nil, oauth("invalid_grant", "Received invalid AWS response.")
	}
	if who.Result.Account != p.AWSAccount {
		return nil, oauth("unauthorized_client", "The AWS account of the given credential is not the one that the provider trusts.")
	}
	return map[string]any{"account": who.Result.Account, "arn": who.Result.Arn, "userid": who.Result.UserID}, nil
}
