package catalog

// ParseOperator reads carnet.yaml. The error is Problems, with all of them.
func ParseOperator(file string, text []byte) (*Operator, error) {
	r := &reader{file: file}
	m := r.mapping(r.root(text), "the file")
	op := new(Operator)
	if m.node != nil {
		r.operator(m, op)
	}
	if len(r.problems) > 0 {
		return nil, r.problems.sorted()
	}
	return op, nil
}

func (r *reader) operator(m *mapping, op *Operator) {
	op.Region = m.matching("region", regionRule(), false)
	op.GoogleAudience = m.text("google_audience")
	op.ServeUnverified = m.flag("serve_unverified")
	r.runtime(m, op)
	r.nobody(m, op)
	for _, n := range m.items("providers") {
		p := r.mapping(n, "a provider")
		op.Providers = append(op.Providers, Provider{
			Name:    p.matching("name", providerRule(), true),
			Kind:    ProviderKind(p.oneOf("kind", string(ProviderAWS), string(ProviderAWS), string(ProviderOIDC))),
			Account: p.matching("account", accountIDRule(), true),
		})
		p.done()
	}
	r.issuers(m, op)
	m.done()
}

// issuers: of an issuer that stood here twice, one audience would count and the other not.
func (r *reader) issuers(m *mapping, op *Operator) {
	seen := map[string]bool{}
	for _, n := range m.items("issuers") {
		i := r.mapping(n, "an issuer")
		issuer := Issuer{
			URL:      i.matching("issuer", issuerRule(), true),
			Audience: i.must("audience", "https://carnet.example"),
			Keys:     i.matching("jwks_uri", issuerRule(), false),
		}
		i.done()
		if issuer.URL != "" && seen[issuer.URL] {
			r.bad(n, "the issuer %s stands here twice: its tokens have one audience, so keep one", issuer.URL)
		}
		seen[issuer.URL] = true
		op.Issuers = append(op.Issuers, issuer)
	}
}

func (r *reader) runtime(m *mapping, op *Operator) {
	n := m.take("runtime")
	if n == nil {
		r.bad(m.node, "the file has no runtime: write `runtime: {aws: {role: …, region: …}}`, or gcp with a service_account, or both")
		return
	}
	both := r.mapping(n, "runtime")
	if aws := both.take("aws"); aws != nil {
		at := r.mapping(aws, "runtime.aws")
		op.Runtime.AWS.Role = at.matching("role", roleRule(), true)
		op.Runtime.AWS.Region = at.matching("region", regionRule(), false)
		at.done()
	}
	if gcp := both.take("gcp"); gcp != nil {
		at := r.mapping(gcp, "runtime.gcp")
		op.Runtime.GCP.ServiceAccount = at.matching("service_account", accountRule(), true)
		at.done()
	}
	both.done()
}

// nobody names identities that no tenant trusts, with which refusals are tried.
func (r *reader) nobody(m *mapping, op *Operator) {
	n := m.take("nobody")
	if n == nil {
		return
	}
	both := r.mapping(n, "nobody")
	if aws := both.take("aws"); aws != nil {
		at := r.mapping(aws, "nobody.aws")
		op.Nobody.AWS = at.matching("role", roleRule(), true)
		at.done()
	}
	if gcp := both.take("gcp"); gcp != nil {
		at := r.mapping(gcp, "nobody.gcp")
		op.Nobody.GCP = at.matching("service_account", accountRule(), true)
		at.done()
	}
	both.done()
}
