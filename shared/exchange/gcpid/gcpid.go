// Package gcpid knows how to be somebody on Google Cloud.
//
// The process's own service account is [Cloud.Runtime]; any other is a
// [ServiceAccount], and [ServiceAccount.Enter] is the only place that decides how
// it is entered. From one of this package's identities it is impersonated: a run
// of accounts is crossed by one call that names those between as delegates, so
// that no token of theirs ever exists. Anybody else federates first, through a
// [Provider] of a workload identity pool, and impersonates with what that gives.
//
// Google is spoken to in REST, since its gRPC clients would double the size of a
// function. Each call is a few fields of JSON.
package gcpid

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/clock"
	"carnet.dev/carnet/shared/exchange/keep"
)

const (
	// cloudPlatform is the scope to enter onwards with; the narrow scopes are
	// asked for at the last account.
	cloudPlatform = "https://www.googleapis.com/auth/cloud-platform"

	// LongestToken is an access token's life, unless the organisation listed the
	// account under iam.allowServiceAccountCredentialLifetimeExtension.
	// https://cloud.google.com/iam/docs/create-short-lived-credentials-direct
	LongestToken = time.Hour

	// alive is how much life a token needs to make one more call.
	alive = time.Minute
	// steppingFor is how long an edge that refused delegates is crossed account by
	// account before delegates are tried again.
	steppingFor = time.Hour
)

// A Cloud is Google Cloud as seen from this process.
type Cloud struct {
	http  *http.Client
	clock clock.Skew
}

// New returns Google Cloud as reached over client.
func New(client *http.Client) *Cloud { return &Cloud{http: client} }

// Calls tells whether this package calls the host: those of both token services, of IAM (a check
// alone), of secrets, and of the bucket that a catalog is in.
func Calls(host string) bool {
	switch host {
	case "sts.googleapis.com", "iamcredentials.googleapis.com", "iam.googleapis.com", "secretmanager.googleapis.com", "storage.googleapis.com":
		return true
	}
	return false
}

// An Ask says what an access token is for.
type Ask struct {
	Scopes   []string      // required
	Boundary *Boundary     // narrows the token to a few buckets; Cloud Storage alone honours it
	Lifetime time.Duration // 0: the identity's Longest
}

// A Token is an access token or an ID token.
type Token struct {
	Value   exchange.Secret
	Expires time.Time
	Trail   exchange.Trail

	kept bool // from an earlier call
}

// An Entry says what was granted on a service account to whoever enters it.
type Entry string

const (
	// Delegate is iam.serviceAccounts.implicitDelegation: the account can be passed
	// through, and its token never be held.
	Delegate Entry = "delegate"
	// User is roles/iam.workloadIdentityUser: the account's token can be had, and
	// costs a call of its own.
	User Entry = "user"
)

// An Identity is a service account that this process can act as.
type Identity struct {
	cloud   *Cloud
	email   string
	entry   Entry
	longest time.Duration // 0: the runtime's own
	ways    []way         // how to reach it, best first
	stepAt  atomic.Int64  // Unix seconds until which the second way goes first

	mint    func(context.Context, Ask) (Token, error)
	mintID  func(context.Context, string) (Token, error)
	onward  keep.Value[Token]
	idsLock sync.Mutex
	ids     map[string]*keep.Value[Token] // by audience
}

// A bearer proves to Google who calls: *Identity does, and whoever entered a pool.
type bearer interface {
	self(context.Context) (Token, error)
	drop(Token)
}

// A way reaches an account: somebody's token, shown in a call that passes through
// delegates.
type way struct {
	from      string // whose token it is
	via       []string
	by        bearer
	federated bool // the token is a pool's
}

// Principal implements [exchange.Identity]: the account's email.
func (i *Identity) Principal() string { return i.email }

// Format implements [fmt.Formatter]: an identity prints as its name, whatever the
// verb, and what it keeps does not print at all.
func (i *Identity) Format(s fmt.State, _ rune) { fmt.Fprint(s, i.email) }

// Longest is how long a token of this identity can live at the most; 0 for the
// runtime's own, which gives none away.
func (i *Identity) Longest() time.Duration { return i.longest }

// AccessToken mints an access token for the scopes asked for, within the boundary
// if there is one.
func (i *Identity) AccessToken(ctx context.Context, ask Ask) (Token, error) {
	switch {
	case i.longest == 0:
		return Token{}, fmt.Errorf("%s is the runtime's own account: it is used to enter others and never handed out", i.email)
	case len(ask.Scopes) == 0:
		return Token{}, fmt.Errorf("a token of %s needs scopes", i.email)
	}
	t, err := i.mint(ctx, ask)
	if err != nil || ask.Boundary == nil {
		return t, err
	}
	return i.cloud.downscope(ctx, i.email, t, *ask.Boundary)
}

// IDToken returns an ID token for the audience, kept while it lives.
func (i *Identity) IDToken(ctx context.Context, audience string) (Token, error) {
	t, fresh, err := i.kept(audience).Get(ctx, alive, func(ctx context.Context) (Token, time.Time, error) {
		t, err := i.mintID(ctx, audience)
		return t, t.Expires, err
	})
	if err == nil && !fresh {
		t.Trail, t.kept = t.Trail.Again(), true
	}
	return t, err
}

func (i *Identity) kept(audience string) *keep.Value[Token] {
	i.idsLock.Lock()
	defer i.idsLock.Unlock()
	if i.ids == nil {
		i.ids = map[string]*keep.Value[Token]{}
	}
	if i.ids[audience] == nil {
		i.ids[audience] = new(keep.Value[Token])
	}
	return i.ids[audience]
}

// SubjectToken implements [exchange.Identity]: Google's ID token, signed RS256.
func (i *Identity) SubjectToken(ctx context.Context, to exchange.RelyingParty) (exchange.SubjectToken, error) {
	for _, form := range to.Accepts {
		if form == exchange.RS256 {
			t, err := i.idTokenFor(ctx, to)
			return exchange.SubjectToken{Form: form, Value: t.Value, Expires: t.Expires, Trail: t.Trail}, err
		}
	}
	return exchange.SubjectToken{}, fmt.Errorf("%s can prove itself by an ID token signed RS256, which %s does not take", i.email, to.Audience)
}

// idTokenFor returns one that is fresh where it is handed out: what is kept may be about
// to end, and whoever asked keeps it too.
func (i *Identity) idTokenFor(ctx context.Context, to exchange.RelyingParty) (Token, error) {
	if to.Lifetime > 0 {
		return i.mintID(ctx, to.Audience)
	}
	return i.IDToken(ctx, to.Audience)
}

// self returns the token that enters onwards.
func (i *Identity) self(ctx context.Context) (Token, error) {
	t, fresh, err := i.onward.Get(ctx, alive, func(ctx context.Context) (Token, time.Time, error) {
		t, err := i.mint(ctx, Ask{Scopes: []string{cloudPlatform}, Lifetime: LongestToken})
		return t, t.Expires, err
	})
	if err == nil && !fresh {
		t.Trail, t.kept = t.Trail.Again(), true
	}
	return t, err
}

func (i *Identity) drop(t Token) { i.onward.Drop(t.same) }

func (t Token) same(other Token) bool { return t.Value.Reveal() == other.Value.Reveal() }

// shown makes a call with the way's token. One that was kept and that Google does not know
// any longer is dropped, and a fresh one has a try: a token ends before its time when its
// pool or its account was disabled meanwhile.
func (w way) shown(ctx context.Context, call func(Token) error) error {
	t, err := w.by.self(ctx)
	if err != nil {
		return err
	}
	err = call(t)
	if !t.kept || !spent(err) {
		return err
	}
	w.by.drop(t)
	if t, err = w.by.self(ctx); err != nil {
		return err
	}
	return call(t)
}

// spent tells that Google did not know who called. Whoever it knows and does not let in gets
// a 403.
// https://cloud.google.com/apis/design/errors#handling_errors
func spent(err error) bool {
	var edge *exchange.EdgeError
	return errors.As(err, &edge) && edge.Status == http.StatusUnauthorized
}

// lifetime is what to ask for.
func (i *Identity) lifetime(asked time.Duration) time.Duration {
	return min(cmp.Or(asked, i.longest), i.longest)
}

// Authorize shows the identity's own access token with a request.
func (i *Identity) Authorize(ctx context.Context, r *http.Request) error {
	own, err := i.self(ctx)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+own.Value.Reveal())
	return nil
}
