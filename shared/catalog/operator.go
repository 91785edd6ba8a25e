package catalog

import "carnet.dev/carnet/shared/catalog/keys"

// ParseOperator reads carnet.yaml. The error is Problems, with all of them.
func ParseOperator(file string, text []byte) (*Operator, error) {
	f := &keys.File{Name: file}
	op := new(Operator)
	OperatorKeys().ReadFile(f, text, op)
	if err := f.Err(); err != nil {
		return nil, err
	}
	return op, nil
}

// OperatorKeys are the keys of carnet.yaml.
func OperatorKeys() keys.Set {
	return keys.Set{
		keys.Within("runtime", func(o *Operator) *Runtime { return &o.Runtime }, runtimeKeys()).Says("Who the functions are, on each cloud where they run."),
		keys.Text("region", func(o *Operator) *string { return &o.Region }, Region()).Optional().Says("The AWS Region whose STS is called from Google Cloud."),
		keys.Each("providers", "a provider", func(o *Operator) *[]Provider { return &o.Providers }, providerKeys()).Optional().Says("The providers of the operator's own pools."),
		keys.Each("issuers", "an issuer", func(o *Operator) *[]Issuer { return &o.Issuers }, issuerKeys()).Once("issuer").Optional().Says("Whose tokens callers may show."),
		keys.Text("google_audience", func(o *Operator) *string { return &o.GoogleAudience }, words("https://carnet.example")).Optional().Says("The audience of the Google ID tokens that callers show."),
		keys.Flag("serve_unverified", func(o *Operator) *bool { return &o.ServeUnverified }).Says("`true`: destinations without `verified:` are served too. For a trial, and for the days of a move."),
		keys.Within("nobody", func(o *Operator) *Nobody { return &o.Nobody }, nobodyKeys()).Optional().Says("An identity that no destination trusts, on each cloud: carnet tries with it what a destination must refuse."),
	}
}

func runtimeKeys() keys.Set {
	aws := keys.Set{
		keys.Text("role", func(r *AWSRuntime) *string { return &r.Role }, RoleARN()).Says("The functions' role."),
		keys.Text("region", func(r *AWSRuntime) *string { return &r.Region }, Region()).Optional().Says("Its Region."),
	}
	gcp := keys.Set{
		keys.Text("service_account", func(r *GCPRuntime) *string { return &r.ServiceAccount }, Account()).Says("The functions' service account."),
	}
	return keys.Set{
		keys.Within("aws", func(r *Runtime) *AWSRuntime { return &r.AWS }, aws).Optional().Says("On AWS."),
		keys.Within("gcp", func(r *Runtime) *GCPRuntime { return &r.GCP }, gcp).Optional().Says("On Google Cloud."),
	}
}

func providerKeys() keys.Set {
	return keys.Set{
		keys.Text("name", func(p *Provider) *string { return &p.Name }, provider()).Says("The provider's resource name, with the project's number."),
		keys.Word("kind", func(p *Provider) *ProviderKind { return &p.Kind }, ProviderAWS, ProviderOIDC).Or("aws").Says("aws: it takes the signed request. oidc: it takes the outbound JWT."),
		keys.Text("account", func(p *Provider) *string { return &p.Account }, accountID()).Says("The AWS account that it trusts."),
	}
}

// issuerKeys: of an issuer that stood there twice, one audience would count and the other not.
func issuerKeys() keys.Set {
	return keys.Set{
		keys.Text("issuer", func(i *Issuer) *string { return &i.URL }, issuer()).Says("The issuer's URL."),
		keys.Text("audience", func(i *Issuer) *string { return &i.Audience }, words("https://carnet.example")).Says("The audience that a caller's token must have."),
		keys.Text("jwks_uri", func(i *Issuer) *string { return &i.Keys }, issuer()).Optional().Says("Where its keys are, if on another host than the issuer."),
	}
}

func nobodyKeys() keys.Set {
	aws := keys.Set{keys.Text("role", func(n *Nobody) *string { return &n.AWS }, RoleARN()).Says("A role that no tenant trusts, which the runtime may assume.")}
	gcp := keys.Set{keys.Text("service_account", func(n *Nobody) *string { return &n.GCP }, Account()).Says("An account that no tenant trusts, which the runtime may have tokens of.")}
	return keys.Set{
		keys.Within("aws", func(n *Nobody) *Nobody { return n }, aws).Optional().Says("On AWS."),
		keys.Within("gcp", func(n *Nobody) *Nobody { return n }, gcp).Optional().Says("On Google Cloud."),
	}
}
