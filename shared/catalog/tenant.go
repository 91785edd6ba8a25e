package catalog

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"carnet.dev/carnet/shared/exchange"
)

// ParseTenant reads a tenant's file. file is its name, for messages and because the
// tenant's name must be the same; empty where there is no file. The error is
// Problems, with all of them.
func ParseTenant(file string, text []byte) (*Tenant, error) {
	r := &reader{file: file}
	m := r.mapping(r.root(text), "the file")
	t := &Tenant{Destinations: map[string]*Destination{}}
	if m.node != nil {
		r.tenant(m, t)
	}
	if len(r.problems) > 0 {
		return nil, r.problems.sorted()
	}
	return t, nil
}

func (r *reader) tenant(m *mapping, t *Tenant) {
	t.Name = m.matching("tenant", nameRule(), true)
	if want := strings.TrimSuffix(path.Base(r.file), ".yaml"); r.file != "" && t.Name != "" && t.Name != want {
		r.bad(m.at("tenant"), "the file is %s.yaml and its tenant %q: give both one name", want, t.Name)
	}
	t.Disabled = m.flag("disabled")
	t.Identities = r.identities(m)
	for _, n := range m.items("callers") {
		t.Callers = append(t.Callers, r.caller(n))
	}
	r.destinations(m, t)
	m.done()
	r.calledFor(m, t)
}

func (r *reader) identities(m *mapping) Identities {
	var ids Identities
	n := m.take("identities")
	if n == nil {
		return ids
	}
	both := r.mapping(n, "identities")
	if aws := both.take("aws"); aws != nil {
		at := r.mapping(aws, "identities.aws")
		ids.AWS = at.role(false)
		at.done()
	}
	if gcp := both.take("gcp"); gcp != nil {
		at := r.mapping(gcp, "identities.gcp")
		ids.GCP = at.account()
		at.done()
	}
	both.done()
	return ids
}

// role takes the keys of a role.
func (m *mapping) role(needsID bool) *Role {
	return &Role{
		ARN:            m.matching("role", roleRule(), true),
		ExternalID:     m.matching("external_id", externalIDRule(), needsID),
		NextExternalID: m.matching("next_external_id", externalIDRule(), false),
	}
}

// account takes the keys of a service account.
func (m *mapping) account() *ServiceAccount {
	return &ServiceAccount{
		Email:    m.matching("service_account", accountRule(), true),
		Entry:    Entry(m.oneOf("entry", string(Delegate), string(Delegate), string(User))),
		Provider: m.matching("provider", providerRule(), false),
	}
}

func (r *reader) caller(n *yaml.Node) Caller {
	m := r.mapping(n, "a caller")
	var c Caller
	switch {
	case m.has("aws"):
		c.Caller = exchange.Caller{Issuer: "aws", Subject: withoutPath(m.matching("aws", principalRule(), true))}
	case m.has("google"):
		c.Caller = exchange.Caller{Issuer: "google", Subject: m.matching("google", emailRule(), true)}
	default:
		c.Issuer = m.matching("issuer", issuerRule(), true)
		c.Subject = m.must("subject", "system:serviceaccount:sync:acme")
	}
	for _, d := range m.items("destinations") {
		c.Destinations = append(c.Destinations, d.Value)
	}
	m.taken = append(m.taken, "aws", "google", "issuer", "subject")
	r.oneProof(m)
	return c
}

// withoutPath: STS leaves a role's path out of what it calls a caller, and names are
// unique in an account without it.
func withoutPath(arn string) string {
	head, tail, ok := strings.Cut(arn, "/")
	if !ok {
		return arn
	}
	return head + "/" + tail[strings.LastIndex(tail, "/")+1:]
}

// oneProof refuses a caller who is named in two ways.
func (r *reader) oneProof(m *mapping) {
	ways := 0
	for _, key := range []string{"aws", "google", "issuer"} {
		if m.has(key) {
			ways++
		}
	}
	if ways > 1 || m.has("subject") && !m.has("issuer") {
		r.bad(m.node, "a caller is named in one way: aws, or google, or issuer and subject; write one entry for each")
	}
	m.done()
}

// calledFor refuses callers of destinations that are not there.
func (r *reader) calledFor(m *mapping, t *Tenant) {
	for _, c := range t.Callers {
		for _, d := range c.Destinations {
			if t.Destinations[d] == nil {
				r.bad(m.at("callers"), "a caller is let to destination %q, which is not in this file", d)
			}
		}
	}
}

func (r *reader) destinations(m *mapping, t *Tenant) {
	n := m.take("destinations")
	if n == nil {
		return
	}
	all := r.mapping(n, "destinations")
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		name := n.Content[i]
		if !ValidName(name.Value) {
			r.bad(name, "destination %q: write %s", name.Value, nameRule().name)
		}
		d := r.destination(name.Value, all.take(name.Value))
		if d == nil {
			continue
		}
		t.Destinations[name.Value] = d
		r.reachable(name, t, d)
	}
}

func (r *reader) destination(name string, n *yaml.Node) *Destination {
	if n == nil {
		return nil
	}
	m := r.mapping(n, "destination "+name)
	if m.node.Kind != yaml.MappingNode {
		return nil
	}
	d := &Destination{Kind: Kind(m.must("kind", "s3"))}
	r.common(m, d)
	switch d.Kind {
	case S3:
		r.s3(m, d)
	case GCS:
		r.gcs(m, d)
	case BigQuery:
		r.bigquery(m, d)
	case Redshift:
		r.redshift(m, d)
	case Snowflake:
		r.snowflake(m, d)
	case "":
		return nil
	default:
		r.bad(m.at("kind"), "destination %s: kind is %q: write s3, gcs, bigquery, redshift or snowflake", name, d.Kind)
		return nil
	}
	m.done()
	return d
}

func (r *reader) common(m *mapping, d *Destination) {
	d.Disabled = m.flag("disabled")
	d.Verified = m.date("verified")
	d.MinTTL = m.duration("min_ttl", time.Minute, 9*time.Hour)
	least, most := lifetimes(d.Kind)
	d.Lifetime = m.duration("lifetime", least, most)
	for _, n := range m.items("chain") {
		d.Chain = append(d.Chain, r.link(n))
	}
	if n := m.take("deliver"); n != nil {
		d.Deliver = r.delivery(r.mapping(n, m.what+": deliver"), d.Kind)
	}
}

// delivery: Secrets Manager asks for ten minutes between two versions.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
func (r *reader) delivery(m *mapping, k Kind) *Delivery {
	d := &Delivery{
		Secret: m.matching("secret", deliverRule(), true),
		Every:  m.duration("every", 10*time.Minute, 11*time.Hour),
		Format: m.oneOf("format", "json", "json", "aws"),
	}
	if d.Every == 0 && m.node != nil && !m.has("every") {
		d.Every = 30 * time.Minute
	}
	if d.Format == "aws" && k != S3 && k != Redshift {
		r.bad(m.at("format"), "%s: format aws is for AWS sessions: write json", m.what)
	}
	m.done()
	return d
}

// lifetimes are what the clouds take: sessions and access tokens, a database's
// password, a token for Snowflake.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
// https://docs.aws.amazon.com/redshift/latest/APIReference/API_GetClusterCredentialsWithIAM.html
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html
func lifetimes(k Kind) (least, most time.Duration) {
	switch k {
	case Redshift:
		return 15 * time.Minute, time.Hour
	case Snowflake:
		return time.Minute, time.Hour
	}
	return 15 * time.Minute, 12 * time.Hour
}

func (r *reader) link(n *yaml.Node) ChainLink {
	m := r.mapping(n, "a link of the chain")
	defer m.done()
	if m.has("role") {
		return ChainLink{Role: m.role(false)}
	}
	if !m.has("service_account") {
		r.bad(n, "a link of the chain is either `role:` with its external_id, or `service_account:`")
	}
	return ChainLink{ServiceAccount: m.account()}
}

func (r *reader) s3(m *mapping, d *Destination) {
	d.Role = m.role(true)
	d.Region = m.matching("region", regionRule(), true)
	d.Bucket = m.matching("bucket", s3BucketRule(), true)
	d.KMSKey = m.matching("kms_key", kmsKeyRule(), false)
	r.grant(m, d)
}

func (r *reader) gcs(m *mapping, d *Destination) {
	d.ServiceAccount = m.account()
	d.Bucket = m.matching("bucket", gcsBucketRule(), true)
	r.grant(m, d)
}

func (r *reader) bigquery(m *mapping, d *Destination) {
	d.ServiceAccount = m.account()
	d.Project = m.matching("project", projectRule(), true)
	d.Dataset = m.matching("dataset", datasetRule(), true)
	d.Access = exchange.Access(m.oneOf("access", string(exchange.ReadWrite), accesses()...))
}

func (r *reader) redshift(m *mapping, d *Destination) {
	d.Role = m.role(true)
	d.Region = m.matching("region", regionRule(), true)
	at := &d.Redshift
	at.Cluster = m.matching("cluster", clusterRule(), false)
	at.Workgroup = m.matching("workgroup", clusterRule(), false)
	at.CustomDomain = m.matching("custom_domain", domainRule(), false)
	at.Host = m.matching("host", redshiftHostRule(), false)
	at.Port = m.number("port", 5439, 1, 65535)
	at.Database = m.matching("database", databaseRule(), true)
	at.User = m.matching("user", databaseRule(), false)
	for _, n := range m.items("groups") {
		at.Groups = append(at.Groups, n.Value)
		if !databaseRule().ok(n.Value) {
			r.bad(n, "%s: group %q: write a name of up to 64 letters, digits and _ . @ + -", m.what, n.Value)
		}
	}
	at.CreateUser = m.flag("create_user")
	at.Login = RedshiftLogin(m.oneOf("login", string(RedshiftPassword), string(RedshiftPassword), string(RedshiftDataAPI)))
	if (at.Cluster == "") == (at.Workgroup == "") {
		r.bad(m.node, "%s: write `cluster:` for a provisioned one, or `workgroup:` for a serverless one", m.what)
	}
	if at.Login == RedshiftDataAPI && (at.CreateUser || len(at.Groups) > 0) {
		r.bad(m.at("login"), "%s: the Data API runs statements as a user who exists, in its own groups: take groups and create_user out, or write login: password", m.what)
	}
	if at.User == "" && (at.CreateUser || len(at.Groups) > 0) || at.User != "" && at.Workgroup != "" {
		r.bad(m.at("user"), "%s: user, groups and create_user go together, with a cluster; a workgroup's user is the role's own, IAMR:ROLE", m.what)
	}
}

func (r *reader) snowflake(m *mapping, d *Destination) {
	at := &d.Snowflake
	at.Account = m.matching("account", snowflakeAccountRule(), true)
	at.Host = m.matching("host", snowflakeHostRule(), false)
	at.User = m.matching("user", snowflakeUserRule(), true)
	at.Login = SnowflakeLogin(m.oneOf("login", string(SnowflakeOIDC), string(SnowflakeOIDC), string(SnowflakeWorkloadIdentity), string(SnowflakeKeyPair)))
	at.ExternalID = m.matching("external_id", externalIDRule(), at.Login == SnowflakeOIDC)
	at.NextExternalID = m.matching("next_external_id", externalIDRule(), false)
	at.Algorithm = m.oneOf("algorithm", "ES384", "ES384", "RS256")
	at.Secret = m.matching("secret", secretRule(), at.Login == SnowflakeKeyPair)
	if at.Host == "" {
		at.Host = strings.ToLower(strings.ReplaceAll(at.Account, "_", "-")) + ".snowflakecomputing.com"
	}
}

// number takes a whole number.
func (m *mapping) number(key string, otherwise, least, most int) int {
	n := m.take(key)
	if n == nil {
		return otherwise
	}
	v, err := strconv.Atoi(n.Value)
	if n.Tag != "!!int" || err != nil || v < least || v > most {
		m.bad(n, "%s: %s is %q: write a number from %d to %d", m.what, key, n.Value, least, most)
	}
	return v
}

func accesses() []string {
	return []string{string(exchange.Read), string(exchange.Write), string(exchange.ReadWrite)}
}

// grant takes what a bucket's credential may reach. Leaving it out is no way to say
// "everything": that takes `whole_bucket: true`.
func (r *reader) grant(m *mapping, d *Destination) {
	if m.must("access", "write") != "" {
		d.Access = exchange.Access(m.oneOf("access", "", accesses()...))
	}
	whole := m.flag("whole_bucket")
	list := m.items("prefixes")
	switch {
	case whole && m.has("prefixes"):
		r.bad(m.at("whole_bucket"), "%s: whole_bucket and prefixes exclude each other: keep one", m.what)
	case whole:
		d.Prefixes = []string{""}
	case !m.has("prefixes"):
		r.bad(m.node, "%s has no prefixes: write `prefixes: [folder/]`, or `whole_bucket: true` if that is meant", m.what)
	}
	for _, n := range list {
		d.Prefixes = append(d.Prefixes, r.prefix(m, n))
	}
}

func (r *reader) prefix(m *mapping, n *yaml.Node) string {
	p := n.Value
	switch err := CheckPrefix(p); {
	case n.Kind != yaml.ScalarNode || n.Tag != "!!str":
		r.bad(n, "%s: a prefix is %s: write a string%s", m.what, kindOf(n), quoted(n))
	case p == "":
		r.bad(n, "%s: an empty prefix is the whole bucket: write `whole_bucket: true` if that is meant", m.what)
	case err != nil:
		r.bad(n, "%s: prefix %q %v", m.what, p, err)
	case !strings.HasSuffix(p, "/"):
		p += "/" // acme must not reach acme-2
	}
	return p
}

func (m *mapping) date(key string) time.Time {
	n := m.take(key)
	if n == nil {
		return time.Time{}
	}
	day, err := time.Parse(time.DateOnly, n.Value)
	if err != nil {
		m.bad(n, "%s: %s is %q: write a day, such as 2026-11-20", m.what, key, n.Value)
	}
	return day
}

func (m *mapping) duration(key string, least, most time.Duration) time.Duration {
	n := m.take(key)
	if n == nil {
		return 0
	}
	ok := n.Kind == yaml.ScalarNode && n.Tag == "!!str" && pattern(`^([0-9]+h)?([0-9]+m)?([0-9]+s)?$`).MatchString(n.Value)
	d, err := time.ParseDuration(n.Value)
	if !ok || err != nil || d < least || d > most {
		m.bad(n, "%s: %s is %q: write a duration from %s to %s, such as 45m", m.what, key, n.Value, least, most)
	}
	return d
}

// reachable refuses a destination that no chain leads to, or leads to twice.
func (r *reader) reachable(name *yaml.Node, t *Tenant, d *Destination) {
	if t.Identities.AWS == nil && t.Identities.GCP == nil && len(d.Chain) == 0 {
		r.bad(name, "destination %s cannot be reached: the tenant has no identity, so write `identities:`, or a `chain:` here", name.Value)
	}
	var seen []string
	for _, p := range d.principals(t) {
		if p != "" && slices.Contains(seen, p) {
			r.bad(name, "destination %s: its chain enters %s twice: every identity may stand in it once", name.Value, p)
		}
		seen = append(seen, p)
	}
}

// principals lists who stands in a destination's chain, as far as the file knows.
func (d *Destination) principals(t *Tenant) []string {
	var list []string
	add := func(r *Role, a *ServiceAccount) {
		if r != nil {
			list = append(list, r.ARN)
		}
		if a != nil {
			list = append(list, a.Email)
		}
	}
	for _, l := range d.Chain {
		add(l.Role, l.ServiceAccount)
	}
	if len(d.Chain) == 0 {
		add(t.Identities.AWS, t.Identities.GCP)
	}
	add(d.Role, d.ServiceAccount)
	return list
}

// String shows a problem-free destination in few words, for lists.
func (d *Destination) String() string {
	switch d.Kind {
	case BigQuery:
		return fmt.Sprintf("%s %s.%s", d.Kind, d.Project, d.Dataset)
	case Redshift:
		return fmt.Sprintf("%s %s%s/%s", d.Kind, d.Redshift.Cluster, d.Redshift.Workgroup, d.Redshift.Database)
	case Snowflake:
		return fmt.Sprintf("%s %s as %s", d.Kind, d.Snowflake.Account, d.Snowflake.User)
	}
	return fmt.Sprintf("%s %s", d.Kind, d.Bucket)
}
