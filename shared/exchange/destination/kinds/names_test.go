package kinds_test

import (
	"strings"
	"testing"

	"carnet.dev/carnet/shared/exchange/destination/kinds"
)

// TestNames holds the grammars of keys against names that exist, and against such as look like a
// name and are another thing. Each refusal says which.
func TestNames(t *testing.T) {
	const good = ""
	for _, c := range []struct{ kind, key, value, says string }{
		{"s3", "bucket", "acme-lake", good},
		{"s3", "bucket", strings.Repeat("a", 63), good},
		{"s3", "bucket", strings.Repeat("a", 64), "is not the name of a bucket"},
		{"s3", "bucket", "acme-ap-x1y2-s3alias", "the alias of an access point"},
		{"s3", "bucket", "acme-ap-x1y2--ol-s3", "the alias of an Object Lambda access point"},
		{"s3", "bucket", "acme.mrap", "the alias of a multi-Region access point"},
		{"s3", "bucket", "acme--use1-az4--x-s3", "a directory bucket"},
		{"s3", "role", "arn:aws:iam::999988887777:role/" + strings.Repeat("a", 64), good},
		{"s3", "role", "arn:aws:iam::999988887777:role/path/" + strings.Repeat("a", 65), "is not the ARN of a role"},
		{"gcs", "bucket", "acme_drop.example", good},
		{"gcs", "provider", "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/" + strings.Repeat("p", 32) + "/providers/prov", good},
		{"gcs", "provider", "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/" + strings.Repeat("p", 33) + "/providers/prov", "has 4 to 32 characters"},
		{"redshift", "workgroup", "2024-analytics", good},
		{"redshift", "workgroup", strings.Repeat("w", 64), good},
		{"redshift", "workgroup", "wg", "is not the name of a cluster or workgroup"},
		{"redshift", "cluster", "2024-analytics", "is not the name of a cluster or workgroup"},
		{"redshift", "cluster", strings.Repeat("c", 64), "is not the name of a cluster or workgroup"},
		{"redshift", "groups", "writers_2", good},
		{"redshift", "groups", "_writers", "is not the name of a group"},
		{"redshift", "groups", "Writers", "is not the name of a group"},
		{"redshift", "database", "Analytics", good},
		{"redshift", "database", "_", "is not the name of a database"},
		{"snowflake", "account", "ACME-PROD", good},
		{"snowflake", "account", "acme-prod.snowflakecomputing.com", "is a host: write the account, acme-prod"},
		{"snowflake", "host", "acme-prod.snowflakecomputing.mil", good},
		{"snowflake", "host", "acme-prod.snowflakecomputing.example", "is not a host of Snowflake's"},
		{"snowflake", "secret", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:carnet/key-AbCdEf", good},
		{"snowflake", "secret", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:carnet/key", "is not a secret's name"},
		{"snowflake", "secret", "projects/example.com:p/secrets/key/versions/latest", good},
	} {
		all, _ := kinds.All().Catalog().Keys(c.kind)
		err := all.Key(c.key).Check(c.value)
		if (err == nil) != (c.says == good) || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s, %s: %s: %v", c.kind, c.key, c.value, err)
		}
	}
}
