package destination

import (
	"errors"
	"strings"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
)

// Fits compiles what a destination's file grants, without a call, and says what to drop where
// the cloud does not take as much. Such a destination is not refused when it is linked: a job
// that asks for one of its prefixes can be served.
func Fits(d *catalog.Destination) error {
	grant := exchange.Grant{Access: d.Access, Prefixes: d.Prefixes}
	var err error
	switch d.Kind {
	case catalog.S3:
		_, err = s3Of(d, nil).policy(grant)
	case catalog.GCS:
		_, err = gcsOf(d, nil).boundary(grant)
	case catalog.Redshift:
		_, err = redshiftOf(d, nil, nil).policy()
	}
	if errors.Is(err, exchange.ErrBadRequest) { // nobody has asked
		return errors.New(strings.TrimPrefix(err.Error(), exchange.ErrBadRequest.Error()+": "))
	}
	return err
}
