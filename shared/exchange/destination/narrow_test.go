package destination

import (
	"errors"
	"strings"
	"testing"

	"carnet.dev/carnet/shared/exchange"
)

func TestNarrow(t *testing.T) {
	granted := exchange.Grant{Access: exchange.ReadWrite, Prefixes: []string{"acme/"}}
	grant := func(access exchange.Access, prefixes ...string) exchange.Grant {
		return exchange.Grant{Access: access, Prefixes: prefixes}
	}
	for name, c := range map[string]struct {
		granted, asked, want exchange.Grant
		narrowed, refused    bool
	}{
		"nothing asked means all":        {granted, grant(""), granted, false, false},
		"the same is not narrower":       {granted, grant("read_write", "acme/"), granted, false, false},
		"read alone":                     {granted, grant("read"), grant("read", "acme/"), true, false},
		"a folder below":                 {granted, grant("", "acme/today"), grant("read_write", "acme/today/"), true, false},
		"a folder beside":                {granted, grant("", "acme-2/"), exchange.Grant{}, false, true},
		"a folder above":                 {granted, grant("", ""), exchange.Grant{}, false, true},
		"out and back in":                {granted, grant("", "acme/../other/"), exchange.Grant{}, false, true},
		"a star":                         {granted, grant("", "acme/*"), exchange.Grant{}, false, true},
		"a word that is no access":       {granted, grant("admin"), exchange.Grant{}, false, true},
		"writing where reading is given": {grant("read", "acme/"), grant("write"), exchange.Grant{}, false, true},
		"more where writing is given":    {grant("write", "acme/"), grant("read_write"), exchange.Grant{}, false, true},
		"folders of a dataset":           {grant("read"), grant("", "acme/"), exchange.Grant{}, false, true},
		"reading, of a login":            {exchange.Grant{}, grant("read"), exchange.Grant{}, false, true},
		"folders of a login":             {exchange.Grant{}, grant("", "acme/"), exchange.Grant{}, false, true},
	} {
		got, narrowed, err := narrow(c.granted, c.asked)
		if c.refused {
			if !errors.Is(err, exchange.ErrBadRequest) {
				t.Errorf("%s: %v, %v", name, got, err)
			}
			continue
		}
		if err != nil || narrowed != c.narrowed || got.Access != c.want.Access || strings.Join(got.Prefixes, " ") != strings.Join(c.want.Prefixes, " ") {
			t.Errorf("%s: %v, %v, %v", name, got, narrowed, err)
		}
	}
}

// TestPackedPolicies: only AWS knows how large a policy is in the end, and the refusal says
// what to do about it.
func TestPackedPolicies(t *testing.T) {
	refused := &exchange.EdgeError{Code: "PackedPolicyTooLarge", Reason: exchange.Refused, Err: errors.New("Packed size of session tags consumes 112% of allotted space.")}
	err := packed(refused, []string{"a/", "a-long-folder/"})
	var edge *exchange.EdgeError
	if !errors.As(err, &edge) || edge.Code != refused.Code || !strings.Contains(err.Error(), `"a-long-folder/" first`) || !strings.Contains(err.Error(), "112%") {
		t.Errorf("%v", err)
	}
	other := &exchange.EdgeError{Code: "AccessDenied", Err: errors.New("no")}
	if got := packed(other, []string{"a/"}); got != error(other) {
		t.Errorf("%v became %v", other, got)
	}
}
