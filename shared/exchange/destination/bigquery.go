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
	scope := bigqueryScope(grant.Access)
	if scope == "" {
		return nil, fmt.Errorf("%w: an empty grant reaches nothing of %s.%s", exchange.ErrBadRequest, d.project, d.dataset)
	}
	scopes := []string{scope}
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
	case exchange.ReadWrite:
		return "https://www.googleapis.com/auth/bigquery"
	}
	return ""
}
