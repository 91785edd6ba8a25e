package destination

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid"
)

// A login lives for 900 to 3,600 s; an open connection outlives it.
// https://docs.aws.amazon.com/redshift/latest/APIReference/API_GetClusterCredentialsWithIAM.html
const longestLogin = time.Hour

// A redshift destination is a database that a role may log in to.
type redshift struct {
	end    *awsid.Identity
	cloud  *awsid.Cloud
	role   string // the end's ARN
	region string
	at     catalog.RedshiftPlace
}

func redshiftOf(d *catalog.Destination, end *awsid.Identity, cloud *awsid.Cloud) redshift {
	return redshift{end: end, cloud: cloud, role: d.Role.ARN, region: d.Region, at: d.Redshift}
}

func (d redshift) mint(ctx context.Context, _ exchange.Grant, lifetime time.Duration) (*exchange.Credential, error) {
	policy, err := d.policy()
	if err != nil {
		return nil, err
	}
	s, err := d.end.Session(ctx, awsid.Ask{Policy: policy, Lifetime: lifetime})
	if err != nil {
		return nil, err
	}
	if d.at.Login == catalog.RedshiftDataAPI {
		return &exchange.Credential{
			Kind: "redshift", Principal: s.ARN, Expires: s.Expires, Trail: s.Trail, Session: &s.Session,
			Place: d.place(),
		}, nil
	}
	return d.login(ctx, s, lifetime)
}

func (d redshift) place() map[string]string {
	at := map[string]string{"region": d.region, "database": d.at.Database}
	named := map[string]string{"cluster": d.at.Cluster, "workgroup": d.at.Workgroup}
	if d.at.Login == catalog.RedshiftDataAPI {
		named["db_user"] = d.at.User // a statement names whom it runs as
	}
	for key, value := range named {
		if value != "" {
			at[key] = value
		}
	}
	return at
}

// A password is what each of the three operations gives.
type password struct {
	user      string
	secret    exchange.Secret
	expires   time.Time
	requestID string
}

// login trades the role's session for a user and a password.
func (d redshift) login(ctx context.Context, s awsid.Session, lifetime time.Duration) (*exchange.Credential, error) {
	ask := d.clusterWithIAM
	switch {
	case d.at.Workgroup != "":
		ask = d.serverless
	case d.at.User != "":
		ask = d.clusterUser
	}
	host, port, err := d.endpoint(ctx, s)
	if err != nil {
		return nil, awsid.Failed(err, exchange.Edge{From: d.role, To: d.role, Op: "redshift:DescribeClusters"}, s.Trail)
	}
	edge := exchange.Edge{From: d.role, To: d.role, Op: d.operation()}
	p, err := ask(ctx, s, int(min(lifetime, longestLogin)/time.Second))
	if err != nil {
		return nil, awsid.Failed(err, edge, s.Trail)
	}
	edge.RequestID = p.requestID
	at := d.place()
	at["host"], at["port"] = host, strconv.Itoa(port)
	return &exchange.Credential{
		Kind: "redshift", Principal: s.ARN, Expires: d.cloud.Ours(p.expires), Place: at, Trail: s.Trail.Then(edge),
		Login: &exchange.Login{User: p.user, Password: p.secret, DSN: dsn(host, port, d.at.Database, p)},
	}, nil
}

// operation is the call that gives the login.
func (d redshift) operation() string {
	switch {
	case d.at.Workgroup != "":
		return "redshift-serverless:GetCredentials"
	case d.at.User != "":
		return "redshift:GetClusterCredentials"
	}
	return "redshift:GetClusterCredentialsWithIAM"
}

// dsn is a connection string that insists on TLS and on the host's name.
func dsn(host string, port int, database string, p password) exchange.Secret {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(p.user, p.secret.Reveal()),
		Host: host + ":" + strconv.Itoa(port), Path: "/" + database, RawQuery: "sslmode=verify-full",
	}
	return exchange.NewSecret(u.String())
}

// apiVersion is the provisioned clusters' one and only.
const apiVersion = "2012-12-01"

// A clusterLogin is what both of a cluster's operations answer.
type clusterLogin struct {
	DbUser, DbPassword string
	Expiration         time.Time
}

func (l clusterLogin) password(requestID string) (password, error) {
	return complete(l.DbUser, l.DbPassword, l.Expiration, requestID)
}

// which names the cluster to the API, by its identifier even where it has a domain name of
// its own: asking by that takes redshift:DescribeCustomDomainAssociations as well, and the
// login is the same.
// https://docs.aws.amazon.com/redshift/latest/mgmt/connecting-connection-CNAME.html
func (d redshift) which(seconds int) url.Values {
	return url.Values{
		"ClusterIdentifier": {d.at.Cluster}, "DbName": {d.at.Database}, "DurationSeconds": {strconv.Itoa(seconds)},
	}
}

// https://docs.aws.amazon.com/redshift/latest/APIReference/API_GetClusterCredentialsWithIAM.html
func (d redshift) clusterWithIAM(ctx context.Context, s awsid.Session, seconds int) (password, error) {
	var l clusterLogin
	id, err := d.cloud.Query(ctx, s, "redshift", d.region, apiVersion, "GetClusterCredentialsWithIAM", d.which(seconds), &l)
	if err != nil {
		return password{}, err
	}
	return l.password(id)
}

// clusterUser logs in as a user of the database. The name comes back with IAM: or
// IAMA: before it, and only that name logs in.
// https://docs.aws.amazon.com/redshift/latest/APIReference/API_GetClusterCredentials.html
func (d redshift) clusterUser(ctx context.Context, s awsid.Session, seconds int) (password, error) {
	args := d.which(seconds)
	args.Set("DbUser", d.at.User)
	args.Set("AutoCreate", strconv.FormatBool(d.at.CreateUser))
	for i, group := range d.at.Groups {
		args.Set("DbGroups.DbGroup."+strconv.Itoa(i+1), group)
	}
	var l clusterLogin
	id, err := d.cloud.Query(ctx, s, "redshift", d.region, apiVersion, "GetClusterCredentials", args, &l)
	if err != nil {
		return password{}, err
	}
	return l.password(id)
}

// https://docs.aws.amazon.com/redshift-serverless/latest/APIReference/API_GetCredentials.html
func (d redshift) serverless(ctx context.Context, s awsid.Session, seconds int) (password, error) {
	ask := map[string]any{"workgroupName": d.at.Workgroup, "dbName": d.at.Database, "durationSeconds": seconds}
	var answer struct {
		User       string  `json:"dbUser"`
		Password   string  `json:"dbPassword"`
		Expiration float64 `json:"expiration"` // seconds since 1970
	}
	id, err := d.cloud.JSON(ctx, s, "redshift-serverless", d.region, "RedshiftServerless.GetCredentials", ask, &answer)
	if err != nil {
		return password{}, err
	}
	return complete(answer.User, answer.Password, time.Unix(int64(answer.Expiration), 0), id)
}

func complete(user, secret string, expires time.Time, requestID string) (password, error) {
	if user == "" || secret == "" || expires.Unix() <= 0 {
		return password{}, errors.New("the answer has no complete login")
	}
	return password{user: user, secret: exchange.NewSecret(secret), expires: expires, requestID: requestID}, nil
}

// host is where to connect, as far as the file tells: a serverless workgroup's is made of its
// names. Empty where AWS has to be asked.
// https://docs.aws.amazon.com/redshift/latest/mgmt/serverless-connecting.html
func (d redshift) host() string {
	host := cmp.Or(d.at.CustomDomain, d.at.Host)
	if host == "" && d.at.Workgroup != "" {
		return fmt.Sprintf("%s.%s.%s.redshift-serverless.%s", d.at.Workgroup, home(d.role), d.region, awsid.DNSSuffix(d.region))
	}
	return host
}

// endpoint is where to connect: as the file says, or as AWS does where the role may ask.
func (d redshift) endpoint(ctx context.Context, s awsid.Session) (string, int, error) {
	if host := d.host(); host != "" {
		return host, d.at.Port, nil
	}
	var found struct {
		Clusters []struct {
			Endpoint struct {
				Address string
				Port    int
			}
		} `xml:"Clusters>Cluster"`
	}
	args := url.Values{"ClusterIdentifier": {d.at.Cluster}}
	if _, err := d.cloud.Query(ctx, s, "redshift", d.region, apiVersion, "DescribeClusters", args, &found); err != nil {
		return "", 0, err
	}
	if len(found.Clusters) != 1 || found.Clusters[0].Endpoint.Address == "" {
		return "", 0, fmt.Errorf("cluster %s has no endpoint yet: write its host: in the file", d.at.Cluster)
	}
	at := found.Clusters[0].Endpoint
	return at.Address, cmp.Or(at.Port, d.at.Port), nil
}

// policy narrows the session to this database's login.
// https://docs.aws.amazon.com/redshift/latest/mgmt/redshift-iam-access-control-identity-based.html
func (d redshift) policy() (string, error) {
	prefix := "arn:" + partition(d.role) + ":redshift:" + d.region + ":" + home(d.role) + ":"
	database := prefix + "dbname:" + d.at.Cluster + "/" + d.at.Database
	var list []statement
	allow := func(resource []string, actions ...string) {
		list = append(list, statement{Effect: "Allow", Action: actions, Resource: resource})
	}
	switch {
	case d.at.Workgroup != "":
		allow([]string{d.workgroups()}, "redshift-serverless:GetCredentials")
	case d.at.User != "":
		user := prefix + "dbuser:" + d.at.Cluster + "/" + d.at.User
		allow([]string{user, database}, "redshift:GetClusterCredentials")
		if d.at.CreateUser {
			allow([]string{user}, "redshift:CreateClusterUser")
		}
		if len(d.at.Groups) > 0 {
			allow(groups(prefix+"dbgroup:"+d.at.Cluster+"/", d.at.Groups), "redshift:JoinGroup")
		}
	default:
		allow([]string{database}, "redshift:GetClusterCredentialsWithIAM")
	}
	if d.host() == "" && d.at.Login == catalog.RedshiftPassword {
		allow([]string{prefix + "cluster:" + d.at.Cluster}, "redshift:DescribeClusters")
	}
	if d.at.Login == catalog.RedshiftDataAPI {
		list = append(list, d.dataAPI(prefix)...)
	}
	text, err := compile(list)
	if err == nil && len(text) > maxSessionPolicy {
		return "", fmt.Errorf("%d groups make a session policy of %d characters, and AWS takes %d: name fewer", len(d.at.Groups), len(text), maxSessionPolicy)
	}
	return text, err
}

// dataAPI lets a session run statements on this database's home, and look at its own
// alone.
// https://docs.aws.amazon.com/redshift/latest/mgmt/data-api-iam.html
func (d redshift) dataAPI(prefix string) []statement {
	where := prefix + "cluster:" + d.at.Cluster
	if d.at.Workgroup != "" {
		where = d.workgroups()
	}
	return []statement{
		{Effect: "Allow", Action: []string{"redshift-data:ExecuteStatement", "redshift-data:BatchExecuteStatement"}, Resource: []string{where}},
		{
			Effect: "Allow", Resource: []string{"*"},
			Action:    []string{"redshift-data:DescribeStatement", "redshift-data:GetStatementResult", "redshift-data:CancelStatement"},
			Condition: map[string]map[string][]string{"StringEquals": {"redshift-data:statement-owner-iam-userid": {"${aws:userid}"}}},
		},
	}
}

// workgroups are all of the Region's: a workgroup's ARN has its id, which no file knows.
// The role's own policy is where the one is named.
func (d redshift) workgroups() string {
	return "arn:" + partition(d.role) + ":redshift-serverless:" + d.region + ":" + home(d.role) + ":workgroup/*"
}

func groups(prefix string, names []string) []string {
	var list []string
	for _, n := range names {
		list = append(list, prefix+n)
	}
	return list
}
