package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/integration/lab/tour"
)

// The operator's function in the lab, by the names that it has on either cloud.
const (
	labRole    = "arn:aws:iam::111122223333:role/carnet-f-vend"
	labAccount = "carnet-f-vend@operator-prod.iam.gserviceaccount.com"
	labRegion  = "eu-west-1"
)

// A variable is set for clients that are to find the lab; one without a value is unset.
type variable struct{ name, value string }

// A guide says how clients outside this process reach the lab.
type guide struct {
	dir     string                // for the files that they read
	clients []variable            // on either cloud
	runtime map[string][]variable // who the function is, by its cloud
}

func newGuide(t *tour.Tour) (*guide, error) {
	g := &guide{dir: filepath.Dir(t.Catalog())}
	ca, profiles := filepath.Join(g.dir, "lab-ca.pem"), filepath.Join(g.dir, "aws-config")
	if err := os.WriteFile(ca, t.Lab().CA.PEM(), 0o600); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(writeProfiles(profiles, self), os.Mkdir(g.bin(), 0o700), os.Symlink(self, filepath.Join(g.bin(), "carnet"))); err != nil {
		return nil, err
	}
	g.clients = []variable{
		{"CARNET_CATALOG", t.Catalog()}, {"CARNET_LAB", t.Lab().Addr()}, {"CARNET_LAB_CA", ca}, {"CARNET_URL", ""},
		{"AWS_REGION", labRegion}, {"AWS_DEFAULT_REGION", labRegion}, {"AWS_CONFIG_FILE", profiles},
		{"AWS_EC2_METADATA_DISABLED", "true"}, {"AWS_PROFILE", ""}, {"PGHOSTADDR", "127.0.0.1"}, {"PGSSLROOTCERT", ca},
	}
	return g, errors.Join(g.endpoints(t.Lab()), g.functions(t.Lab()))
}

// endpoints serves what clients can be pointed at in plain HTTP on loopback, and the
// databases.
func (g *guide) endpoints(l *lab.Lab) error {
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
	g.clients = append(g.clients, variable{"AWS_ENDPOINT_URL_STS", "http://" + sts}, variable{"AWS_ENDPOINT_URL_S3", "http://" + s3},
		variable{"STORAGE_EMULATOR_HOST", "http://" + storage}, variable{"LAB_PGPORT", databases})
	return err
}

func (g *guide) functions(l *lab.Lab) error {
	s, err := l.AWS.RoleSession(labRole, "carnet-vend")
	if err != nil {
		return err
	}
	machine, err := l.Machine(labAccount)
	if err != nil {
		return err
	}
	g.runtime = map[string][]variable{
		"aws": {{"CARNET_RUNTIME", "aws"}, {"GCE_METADATA_HOST", ""},
			{"AWS_ACCESS_KEY_ID", s.AccessKeyID}, {"AWS_SECRET_ACCESS_KEY", s.SecretAccessKey}, {"AWS_SESSION_TOKEN", s.SessionToken}},
		"gcp": {{"CARNET_RUNTIME", "gcp"}, {"GCE_METADATA_HOST", machine.Metadata},
			{"AWS_ACCESS_KEY_ID", ""}, {"AWS_SECRET_ACCESS_KEY", ""}, {"AWS_SESSION_TOKEN", ""}},
	}
	return nil
}

// writeProfiles gives the AWS command line a profile for each bucket on AWS, as a reader
// would write it for a catalog of his own.
func writeProfiles(file, self string) error {
	var text strings.Builder
	for _, name := range []string{"acme/lake", "globex/lake"} {
		fmt.Fprintf(&text, "[profile %s]\nregion = %s\ncredential_process = %q vend %s --format aws\n\n", strings.ReplaceAll(name, "/", "-"), labRegion, self, name)
	}
	return os.WriteFile(file, []byte(text.String()), 0o600)
}

// variables are all that a process needs which is to be the function on one cloud.
func (g *guide) variables(runtime string) []variable {
	return append(g.runtime[runtime], g.clients...)
}

// bin has this very program in it, whatever its file is called, to go before others.
func (g *guide) bin() string { return filepath.Join(g.dir, "bin") }

// environment is this process's, with the lab's variables in the place of its own.
func (g *guide) environment(runtime string) []string {
	env := os.Environ()
	for _, v := range g.variables(runtime) {
		env = append(env, v.name+"="+v.value)
	}
	return append(env, "PATH="+g.bin()+string(filepath.ListSeparator)+os.Getenv("PATH"))
}

// run runs a command as the operator's function, and ends as it does.
func (o *labOptions) run(cmd *cobra.Command, args []string) error {
	t, err := tour.New(io.Discard)
	if err != nil {
		return err
	}
	defer t.Close()
	g, err := newGuide(t)
	if err != nil {
		return err
	}
	if isTerminal(cmd.ErrOrStderr()) {
		fmt.Fprintf(cmd.ErrOrStderr(), "Both clouds are up on loopback, and this is the operator's function on %s.\n", cmp.Or(map[string]string{"gcp": "Google Cloud"}[o.runtime], "AWS"))
	}
	// An interrupt on a terminal reaches the command as well, whose business it is, however
	// many come: main no longer takes those after the first.
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	ctx, stop := signal.NotifyContext(context.WithoutCancel(cmd.Context()), syscall.SIGTERM)
	defer stop()
	child := exec.CommandContext(ctx, args[0], args[1:]...)
	child.Env = g.environment(o.runtime)
	child.Stdin, child.Stdout, child.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	err = child.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return exitError{max(ended.ExitCode(), exitFailed), errors.New("")} // it has said why itself
	}
	return err
}

// keepUp keeps the clouds up until the command is interrupted.
func (o *labOptions) keepUp(cmd *cobra.Command) error {
	t, err := tour.New(io.Discard)
	if err != nil {
		return err
	}
	defer t.Close()
	g, err := newGuide(t)
	if err != nil {
		return err
	}
	if o.asJSON {
		err = g.printJSON(cmd.OutOrStdout())
	} else {
		err = g.print(cmd.OutOrStdout())
	}
	if err != nil {
		return err
	}
	<-cmd.Context().Done()
	fmt.Fprintln(cmd.ErrOrStderr(), "\nThe lab is closed.")
	return nil
}

func (g *guide) printJSON(w io.Writer) error {
	all := map[string]map[string]string{}
	for runtime := range g.runtime {
		all[runtime] = map[string]string{}
		for _, v := range g.variables(runtime) {
			all[runtime][v.name] = v.value
		}
	}
	return printJSON(w, all)
}

// print writes a script for each cloud, for a shell to read.
func (g *guide) print(w io.Writer) error {
	for runtime := range g.runtime {
		var text strings.Builder
		for _, v := range g.variables(runtime) {
			fmt.Fprintln(&text, shellLine(v))
		}
		fmt.Fprintf(&text, "export PATH=%s:\"$PATH\"\n", shellQuoted(g.bin()))
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

func shellLine(v variable) string {
	if v.value == "" {
		return "unset " + v.name
	}
	return "export " + v.name + "=" + shellQuoted(v.value)
}

// shellQuoted is one word to a shell, whatever is in it.
func shellQuoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
