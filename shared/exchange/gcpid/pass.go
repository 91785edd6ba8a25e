package gcpid

import (
	"context"
	"errors"
	"slices"

	"carnet.dev/carnet/shared/exchange"
)

const (
	iamURL         = "https://iam.googleapis.com/v1/"
	passPermission = "iam.serviceAccounts.implicitDelegation"
)

// ErrNoDelegates means that an identity is not reached through another account.
var ErrNoDelegates = errors.New("no account is passed through on the way")

// Passes tells whether whoever shows its token may pass through the first account on the
// way to this one. A call that passes through accounts does not say at which of them it was
// refused, and an account that may only be passed through gives no token to ask with. The
// answer is what the caller itself holds, which takes no permission to ask.
// https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/testIamPermissions
func (i *Identity) Passes(ctx context.Context) (bool, error) {
	if len(i.ways) == 0 || len(i.ways[0].via) == 0 {
		return false, ErrNoDelegates
	}
	w := i.ways[0]
	edge := exchange.Edge{From: w.from, To: w.via[0], Op: "iam.testIamPermissions"}
	shown, err := w.by.self(ctx)
	if err != nil {
		return false, exchange.AtEdge(err, edge, nil)
	}
	var answer struct {
		Permissions []string `json:"permissions"`
	}
	ask := map[string][]string{"permissions": {passPermission}}
	if err := i.cloud.post(ctx, iamURL+resource(w.via[0])+":testIamPermissions", shown.Value, ask, &answer, &edge); err != nil {
		return false, failed(err, edge, shown.Trail)
	}
	return slices.Contains(answer.Permissions, passPermission), nil
}
