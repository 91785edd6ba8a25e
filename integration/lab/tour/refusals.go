package tour

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/smithy-go"
	"github.com/jackc/pgx/v5/pgconn"

	"carnet.dev/carnet/client"
	"carnet.dev/carnet/integration/lab/world"
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
	// misuse uses the credential where it must not be good.
	misuse func(context.Context, *Tour, *exchange.Credential) error
	at     string // where it is misused, if not at its own place
	caller string // a role that asks in the place of the jobs'
	// inside asks the broker itself: where the clouds' clock is moved, a caller's own
	// proof would be the first to expire.
	inside bool
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
	frostsID  = "6b1f0c52-2f6e-4d0a-9c1b-7e5a3d8f4b26"
	someID    = "00000000-0000-4000-8000-000000000000"

	globexsAccount = "GLOBEX-EU" // at Snowflake
)

func replace(pairs ...string) func(string) string {
	return strings.NewReplacer(pairs...).Replace
}

func refusals() []refusal {
	acmesRole := replace("arn:aws:iam::444455556666:role/globex-share", "arn:aws:iam::999988887777:role/acme-share", globexsID, acmesID)
	acmesAccount := replace("globex-inbox@globex-data", "acme-share@acme-prod")
	return []refusal{
		{attempt: "another tenant's role", runtime: "aws", tenant: "globex", destination: "lake", edit: acmesRole},
		{attempt: "another tenant's role", runtime: "gcp", tenant: "globex", destination: "lake", edit: acmesRole},
		{attempt: "another tenant's account", runtime: "aws", tenant: "globex", destination: "drop", edit: acmesAccount},
		{attempt: "another tenant's account", runtime: "gcp", tenant: "globex", destination: "warehouse", edit: acmesAccount},
		{attempt: "a role with a wrong ExternalId", runtime: "aws", tenant: "acme", destination: "lake", catalog: onlyAWS, edit: replace(acmesID, someID)},
		{attempt: "a token for a wrong audience", runtime: "gcp", tenant: "acme", destination: "lake", catalog: onlyGCP, edit: replace(acmesID, someID)},
		{attempt: "an expired proof", runtime: "gcp", tenant: "acme", destination: "lake", catalog: onlyGCP, warm: true, inside: true, before: twoHoursLater},
		{attempt: "a condition that pins another role", runtime: "aws", tenant: "globex", destination: "warehouse", before: otherCondition},
		{attempt: "a session outside its prefix", runtime: "aws", tenant: "acme", destination: "lake", misuse: outside},
		{attempt: "a token outside its prefix", runtime: "gcp", tenant: "acme", destination: "drop", misuse: outside},
		{attempt: "a database nobody granted", runtime: "aws", tenant: "acme", destination: "marts", edit: replace("database: analytics", "database: payroll")},
		{attempt: "a table nobody granted", runtime: "gcp", tenant: "acme", destination: "marts", misuse: salaries},
		{attempt: "a table nobody granted", runtime: "aws", tenant: "globex", destination: "marts", misuse: salaries},
		{attempt: "a password after its time", runtime: "aws", tenant: "acme", destination: "marts", misuse: tooLate},
		{attempt: "one Snowflake account's token at another", runtime: "aws", tenant: "acme", destination: "frost", misuse: elsewhere, at: globexsAccount},
		{attempt: "one Snowflake account's token at another", runtime: "gcp", tenant: "acme", destination: "frost", misuse: elsewhere, at: globexsAccount},
		{attempt: "a token for a wrong audience", runtime: "gcp", tenant: "acme", destination: "frost", edit: replace(frostsID, someID), misuse: asMeant},
		{attempt: "an audience the role may not name", runtime: "aws", tenant: "acme", destination: "frost", edit: replace(frostsID, someID)},
		{attempt: "a key pair's token after its time", runtime: "aws", tenant: "acme", destination: "ledger", misuse: tooLate},
		{attempt: "a caller whom the file does not name", runtime: "aws", tenant: "acme", destination: "lake",
			caller: reporterRole},
	}
}

func (t *Tour) refuse(ctx context.Context, r refusal) (Row, error) {
	dir, err := t.edited(r)
	if err != nil {
		return Row{}, err
	}
	defer os.RemoveAll(dir)
	role := workerRole
	if r.caller != "" {
		role = r.caller
	}
	d, err := t.deployFor(ctx, r.runtime, dir, role)
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
	grant := exchange.Grant{}
	if r.misuse == nil {
		grant = less(row.Kind)
	}
	cred, err := t.ask(ctx, d, r, grant)
	row.Millis = float64(time.Since(start).Microseconds()) / 1000
	row.outcome(err, d.last())
	if err == nil && r.misuse != nil {
		row.misused(cmp.Or(r.at, placeOf(cred)), r.misuse(ctx, t, cred))
	}
	return row, nil
}

func (t *Tour) ask(ctx context.Context, d *function, r refusal, g exchange.Grant) (*exchange.Credential, error) {
	if r.inside {
		return d.Broker.Vend(ctx, exchange.Request{Caller: exchange.Console, Tenant: r.tenant, Destination: r.destination, Grant: g})
	}
	return d.client.Vend(ctx, client.Request{Tenant: r.tenant, Destination: r.destination, Grant: g})
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

// misused says how the data plane answered to a credential where it is no good. Its edge
// begins at the identity that ends the chain: a session has a random name, and tells nobody
// which role it is of.
func (r *Row) misused(at string, err error) {
	var api smithy.APIError
	var answer *useError
	var sql *pgconn.PgError
	var frost *snowflakeError
	switch {
	case err == nil:
		r.Outcome = vended
	case errors.As(err, &api):
		r.Outcome, r.Code = refused, api.ErrorCode()
	case errors.As(err, &answer) && answer.status == http.StatusForbidden:
		r.Outcome, r.Code = refused, "403"
	case errors.As(err, &sql):
		r.Outcome, r.Code = refused, sql.Code
	case errors.As(err, &frost):
		r.Outcome, r.Code = refused, frost.code
	case strings.HasPrefix(err.Error(), "ERROR: permission denied"): // the Data API's one sentence
		r.Outcome, r.Code = refused, "permission denied"
	default:
		r.Outcome, r.Code = "failed", err.Error()
	}
	r.Edge = r.Chain[len(r.Chain)-1] + " → " + at
}

// placeOf names where a credential is good: each kind of place has one of these.
func placeOf(cred *exchange.Credential) string {
	return cmp.Or(cred.Place["bucket"], cred.Place["database"], cred.Place["account"])
}

// outside goes one folder away from the credential's own.
func outside(ctx context.Context, t *Tour, cred *exchange.Credential) error {
	return t.use(ctx, cred, "from-somebody-else/")
}

func asMeant(ctx context.Context, t *Tour, cred *exchange.Credential) error {
	return t.use(ctx, cred, "")
}

func tooLate(ctx context.Context, t *Tour, cred *exchange.Credential) error {
	defer twoHoursLater(t)()
	return t.use(ctx, cred, "")
}

func salaries(ctx context.Context, t *Tour, cred *exchange.Credential) error {
	machine, err := t.lab.Machine("")
	if err != nil {
		return err
	}
	return useRedshift(ctx, machine, cred, "salaries")
}

func elsewhere(ctx context.Context, t *Tour, cred *exchange.Credential) error {
	machine, err := t.lab.Machine("")
	if err != nil {
		return err
	}
	return useSnowflakeAt(ctx, machine.Client(), cred, globexsAccount, "globex-eu.snowflakecomputing.com")
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
