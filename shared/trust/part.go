package trust

import "slices"

// Only is the part of a sheet that concerns one role, account, provider or secret.
func (s *Sheet) Only(name string) *Sheet {
	one := *s
	one.Roles = slices.DeleteFunc(slices.Clone(s.Roles), func(r *Role) bool { return r.ARN != name })
	one.SQL = nil
	g := s.Google
	one.Google = Google{
		Accounts: slices.DeleteFunc(slices.Clone(g.Accounts), func(a string) bool { return a != name }),
		Bindings: slices.DeleteFunc(slices.Clone(g.Bindings), func(b Binding) bool { return b.Name != name }),
		Pools:    slices.DeleteFunc(slices.Clone(g.Pools), func(p Pool) bool { return p.Name() != name }),
	}
	for _, r := range g.CustomRoles {
		if slices.ContainsFunc(one.Google.Bindings, func(b Binding) bool { return b.Role == r.Name }) {
			one.Google.CustomRoles = append(one.Google.CustomRoles, r)
		}
	}
	return &one
}

// WithoutTrust is a sheet without who may enter its roles: their permissions stay.
func (s *Sheet) WithoutTrust() *Sheet {
	one := *s
	one.Roles = nil
	for _, r := range s.Roles {
		some := *r
		some.Trust = nil
		one.Roles = append(one.Roles, &some)
	}
	return &one
}
