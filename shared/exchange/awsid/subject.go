package awsid

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"carnet.dev/carnet/shared/exchange"
)

const (
	// hashOfNothing is the SHA-256 of a body that is empty.
	hashOfNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	// signedFor is how long AWS takes a signature: 15 minutes from X-Amz-Date.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
	signedFor = 15 * time.Minute
	// longestJWT is the most that GetWebIdentityToken gives. A token that was
	// exchanged for this one ends with it, so ask for all.
	longestJWT = time.Hour
	// enoughJWT is how much life the session must have left for it: the token cannot
	// outlive the session, and callers ask for up to three quarters of an hour.
	enoughJWT = 46 * time.Minute
)

// SubjectToken implements [exchange.Identity]: a signed GetCallerIdentity request,
// which costs no call, or a JWT of the account's outbound issuer.
func (i *Identity) SubjectToken(ctx context.Context, to exchange.RelyingParty) (exchange.SubjectToken, error) {
	for _, form := range to.Accepts {
		switch form {
		case exchange.SignedCallerIdentity:
			return i.signedCallerIdentity(ctx, to)
		case exchange.RS256, exchange.ES384:
			return i.outboundJWT(ctx, to, form)
		}
	}
	return exchange.SubjectToken{}, fmt.Errorf("%s can prove itself by a signed GetCallerIdentity request or a JWT (RS256, ES384), and %s takes neither", i.arn, to.Audience)
}

// signedCallerIdentity dates the request by AWS's clock, since AWS checks it, or by that of
// the party that shows it there, where AWS was never asked before.
func (i *Identity) signedCallerIdentity(ctx context.Context, to exchange.RelyingParty) (exchange.SubjectToken, error) {
	s, err := i.self(ctx)
	if err != nil {
		return exchange.SubjectToken{}, err
	}
	ahead := cmp.Or(i.cloud.clock.Ahead(), to.Ahead)
	now := time.Now()
	token, err := signCallerIdentity(ctx, i.cloud.signer, s.sdk(), i.cloud.region, to.Audience, now.Add(ahead))
	return exchange.SubjectToken{
		Form:    exchange.SignedCallerIdentity,
		Value:   exchange.NewSecret(token),
		Expires: now.Add(signedFor),
		Trail:   s.Trail,
	}, err
}

// The form that Google's STS documents for aws4_request: the request as JSON, its
// headers as a list sorted by key. Other relying parties write it differently.
// https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds#advanced_scenarios
type signedRequest struct {
	URL     string         `json:"url"`
	Method  string         `json:"method"`
	Headers []signedHeader `json:"headers"`
}

type signedHeader struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// targetResource names the provider that the request is for, so that a request
// which was shown to one pool cannot be replayed at another.
const targetResource = "X-Goog-Cloud-Target-Resource"

func signCallerIdentity(ctx context.Context, signer *v4.Signer, creds aws.Credentials, region, audience string, now time.Time) (string, error) {
	at := host("sts", region)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+at+"?Action=GetCallerIdentity&Version=2011-06-15", nil)
	if err != nil {
		return "", fmt.Errorf("region %q makes no host name: %w", region, err)
	}
	req.Header.Set(targetResource, audience)
	if err := signer.SignHTTP(ctx, creds, req, hashOfNothing, "sts", region, now); err != nil {
		return "", fmt.Errorf("signing GetCallerIdentity: %w", err)
	}
	headers := make([]signedHeader, 0, len(req.Header)+1)
	headers = append(headers, signedHeader{"Host", at})
	for key := range req.Header {
		headers = append(headers, signedHeader{key, req.Header.Get(key)})
	}
	slices.SortFunc(headers, func(a, b signedHeader) int { return cmp.Compare(a.Key, b.Key) })
	text, err := json.Marshal(signedRequest{URL: req.URL.String(), Method: req.Method, Headers: headers})
	return url.QueryEscape(string(text)), err
}

// DNSSuffix is what the hosts of a Region's services end in.
func DNSSuffix(region string) string {
	if strings.HasPrefix(region, "cn-") {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

func algorithm(form exchange.Form) string {
	if form == exchange.ES384 {
		return "ES384"
	}
	return "RS256"
}

func (i *Identity) outboundJWT(ctx context.Context, to exchange.RelyingParty, form exchange.Form) (exchange.SubjectToken, error) {
	life := cmp.Or(to.Lifetime, longestJWT)
	edge := exchange.Edge{From: i.arn, To: to.Audience, Op: "sts:GetWebIdentityToken"}
	var token exchange.SubjectToken
	err := i.signed(ctx, min(life, enoughJWT), func(by Session) (err error) {
		var answer struct {
			WebIdentityToken string
			Expiration       time.Time
		}
		edge.RequestID, err = i.cloud.sts(ctx, &by, "GetWebIdentityToken", url.Values{
			"Audience.member.1": {to.Audience},
			"SigningAlgorithm":  {algorithm(form)},
			"DurationSeconds":   {strconv.Itoa(int(min(life, time.Until(by.Expires)) / time.Second))},
		}, &answer)
		if err == nil && (answer.WebIdentityToken == "" || answer.Expiration.IsZero()) {
			err = errors.New("the answer has no token")
		}
		token = exchange.SubjectToken{
			Form:    form,
			Value:   exchange.NewSecret(answer.WebIdentityToken),
			Expires: i.cloud.clock.Ours(answer.Expiration),
			Trail:   by.Trail.Then(edge),
		}
		return Failed(err, edge, by.Trail)
	})
	return token, err
}
