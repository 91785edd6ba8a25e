package integration

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/integration/lab/awslab"
)

// TestARealPostgreSQLTakesTheLogin puts PostgreSQL behind the lab's Redshift API: each
// password that the API gives becomes a role's, valid until it expires. The driver,
// the connection string and the server are then all real. scripts/test-peers installs
// PostgreSQL and names its programs in CARNET_POSTGRES.
func TestARealPostgreSQLTakesTheLogin(t *testing.T) {
	programs := os.Getenv("CARNET_POSTGRES")
	if programs == "" {
		t.Skip("CARNET_POSTGRES names no PostgreSQL: scripts/test-peers installs one and runs this test")
	}
	l, dir := startSample(t)
	const host = "acme-dw.c1x2y3z4.eu-west-1.redshift.amazonaws.com"
	pg := startPostgres(t, programs, l, host)
	l.AWS.OnLogin(func(login awslab.Login) {
		pg.run(t, fmt.Sprintf(`DO $$BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = %[1]s) THEN CREATE ROLE %[2]s LOGIN; END IF; END$$`, quote(login.User), pgx.Identifier{login.User}.Sanitize()))
		pg.run(t, fmt.Sprintf(`ALTER ROLE %s PASSWORD %s VALID UNTIL %s`, pgx.Identifier{login.User}.Sanitize(), quote(login.Password), quote(login.Expires.Format(time.RFC3339))))
	})
	pg.run(t, "CREATE DATABASE analytics")
	cred, err := vend(t.Context(), deploy(t, l, "aws", dir), "acme", "marts")
	if err != nil {
		t.Fatal(err)
	}
	dsn := cred.Login.DSN.Reveal()
	conn, err := pg.open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	var user string
	var encrypted bool
	if err := conn.QueryRow(t.Context(), "select current_user, (select ssl from pg_stat_ssl where pid = pg_backend_pid())").Scan(&user, &encrypted); err != nil || user != "IAMR:acme-marts" || !encrypted {
		t.Errorf("logged in as %q, TLS %v, %v", user, encrypted, err)
	}
	conn.Close(t.Context())
	if conn, err := pg.open(t.Context(), strings.Replace(dsn, "sslmode=verify-full", "sslmode=disable", 1)); err == nil {
		conn.Close(t.Context())
		t.Error("logged in without TLS")
	}
	pg.run(t, `ALTER ROLE "IAMR:acme-marts" VALID UNTIL '2020-01-01'`)
	if conn, err := pg.open(t.Context(), dsn); err == nil {
		conn.Close(t.Context())
		t.Error("logged in with a password after its time")
	}
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

type postgres struct {
	lab     *lab.Lab
	host    string
	address string
	admin   *pgx.Conn
}

func startPostgres(t *testing.T, programs string, l *lab.Lab, host string) *postgres {
	t.Helper()
	dir, err := os.MkdirTemp("", "carnet-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cert, key, err := l.CA.Leaf(host)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"server.crt": cert, "server.key": key, "hba": []byte("local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	give(t, dir)
	data := filepath.Join(dir, "data")
	if out, err := asNobody(t.Context(), filepath.Join(programs, "initdb"), "-D", data, "-U", "admin", "-A", "trust").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v: %s", err, out)
	}
	_, port, err := net.SplitHostPort(freePort(t))
	if err != nil {
		t.Fatal(err)
	}
	server := asNobody(context.Background(), filepath.Join(programs, "postgres"), "-D", data, "-p", port, "-k", dir,
		"-c", "listen_addresses=127.0.0.1", "-c", "ssl=on", "-c", "ssl_cert_file="+filepath.Join(dir, "server.crt"),
		"-c", "ssl_key_file="+filepath.Join(dir, "server.key"), "-c", "hba_file="+filepath.Join(dir, "hba"), "-c", "fsync=off")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Process.Signal(syscall.SIGINT); server.Wait() })
	pg := &postgres{lab: l, host: host, address: net.JoinHostPort("127.0.0.1", port)}
	for range 100 {
		if pg.admin, err = pgx.Connect(t.Context(), "host="+dir+" port="+port+" user=admin dbname=postgres"); err == nil {
			t.Cleanup(func() { pg.admin.Close(context.Background()) })
			return pg
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("PostgreSQL did not come up within 10 s: %v", err)
	return nil
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// nobody: PostgreSQL does not run as root.
const nobody = 65534

func asNobody(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = "/"
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return cmd
}

func give(t *testing.T, dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, nobody, nobody)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (p *postgres) run(t *testing.T, statement string) {
	t.Helper()
	if _, err := p.admin.Exec(t.Context(), statement); err != nil {
		t.Errorf("PostgreSQL: %v", err)
	}
}

// open logs in with the connection string as it was vended; only the name is looked up
// elsewhere.
func (p *postgres) open(ctx context.Context, dsn string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	config.DialFunc = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, p.address)
	}
	if config.TLSConfig != nil {
		config.TLSConfig = &tls.Config{RootCAs: p.lab.CA.ClientConfig().RootCAs, ServerName: p.host, MinVersion: tls.VersionTLS12}
	}
	return pgx.ConnectConfig(ctx, config)
}
