package awslab

import "regexp"

// A transaction of a session: what it has inserted counts for others once it is committed.
type transaction struct {
	failed   bool // until it ends, nothing is done
	inserted [][2]string
}

// transact begins a transaction or ends it, if the statement does. Most drivers begin one
// before whatever they are asked for.
// https://docs.aws.amazon.com/redshift/latest/dg/r_BEGIN.html
func (s *dbSession) transact(lower string) (got rowset, ok bool) {
	switch {
	case regexp.MustCompile(`^(begin|start transaction)( work| transaction)?( isolation level [a-z ]+| read (only|write))*$`).MatchString(lower):
		if s.begun == nil {
			s.begun = new(transaction)
		}
		return rowset{tag: "BEGIN"}, true
	case regexp.MustCompile(`^(commit|end)( work| transaction)?$`).MatchString(lower):
		if s.begun != nil && s.begun.failed {
			s.begun = nil
			return rowset{tag: "ROLLBACK"}, true
		}
		s.commit()
		return rowset{tag: "COMMIT"}, true
	case regexp.MustCompile(`^(rollback|abort)( work| transaction)?$`).MatchString(lower):
		s.begun = nil
		return rowset{tag: "ROLLBACK"}, true
	}
	return rowset{}, false
}

func (s *dbSession) commit() {
	s.database.mu.Lock()
	defer s.database.mu.Unlock()
	for _, one := range s.pending() {
		s.database.rows[one[0]] = append(s.database.rows[one[0]], one[1])
	}
	s.begun = nil
}

// pending are the rows that the session alone sees.
func (s *dbSession) pending() [][2]string {
	if s.begun == nil {
		return nil
	}
	return s.begun.inserted
}

// status is what ReadyForQuery says of the transaction.
// https://www.postgresql.org/docs/current/protocol-message-formats.html
func (s *dbSession) status() byte {
	switch {
	case s.begun == nil:
		return 'I'
	case s.begun.failed:
		return 'E'
	}
	return 'T'
}
