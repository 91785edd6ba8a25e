package gcpid

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
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
	federated := way{
		from:      from.Principal(),
		federated: true,
		by:        entered{s.Provider, from},
	}
	return s.enteredBy([]way{federated}), nil
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

type accessTokenRequest struct {
	Delegates []string `json:"delegates,omitempty"`
	Scope     []string `json:"scope"`
	Lifetime  string   `json:"lifetime"`
}

type accessTokenAnswer struct {
	AccessToken string    `json:"accessToken"`
	ExpireTime  time.Time `json:"expireTime"`
}

// accessToken is the one call that crosses a run of accounts.
// https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken
func (i *Identity) accessToken(ctx context.Context, w way, ask Ask) (Token, error) {
	edge := exchange.Edge{From: w.from, Via: w.via, To: i.email, Op: "iamcredentials.generateAccessToken", Mint: exchange.NewMint()}
	var token Token
	err := w.shown(ctx, func(own Token) error {
		var answer accessTokenAnswer
		err := i.cloud.post(ctx, credentialsURL+resource(i.email)+":generateAccessToken", own.Value, accessTokenRequest{
			Delegates: resources(w.via),
			Scope:     ask.Scopes,
			Lifetime:  strconv.Itoa(int(i.lifetime(ask.Lifetime)/time.Second)) + "s",
		}, &answer, &edge)
		if err == nil && answer.AccessToken == "" {
			err = errors.New("the answer has no access token")
		}
		if err != nil {
			return failed(err, edge, own.Trail)
		}
		token = Token{Value: exchange.NewSecret(answer.AccessToken), Expires: i.cloud.clock.Ours(answer.ExpireTime), Trail: own.Trail.Then(edge)}
		return nil
	})
	return token, exchange.AtEdge(err, edge, nil)
}

type idTokenRequest struct {
	Delegates    []string `json:"delegates,omitempty"`
	Audience     string   `json:"audience"`
	IncludeEmail bool     `json:"includeEmail"`
}

type idTokenAnswer struct {
	Token string `json:"token"`
}

// idToken is the same for an ID token. The undocumented useEmailAzp is never sent:
// AWS would match its azp where a trust policy expects the numeric id.
// https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateIdToken
func (i *Identity) idToken(ctx context.Context, w way, audience string) (Token, error) {
	edge := exchange.Edge{From: w.from, Via: w.via, To: i.email, Op: "iamcredentials.generateIdToken", Mint: exchange.NewMint()}
	var token Token
	err := w.shown(ctx, func(own Token) error {
		var answer idTokenAnswer
		err := i.cloud.post(ctx, credentialsURL+resource(i.email)+":generateIdToken", own.Value, idTokenRequest{
			Delegates:    resources(w.via),
			Audience:     audience,
			IncludeEmail: true,
		}, &answer, &edge)
		if err != nil {
			return failed(err, edge, own.Trail)
		}
		expires, err := expiry(answer.Token)
		if err != nil {
			return exchange.AtEdge(err, edge, own.Trail)
		}
		token = Token{Value: exchange.NewSecret(answer.Token), Expires: i.cloud.clock.Ours(expires), Trail: own.Trail.Then(edge)}
		return nil
	})
	return token, exchange.AtEdge(err, edge, nil)
}
