// Package kinds has the one list of the kinds of places that carnet knows.
package kinds

import (
	"carnet.dev/carnet/shared/exchange/destination"
	"carnet.dev/carnet/shared/exchange/destination/bigquery"
	"carnet.dev/carnet/shared/exchange/destination/gcs"
	"carnet.dev/carnet/shared/exchange/destination/redshift"
	"carnet.dev/carnet/shared/exchange/destination/s3"
	"carnet.dev/carnet/shared/exchange/destination/snowflake"
)

// All are the kinds, in the order in which people are shown them.
func All() destination.Kinds {
	return destination.Kinds{s3.Kind(), gcs.Kind(), bigquery.Kind(), redshift.Kind(), snowflake.Kind()}
}
