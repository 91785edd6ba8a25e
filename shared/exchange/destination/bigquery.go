package destination

import (
	"context"
	"fmt"
	"time"

	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/gcpid"
)

// A bigquery destination is a dataset that a service account may use. Google has no
// access boundary for BigQuery: what narrows a token is its scope, and what bounds
// it is the account, which must be granted that one dataset and nothing else.
type bigquery struct {
	end     *gcpid.Identity
	project string
	dataset string
}

func (d bigquery) mint(ctx context.Context, grant exchange.Grant, lifetime time.Duration) (*exchange.Credential, error) {
	if len(grant.Prefixes) > 0 {
		return nil, fmt.Errorf("%w: a dataset has no prefixes: ask for access alone", exchange.ErrBadRequest)
	}
	scopes := []string{bigqueryScope(grant.Access)}
	t, err := d.end.AccessToken(ctx, gcpid.Ask{Scopes: scopes, Lifetime: lifetime})
	if err != nil {
		return nil, err
	}
	return tokenCredential("bigquery", d.end, t, scopes, map[string]string{"project": d.project, "dataset": d.dataset}), nil
}

// bigqueryScope: insertdata streams rows in and does nothing else; load jobs and
// queries that write need read_write.
// https://developers.google.com/identity/protocols/oauth2/scopes#bigquery
func bigqueryScope(a exchange.Access) string {
	switch a {
	case exchange.Read:
		return "https://www.googleapis.com/auth/bigquery.readonly"
	case exchange.Write:
		return "https://www.googleapis.com/auth/bigquery.insertdata"
	}
	return "https://www.googleapis.com/auth/bigquery"
}
