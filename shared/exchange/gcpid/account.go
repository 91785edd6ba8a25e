package gcpid

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"carnet.dev/carnet/shared/exchange"
)

// A ServiceAccount is the name of a service account, with how it is entered.
type ServiceAccount struct {
	Cloud *Cloud
	Email string
	Entry Entry // what was granted on it; empty: Delegate
	// Provider is the pool's provider that another cloud's identity enters through.
	// Not needed where a Google identity enters.
	Provider *Provider
	// Lifetime is how long the account's tokens may live, where the organisation
	// extended it; 0: one hour.
	Lifetime time.Duration
}

// String returns the email.
func (s ServiceAccount) String() string { return s.Email }

// Enter links the account to the identity it is entered from: one of ours
// impersonates it, anybody else federates first.
func (s ServiceAccount) Enter(from exchange.Identity) (exchange.Identity, error) {
	if own, ok := from.(*Identity); ok {
		return s.enteredBy(own.onwards()), nil
	}
	if s.Provider == nil {
		return nil, fmt.Errorf("%s has no provider: an identity that is not Google's enters through a workload identity pool, so name its provider in carnet.yaml, or in this file if the pool is the third party's", s.Email)
	}
	return s.enteredBy([]way{{from: from.Principal(), federated: true, by: entered{s.Provider, from}}}), nil
}

// onwards lists the ways to an account that is entered from this one.
func (i *Identity) onwards() []way {
	direct := way{from: i.email, by: i}
	if i.longest == 0 || i.entry == User {
		return []way{direct}
	}
	through := i.ways[0]
	through.via = append(through.via[:len(through.via):len(through.via)], i.email)
	if !through.federated {
		return []way{through}
	}
	// Whether a federated principal may use delegates is documented neither way,
	// and Google's own tools do it: try, and step from account to account if not.
	return []way{through, direct}
}

func (s ServiceAccount) enteredBy(ways []way) *Identity {
	i := &Identity{
		cloud:   s.Cloud,
		email:   s.Email,
		entry:   cmp.Or(s.Entry, Delegate),
		longest: cmp.Or(s.Lifetime, LongestToken),
		ways:    ways,
	}
	i.mint = func(ctx context.Context, ask Ask) (Token, error) {
		return i.cross(ctx, func(ctx context.Context, w way) (Token, error) { return i.accessToken(ctx, w, ask) })
	}
	i.mintID = func(ctx context.Context, audience string) (Token, error) {
		return i.cross(ctx, func(ctx context.Context, w way) (Token, error) { return i.idToken(ctx, w, audience) })
	}
	return i
}

// cross takes the best way that is open, and remembers which that was. If both
// are closed the first one's refusal counts, since it is the grant that is meant.
func (i *Identity) cross(ctx context.Context, by func(context.Context, way) (Token, error)) (Token, error) {
	if len(i.ways) == 1 {
		return by(ctx, i.ways[0])
	}
	if time.Now().Unix() < i.stepAt.Load() {
		return by(ctx, i.ways[1])
	}
	t, err := by(ctx, i.ways[0])
	if !denied(err) {
		return t, err
	}
	stepped, again := by(ctx, i.ways[1])
	if again != nil {
		return t, err
	}
	i.stepAt.Store(time.Now().Add(steppingFor).Unix())
	return stepped, nil
}

func denied(err error) bool {
	var edge *exchange.EdgeError
	return errors.As(err, &edge) && edge.Reason == exchange.Refused && edge.Status == http.StatusForbidden
}

const credentialsURL = "https://iamcredentials.googleapis.com/v1/"

// resource names an account as IAM Credentials wants it: the project is a dash.
func resource(email string) string { return "projects/-/serviceAccounts/" + email }

func resources(emails []string) []string {
	var names []string
	for _, e := range emails {
		names = append(names, resource(e))
	}
	return names
}

// A tokenRequest asks for an access token with scopes, or for an ID token with an audience.
type tokenRequest struct {
	Delegates    []string `json:"delegates,omitempty"`
	Scope        []string `json:"scope,omitempty"`
	Lifetime     string   `json:"lifetime,omitempty"`
	Audience     string   `json:"audience,omitempty"`
	IncludeEmail bool     `json:"includeEmail,omitempty"`
}

type accessTokenAnswer struct {
	AccessToken string    `json:"accessToken"`
	ExpireTime  time.Time `json:"expireTime"`
}

type idTokenAnswer struct {
	Token string `json:"token"`
}

// accessToken asks for an access token of the account.
// https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken
func (i *Identity) accessToken(ctx context.Context, w way, ask Ask) (Token, error) {
	var answer accessTokenAnswer
	request := tokenRequest{Scope: ask.Scopes, Lifetime: strconv.Itoa(int(i.lifetime(ask.Lifetime)/time.Second)) + "s"}
	return i.generated(ctx, w, "iamcredentials.generateAccessToken", request, &answer, func() (string, time.Time, error) {
		if answer.AccessToken == "" {
			return "", time.Time{}, errors.New("the answer has no access token")
		}
		return answer.AccessToken, answer.ExpireTime, nil
	})
}

// idToken is the same for an ID token. The undocumented useEmailAzp is never sent:
// AWS would match its azp where a trust policy expects the numeric id.
// https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateIdToken
func (i *Identity) idToken(ctx context.Context, w way, audience string) (Token, error) {
	var answer idTokenAnswer
	request := tokenRequest{Audience: audience, IncludeEmail: true}
	return i.generated(ctx, w, "iamcredentials.generateIdToken", request, &answer, func() (string, time.Time, error) {
		expires, err := expiry(answer.Token)
		return answer.Token, expires, err
	})
}

// generated is the one call that crosses a run of accounts; read takes the token and its end out
// of the answer once that is filled.
func (i *Identity) generated(ctx context.Context, w way, op string, ask tokenRequest, answer any, read func() (string, time.Time, error)) (Token, error) {
	edge := exchange.Edge{From: w.from, Via: w.via, To: i.email, Op: op, Mint: exchange.NewMint()}
	ask.Delegates = resources(w.via)
	var token Token
	err := w.shown(ctx, func(own Token) error {
		at := credentialsURL + resource(i.email) + ":" + strings.TrimPrefix(op, "iamcredentials.")
		if err := i.cloud.post(ctx, at, own.Value, ask, answer, &edge); err != nil {
			return failed(err, edge, own.Trail)
		}
		value, expires, err := read()
		if err != nil {
			return exchange.AtEdge(err, edge, own.Trail)
		}
		token = Token{Value: exchange.NewSecret(value), Expires: i.cloud.clock.Ours(expires), Trail: own.Trail.Then(edge)}
		return nil
	})
	return token, exchange.AtEdge(err, edge, nil)
}
