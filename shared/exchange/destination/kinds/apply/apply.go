// Package apply has the one list of what the kinds of places have for people: what owners apply,
// and what they type when a chain broke. No function links it.
package apply

import (
	bigquery "carnet.dev/carnet/shared/exchange/destination/bigquery/apply"
	gcs "carnet.dev/carnet/shared/exchange/destination/gcs/apply"
	redshift "carnet.dev/carnet/shared/exchange/destination/redshift/apply"
	s3 "carnet.dev/carnet/shared/exchange/destination/s3/apply"
	snowflake "carnet.dev/carnet/shared/exchange/destination/snowflake/apply"
	"carnet.dev/carnet/shared/mend"
)

// All are the kinds, by name.
func All() mend.Kinds {
	return mend.Kinds{"s3": s3.Kind(), "gcs": gcs.Kind(), "bigquery": bigquery.Kind(), "redshift": redshift.Kind(), "snowflake": snowflake.Kind()}
}
