package redshift

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid"
)

// An api asks Redshift as a session of the role.
type api struct {
	*Place
	cloud *awsid.Cloud
	by    awsid.Session
}

// A password is what each of the three operations gives.
type password struct {
	user      string
	secret    exchange.Secret
	expires   time.Time
	requestID string
}

// login trades the session for a user and a password, and puts them into the credential.
func (a api) login(ctx context.Context, cred *exchange.Credential, lifetime time.Duration) error {
	ask, op := a.clusterWithIAM, "redshift:GetClusterCredentialsWithIAM"
	switch {
	case a.Workgroup != "":
		ask, op = a.serverless, "redshift-serverless:GetCredentials"
	case a.User != "":
		ask, op = a.clusterUser, "redshift:GetClusterCredentials"
	}
	edge := exchange.Edge{From: a.Role.ARN, To: a.Role.ARN, Op: "redshift:DescribeClusters"}
	host, port, err := a.endpoint(ctx)
	if err != nil {
		return awsid.Failed(err, edge, cred.Trail)
	}
	edge.Op = op
	p, err := ask(ctx, int(min(lifetime, longest)/time.Second))
	if err != nil {
		return awsid.Failed(err, edge, cred.Trail)
	}
	edge.RequestID = p.requestID
	cred.Place["host"], cred.Place["port"] = host, strconv.Itoa(port)
	cred.Expires, cred.Trail = a.cloud.Ours(p.expires), cred.Trail.Then(edge)
	cred.Login = &exchange.Login{User: p.user, Password: p.secret, DSN: dsn(host, port, a.Database, p)}
	return nil
}

// dsn is a connection string that insists on TLS and on the host's name.
func dsn(host string, port int, database string, p password) exchange.Secret {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(p.user, p.secret.Reveal()),
		Host: host + ":" + strconv.Itoa(port), Path: "/" + database, RawQuery: "sslmode=verify-full",
	}
	return exchange.NewSecret(u.String())
}

// A clusterLogin is what both of a cluster's operations answer.
type clusterLogin struct {
	DbUser, DbPassword string
	Expiration         time.Time
}

// query calls an operation of provisioned clusters, whose API has one version.
func (a api) query(ctx context.Context, action string, args url.Values, answer any) (string, error) {
	return a.cloud.Query(ctx, a.by, "redshift", a.Region, "2012-12-01", action, args, answer)
}

// cluster names the cluster to the API, by its identifier even where it has a domain name of
// its own: asking by that takes redshift:DescribeCustomDomainAssociations as well, and the
// login is the same.
// https://docs.aws.amazon.com/redshift/latest/mgmt/connecting-connection-CNAME.html
func (a api) cluster(ctx context.Context, action string, args url.Values, seconds int) (password, error) {
	args.Set("ClusterIdentifier", a.Cluster)
	args.Set("DbName", a.Database)
	args.Set("DurationSeconds", strconv.Itoa(seconds))
	var l clusterLogin
	id, err := a.query(ctx, action, args, &l)
	if err != nil {
		return password{}, err
	}
	return complete(l.DbUser, l.DbPassword, l.Expiration, id)
}

// https://docs.aws.amazon.com/redshift/latest/APIReference/API_GetClusterCredentialsWithIAM.html
func (a api) clusterWithIAM(ctx context.Context, seconds int) (password, error) {
	return a.cluster(ctx, "GetClusterCredentialsWithIAM", url.Values{}, seconds)
}

// clusterUser logs in as a user of the database. The name comes back with IAM: or
// IAMA: before it, and only that name logs in.
// https://docs.aws.amazon.com/redshift/latest/APIReference/API_GetClusterCredentials.html
func (a api) clusterUser(ctx context.Context, seconds int) (password, error) {
	args := url.Values{"DbUser": {a.User}, "AutoCreate": {strconv.FormatBool(a.CreateUser)}}
	for i, group := range a.Groups {
		args.Set("DbGroups.DbGroup."+strconv.Itoa(i+1), group)
	}
	return a.cluster(ctx, "GetClusterCredentials", args, seconds)
}

// https://docs.aws.amazon.com/redshift-serverless/latest/APIReference/API_GetCredentials.html
func (a api) serverless(ctx context.Context, seconds int) (password, error) {
	ask := map[string]any{"workgroupName": a.Workgroup, "dbName": a.Database, "durationSeconds": seconds}
	var answer struct {
		User       string  `json:"dbUser"`
		Password   string  `json:"dbPassword"`
		Expiration float64 `json:"expiration"` // seconds since 1970
	}
	id, err := a.cloud.JSON(ctx, a.by, "redshift-serverless", a.Region, "RedshiftServerless.GetCredentials", ask, &answer)
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

// endpoint is where to connect: as the file says, or as AWS does where the role may ask.
func (a api) endpoint(ctx context.Context) (string, int, error) {
	if host := a.KnownHost(); host != "" {
		return host, a.Port, nil
	}
	var found struct {
		Clusters []struct {
			Endpoint struct {
				Address string
				Port    int
			}
		} `xml:"Clusters>Cluster"`
	}
	if _, err := a.query(ctx, "DescribeClusters", url.Values{"ClusterIdentifier": {a.Cluster}}, &found); err != nil {
		return "", 0, err
	}
	if len(found.Clusters) != 1 || found.Clusters[0].Endpoint.Address == "" {
		return "", 0, fmt.Errorf("cluster %s has no endpoint yet: write its host: in the file", a.Cluster)
	}
	at := found.Clusters[0].Endpoint
	return at.Address, cmp.Or(at.Port, a.Port), nil
}
