package catalog

import (
	"encoding/json"
	"maps"
	"slices"
)

// The schemas are for editors: they show what may stand where, and find most
// mistakes while one types. They are built from the parser's own rules. What one
// line cannot know of another (a chain that loops, two identities that are the same)
// only the parser finds.

type object = map[string]any

// TenantSchema is the JSON Schema of a tenant's file, draft 2020-12.
func TenantSchema() ([]byte, error) {
	s := closed(object{
		"tenant":       text(nameRule(), "The name of the file, without .yaml."),
		"disabled":     flag("true: nothing is vended for this tenant."),
		"identities":   identitiesSchema(),
		"callers":      list(callerSchema(), "Who may ask for this tenant's credentials."),
		"destinations": destinationsSchema(),
	}, "tenant")
	return document(s, "A tenant of carnet: who it is, who may ask, and where its data goes.")
}

// OperatorSchema is the JSON Schema of carnet.yaml, draft 2020-12.
func OperatorSchema() ([]byte, error) {
	provider := closed(object{
		"name":    text(providerRule(), "The provider's resource name, with the project's number."),
		"kind":    object{"enum": []string{string(ProviderAWS), string(ProviderOIDC)}, "description": "aws: the signed request. oidc: the outbound JWT."},
		"account": text(accountIDRule(), "The AWS account that it trusts."),
	}, "name", "account")
	issuer := closed(object{
		"issuer":   text(issuerRule(), "The issuer's URL."),
		"audience": words("The audience that a caller's token must have."),
		"jwks_uri": text(issuerRule(), "Where its keys are, if on another host than the issuer."),
	}, "issuer", "audience")
	s := closed(object{
		"runtime": closed(object{
			"aws": closed(object{"role": text(roleRule(), "The function's role."), "region": text(regionRule(), "Its Region.")}, "role"),
			"gcp": closed(object{"service_account": text(accountRule(), "The function's service account.")}, "service_account"),
		}),
		"region":           text(regionRule(), "The AWS Region whose STS is called from Google Cloud."),
		"providers":        list(provider, "The operator's own pools' providers."),
		"issuers":          list(issuer, "Whose tokens callers may show."),
		"google_audience":  words("The audience of the Google ID tokens that callers show."),
		"serve_unverified": flag("true: destinations are served that were never seen to refuse us without their binding."),
		"nobody": closed(object{
			"aws": closed(object{"role": text(roleRule(), "A role that no tenant trusts, which the runtime may assume.")}, "role"),
			"gcp": closed(object{"service_account": text(accountRule(), "An account that no tenant trusts, which the runtime may have tokens of.")}, "service_account"),
		}),
	}, "runtime")
	return document(s, "What only the operator of carnet knows.")
}

func document(s object, title string) ([]byte, error) {
	s["$schema"], s["title"] = "https://json-schema.org/draft/2020-12/schema", title
	return json.MarshalIndent(s, "", "  ")
}

func text(r rule, description string) object {
	s := object{"type": "string", "pattern": r.pattern, "description": description, "examples": []string{r.example}}
	if r.most > 0 {
		s["maxLength"] = r.most
	}
	return s
}

func words(description string) object {
	return object{"type": "string", "minLength": 1, "description": description}
}

func flag(description string) object {
	return object{"type": "boolean", "description": description}
}

func list(of object, description string) object {
	return object{"type": "array", "items": of, "minItems": 1, "description": description}
}

// closed is a mapping that takes these keys and no others.
func closed(keys object, required ...string) object {
	s := object{"type": "object", "properties": keys, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

func roleSchema() object {
	return object{
		"role":             text(roleRule(), "The role's ARN."),
		"external_id":      text(externalIDRule(), "The binding: the ExternalId where a role enters, the token's audience where a Google identity does. Made by the operator, unique."),
		"next_external_id": text(externalIDRule(), "Accepted too, while external_id is being rotated."),
	}
}

func accountSchema() object {
	return object{
		"service_account": text(accountRule(), "The account's email."),
		"entry":           object{"enum": []string{string(Delegate), string(User)}, "description": "What was granted on it: passing through (implicitDelegation), or workloadIdentityUser."},
		"provider":        text(providerRule(), "The third party's own provider, if it is entered through one."),
	}
}

func identitiesSchema() object {
	s := closed(object{"aws": closed(roleSchema(), "role"), "gcp": closed(accountSchema(), "service_account")})
	s["description"] = "Who the tenant is, on one cloud or both."
	return s
}

func callerSchema() object {
	some := list(object{"type": "string"}, "Which destinations; all without.")
	return object{"oneOf": []object{
		closed(object{"aws": text(principalRule(), "An IAM role or user."), "destinations": some}, "aws"),
		closed(object{"google": text(emailRule(), "A Google account."), "destinations": some}, "google"),
		closed(object{"issuer": text(issuerRule(), "An OIDC issuer."), "subject": words("Its subject."), "destinations": some}, "issuer", "subject"),
	}}
}

func destinationsSchema() object {
	return object{
		"type": "object", "description": "Where the data goes, by name.",
		"propertyNames": object{"pattern": nameRule().pattern},
		"additionalProperties": object{"oneOf": []object{
			kindSchema(S3, with(roleSchema(), bucketSchema(s3BucketRule()), object{
				"region":  text(regionRule(), "The bucket's Region."),
				"kms_key": text(kmsKeyRule(), "The bucket's key, if it has one."),
			}), []string{"role", "external_id", "region", "bucket", "access"}, true),
			kindSchema(GCS, with(accountSchema(), bucketSchema(gcsBucketRule())), []string{"service_account", "bucket", "access"}, true),
			kindSchema(BigQuery, with(accountSchema(), object{
				"project": text(projectRule(), "The dataset's project."),
				"dataset": text(datasetRule(), "The dataset."),
				"access":  accessSchema(),
			}), []string{"service_account", "project", "dataset"}, false),
			kindSchema(Redshift, with(roleSchema(), redshiftSchema()), []string{"role", "external_id", "region", "database"}, false),
			kindSchema(Snowflake, snowflakeSchema(), []string{"account", "user"}, false),
		}},
	}
}

func redshiftSchema() object {
	return object{
		"region":        text(regionRule(), "The cluster's Region."),
		"cluster":       text(clusterRule(), "A provisioned cluster."),
		"workgroup":     text(clusterRule(), "A serverless workgroup."),
		"custom_domain": text(domainRule(), "Its own domain name, where it has one."),
		"host":          text(redshiftHostRule(), "Where to connect; looked up where the role may."),
		"port":          object{"type": "integer", "minimum": 1, "maximum": 65535, "default": 5439},
		"database":      text(databaseRule(), "The database."),
		"user":          text(databaseRule(), "A database user; without it the role's own, IAMR:ROLE."),
		"groups":        list(text(databaseRule(), "A group."), "Groups that the user joins for the session."),
		"create_user":   flag("true: the user is made where there is none."),
		"login":         object{"enum": []string{string(RedshiftPassword), string(RedshiftDataAPI)}, "description": "password: a user and a password. data_api: the role's session."},
	}
}

func snowflakeSchema() object {
	return object{
		"account":          text(snowflakeAccountRule(), "The account's identifier."),
		"host":             text(snowflakeHostRule(), "Where to log in; made of the account where it is left out."),
		"user":             text(snowflakeUserRule(), "The service user."),
		"login":            object{"enum": []string{string(SnowflakeOIDC), string(SnowflakeWorkloadIdentity), string(SnowflakeKeyPair)}, "description": "How the user is proven."},
		"external_id":      text(externalIDRule(), "For oidc: the audience that the user's OIDC_AUDIENCE_LIST holds."),
		"next_external_id": text(externalIDRule(), "For oidc: in the list too, while external_id is being rotated."),
		"algorithm":        object{"enum": []string{"ES384", "RS256"}, "description": "Of an AWS outbound JWT."},
		"secret":           text(secretRule(), "For key_pair: where the private key is kept."),
	}
}

func accessSchema() object {
	return object{"enum": accesses(), "description": "What the credential may do."}
}

func bucketSchema(name rule) object {
	// A folder's name: none of the characters that mean something in a policy, and
	// neither "." nor "..".
	const other = "[^/*?$'\"`\\\\{}\\x00-\\x1f\\x7f]"
	const notDot = "[^./*?$'\"`\\\\{}\\x00-\\x1f\\x7f]"
	const segment = "(" + notDot + other + "*|\\." + notDot + other + "*|\\.\\." + other + "+)"
	prefix := object{
		"type": "string", "minLength": 1, "maxLength": 512,
		"pattern": "^(" + segment + "/)*" + segment + "/?$", "examples": []string{"from-operator/"},
	}
	return object{
		"bucket":       text(name, "The bucket."),
		"prefixes":     list(prefix, "The folders that the credential reaches; each gets a final slash."),
		"whole_bucket": flag("true in the place of prefixes: all of the bucket."),
		"access":       accessSchema(),
	}
}

func kindSchema(kind Kind, keys object, required []string, bucket bool) object {
	link := object{"oneOf": []object{closed(roleSchema(), "role"), closed(accountSchema(), "service_account")}}
	duration := object{"type": "string", "pattern": `^([0-9]+h)?([0-9]+m)?([0-9]+s)?$`, "minLength": 2, "examples": []string{"45m"}}
	s := closed(with(keys, object{
		"kind":     object{"const": kind},
		"disabled": flag("true: nothing is vended for this destination."),
		"verified": object{"type": "string", "pattern": `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`, "description": "The day on which it was last seen to refuse us without the binding."},
		"min_ttl":  duration, "lifetime": duration,
		"deliver": closed(object{
			"secret": text(deliverRule(), "What a schedule keeps filled with the credential."),
			"every":  duration,
			"format": object{"enum": []string{"json", "aws"}, "description": "json, or aws: what credential_process prints."},
		}, "secret"),
		"chain": list(link, "The identities before the destination's, in the place of the tenant's."),
	}), append([]string{"kind"}, required...)...)
	if bucket {
		s["oneOf"] = []object{
			{"required": []string{"prefixes"}, "properties": object{"whole_bucket": object{"const": false}}},
			{"required": []string{"whole_bucket"}, "not": object{"required": []string{"prefixes"}}, "properties": object{"whole_bucket": object{"const": true}}},
		}
	}
	return s
}

func with(parts ...object) object {
	all := object{}
	for _, p := range slices.Backward(parts) {
		maps.Copy(all, p)
	}
	return all
}
