// Realnames runs a command where the lab stands under the clouds' real names, on their real
// ports, with credentials that carnet vends in the sample's world. So a client needs no
// setting that it would not need outside, but for the lab's CA:
//
//	go run ./integration/foreign/realnames python3 client.py
//
// The command runs in a network namespace that has loopback and nothing else, with a hosts
// file of its own, which takes Linux and the right to make one. Where there is none, the
// program ends with status 3.
//
// With REALNAMES_RECORD, a file, every exchange with the lab is written there, one lab.Exchange
// of JSON a line.
//
// The command's environment has LAB_CA, a file of the CA's certificate, which is also set
// where the usual clients look for one; GCS_TOKEN and GCS_BUCKET, BQ_TOKEN, BQ_PROJECT and
// BQ_DATASET; CLOUD_TOKEN, which is nothing of carnet's, for cloud-platform; SNOWFLAKE_HOST, SNOWFLAKE_ACCOUNT, SNOWFLAKE_USER and SNOWFLAKE_TOKEN for a
// workload identity, SNOWFLAKE_KEY_USER and SNOWFLAKE_KEY, a file, for a key pair; and
// REDSHIFT_HOST, REDSHIFT_DATABASE, REDSHIFT_USER and REDSHIFT_PASSWORD.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/integration/lab/sample"
	"carnet.dev/carnet/integration/lab/world"
	"carnet.dev/carnet/shared/exchange"
)

// inside is set for the process within the namespace.
const inside = "CARNET_REALNAMES_INSIDE"

// noNamespace is the status where none can be made.
const noNamespace = 3

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: realnames COMMAND [ARGUMENT…]")
		os.Exit(2)
	}
	var err error
	if os.Getenv(inside) == "" {
		err = enter(os.Args)
	} else {
		err = run(context.Background(), os.Args[1:])
	}
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		os.Exit(ended.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "realnames:", err)
		os.Exit(1)
	}
}

// enter starts this program again in a namespace of its own.
func enter(args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	flags := "-rnm"
	if exec.Command("unshare", flags, "true").Run() != nil {
		if flags = "-nm"; exec.Command("unshare", flags, "true").Run() != nil {
			fmt.Fprintln(os.Stderr, "realnames: no network namespace can be made here")
			os.Exit(noNamespace)
		}
	}
	dir, err := os.MkdirTemp("", "carnet-realnames-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	hosts := filepath.Join(dir, "hosts")
	if err := os.WriteFile(hosts, []byte("127.0.0.1 localhost "+strings.Join(names(), " ")+"\n"), 0o644); err != nil {
		return err
	}
	script := `ip link set lo up && mount --bind "$0" /etc/hosts && exec "$@"`
	cmd := exec.Command("unshare", append([]string{flags, "bash", "-c", script, hosts, self}, args[1:]...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), inside+"="+dir)
	return cmd.Run()
}

// names are the hosts that the sample's world answers at, as clients ask for them.
func names() []string {
	return []string{
		"sts.googleapis.com", "iamcredentials.googleapis.com", "iam.googleapis.com", "storage.googleapis.com", "acme-drop.storage.googleapis.com",
		"bigquery.googleapis.com", "secretmanager.googleapis.com", "www.googleapis.com", "accounts.google.com",
		"sts.eu-west-1.amazonaws.com", "s3.eu-west-1.amazonaws.com", "acme-lake.s3.eu-west-1.amazonaws.com",
		"acme-prod.snowflakecomputing.com", "acme-dw.c1x2y3z4.eu-west-1.redshift.amazonaws.com",
	}
}

func run(ctx context.Context, command []string) error {
	w, err := sample.World()
	if err != nil {
		return err
	}
	l, err := lab.Start(w)
	if err != nil {
		return err
	}
	defer l.Close()
	for port, to := range map[string]string{"443": l.Addr(), "5439": l.Databases()} {
		if err := forward("127.0.0.1:"+port, to); err != nil {
			return err
		}
	}
	if name := os.Getenv("REALNAMES_RECORD"); name != "" {
		f, err := record(l, name)
		if err != nil {
			return err
		}
		defer f.Close()
	}
	env, err := environment(ctx, l, w, os.Getenv(inside))
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd.Run()
}

// mostKept is how much of a body is recorded.
const mostKept = 64 << 10

// record writes what the lab hears from now on to a file.
func record(l *lab.Lab, name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	lines := json.NewEncoder(f)
	l.Hear(func(e lab.Exchange) {
		mu.Lock()
		defer mu.Unlock()
		// An object's data says nothing; what describes it stands before it.
		e.Body, e.Answer = e.Body[:min(len(e.Body), mostKept)], e.Answer[:min(len(e.Answer), mostKept)]
		if err := lines.Encode(e); err != nil {
			fmt.Fprintln(os.Stderr, "realnames:", err)
		}
	})
	return f, nil
}

// forward takes connections at one address to another.
func forward(from, to string) error {
	listener, err := net.Listen("tcp", from)
	if err != nil {
		return err
	}
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			go join(in, to)
		}
	}()
	return nil
}

func join(in net.Conn, to string) {
	defer in.Close()
	out, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer out.Close()
	go func() {
		io.Copy(out, in)
		out.Close()
	}()
	io.Copy(in, out)
}

// trustEverywhere puts the CA in the place of the system's, for clients that ask no variable
// where it is. The mount ends with the namespace.
func trustEverywhere(ca string) error {
	const system = "/etc/ssl/certs/ca-certificates.crt"
	if _, err := os.Stat(system); err != nil {
		return nil
	}
	return syscall.Mount(ca, system, "", syscall.MS_BIND, "")
}

// environment is what the command finds.
func environment(ctx context.Context, l *lab.Lab, w *world.World, dir string) ([]string, error) {
	catalog, ca, key := filepath.Join(dir, "catalog"), filepath.Join(dir, "ca.pem"), filepath.Join(dir, "key.pem")
	secret := w.AWS.Accounts["111122223333"].Secrets["carnet/acme/ledger"].Value
	if err := errors.Join(sample.WriteCatalog(catalog), os.WriteFile(ca, l.CA.PEM(), 0o600), os.WriteFile(key, []byte(secret), 0o600)); err != nil {
		return nil, err
	}
	if err := trustEverywhere(ca); err != nil {
		return nil, err
	}
	plain, err := l.Google.Token("share@acme-prod.iam.gserviceaccount.com", "https://www.googleapis.com/auth/cloud-platform")
	if err != nil {
		return nil, err
	}
	vended, err := credentials(ctx, l, catalog)
	return append(vended,
		"LAB_CA="+ca, "REQUESTS_CA_BUNDLE="+ca, "SSL_CERT_FILE="+ca, "CURL_CA_BUNDLE="+ca, "NODE_EXTRA_CA_CERTS="+ca,
		"CLOUD_TOKEN="+plain, "SNOWFLAKE_KEY_USER=CARNET_KEYS", "SNOWFLAKE_KEY="+key), err
}

// credentials vends what the command is to use.
func credentials(ctx context.Context, l *lab.Lab, catalog string) ([]string, error) {
	d, err := l.Deploy(ctx, "aws", catalog, io.Discard)
	if err != nil {
		return nil, err
	}
	var env []string
	for _, destination := range []string{"drop", "warehouse", "frost", "marts"} {
		cred, err := d.Broker.Vend(ctx, exchange.Request{Caller: exchange.Console, Tenant: "acme", Destination: destination})
		if err != nil {
			return nil, fmt.Errorf("vending acme/%s: %w", destination, err)
		}
		env = append(env, variables(cred)...)
	}
	return env, nil
}

func variables(c *exchange.Credential) []string {
	switch c.Kind {
	case "gcs":
		return []string{"GCS_TOKEN=" + c.Token.AccessToken.Reveal(), "GCS_BUCKET=" + c.Place["bucket"]}
	case "bigquery":
		return []string{"BQ_TOKEN=" + c.Token.AccessToken.Reveal(), "BQ_PROJECT=" + c.Place["project"], "BQ_DATASET=" + c.Place["dataset"]}
	case "snowflake":
		return []string{"SNOWFLAKE_HOST=" + c.Place["host"], "SNOWFLAKE_ACCOUNT=" + c.Place["account"], "SNOWFLAKE_USER=" + c.Login.User, "SNOWFLAKE_TOKEN=" + c.Login.Token.Reveal()}
	case "redshift":
		return []string{"REDSHIFT_HOST=" + c.Place["host"], "REDSHIFT_DATABASE=" + c.Place["database"], "REDSHIFT_USER=" + c.Login.User, "REDSHIFT_PASSWORD=" + c.Login.Password.Reveal()}
	}
	return nil
}
