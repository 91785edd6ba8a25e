package main

import (
	"bytes"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/integration/lab/sample"
)

// caller is an account of the sample's world: a missing scope is said before anything else.
const caller = "share@acme-prod.iam.gserviceaccount.com"

const root = "https://www.googleapis.com/auth/"

// scopes calls each method that worked once more, with a token of each scope that any of the
// descriptions names, and of some that none does.
func (j *judge) scopes() error {
	w, err := sample.World()
	if err != nil {
		return err
	}
	l, err := lab.Start(w)
	if err != nil {
		return err
	}
	defer l.Close()
	all := map[string]bool{root + "bigquery.readonly": true, root + "iam": true, root + "userinfo.email": true}
	for _, d := range j.documents {
		for scope := range d.Auth.OAuth2.Scopes {
			all[scope] = true
		}
	}
	for _, d := range j.documents {
		for _, m := range d.methods {
			e, ok := j.seen[m.ID]
			if !ok || len(m.Scopes) == 0 {
				continue // sts takes no token
			}
			for _, scope := range slices.Sorted(maps.Keys(all)) {
				if err := j.scope(l, e, m, scope); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (j *judge) scope(l *lab.Lab, e lab.Exchange, m *method, scope string) error {
	token, err := l.Google.Token(caller, scope)
	if err != nil {
		return err
	}
	r := httptest.NewRequest(e.Method, "https://"+e.Host+e.URI, bytes.NewReader(e.Body))
	r.Header = e.Header.Clone()
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	l.Google.ServeHTTP(w, r)
	enough := !strings.Contains(w.Body.String(), "ACCESS_TOKEN_SCOPE_INSUFFICIENT")
	j.cases++
	if enough != slices.Contains(m.Scopes, scope) {
		verdict := "enough for the lab, and not by the description"
		if !enough {
			verdict = "not enough for the lab, and enough by the description"
		}
		j.disagree(m, "the scope %s is %s", strings.TrimPrefix(scope, root), verdict)
	}
	return nil
}
