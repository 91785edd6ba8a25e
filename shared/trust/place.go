package trust

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid"
)

// place is what the third party's own identity may do with the place. A destination with
// a role has a role even if nobody is let in from the runtimes asked for.
func (s *Sheet) place() {
	d := s.dest
	switch d.Kind {
	case catalog.S3:
		r := s.role(d.Role.ARN)
		r.Policy = s.objects(d)
		r.lasts(d.Lifetime)
	case catalog.Redshift:
		r := s.role(d.Role.ARN)
		r.Policy = s.login(d)
		r.lasts(d.Lifetime)
		s.redshiftSQL(d)
	case catalog.GCS:
		s.bucket(d)
	case catalog.BigQuery:
		s.dataset(d)
	case catalog.Snowflake:
		s.snowflakeSQL()
	}
}

// objects narrows the role to what the tenant's file grants. carnet's session policy says
// the same once more; a session is what both say.
func (s *Sheet) objects(d *catalog.Destination) []Statement {
	bucket := "arn:" + partitionOf(d.Role.ARN) + ":s3:::" + d.Bucket
	reads, writes := d.Access.CanRead(), d.Access.CanWrite()
	whole := slices.Equal(d.Prefixes, []string{""})
	var actions, objects, listed []string
	if reads {
		actions = append(actions, "s3:GetObject")
	}
	if writes {
		actions = append(actions, "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
	}
	for _, p := range d.Prefixes {
		objects, listed = append(objects, bucket+"/"+p+"*"), append(listed, p+"*")
	}
	list := []Statement{allow("Objects", "access: "+string(d.Access)+", under the prefixes of the tenant's file. Each ends in a slash, so that acme never reaches acme-2.", objects, actions...)}
	if reads {
		st := allow("List", "Listing is asked of the bucket; the condition keeps it to the prefixes.", bucket, "s3:ListBucket")
		if !whole {
			st.Condition = map[string]any{"StringLike": map[string]any{"s3:prefix": listed}}
		}
		list = append(list, st)
	}
	if d.KMSKey != "" {
		use := []string{"kms:Decrypt"}
		if writes {
			// https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions
			use = []string{"kms:GenerateDataKey", "kms:Decrypt"}
		}
		key := allow("Key", "The bucket's key, for S3 to use and nobody else. A multipart upload decrypts what it has just encrypted. The key's own policy must let the account's IAM policies count.", d.KMSKey, use...)
		key.Condition = map[string]any{"StringEquals": map[string]any{"kms:ViaService": "s3." + d.Region + "." + awsid.DNSSuffix(d.Region)}}
		list = append(list, key)
	}
	return list
}

// login is the one login that the role may ask for.
// https://docs.aws.amazon.com/redshift/latest/mgmt/redshift-iam-access-control-identity-based.html
func (s *Sheet) login(d *catalog.Destination) []Statement {
	at := d.Redshift
	arn := "arn:" + partitionOf(d.Role.ARN) + ":redshift:" + d.Region + ":" + accountOf(d.Role.ARN) + ":"
	place, user, database := arn+"cluster:"+at.Cluster, arn+"dbuser:"+at.Cluster+"/"+at.User, arn+"dbname:"+at.Cluster+"/"+at.Database
	var list []Statement
	switch {
	case at.Workgroup != "":
		place = s.workgroup(d)
		list = append(list, allow("Login", "A login at this workgroup, which its ARN names by id. carnet knows only its name, so this statement is what keeps to it.", place, "redshift-serverless:GetCredentials"))
	case at.User == "":
		list = append(list, allow("Login", "A login as the role's own user, for this database alone.", database, "redshift:GetClusterCredentialsWithIAM"))
	default:
		list = append(list, allow("Login", "A login as this user, for this database alone.", []string{user, database}, "redshift:GetClusterCredentials"))
		if at.CreateUser {
			list = append(list, allow("CreateUser", "create_user: true in the tenant's file.", user, "redshift:CreateClusterUser"))
		}
		if len(at.Groups) > 0 {
			list = append(list, allow("JoinGroups", "The groups of the tenant's file, for the session.", groups(arn+"dbgroup:"+at.Cluster+"/", at.Groups), "redshift:JoinGroup"))
		}
	}
	if at.Workgroup == "" && at.Host == "" && at.CustomDomain == "" {
		list = append(list, allow("Find", "The tenant's file has no host: asking where the cluster is. It goes once `host:` stands there.", place, "redshift:DescribeClusters"))
	}
	if at.Login == catalog.RedshiftDataAPI {
		list = append(list, allow("Run", "login: data_api: running statements without a password.", place, "redshift-data:ExecuteStatement", "redshift-data:BatchExecuteStatement"))
		own := allow("OwnResults", "Statements have no ARN; the condition leaves those that the session ran itself.", "*", "redshift-data:DescribeStatement", "redshift-data:GetStatementResult", "redshift-data:CancelStatement")
		own.Condition = map[string]any{"StringEquals": map[string]any{"redshift-data:statement-owner-iam-userid": "${aws:userid}"}}
		list = append(list, own)
	}
	return list
}

func groups(prefix string, names []string) []string {
	var list []string
	for _, n := range names {
		list = append(list, prefix+n)
	}
	return list
}

func (s *Sheet) workgroup(d *catalog.Destination) string {
	id := s.ask.WorkgroupID
	if id == "" {
		id = s.miss(Missing{
			Placeholder: "ID-OF-WORKGROUP-" + d.Redshift.Workgroup,
			What:        "the id of the workgroup " + d.Redshift.Workgroup + ", the last part of its ARN",
			Command:     "aws redshift-serverless get-workgroup --workgroup-name " + d.Redshift.Workgroup + " --region " + d.Region + " --query workgroup.workgroupId --output text",
			Flag:        "--workgroup-id ID",
		})
	}
	return "arn:" + partitionOf(d.Role.ARN) + ":redshift-serverless:" + d.Region + ":" + accountOf(d.Role.ARN) + ":workgroup/" + id
}

func (s *Sheet) sql(why, text string) { s.SQL = append(s.SQL, SQL{why, text}) }

func (s *Sheet) access() (reads, writes bool) {
	a := cmp.Or(s.ask.Database.Access, exchange.ReadWrite)
	return a.CanRead(), a.CanWrite()
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// redshiftSQL: what a login may do is granted in the database, and nowhere else.
func (s *Sheet) redshiftSQL(d *catalog.Destination) {
	at := d.Redshift
	user := quote(cmp.Or(at.User, "IAMR:"+s.role(d.Role.ARN).Name()))
	if !at.CreateUser {
		s.sql("The user, who has no password of its own: Redshift gives one out for minutes.", "CREATE USER "+user+" PASSWORD DISABLE;")
	}
	to := []string{user}
	if len(at.Groups) > 0 {
		to = nil
		for _, g := range at.Groups {
			s.sql("", "CREATE GROUP "+quote(g)+";")
			to = append(to, "GROUP "+quote(g))
		}
	}
	schema := quote(cmp.Or(s.ask.Database.Schema, "public"))
	reads, writes := s.access()
	for _, who := range to {
		s.sql("One schema, and no more than is needed there.", "GRANT USAGE ON SCHEMA "+schema+" TO "+who+";")
		if reads {
			s.sql("", "GRANT SELECT ON ALL TABLES IN SCHEMA "+schema+" TO "+who+";")
		}
		if writes {
			s.sql("", "GRANT CREATE ON SCHEMA "+schema+" TO "+who+";")
			s.sql("", "GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "+schema+" TO "+who+";")
		}
	}
}

// snowflakeSQL makes the user that knows the tenant by its issuer and subject.
func (s *Sheet) snowflakeSQL() {
	at := s.dest.Snowflake
	user := SnowflakeName(at.User)
	role := cmp.Or(s.ask.Database.Role, SnowflakeName(strings.ToUpper(at.User)+"_ROLE"))
	s.sql("A role of its own: none of Snowflake's, which may far more.", "CREATE ROLE IF NOT EXISTS "+role+";")
	s.sql("TYPE = SERVICE cannot have a password.", "CREATE USER IF NOT EXISTS "+user+" TYPE = SERVICE DEFAULT_ROLE = "+role+";")
	if at.Login == catalog.SnowflakeKeyPair {
		s.keyPair(user)
	}
	for _, id := range s.workloadIdentities() {
		s.sql(id.Why, "ALTER USER "+user+" ADD WORKLOAD IDENTITY "+id.Name+" "+id.Clause+";")
	}
	s.retired(user)
	s.sql("", "GRANT ROLE "+role+" TO USER "+user+";")
	s.snowflakeGrants(role)
}

// SnowflakeName writes a name into a statement: a plain one as it is, which Snowflake reads in
// upper case, any other in quotes.
func SnowflakeName(name string) string {
	if regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_$]*$`).MatchString(name) {
		return name
	}
	return quote(name)
}

func (s *Sheet) keyPair(user string) {
	key := s.ask.PublicKey
	if key == "" {
		key = s.miss(Missing{
			Placeholder: "PUBLIC-KEY-IN-BASE64",
			What:        "the public half of the key in " + s.dest.Snowflake.Secret,
			Command:     "openssl rsa -in key.pem -pubout | grep -v -- ----- | tr -d '\\n'",
			Flag:        "--public-key BASE64",
		})
	}
	s.sql("The public key. The private one never leaves the operator's side; login: oidc would need neither.", "ALTER USER "+user+" SET RSA_PUBLIC_KEY = "+literal(key)+";")
}

// A workloadIdentity is a named way to prove to be a user.
type workloadIdentity struct{ Name, Clause, Why string }

// workloadIdentities are those of the chain's end on each runtime, once for every
// audience: an identity cannot be changed, only added and removed, so its name says for
// which audience it is.
// https://docs.snowflake.com/en/sql-reference/sql/alter-user-add-workload-identity
func (s *Sheet) workloadIdentities() []workloadIdentity {
	var list []workloadIdentity
	for _, c := range s.walk.chains {
		if c.secret != "" {
			continue
		}
		for _, id := range s.proofs(c.end()) {
			if !slices.Contains(list, id) {
				list = append(list, id)
			}
		}
	}
	return list
}

func (s *Sheet) proofs(end string) []workloadIdentity {
	at := s.dest.Snowflake
	name, issuer, subject := "carnet_google", "https://accounts.google.com", ""
	if onAWS(end) {
		name, issuer, subject = "carnet_aws", s.issuer(), end
	} else {
		subject = s.subject(end)
	}
	if at.Login == catalog.SnowflakeWorkloadIdentity {
		clause := "TYPE = GCP SUBJECT = " + literal(subject)
		if onAWS(end) {
			clause = "TYPE = AWS ARN = " + literal(end) + " ISSUER = " + literal(issuer)
		}
		return []workloadIdentity{{name, clause, "Exactly this identity. The audience is Snowflake's own, the same for every account: login: oidc would bind the token to this one."}}
	}
	var list []workloadIdentity
	for _, audience := range audiences(s.dest) {
		list = append(list, workloadIdentity{
			Name:   name + "_" + short(audience),
			Clause: "TYPE = OIDC ISSUER = " + literal(issuer) + " SUBJECT = " + literal(subject) + " OIDC_AUDIENCE_LIST = (" + literal(audience) + ")",
			Why:    "Exactly this issuer's subject, with a token that was made for this account: without an audience of its own, a token for any account of Snowflake's would do.",
		})
	}
	return list
}

// retired takes away what an ExternalId let in that was replaced.
// https://docs.snowflake.com/en/sql-reference/sql/alter-user-remove-workload-identity
func (s *Sheet) retired(user string) {
	if s.ask.Retired == "" {
		return
	}
	roles, accounts := s.entering()
	for prefix, among := range map[string][]string{"carnet_aws_": roles, "carnet_google_": accounts} {
		if len(among) > 0 {
			s.sql("The audience that was replaced. Where it was added under another name, SHOW USER WORKLOAD IDENTITY AUTHENTICATION METHODS FOR USER "+user+" lists it.",
				"ALTER USER "+user+" REMOVE WORKLOAD IDENTITY "+prefix+short(s.ask.Retired)+";")
		}
	}
}

// short is the beginning of an audience, as part of a name.
func short(audience string) string {
	var b strings.Builder
	for _, c := range audience {
		if b.Len() < 8 && ('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9') {
			b.WriteRune(c)
		}
	}
	return b.String()
}

func (s *Sheet) snowflakeGrants(role string) {
	db := s.ask.Database
	if db.Warehouse != "" {
		s.sql("", "GRANT USAGE ON WAREHOUSE "+db.Warehouse+" TO ROLE "+role+";")
	}
	if db.Name == "" || db.Schema == "" {
		s.sql("What the role may do: --database, --schema and --warehouse print these grants.", "-- GRANT USAGE ON DATABASE … TO ROLE "+role+";")
		return
	}
	schema := db.Name + "." + db.Schema
	s.sql("One schema, and no more than is needed there.", "GRANT USAGE ON DATABASE "+db.Name+" TO ROLE "+role+";")
	s.sql("", "GRANT USAGE ON SCHEMA "+schema+" TO ROLE "+role+";")
	reads, writes := s.access()
	for _, t := range []string{"ALL", "FUTURE"} {
		if reads {
			s.sql("", "GRANT SELECT ON "+t+" TABLES IN SCHEMA "+schema+" TO ROLE "+role+";")
		}
		if writes {
			s.sql("", "GRANT INSERT, UPDATE, DELETE ON "+t+" TABLES IN SCHEMA "+schema+" TO ROLE "+role+";")
		}
	}
	if writes {
		s.sql("", "GRANT CREATE TABLE ON SCHEMA "+schema+" TO ROLE "+role+";")
	}
}

// settle puts everything into an order that does not change from run to run.
func (s *Sheet) settle() {
	slices.SortFunc(s.Roles, func(a, b *Role) int { return strings.Compare(a.ARN, b.ARN) })
	slices.Sort(s.Google.Accounts)
}
