package awslab

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// connectionTime bounds a connection to a database of the lab.
const connectionTime = 10 * time.Minute

// ServeDatabases speaks PostgreSQL's protocol to whoever connects, until the
// listener is closed. Redshift's databases are told apart by the host's name that
// TLS is asked for.
// https://www.postgresql.org/docs/current/protocol-flow.html
func (c *Cloud) ServeDatabases(l net.Listener, config *tls.Config) error {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		go c.connection(conn, config)
	}
}

func (c *Cloud) connection(conn net.Conn, config *tls.Config) {
	defer conn.Close()
	if conn.SetDeadline(time.Now().Add(connectionTime)) != nil {
		return
	}
	client, host, params, err := secured(conn, config)
	if err != nil {
		return
	}
	s, refused := c.greet(client, host, params)
	if refused != nil {
		say(client, refusal("FATAL", refused))
		return
	}
	s.serve(client)
}

// secured takes the connection through TLS to its startup message.
func secured(conn net.Conn, config *tls.Config) (*pgproto3.Backend, string, map[string]string, error) {
	b, host := pgproto3.NewBackend(conn, conn), ""
	for {
		m, err := b.ReceiveStartupMessage()
		if err != nil {
			return nil, "", nil, err
		}
		switch m := m.(type) {
		case *pgproto3.SSLRequest:
			if _, err := conn.Write([]byte{'S'}); err != nil {
				return nil, "", nil, err
			}
			secure := tls.Server(conn, config)
			if err := secure.Handshake(); err != nil {
				return nil, "", nil, err
			}
			host, conn = secure.ConnectionState().ServerName, secure
			b = pgproto3.NewBackend(conn, conn)
		case *pgproto3.GSSEncRequest:
			if _, err := conn.Write([]byte{'N'}); err != nil {
				return nil, "", nil, err
			}
		case *pgproto3.StartupMessage:
			if _, ok := conn.(*tls.Conn); !ok {
				say(b, refusal("FATAL", &sqlError{"28000", "the lab's databases take connections with SSL alone"}))
				return nil, "", nil, errors.New("no TLS")
			}
			return b, host, m.Parameters, nil
		default:
			return nil, "", nil, errors.New("not a startup message")
		}
	}
}

// greet asks for the password and checks it.
func (c *Cloud) greet(b *pgproto3.Backend, host string, params map[string]string) (*dbSession, *sqlError) {
	broken := &sqlError{"08P01", "no password came"}
	if b.SetAuthType(pgproto3.AuthTypeCleartextPassword) != nil || say(b, &pgproto3.AuthenticationCleartextPassword{}) != nil {
		return nil, broken
	}
	m, err := b.Receive()
	p, ok := m.(*pgproto3.PasswordMessage)
	if err != nil || !ok {
		return nil, broken
	}
	s, refused := c.logIn(host, params["user"], p.Password, params["database"])
	if refused != nil {
		return nil, refused
	}
	err = say(b, &pgproto3.AuthenticationOk{},
		&pgproto3.ParameterStatus{Name: "server_version", Value: "8.0.2"},
		&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"},
		&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"},
		&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 1}},
		&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if err != nil {
		return nil, broken
	}
	return s, nil
}

// serve answers statements in both forms of the protocol until the client leaves.
func (s *dbSession) serve(b *pgproto3.Backend) {
	var last extended
	skipping := false // after an error, until the client says Sync
	for {
		m, err := b.Receive()
		if err != nil {
			return
		}
		var answer []pgproto3.BackendMessage
		switch m := m.(type) {
		case *pgproto3.Terminate:
			return
		case *pgproto3.Query:
			answer = s.answer(m.String, true, nil)
			answer = append(answer, &pgproto3.ReadyForQuery{TxStatus: s.status()})
		case *pgproto3.Sync:
			skipping = false
			answer = []pgproto3.BackendMessage{&pgproto3.ReadyForQuery{TxStatus: s.status()}}
		default:
			if skipping {
				continue
			}
			answer = s.extended(m, &last)
		}
		for _, a := range answer {
			_, failed := a.(*pgproto3.ErrorResponse)
			skipping = skipping || failed
		}
		if _, simple := m.(*pgproto3.Query); simple {
			skipping = false
		}
		if say(b, answer...) != nil {
			return
		}
	}
}

// An extended is the statement that was parsed last, and the formats in which its columns are
// wanted.
type extended struct {
	statement string
	formats   []int16
}

func (s *dbSession) extended(m pgproto3.FrontendMessage, last *extended) []pgproto3.BackendMessage {
	switch m := m.(type) {
	case *pgproto3.Parse:
		*last = extended{statement: m.Query}
		return []pgproto3.BackendMessage{&pgproto3.ParseComplete{}}
	case *pgproto3.Bind:
		last.formats = m.ResultFormatCodes
		return []pgproto3.BackendMessage{&pgproto3.BindComplete{}}
	case *pgproto3.Close:
		return []pgproto3.BackendMessage{&pgproto3.CloseComplete{}}
	case *pgproto3.Describe:
		return s.describe(last.statement, m.ObjectType == 'S', last.formats)
	case *pgproto3.Execute:
		return s.answer(last.statement, false, last.formats)
	}
	return nil // Flush
}

// describe tells the columns of a statement without doing it.
func (s *dbSession) describe(statement string, prepared bool, formats []int16) []pgproto3.BackendMessage {
	var answer []pgproto3.BackendMessage
	if prepared {
		answer = append(answer, &pgproto3.ParameterDescription{})
	}
	if strings.HasPrefix(strings.ToLower(strings.TrimSpace(withoutComments(statement))), "select") {
		got, err := s.query(statement)
		if err != nil {
			return []pgproto3.BackendMessage{refusal("ERROR", err)}
		}
		return append(answer, got.described(formats))
	}
	return append(answer, &pgproto3.NoData{})
}

func (s *dbSession) answer(statement string, described bool, formats []int16) []pgproto3.BackendMessage {
	got, err := s.query(statement)
	if err != nil {
		return []pgproto3.BackendMessage{refusal("ERROR", err)}
	}
	if got.tag == "" {
		return []pgproto3.BackendMessage{&pgproto3.EmptyQueryResponse{}}
	}
	var answer []pgproto3.BackendMessage
	if described && got.columns != nil {
		answer = append(answer, got.described(formats))
	}
	for _, row := range got.rows {
		var values [][]byte
		for i, v := range row {
			values = append(values, got.value(v, formatOf(formats, i)))
		}
		answer = append(answer, &pgproto3.DataRow{Values: values})
	}
	return append(answer, &pgproto3.CommandComplete{CommandTag: []byte(got.tag)})
}

// The types of columns, by their OIDs.
const (
	typeText = 25
	typeInt4 = 23
)

func (g rowset) described(formats []int16) *pgproto3.RowDescription {
	d := new(pgproto3.RowDescription)
	for i, n := range g.columns {
		f := pgproto3.FieldDescription{Name: []byte(n), DataTypeOID: typeText, DataTypeSize: -1, TypeModifier: -1, Format: formatOf(formats, i)}
		if g.numbers {
			f.DataTypeOID, f.DataTypeSize = typeInt4, 4
		}
		d.Fields = append(d.Fields, f)
	}
	return d
}

// formatOf: none means text, and one is that of all columns.
func formatOf(formats []int16, column int) int16 {
	switch {
	case len(formats) == 1:
		return formats[0]
	case column < len(formats):
		return formats[column]
	}
	return pgproto3.TextFormat
}

// value is a column's; text is the same in both formats.
func (g rowset) value(text string, format int16) []byte {
	n, err := strconv.Atoi(text)
	if !g.numbers || format != pgproto3.BinaryFormat || err != nil {
		return []byte(text)
	}
	return binary.BigEndian.AppendUint32(nil, uint32(n))
}

func refusal(severity string, e *sqlError) *pgproto3.ErrorResponse {
	return &pgproto3.ErrorResponse{Severity: severity, SeverityUnlocalized: severity, Code: e.code, Message: e.message}
}

func say(b *pgproto3.Backend, messages ...pgproto3.BackendMessage) error {
	for _, m := range messages {
		b.Send(m)
	}
	return b.Flush()
}
