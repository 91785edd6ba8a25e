// Package environ writes the environment in which a process that is started beside a lab finds it:
// as the operator's function on either cloud.
package environ

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/integration/lab/tour"
	"carnet.dev/carnet/shared/catalog"
)

// The operator's function in the lab, by the names that it has on either cloud.
const (
	labRole    = "arn:aws:iam::111122223333:role/carnet-f-vend"
	labAccount = "carnet-f-vend@operator-prod.iam.gserviceaccount.com"
	labRegion  = "eu-west-1"
)

// A Variable is set for clients that are to find the lab; one without a value is unset.
type Variable struct{ Name, Value string }

// An Environment says how clients outside this process reach a lab.
type Environment struct {
	dir     string                // for the files that they read
	clients []Variable            // on either cloud
	runtime map[string][]Variable // who the function is, by its cloud
}

// New writes the files that clients read, and serves what they can be pointed at. carnet is the
// program that they run.
func New(t *tour.Tour, carnet string) (*Environment, error) {
	g := &Environment{dir: filepath.Dir(t.Catalog())}
	ca, profiles := filepath.Join(g.dir, "lab-ca.pem"), filepath.Join(g.dir, "aws-config")
	if err := os.WriteFile(ca, t.Lab().CA.PEM(), 0o600); err != nil {
		return nil, err
	}
	if err := errors.Join(writeProfiles(t, profiles, carnet), os.Mkdir(g.bin(), 0o700), os.Symlink(carnet, filepath.Join(g.bin(), "carnet"))); err != nil {
		return nil, err
	}
	g.clients = []Variable{
		{"CARNET_CATALOG", t.Catalog()}, {"CARNET_LAB", t.Lab().Addr()}, {"CARNET_LAB_CA", ca}, {"CARNET_URL", ""},
		{"AWS_REGION", labRegion}, {"AWS_DEFAULT_REGION", labRegion}, {"AWS_CONFIG_FILE", profiles},
		{"AWS_EC2_METADATA_DISABLED", "true"}, {"AWS_PROFILE", ""}, {"PGHOSTADDR", "127.0.0.1"}, {"PGSSLROOTCERT", ca},
	}
	return g, errors.Join(g.endpoints(t.Lab()), g.functions(t.Lab()))
}

// endpoints serves what clients can be pointed at in plain HTTP on loopback, and the
// databases.
func (g *Environment) endpoints(l *lab.Lab) error {
	sts, err := l.Serve(l.AWS.STS(), false)
	if err != nil {
		return err
	}
	s3, err := l.Serve(l.AWS.S3(), false)
	if err != nil {
		return err
	}
	storage, err := l.Serve(l.Google.Storage(), false)
	if err != nil {
		return err
	}
	_, databases, err := net.SplitHostPort(l.Databases())
	g.clients = append(g.clients, Variable{"AWS_ENDPOINT_URL_STS", "http://" + sts}, Variable{"AWS_ENDPOINT_URL_S3", "http://" + s3},
		Variable{"STORAGE_EMULATOR_HOST", "http://" + storage}, Variable{"LAB_PGPORT", databases})
	return err
}

func (g *Environment) functions(l *lab.Lab) error {
	s, err := l.AWS.RoleSession(labRole, "carnet-vend")
	if err != nil {
		return err
	}
	machine, err := l.Machine(labAccount)
	if err != nil {
		return err
	}
	g.runtime = map[string][]Variable{
		"aws": {{"CARNET_RUNTIME", "aws"}, {"GCE_METADATA_HOST", ""},
			{"AWS_ACCESS_KEY_ID", s.AccessKeyID}, {"AWS_SECRET_ACCESS_KEY", s.SecretAccessKey}, {"AWS_SESSION_TOKEN", s.SessionToken}},
		"gcp": {{"CARNET_RUNTIME", "gcp"}, {"GCE_METADATA_HOST", machine.Metadata},
			{"AWS_ACCESS_KEY_ID", ""}, {"AWS_SECRET_ACCESS_KEY", ""}, {"AWS_SESSION_TOKEN", ""}},
	}
	return nil
}

// writeProfiles gives the AWS command line a profile for each destination that gives an AWS session,
// as a reader would write it for a catalog of his own.
func writeProfiles(t *tour.Tour, file, carnet string) error {
	var text strings.Builder
	for _, tenant := range tour.Tenants() {
		found, err := t.Tenant(tenant)
		if err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(found.Destinations)) {
			if found.Destinations[name].Gives == catalog.Session {
				fmt.Fprintf(&text, "[profile %s-%s]\nregion = %s\ncredential_process = %q vend %s/%s --format aws\n\n", tenant, name, labRegion, carnet, tenant, name)
			}
		}
	}
	return os.WriteFile(file, []byte(text.String()), 0o600)
}

// Variables are all that a process needs which is to be the function on one cloud.
func (g *Environment) Variables(runtime string) []Variable {
	return append(g.runtime[runtime], g.clients...)
}

// bin has this very program in it, whatever its file is called, to go before others.
func (g *Environment) bin() string { return filepath.Join(g.dir, "bin") }

// Of is this process's, with the lab's variables in the place of its own.
func (g *Environment) Of(runtime string) []string {
	env := os.Environ()
	for _, v := range g.Variables(runtime) {
		env = append(env, v.Name+"="+v.Value)
	}
	return append(env, "PATH="+g.bin()+string(filepath.ListSeparator)+os.Getenv("PATH"))
}

// All are the variables of both clouds, by the cloud and their name.
func (g *Environment) All() map[string]map[string]string {
	all := map[string]map[string]string{}
	for runtime := range g.runtime {
		all[runtime] = map[string]string{}
		for _, v := range g.Variables(runtime) {
			all[runtime][v.Name] = v.Value
		}
	}
	return all
}

// Print writes a script for each cloud, for a shell to read.
func (g *Environment) Print(w io.Writer) error {
	for runtime := range g.runtime {
		var text strings.Builder
		for _, v := range g.Variables(runtime) {
			fmt.Fprintln(&text, v.line())
		}
		fmt.Fprintf(&text, "export PATH=%s:\"$PATH\"\n", quoted(g.bin()))
		if err := os.WriteFile(filepath.Join(g.dir, runtime+".sh"), []byte(text.String()), 0o600); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, `Both clouds are up on loopback. Ctrl-C stops them and removes their files.

To be the operator's function in another shell (its credentials are the lab's own, and good
for nothing elsewhere), on AWS or on Google Cloud:

. %[1]s
. %[2]s

There, for instance:

carnet vend acme/lake
aws sts get-caller-identity --profile acme-lake

docs/first-run.md goes on from here.
`, filepath.Join(g.dir, "aws.sh"), filepath.Join(g.dir, "gcp.sh"))
	return err
}

func (v Variable) line() string {
	if v.Value == "" {
		return "unset " + v.Name
	}
	return "export " + v.Name + "=" + quoted(v.Value)
}

// quoted is one word to a shell, whatever is in it.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
