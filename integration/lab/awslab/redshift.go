package awslab

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const redshiftNamespace = "http://redshift.amazonaws.com/doc/2012-12-01/"

// A password for a database lives for 900 to 3,600 seconds, and 900 where nobody asks.
// https://docs.aws.amazon.com/redshift/latest/APIReference/API_GetClusterCredentialsWithIAM.html
const (
	shortestLogin = 900
	longestLogin  = 3600
)

// Redshift is the API of provisioned clusters.
func (c *Cloud) Redshift() http.Handler { return http.HandlerFunc(c.serveRedshift) }

func (c *Cloud) serveRedshift(w http.ResponseWriter, r *http.Request) {
	id := requestID()
	w.Header().Set("X-Amzn-Requestid", id)
	w.Header().Set("Date", c.now().UTC().Format(http.TimeFormat))
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return
	}
	args := arguments(r, body)
	action := args.Get("Action")
	w.Header().Set("Lab-Operation", "redshift:"+action)
	hash := sha256.Sum256(body)
	s, f := c.authenticate(r, "redshift", hex.EncodeToString(hash[:]))
	var result any
	if f == nil {
		result, f = c.cluster(s, regionOf(r.Host), args)
	}
	if f != nil {
		writeXML(w, f.status, redshiftError{Error: errorBody{"Sender", f.code, f.message}, RequestID: id})
		return
	}
	writeXML(w, http.StatusOK, response{
		XMLName:  xml.Name{Space: redshiftNamespace, Local: action + "Response"},
		Result:   wrapped{XMLName: xml.Name{Local: action + "Result"}, Value: result},
		Metadata: metadata{id},
	})
}

type redshiftError struct {
	XMLName   xml.Name  `xml:"http://redshift.amazonaws.com/doc/2012-12-01/ ErrorResponse"`
	Error     errorBody `xml:"Error"`
	RequestID string    `xml:"RequestId"`
}

// regionOf is the Region in SERVICE.REGION.amazonaws.com.
func regionOf(host string) string {
	if parts := strings.Split(hostOnly(host), "."); len(parts) > 1 {
		return parts[1]
	}
	return ""
}

func (c *Cloud) cluster(s *session, region string, args url.Values) (any, *fault) {
	w := c.warehouse(s.role.account, region, args.Get("ClusterIdentifier"), args.Get("CustomDomainName"), false)
	if f := c.noCluster(s, w, region, args); f != nil {
		return nil, f
	}
	switch args.Get("Action") {
	case "GetClusterCredentialsWithIAM":
		return c.clusterCredentialsWithIAM(s, w, args)
	case "GetClusterCredentials":
		return c.clusterCredentials(s, w, args)
	case "DescribeClusters":
		return describeClusters(s, w, region, args)
	}
	return nil, &fault{http.StatusBadRequest, "InvalidAction", "Could not find operation " + args.Get("Action") + " for version " + args.Get("Version")}
}

// noCluster tells whoever may have a login there that there is no such cluster. Others are
// refused as if there were.
func (c *Cloud) noCluster(s *session, w *warehouse, region string, args url.Values) *fault {
	name := args.Get("ClusterIdentifier")
	if w != nil || name == "" || args.Get("Action") == "DescribeClusters" {
		return nil
	}
	gone := &warehouse{region: region, account: s.role.account, name: name}
	if s.may("redshift:"+args.Get("Action"), gone.in("dbname", orAny(args.Get("DbName")))) != nil {
		return nil
	}
	return &fault{http.StatusNotFound, "ClusterNotFound", "Cluster " + name + " not found."}
}

// in is the ARN of something inside a cluster.
func (w *warehouse) in(kind, name string) string {
	return "arn:aws:redshift:" + w.region + ":" + w.account + ":" + kind + ":" + w.name + "/" + name
}

// may asks whether the session may do the action on every one of the resources. What
// is asked before a cluster is known to exist is refused alike, so that nobody learns
// its name.
func (s *session) may(action string, resources ...string) *fault {
	for _, r := range resources {
		if !s.permits(request{action: action, resource: r, context: s.context()}).allows() {
			return accessDenied("User: %s is not authorized to perform: %s on resource: %s because no identity-based policy allows the %s action", s.arn(), action, r, action)
		}
	}
	return nil
}

type clusterLogin struct {
	DbUser     string
	DbPassword string
	Expiration string
}

func loginTime(args string) (time.Duration, *fault) {
	if args == "" {
		return shortestLogin * time.Second, nil
	}
	n, err := strconv.Atoi(args)
	if err != nil || n < shortestLogin || n > longestLogin {
		return 0, &fault{http.StatusBadRequest, "InvalidParameterValue", "Invalid value for DurationSeconds: it must be between 900 and 3600."}
	}
	return time.Duration(n) * time.Second, nil
}

// clusterCredentialsWithIAM: the user is the role itself.
func (c *Cloud) clusterCredentialsWithIAM(s *session, w *warehouse, args url.Values) (any, *fault) {
	if w == nil {
		return nil, accessDenied("User: %s is not authorized to perform: redshift:GetClusterCredentialsWithIAM", s.arn())
	}
	db := args.Get("DbName")
	if f := s.may("redshift:GetClusterCredentialsWithIAM", w.in("dbname", orAny(db))); f != nil {
		return nil, f
	}
	life, f := loginTime(args.Get("DurationSeconds"))
	if f != nil {
		return nil, f
	}
	return c.clusterLogin(login{at: w, database: db, user: "IAMR:" + s.role.name}, life), nil
}

func orAny(name string) string {
	if name == "" {
		return "*"
	}
	return name
}

func (c *Cloud) clusterLogin(l login, life time.Duration) clusterLogin {
	given := c.give(l, life)
	return clusterLogin{given.user, given.password, given.expires.UTC().Format(time.RFC3339)}
}

// clusterCredentials: the user is one of the database's. Each thing that is asked for
// has a permission of its own.
// https://docs.aws.amazon.com/redshift/latest/mgmt/redshift-iam-access-control-identity-based.html
func (c *Cloud) clusterCredentials(s *session, w *warehouse, args url.Values) (any, *fault) {
	user, db := args.Get("DbUser"), args.Get("DbName")
	if w == nil || user == "" {
		return nil, accessDenied("User: %s is not authorized to perform: redshift:GetClusterCredentials", s.arn())
	}
	f := s.may("redshift:GetClusterCredentials", w.in("dbuser", user), w.in("dbname", orAny(db)))
	prefix, groups := "IAM:", members(args, "DbGroups.DbGroup.")
	if f == nil && args.Get("AutoCreate") == "true" {
		prefix, f = "IAMA:", s.may("redshift:CreateClusterUser", w.in("dbuser", user))
	}
	for _, g := range groups {
		if f == nil {
			f = s.may("redshift:JoinGroup", w.in("dbgroup", g))
		}
		if f == nil && !slices.Contains(w.groups, g) {
			f = &fault{http.StatusBadRequest, "InvalidParameterValue", "Group " + g + " does not exist."}
		}
	}
	if f != nil {
		return nil, f
	}
	life, f := loginTime(args.Get("DurationSeconds"))
	if f != nil {
		return nil, f
	}
	return c.clusterLogin(login{at: w, database: db, user: prefix + user, groups: groups}, life), nil
}

type clusters struct {
	Clusters []cluster `xml:"Clusters>Cluster"`
}

type cluster struct {
	ClusterIdentifier string
	Endpoint          struct {
		Address string
		Port    int
	}
}

func describeClusters(s *session, w *warehouse, region string, args url.Values) (any, *fault) {
	arn := "arn:aws:redshift:" + region + ":" + s.role.account + ":cluster:" + orAny(args.Get("ClusterIdentifier"))
	if f := s.may("redshift:DescribeClusters", arn); f != nil {
		return nil, f
	}
	if w == nil {
		return nil, &fault{http.StatusNotFound, "ClusterNotFound", "Cluster " + args.Get("ClusterIdentifier") + " not found."}
	}
	found := cluster{ClusterIdentifier: w.name}
	found.Endpoint.Address, found.Endpoint.Port = w.host, 5439
	return clusters{[]cluster{found}}, nil
}
