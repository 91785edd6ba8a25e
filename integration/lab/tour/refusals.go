package tour

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/smithy-go"

	"carnet.dev/carnet/integration/lab/world"
	"carnet.dev/carnet/shared/deployment"
	"carnet.dev/carnet/shared/exchange"
)

// A refusal is something that must not work.
type refusal struct {
	attempt     string
	runtime     string
	tenant      string
	destination string
	catalog     string // which identities the tenant has: both, aws, gcp
	// edit changes a tenant's file, as text.
	edit func(file string) string
	// before changes the lab once the deployment has vended; undo puts it right.
	before func(*Tour) (undo func())
	// warm vends once before the change, so that proofs are cached.
	warm bool
	// outside uses the credential beyond its prefix.
	outside bool
	caller  exchange.Caller
}

func (t *Tour) refusals(ctx context.Context, each func(Row)) error {
	for _, r := range refusals() {
		row, err := t.refuse(ctx, r)
		if err != nil {
			return fmt.Errorf("%s: %w", r.attempt, err)
		}
		each(row)
	}
	return nil
}

const (
	acmesID   = "3f0c9c1e-7d0b-4a86-b2a5-5f7e3a1d9c40"
	globexsID = "8b7f2d94-51c6-4d7e-9a34-c2e90b6f1a58"
	someID    = "00000000-0000-4000-8000-000000000000"
)

func replace(pairs ...string) func(string) string {
	return strings.NewReplacer(pairs...).Replace
}

func refusals() []refusal {
	acmesRole := replace("arn:aws:iam::444455556666:role/globex-share", "arn:aws:iam::999988887777:role/acme-share", globexsID, acmesID)
	acmesAccount := replace("inbox@globex-data", "share@acme-prod")
	return []refusal{
		{attempt: "another tenant's role", runtime: "aws", tenant: "globex", destination: "lake", edit: acmesRole},
		{attempt: "another tenant's role", runtime: "gcp", tenant: "globex", destination: "lake", edit: acmesRole},
		{attempt: "another tenant's account", runtime: "aws", tenant: "globex", destination: "drop", edit: acmesAccount},
		{attempt: "another tenant's account", runtime: "gcp", tenant: "globex", destination: "warehouse", edit: acmesAccount},
		{attempt: "a role with a wrong ExternalId", runtime: "aws", tenant: "acme", destination: "lake", catalog: onlyAWS, edit: replace(acmesID, someID)},
		{attempt: "a token for a wrong audience", runtime: "gcp", tenant: "acme", destination: "lake", catalog: onlyGCP, edit: replace(acmesID, someID)},
		{attempt: "an expired proof", runtime: "gcp", tenant: "acme", destination: "lake", catalog: onlyGCP, warm: true, before: twoHoursLater},
		{attempt: "a condition that pins another role", runtime: "aws", tenant: "globex", destination: "warehouse", before: otherCondition},
		{attempt: "a session outside its prefix", runtime: "aws", tenant: "acme", destination: "lake", outside: true},
		{attempt: "a token outside its prefix", runtime: "gcp", tenant: "acme", destination: "drop", outside: true},
		{attempt: "a caller whom the file does not name", runtime: "aws", tenant: "acme", destination: "lake",
			caller: exchange.Caller{Issuer: "aws", Subject: "arn:aws:iam::444455556666:role/sync-worker"}},
	}
}

func (t *Tour) refuse(ctx context.Context, r refusal) (Row, error) {
	dir, err := t.edited(r)
	if err != nil {
		return Row{}, err
	}
	defer os.RemoveAll(dir)
	d, err := t.deploy(ctx, r.runtime, dir)
	if err != nil {
		return Row{}, err
	}
	row, err := newRow(ctx, d, r.runtime, r.tenant, r.destination)
	if err != nil {
		return row, err
	}
	row.Attempt, row.Expected = r.attempt, refused
	if r.warm {
		if _, err := t.ask(ctx, d, r, exchange.Grant{}); err != nil {
			return row, fmt.Errorf("before the change: %w", err)
		}
	}
	if r.before != nil {
		defer r.before(t)()
	}
	start := time.Now()
	cred, err := t.ask(ctx, d, r, exchange.Grant{Access: exchange.Read})
	row.Millis = float64(time.Since(start).Microseconds()) / 1000
	row.outcome(err)
	if err == nil && r.outside {
		t.reachOutside(ctx, &row, cred)
	}
	return row, nil
}

func (t *Tour) ask(ctx context.Context, d *deployment.Deployment, r refusal, g exchange.Grant) (*exchange.Credential, error) {
	caller := r.caller
	if caller == (exchange.Caller{}) {
		caller = exchange.Console
	}
	if r.outside {
		g = exchange.Grant{}
	}
	return d.Broker.Vend(ctx, exchange.Request{Caller: caller, Tenant: r.tenant, Destination: r.destination, Grant: g})
}

// edited copies a catalog with the refusal's change in it.
func (t *Tour) edited(r refusal) (string, error) {
	from := filepath.Join(t.dir, both)
	if r.catalog != "" {
		from = filepath.Join(t.dir, r.catalog)
	}
	dir, err := os.MkdirTemp(t.dir, "edited-")
	if err != nil {
		return "", err
	}
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil || r.edit == nil {
		return dir, err
	}
	file := filepath.Join(dir, "tenants", r.tenant+".yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		return dir, err
	}
	changed := r.edit(string(text))
	if changed == string(text) {
		return dir, errors.New("the change found nothing to change")
	}
	return dir, os.WriteFile(file, []byte(changed), 0o600)
}

// reachOutside uses a credential one folder away from its own.
func (t *Tour) reachOutside(ctx context.Context, row *Row, cred *exchange.Credential) {
	err := t.use(ctx, cred, "from-somebody-else/")
	var api smithy.APIError
	var answer *useError
	switch {
	case err == nil:
		row.Outcome = vended
	case errors.As(err, &api) && api.ErrorCode() == "AccessDenied":
		row.Outcome, row.Code = refused, api.ErrorCode()
	case errors.As(err, &answer) && answer.status == http.StatusForbidden:
		row.Outcome, row.Code = refused, "403"
	default:
		row.Outcome, row.Code = "failed", err.Error()
	}
	row.Edge = cred.Principal + " → " + cred.Place["bucket"]
}

func twoHoursLater(t *Tour) func() {
	t.lab.Skew(2 * time.Hour)
	return func() { t.lab.Skew(0) }
}

func otherCondition(t *Tour) func() {
	const pool, provider = "carnet-aws", "aws-roles"
	set := func(condition string) (was string) {
		t.lab.Google.Change(func(w *world.Google) {
			p := w.Projects["operator-prod"].Pools[pool].Providers[provider]
			was, p.Condition = p.Condition, condition
		})
		return was
	}
	was := set("assertion.arn.startsWith('arn:aws:sts::111122223333:assumed-role/somebody-')")
	return func() { set(was) }
}
