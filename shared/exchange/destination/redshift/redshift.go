// Package redshift is the kind of place redshift: a database of a cluster or of a serverless
// workgroup, which a role of the customer's may log in to.
//
// carnet assumes the role with a session policy for this one login, and trades the session for a
// user and a password. With login: data_api the job gets the session itself, and runs statements
// over the Data API.
package redshift

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/catalog/keys"
	"carnet.dev/carnet/shared/check/cause"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid"
	"carnet.dev/carnet/shared/exchange/destination"
)

// Name is the kind's in files.
const Name = "redshift"

// A password lives for 900 to 3,600 s; an open connection outlives it.
// https://docs.aws.amazon.com/redshift/latest/APIReference/API_GetClusterCredentialsWithIAM.html
const shortest, longest = 15 * time.Minute, time.Hour

// Kind returns the kind.
func Kind() destination.Kind {
	return destination.Kind{
		Kind:     catalog.Kind{Name: Name, New: func() catalog.Place { return new(Place) }, Keys: placeKeys, Shortest: shortest, Longest: longest},
		Hosts:    hosts,
		Answers:  answers,
		Env:      env,
		Outlives: "A Redshift password gates the login alone: a connection that is open stays open.",
	}
}

// hosts are those of the two services' control planes. Nobody logs in from here.
func hosts(host string) bool {
	service, ok := awsid.ServiceOf(host)
	return ok && (service == "redshift" || service == "redshift-serverless")
}

// A Place is a database and the role that may log in to it.
type Place struct {
	Role               catalog.Role
	Region             string
	Cluster, Workgroup string // one of the two
	CustomDomain       string // the cluster's or workgroup's own domain name, where it has one
	Host               string // looked up where empty
	Port               int    // 5439 where the file does not say
	Database           string
	User               string   // a database user; empty: the role's own, IAMR:role
	Groups             []string // joined for the session
	CreateUser         bool
	Login              Login
}

// A Login is what a job gets.
type Login string

const (
	Password Login = "password" // a user and a password
	DataAPI  Login = "data_api" // the role's session, for the Data API
)

func placeKeys() keys.Set {
	cluster := keys.Set{
		keys.Text("cluster", func(p *Place) *string { return &p.Cluster }, home(`^[a-z][a-z0-9-]*$`, 63)).Says("A provisioned cluster."),
		keys.Text("user", func(p *Place) *string { return &p.User }, inDatabase("user")).Optional().Says("A database user. Without it the user is the role's own, IAMR:ROLE."),
		keys.List("groups", func(p *Place) *[]string { return &p.Groups }, inDatabase("group")).Flagged("group").Optional().Says("Groups that the user joins for the session."),
		keys.Flag("create_user", func(p *Place) *bool { return &p.CreateUser }).Says("`true`: the user is made where there is none."),
	}
	workgroup := keys.Set{keys.Text("workgroup", func(p *Place) *string { return &p.Workgroup }, home(`^[a-z0-9-]{3,}$`, 64)).Says("A serverless workgroup. Its user is the role's own, IAMR:ROLE.")}
	return keys.Set{
		catalog.RoleAt(func(p *Place) *catalog.Role { return &p.Role }),
		keys.Text("region", func(p *Place) *string { return &p.Region }, catalog.Region()).Says("The AWS Region of the cluster or workgroup."),
		keys.OneOf(cluster, workgroup),
		keys.Text("database", func(p *Place) *string { return &p.Database }, inDatabase("database")).Says("The database."),
		keys.Text("host", func(p *Place) *string { return &p.Host }, host()).Optional().Says("Where to connect. Without it a cluster is looked up, which takes `redshift:DescribeClusters` and one call more; a workgroup's host follows from its name."),
		keys.Text("custom_domain", func(p *Place) *string { return &p.CustomDomain }, domain()).Optional().Says("The cluster's or workgroup's own domain name: where the job connects, in the place of `host`."),
		keys.Number("port", func(p *Place) *int { return &p.Port }, 1, 65535).Or("5439").Says("The port."),
		keys.Word("login", func(p *Place) *Login { return &p.Login }, Password, DataAPI).Or("password").Says("`password`: a user and a password. `data_api`: the role's session, for the Data API; it takes no `groups` and no `create_user`."),
		keys.Rule((*Place).hostIsThePlaces, "host", "region", "cluster", "workgroup"),
		keys.Rule((*Place).userForGroups, "user", "cluster", "groups", "create_user"),
		keys.Rule((*Place).dataAPIAlone, "login", "groups", "create_user"),
	}
}

// hostIsThePlaces keeps a password from going to the endpoint of another: a host names its cluster
// or workgroup first, then its Region and the service.
// https://docs.aws.amazon.com/redshift/latest/mgmt/connecting-from-psql.html
func (p *Place) hostIsThePlaces() error {
	service := ".redshift."
	if p.Workgroup != "" {
		service = ".redshift-serverless."
	}
	if p.Host != "" && (!strings.HasPrefix(p.Host, p.Cluster+p.Workgroup+".") || !strings.Contains(p.Host, "."+p.Region+service)) {
		return fmt.Errorf("host %s is not of %s in %s: write its own endpoint, or a custom_domain", p.Host, p.Cluster+p.Workgroup, p.Region)
	}
	return nil
}

func (p *Place) userForGroups() error {
	if p.User == "" && (p.CreateUser || len(p.Groups) > 0) {
		return errors.New("groups and create_user are for a user of the database: write `user:`, or take them out")
	}
	return nil
}

func (p *Place) dataAPIAlone() error {
	if p.Login == DataAPI && (p.CreateUser || len(p.Groups) > 0) {
		return errors.New("the Data API runs statements as a user who exists, in its own groups: take groups and create_user out, or write login: password")
	}
	return nil
}

// home is a cluster's name, or a workgroup's, which may begin with a digit.
// https://docs.aws.amazon.com/redshift/latest/APIReference/API_CreateCluster.html
// https://docs.aws.amazon.com/redshift-serverless/latest/APIReference/API_CreateWorkgroup.html
func home(pattern string, most int) keys.Grammar {
	return keys.Grammar{Name: "the name of a cluster or workgroup", Example: "acme-warehouse", Pattern: pattern, Most: most}
}

// inDatabase: 1 to 64 characters that begin with a letter, for databases, users and groups, which
// are in lower case; nothing that a policy's resource would read as a wildcard or another name.
// https://docs.aws.amazon.com/redshift/latest/APIReference/API_GetClusterCredentials.html
func inDatabase(what string) keys.Grammar {
	g := keys.Grammar{Name: "the name of a " + what, Example: "analytics", Pattern: `^[A-Za-z][A-Za-z0-9_.@+-]*$`, Most: 64}
	if what == "group" {
		g.Pattern = `^[a-z][a-z0-9_.@+-]*$`
	}
	return g
}

// host keeps a password from going to a host that is not Redshift's.
func host() keys.Grammar {
	return keys.Grammar{Name: "a host of Redshift's (a name of your own is a custom_domain)", Example: "acme.abc123.eu-west-1.redshift.amazonaws.com", Pattern: `^[a-z0-9.-]+\.(redshift|redshift-serverless)\.amazonaws\.com(\.cn)?$`}
}

func domain() keys.Grammar {
	return keys.Grammar{Name: "a domain name", Example: "warehouse.acme.example", Pattern: `^[a-z0-9-]+(\.[a-z0-9-]+)+$`}
}

// About implements [catalog.Place]. What a login may do is granted in the database.
func (p *Place) About() catalog.About {
	name := p.Cluster + p.Workgroup + "/" + p.Database
	about := catalog.About{Shown: name, Where: name, End: catalog.End{Role: &p.Role}, Gives: catalog.Login}
	if p.Login == DataAPI {
		about.Gives = catalog.Session
	}
	return about
}

// Link implements [destination.Place].
func (p *Place) Link(at destination.At) (destination.Linked, error) {
	role, most := at.Role(), at.Role().Longest()
	if p.Login == Password {
		most = min(most, longest)
	}
	return destination.Linked{Longest: most, Mint: func(ctx context.Context, _ exchange.Grant, lifetime time.Duration) (*exchange.Credential, error) {
		return p.mint(ctx, at.AWS, role, lifetime)
	}}, nil
}

func (p *Place) mint(ctx context.Context, cloud *awsid.Cloud, role *awsid.Identity, lifetime time.Duration) (*exchange.Credential, error) {
	policy, err := p.policy()
	if err != nil {
		return nil, err
	}
	s, err := role.Session(ctx, awsid.Ask{Policy: policy, Lifetime: lifetime})
	if err != nil {
		return nil, err
	}
	cred := &exchange.Credential{Kind: Name, Principal: s.ARN, Expires: s.Expires, Trail: s.Trail, Place: p.place()}
	if p.Login == DataAPI {
		cred.Session = &s.Session
		return cred, nil
	}
	return cred, api{p, cloud, s}.login(ctx, cred, lifetime)
}

// place says where to use a credential.
func (p *Place) place() map[string]string {
	at := map[string]string{"region": p.Region, "database": p.Database}
	named := map[string]string{"cluster": p.Cluster, "workgroup": p.Workgroup}
	if p.Login == DataAPI {
		named["db_user"] = p.User // a statement names whom it runs as
	}
	for key, value := range named {
		if value != "" {
			at[key] = value
		}
	}
	return at
}

// KnownHost is where to connect, as far as the file tells: a serverless workgroup's is made of its
// names. Empty where AWS has to be asked.
// https://docs.aws.amazon.com/redshift/latest/mgmt/serverless-connecting.html
func (p *Place) KnownHost() string {
	host := cmp.Or(p.CustomDomain, p.Host)
	if host == "" && p.Workgroup != "" {
		return fmt.Sprintf("%s.%s.%s.redshift-serverless.%s", p.Workgroup, awsid.AccountOf(p.Role.ARN), p.Region, awsid.DNSSuffix(p.Region))
	}
	return host
}

// Fits says what to take out where the session policy is too long.
func (p *Place) Fits() error {
	_, err := p.policy()
	return err
}

func (p *Place) policy() (string, error) {
	text, err := awsid.SessionPolicy(p.statements())
	if err == nil && len(text) > awsid.MaxSessionPolicy {
		return "", fmt.Errorf("%d groups make a session policy of %d characters, and AWS takes %d: name fewer", len(p.Groups), len(text), awsid.MaxSessionPolicy)
	}
	return text, err
}

// ARN begins the ARN of a resource of the place's Redshift.
func (p *Place) ARN(service string) string {
	return strings.Join([]string{"arn", awsid.PartitionOf(p.Role.ARN), service, p.Region, awsid.AccountOf(p.Role.ARN), ""}, ":")
}

// statements narrow the session to this database's login. Of serverless workgroups they name all
// of the Region's: a workgroup's ARN has its id, which no file knows. The role's own policy is
// where the one is named.
// https://docs.aws.amazon.com/redshift/latest/mgmt/redshift-iam-access-control-identity-based.html
func (p *Place) statements() []awsid.Statement {
	list := p.LoginStatements()
	place := p.ARN("redshift") + "cluster:" + p.Cluster
	if p.Workgroup != "" {
		place = p.ARN("redshift-serverless") + "workgroup/*"
		list = []awsid.Statement{awsid.Allow([]string{place}, "redshift-serverless:GetCredentials")}
	}
	if p.KnownHost() == "" && p.Login == Password {
		list = append(list, awsid.Allow([]string{place}, "redshift:DescribeClusters"))
	}
	if p.Login == DataAPI {
		list = append(list, DataAPIStatements(place)...)
	}
	return list
}

// LoginStatements allow the one login at a cluster.
func (p *Place) LoginStatements() []awsid.Statement {
	database, user := p.ARN("redshift")+"dbname:"+p.Cluster+"/"+p.Database, p.ARN("redshift")+"dbuser:"+p.Cluster+"/"+p.User
	if p.User == "" {
		return []awsid.Statement{awsid.Allow([]string{database}, "redshift:GetClusterCredentialsWithIAM")}
	}
	list := []awsid.Statement{awsid.Allow([]string{user, database}, "redshift:GetClusterCredentials")}
	if p.CreateUser {
		list = append(list, awsid.Allow([]string{user}, "redshift:CreateClusterUser"))
	}
	if len(p.Groups) > 0 {
		var groups []string
		for _, g := range p.Groups {
			groups = append(groups, p.ARN("redshift")+"dbgroup:"+p.Cluster+"/"+g)
		}
		list = append(list, awsid.Allow(groups, "redshift:JoinGroup"))
	}
	return list
}

// DataAPIStatements let a session run statements at this place, and look at its own alone.
// https://docs.aws.amazon.com/redshift/latest/mgmt/data-api-iam.html
func DataAPIStatements(place string) []awsid.Statement {
	return []awsid.Statement{
		awsid.Allow([]string{place}, "redshift-data:ExecuteStatement", "redshift-data:BatchExecuteStatement"),
		awsid.Allow([]string{"*"}, "redshift-data:DescribeStatement", "redshift-data:GetStatementResult", "redshift-data:CancelStatement").
			If("StringEquals", "redshift-data:statement-owner-iam-userid", "${aws:userid}"),
	}
}

// env has libpq's names, which psql and most drivers read.
func env(c *exchange.Credential) [][2]string {
	return [][2]string{
		{"PGHOST", c.Place["host"]}, {"PGPORT", c.Place["port"]}, {"PGDATABASE", c.Place["database"]}, {"PGSSLMODE", "verify-full"},
		{"PGUSER", c.Login.User}, {"PGPASSWORD", c.Login.Password.Reveal()},
	}
}

// answers are the errors of each operation in its API reference.
func answers() []cause.Rule {
	gone := cause.Far("database_missing", "there is no such cluster or workgroup, or it is not available")
	denied := cause.Far("login_not_allowed", "the role may not ask for this login")
	return []cause.Rule{
		{Ops: "redshift", Code: "AccessDenied", Means: []cause.Cause{denied}},
		{Ops: "redshift", Code: "UnauthorizedOperation", Means: []cause.Cause{denied}},
		{Ops: "redshift", Code: "ClusterNotFound", Means: []cause.Cause{gone}},
		{Ops: "redshift", Code: "ResourceNotFoundException", Means: []cause.Cause{gone}},
		{Ops: "redshift", Means: []cause.Cause{denied, gone}},
	}
}
