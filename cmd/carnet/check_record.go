package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/check"
)

// recorded writes what the probes have shown into the tenants' files: the day on which a
// destination refused, or nothing where it let a probe in. What was not shown stays as it is.
func (o *checkOptions) recorded(cmd *cobra.Command, found []*looked) error {
	c, err := openCatalog(o.catalog)
	if err != nil {
		return fmt.Errorf("--record: %w", err)
	}
	drafts := map[string]*catalog.Draft{}
	for _, l := range found {
		if !l.Proven() && l.Outcome != check.UnsafeChain {
			continue
		}
		d := drafts[l.Tenant]
		if d == nil {
			if d, err = c.draft(cmd, l.Tenant); err != nil {
				return err
			}
			drafts[l.Tenant] = d
		}
		if err := l.draft(d); err != nil {
			return fmt.Errorf("%s: %w", l.name(), err)
		}
	}
	var wrong []error
	for _, d := range drafts {
		wrong = append(wrong, c.write(d))
	}
	return errors.Join(wrong...)
}

func (l *looked) draft(d *catalog.Draft) error {
	at := []string{"destinations", l.Destination}
	if l.Outcome == check.UnsafeChain {
		l.Verified = ""
		l.Note = "verified: is taken out of its file, so that it is not served any more."
		return d.Remove(at, "verified")
	}
	l.Verified = time.Now().UTC().Format(time.DateOnly)
	l.Note = "verified: " + l.Verified + " is written into its file."
	var err error
	for _, after := range []string{"access", "database", "dataset", "external_id", "user", "kind"} {
		if err = d.Set(at, after, "verified", l.Verified); err == nil {
			return nil
		}
	}
	return err
}
