package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"carnet.dev/carnet/integration/lab/tour"
)

func labCommand() *cobra.Command {
	var asJSON, serve bool
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Run both clouds on loopback, vend along every chain, and try what must be refused",
		Long: `Lab starts AWS and Google Cloud on loopback with an operator and two customers in
them, vends every destination from both runtimes through every chain that can end in
it, writes and reads with each credential, and then tries what must be refused. It
exits 0 only if every vend worked and every refusal was refused.`,
		Example: `  carnet lab
  carnet lab --json | jq '.rows[] | select(.outcome == "refused") | .code'
  carnet lab --serve`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if serve {
				return serveLab(cmd)
			}
			return runLab(cmd, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	cmd.Flags().BoolVar(&serve, "serve", false, "keep the clouds up and print how to point clients at them")
	return cmd
}

func runLab(cmd *cobra.Command, asJSON bool) error {
	t, err := tour.New(io.Discard)
	if err != nil {
		return err
	}
	defer t.Close()
	var rows []tour.Row
	if err := t.Walk(cmd.Context(), func(r tour.Row) { rows = append(rows, r) }); err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		err = enc.Encode(map[string]any{"rows": rows})
	} else {
		err = table{out, colour(out)}.print(rows)
	}
	if err != nil {
		return err
	}
	return verdict(rows)
}

func verdict(rows []tour.Row) error {
	bad := 0
	for _, r := range rows {
		if !r.OK() {
			bad++
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d rows did not come out as they should", bad, len(rows))
	}
	return nil
}

// colour tells whether the reader sees colours: on a terminal, unless NO_COLOR.
func colour(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == ""
}

type table struct {
	out    io.Writer
	colour bool
}

func (t table) print(rows []tour.Row) error {
	var vends, refusals []tour.Row
	for _, r := range rows {
		if r.Expected == "vended" {
			vends = append(vends, r)
		} else {
			refusals = append(refusals, r)
		}
	}
	fmt.Fprintln(t.out, "Vended along every chain, then used")
	fmt.Fprintln(t.out, "(trips: calls that reached a cloud, cold / asked again, for less where the kind has a grant)")
	fmt.Fprintln(t.out)
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, " \tdestination\tkind\tchain\ttrips\tms")
	for _, r := range vends {
		fmt.Fprintf(w, "%s\t%s/%s\t%s\t%s\t%d / %d\t%.1f\n", t.mark(r), r.Tenant, r.Destination, r.Kind, chain(r), r.Trips, r.TripsCached, r.Millis)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(t.out)
	fmt.Fprintln(t.out, "Tried, and refused")
	fmt.Fprintln(t.out)
	fmt.Fprintln(w, " \tattempt\tfrom\tdestination\trefused with\tat the edge")
	for _, r := range refusals {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s/%s\t%s\t%s\n", t.mark(r), r.Attempt, r.Runtime, r.Tenant, r.Destination, r.Code, short(r.Edge))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(t.out)
	fmt.Fprintf(t.out, "%d credentials vended and used, %d attempts refused, no stored key handed out.\n", len(vends), len(refusals))
	return nil
}

func (t table) mark(r tour.Row) string {
	mark, code := "✓", "32"
	if !r.OK() {
		mark, code = "✗", "31"
	}
	if !t.colour {
		return mark
	}
	return "\x1b[" + code + "m" + mark + "\x1b[0m"
}

// chain names each identity by its cloud and the last part of its name.
func chain(r tour.Row) string {
	var parts []string
	for i, p := range r.Chain {
		parts = append(parts, r.Clouds[i]+":"+shortName(p))
	}
	return strings.Join(parts, " → ")
}

func shortName(principal string) string {
	if i := strings.LastIndex(principal, "/"); i >= 0 {
		return principal[i+1:]
	}
	name, _, _ := strings.Cut(principal, "@")
	return name
}

func short(edge string) string {
	from, to, ok := strings.Cut(edge, " → ")
	if !ok {
		return edge
	}
	return shortName(from) + " → " + shortName(to)
}

// serveLab keeps the clouds up until the command is interrupted.
func serveLab(cmd *cobra.Command) error {
	t, err := tour.New(io.Discard)
	if err != nil {
		return err
	}
	defer t.Close()
	guide, err := newGuide(t)
	if err != nil {
		return err
	}
	if err := guide.print(cmd.OutOrStdout()); err != nil {
		return err
	}
	<-cmd.Context().Done()
	fmt.Fprintln(cmd.OutOrStdout(), "\nThe lab is closed.")
	return nil
}

// A guide says how clients outside this process reach the lab.
type guide struct {
	catalog, ca        string
	all                string // both clouds by name, over TLS
	databases          string // Redshift's, likewise
	sts, s3            string // plain HTTP on loopback, as the AWS clients allow
	metadata           string
	keyID, key, token  string
	region, runtimeARN string
}

func newGuide(t *tour.Tour) (*guide, error) {
	l := t.Lab()
	g := &guide{catalog: t.Catalog(), all: l.Addr(), databases: l.Databases(), region: "eu-west-1", runtimeARN: "arn:aws:iam::111122223333:role/carnet-f-vend"}
	g.ca = filepath.Join(t.Catalog(), "lab-ca.pem")
	if err := os.WriteFile(g.ca, l.CA.PEM(), 0o600); err != nil {
		return nil, err
	}
	var err error
	if g.sts, err = l.Serve(l.AWS.STS(), false); err != nil {
		return nil, err
	}
	if g.s3, err = l.Serve(l.AWS.S3(), false); err != nil {
		return nil, err
	}
	machine, err := l.Machine("carnet-f-vend@operator-prod.iam.gserviceaccount.com")
	if err != nil {
		return nil, err
	}
	g.metadata = machine.Metadata
	session, err := l.AWS.RoleSession(g.runtimeARN, "carnet-vend")
	if err != nil {
		return nil, err
	}
	g.keyID, g.key, g.token = session.AccessKeyID, session.SecretAccessKey, session.SessionToken
	return g, nil
}

func (g *guide) print(w io.Writer) error {
	_, port, err := net.SplitHostPort(g.all)
	if err != nil {
		return err
	}
	_, databases, err := net.SplitHostPort(g.databases)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, `Both clouds are up on loopback. Ctrl-C stops them and removes their files.

In another shell, be the operator's function (the credentials are the lab's own and
good for nothing elsewhere):

export CARNET_CATALOG=%[1]s
export CARNET_LAB=%[2]s CARNET_LAB_CA=%[3]s

# on AWS
export CARNET_RUNTIME=aws AWS_REGION=%[4]s
export AWS_ACCESS_KEY_ID=%[5]s
export AWS_SECRET_ACCESS_KEY=%[6]s
export AWS_SESSION_TOKEN=%[7]s

# or on Google Cloud
export CARNET_RUNTIME=gcp GCE_METADATA_HOST=%[8]s AWS_REGION=%[4]s

go run ./cmd/carnet vend acme lake

Then use what was vended. The parentheses keep it out of the shell, which goes on as
the function:

(
eval "$(go run ./cmd/carnet vend acme lake --format env)"
export AWS_ENDPOINT_URL_STS=http://%[9]s AWS_ENDPOINT_URL_S3=http://%[10]s
aws sts get-caller-identity
echo hello | aws s3 cp - s3://acme-lake/from-operator/hello.txt
aws s3 ls s3://acme-lake/from-operator/
)

(
eval "$(go run ./cmd/carnet vend acme drop --format env)"
curl --cacert %[3]s --resolve storage.googleapis.com:%[11]s:127.0.0.1 \
  -H "Authorization: Bearer $GOOGLE_OAUTH_ACCESS_TOKEN" \
  "https://storage.googleapis.com:%[11]s/storage/v1/b/acme-drop/o?prefix=from-operator/"
)

(
eval "$(go run ./cmd/carnet vend acme marts --format env)"
PGHOSTADDR=127.0.0.1 PGPORT=%[12]s PGSSLROOTCERT=%[3]s psql -c 'select current_user, current_database()'
)
`, g.catalog, g.all, g.ca, g.region, g.keyID, g.key, g.token, g.metadata, g.sts, g.s3, port, databases)
	return err
}
