package awslab

import (
	"crypto/tls"
	"net"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"carnet.dev/carnet/integration/lab/world"
)

// dial logs in to the database dev as a role that may read and write greetings.
func dial(t *testing.T, c *Cloud, address string) *pgx.Conn {
	t.Helper()
	l := c.give(login{at: c.redshift[0], database: "dev", user: "IAMR:marts"}, time.Hour)
	config, err := pgx.ParseConfig("postgres://" + address + "/dev?sslmode=require")
	if err != nil {
		t.Fatal(err)
	}
	config.User, config.Password = l.user, l.password
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) })
	return conn
}

func warehouseAt(t *testing.T) (*Cloud, string) {
	t.Helper()
	all := []string{"IAMR:marts"}
	c, err := New(&world.AWS{Accounts: map[string]*world.Account{"111122223333": {Clusters: map[string]*world.Cluster{"dw": {
		Region: "eu-west-1", Databases: map[string]*world.Database{"dev": {Tables: map[string]*world.Table{"greetings": {Select: all, Insert: all}}}},
	}}}}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(nil)
	t.Cleanup(server.Close)
	t.Cleanup(func() { listener.Close() })
	go c.ServeDatabases(listener, &tls.Config{Certificates: server.TLS.Certificates})
	return c, listener.Addr().String()
}

// TestWhatDriversSayFirst, in both forms of the protocol and with numbers in both formats.
func TestWhatDriversSayFirst(t *testing.T) {
	c, address := warehouseAt(t)
	conn := dial(t, c, address)
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec} {
		var one int
		var text string
		if err := conn.QueryRow(t.Context(), "/* a tool */ select 1 as id", mode).Scan(&one); err != nil || one != 1 {
			t.Errorf("%v: select 1 as id: %d, %v", mode, one, err)
		}
		if err := conn.QueryRow(t.Context(), "select version();", mode).Scan(&text); err != nil || text != version {
			t.Errorf("%v: select version(): %q, %v", mode, text, err)
		}
		for statement, tag := range map[string]string{"BEGIN": "BEGIN", "begin transaction": "BEGIN", "COMMIT": "COMMIT", "start transaction isolation level serializable": "BEGIN", "ROLLBACK": "ROLLBACK", "end": "COMMIT"} {
			if got, err := conn.Exec(t.Context(), statement, mode); err != nil || got.String() != tag {
				t.Errorf("%v: %s: %s, %v", mode, statement, got, err)
			}
		}
	}
}

// TestTransactions: what is not committed nobody else sees, and what failed is not committed.
func TestTransactions(t *testing.T) {
	c, address := warehouseAt(t)
	one, other := dial(t, c, address), dial(t, c, address)
	sees := func(conn *pgx.Conn) int {
		rows, err := conn.Query(t.Context(), "select greeting from greetings", pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			t.Fatal(err)
		}
		all, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	do := func(statement string, status byte) {
		_, err := one.Exec(t.Context(), statement, pgx.QueryExecModeSimpleProtocol)
		if got := one.PgConn().TxStatus(); got != status || (err != nil) != (status == 'E') {
			t.Errorf("%s: status %c, %v", statement, got, err)
		}
	}
	do("begin", 'T')
	do("insert into greetings values ('a')", 'T')
	if mine, theirs := sees(one), sees(other); mine != 1 || theirs != 0 {
		t.Errorf("before the commit one sees %d rows and the other %d", mine, theirs)
	}
	do("commit", 'I')
	do("begin", 'T')
	do("insert into greetings values ('b')", 'T')
	do("select nonsense", 'E')
	do("select 1", 'E')
	if got, err := one.Exec(t.Context(), "commit", pgx.QueryExecModeSimpleProtocol); err != nil || got.String() != "ROLLBACK" {
		t.Errorf("the end of what failed: %s, %v", got, err)
	}
	do("begin", 'T')
	do("insert into greetings values ('c')", 'T')
	do("rollback", 'I')
	if mine, theirs := sees(one), sees(other); mine != 1 || theirs != 1 {
		t.Errorf("in the end one sees %d rows and the other %d", mine, theirs)
	}
}
