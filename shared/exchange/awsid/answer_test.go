package awsid

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"carnet.dev/carnet/shared/exchange"
)

// This file looks inside: what is read out of an answer is no part of the public surface.

const good = `<?xml version="1.0"?>
<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
 <Credentials><AccessKeyId>ASIAGOOD</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration></Credentials>
 <AssumedRoleUser><Arn>arn:aws:sts::111122223333:assumed-role/r/s</Arn><AssumedRoleId>AROA:s</AssumedRoleId></AssumedRoleUser>
</AssumeRoleResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></AssumeRoleResponse>`

func TestAnAnswerInXML(t *testing.T) {
	var a assumed
	if err := inXML("AssumeRole", &a)("text/xml; charset=utf-8", []byte(good)); err != nil || a.Credentials.AccessKeyID != "ASIAGOOD" {
		t.Fatalf("%v, %v", a.Credentials.AccessKeyID, err)
	}
	swapped := `<AssumeRoleResponse><ResponseMetadata/>` + good[strings.Index(good, "<AssumeRoleResult>"):strings.Index(good, "<ResponseMetadata>")] + `</AssumeRoleResponse>`
	if err := inXML("AssumeRole", new(assumed))("text/xml", []byte(swapped)); err != nil {
		t.Errorf("the other way round: %v", err)
	}
	replace := func(old, by string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%q is not in the answer", old)
		}
		return strings.Replace(good, old, by, 1)
	}
	const key = "<AccessKeyId>ASIAGOOD</AccessKeyId>"
	for name, text := range map[string]string{
		"nothing":                    "",
		"no XML":                     "{}",
		"half of it":                 good[:len(good)/2],
		"another operation's":        strings.ReplaceAll(good, "AssumeRole", "GetCallerIdentity"),
		"its result alone":           good[strings.Index(good, "<AssumeRoleResult>") : strings.Index(good, "</AssumeRoleResult>")+len("</AssumeRoleResult>")],
		"wrapped in another":         "<x>" + strings.TrimPrefix(good, `<?xml version="1.0"?>`) + "</x>",
		"one element further in":     strings.NewReplacer("<AssumeRoleResult>", "<x><AssumeRoleResult>", "</AssumeRoleResult>", "</AssumeRoleResult></x>").Replace(good),
		"two roots":                  good + strings.TrimPrefix(good, `<?xml version="1.0"?>`),
		"text after the root":        good + "ASIAEVIL",
		"text before it":             "ASIAEVIL" + good,
		"a document type":            `<!DOCTYPE a [<!ENTITY b "c">]>` + strings.TrimPrefix(good, `<?xml version="1.0"?>`),
		"a key twice":                replace(key, "<AccessKeyId>ASIAEVIL</AccessKeyId>"+key),
		"credentials twice":          replace("</Credentials>", "</Credentials><Credentials>"+key+"</Credentials>"),
		"a key in another namespace": replace(key, `<AccessKeyId xmlns="https://evil.example/">ASIAEVIL</AccessKeyId>`),
		"a prefix that is another":   replace(key, `<e:AccessKeyId xmlns:e="https://evil.example/">ASIAEVIL</e:AccessKeyId>`),
		"CDATA":                      replace("ASIAGOOD", "<![CDATA[ASIAGOOD]]>"),
		"a comment":                  replace(key, "<!-- "+key+" -->"+key),
		"an instruction":             replace(key, "<?go "+key+"?>"+key),
		"an attribute":               replace("<AccessKeyId>", `<AccessKeyId a=">">`),
		"an entity":                  replace("ASIAGOOD", "&evil;"),
		"another encoding":           replace(`<?xml version="1.0"?>`, `<?xml version="1.0" encoding="UTF-7"?>`),
		"a date that is none":        replace("2030-01-01T00:00:00Z", "tomorrow"),
		"deep":                       replace(key, strings.Repeat("<a>", 5000)+strings.Repeat("</a>", 5000)),
	} {
		if err := inXML("AssumeRole", new(assumed))("text/xml", []byte(text)); err == nil {
			t.Errorf("%s was taken", name)
		} else if strings.Contains(err.Error(), "ASIA") {
			t.Errorf("%s: the error quotes it: %v", name, err)
		}
	}
	if err := inXML("AssumeRole", new(assumed))("text/html", []byte(good)); err == nil {
		t.Error("XML that says it is HTML was taken")
	}
}

func TestListsMayRepeat(t *testing.T) {
	text := `<DescribeClustersResponse xmlns="http://redshift.amazonaws.com/doc/2012-12-01/"><DescribeClustersResult><Clusters><Cluster>` +
		`<IamRoles><ClusterIamRole/><ClusterIamRole/></IamRoles><ClusterNodes><member/><member/></ClusterNodes></Cluster><Cluster/></Clusters></DescribeClustersResult></DescribeClustersResponse>`
	if err := inXML("DescribeClusters", new(struct{}))("text/xml", []byte(text)); err != nil {
		t.Error(err)
	}
}

func TestAnAnswerInJSON(t *testing.T) {
	type login struct {
		User    string  `json:"dbUser"`
		Expires float64 `json:"expiration"`
	}
	const kind = "application/x-amz-json-1.1"
	var l login
	if err := inJSON(&l)(kind, []byte(`{"dbUser":"IAMR:r","expiration":1.7e9}`)); err != nil || l.User != "IAMR:r" {
		t.Fatalf("%v, %v", l, err)
	}
	for name, text := range map[string]string{
		"a list": `[]`, "two of them": `{}{}`, "a key twice": `{"dbUser":"a","dbUser":"b"}`, "in another case": `{"dbUser":"a","DBUSER":"b"}`,
		"no number": `{"expiration":NaN}`, "too large a one": `{"expiration":1e999}`, "a string": `{"expiration":"1"}`,
		"deep": strings.Repeat(`{"a":`, 20000) + "1" + strings.Repeat("}", 20000),
	} {
		if err := inJSON(new(login))(kind, []byte(text)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if err := inJSON(new(login))("text/html", []byte(`{}`)); err == nil {
		t.Error("JSON that says it is HTML was taken")
	}
}

// TestEveryWayToSayThrottled and its opposite: by the code, whatever the status is.
func TestEveryWayToSayThrottled(t *testing.T) {
	for code, want := range map[string]exchange.Reason{
		"Throttling": exchange.Throttled, "ThrottlingException": exchange.Throttled, "ThrottledException": exchange.Throttled,
		"RequestThrottled": exchange.Throttled, "RequestThrottledException": exchange.Throttled, "RequestLimitExceeded": exchange.Throttled,
		"TooManyRequestsException": exchange.Throttled, "SlowDown": exchange.Throttled, "PriorRequestNotComplete": exchange.Throttled,
		"LimitExceededException": exchange.Throttled, "BandwidthLimitExceeded": exchange.Throttled, "ProvisionedThroughputExceededException": exchange.Throttled,
		"IDPCommunicationError": exchange.Unavailable, "InternalFailure": exchange.Unavailable, "ServiceUnavailable": exchange.Unavailable, "RequestTimeout": exchange.Unavailable,
		"AccessDenied": exchange.Refused, "MalformedPolicyDocument": exchange.Refused, "PackedPolicyTooLarge": exchange.Refused,
		"ExpiredTokenException": exchange.Refused, "RegionDisabledException": exchange.Refused, "InvalidIdentityToken": exchange.Refused, "ValidationError": exchange.Refused,
	} {
		for _, status := range []int{http.StatusBadRequest, http.StatusForbidden} {
			inXML := `<ErrorResponse><Error><Type>Sender</Type><Code>` + code + `</Code><Message>m</Message></Error></ErrorResponse>`
			inJSON, err := json.Marshal(map[string]string{"__type": "com.amazonaws.redshift#" + code, "message": "m"})
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{inXML, string(inJSON)} {
				got := Failed(refusal(&http.Response{StatusCode: status, Header: http.Header{}}, []byte(text), false), exchange.Edge{}, nil)
				if !is(got, want, code) {
					t.Errorf("%s with %d: %v", code, status, got)
				}
			}
		}
	}
	for status, want := range map[int]exchange.Reason{429: exchange.Throttled, 408: exchange.Unavailable, 500: exchange.Unavailable, 503: exchange.Unavailable, 404: exchange.Refused, 302: exchange.Refused} {
		h := http.Header{"Retry-After": {"3"}}
		got := Failed(refusal(&http.Response{StatusCode: status, Header: h}, []byte("<html>"), false), exchange.Edge{}, nil)
		if !is(got, want, http.StatusText(status)) || got.(*exchange.EdgeError).RetryAfter != 3*time.Second {
			t.Errorf("%d without words: %v", status, got)
		}
	}
}

func is(err error, reason exchange.Reason, code string) bool {
	e, ok := err.(*exchange.EdgeError)
	return ok && e.Reason == reason && e.Code == code
}

// FuzzAnswer: of what STS answers there is one reading or none, and none that panics.
func FuzzAnswer(f *testing.F) {
	f.Add(good)
	f.Add(strings.Replace(good, "ASIAGOOD", "<![CDATA[ASIAGOOD]]>", 1))
	f.Add(strings.Replace(good, "<AccessKeyId>", "<AccessKeyId>ASIAEVIL</AccessKeyId><AccessKeyId>", 1))
	f.Add(`<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>`)
	f.Add(`{"__type":"ns#ThrottlingException","message":"slow"}`)
	f.Fuzz(func(t *testing.T, text string) {
		refusal(&http.Response{StatusCode: http.StatusBadRequest, Header: http.Header{}}, []byte(text), false)
		_ = inJSON(new(assumed))("application/x-amz-json-1.1", []byte(text))
		var a assumed
		if inXML("AssumeRole", &a)("text/xml", []byte(text)) != nil {
			return
		}
		places := everywhere(text, "AssumeRoleResponse", "AssumeRoleResult", "Credentials", "AccessKeyId")
		if got := a.Credentials.AccessKeyID; got != "" && places != 1 {
			t.Errorf("%q was read, and could have been read in %d places: %q", got, places, text)
		}
	})
}

// everywhere counts the elements at a path, by a walk of its own.
func everywhere(text string, path ...string) (found int) {
	dec := xml.NewDecoder(strings.NewReader(text))
	var open []string
	for {
		token, err := dec.Token()
		if err != nil {
			return found
		}
		switch token := token.(type) {
		case xml.StartElement:
			if open = append(open, token.Name.Local); slices.Equal(open, path) {
				found++
			}
		case xml.EndElement:
			open = open[:len(open)-1]
		}
	}
}
