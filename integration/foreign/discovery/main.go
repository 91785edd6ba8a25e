// Discovery holds what the lab's Google hears and says against Google's own descriptions of
// its APIs: every request and answer of the tour, and of whatever clients a file has recorded.
// A method must be one that is described, and each parameter, field and type as described.
// Then it calls each method that worked once more with a token of each scope, and holds
// whether the scope was enough against the list in the description.
//
//	go run ./integration/foreign/discovery FOLDER [RECORDING…]
//
// FOLDER has the documents (storage.v1.json …) as google-api-python-client ships them. A
// recording has one lab.Exchange of JSON a line.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/integration/lab/tour"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: discovery FOLDER [RECORDING…]")
		os.Exit(2)
	}
	j := &judge{seen: map[string]lab.Exchange{}}
	err := j.read(os.Args[1])
	if err == nil {
		err = j.tour(context.Background())
	}
	for _, name := range os.Args[2:] {
		if err == nil {
			err = j.recording(name)
		}
	}
	if err == nil {
		err = j.scopes()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "discovery:", err)
		os.Exit(1)
	}
	fmt.Printf("judge: discovery documents %s: %d cases, %d disagreements (%d methods seen, %d exchanges of other APIs)\n",
		j.revisions(), j.cases, j.disagreements, len(j.seen), j.others)
}

// documents are those of the lab's services, by host.
var documents = map[string]string{
	"storage.googleapis.com": "storage.v1", "bigquery.googleapis.com": "bigquery.v2", "sts.googleapis.com": "sts.v1", "iamcredentials.googleapis.com": "iamcredentials.v1",
	"iam.googleapis.com": "iam.v1", "secretmanager.googleapis.com": "secretmanager.v1",
}

type judge struct {
	documents     map[string]*document    // by host
	seen          map[string]lab.Exchange // one that worked, by the method's id
	mu            sync.Mutex
	cases         int
	disagreements int
	others        int // not of the described APIs: the XML API, batches, parts of an upload
}

func (j *judge) read(folder string) error {
	j.documents = map[string]*document{}
	for host, name := range documents {
		d, err := readDocument(folder + "/" + name + ".json")
		if err != nil {
			return err
		}
		j.documents[host] = d
	}
	return nil
}

func (j *judge) revisions() string {
	var list []string
	for _, d := range j.documents {
		list = append(list, d.Name+" "+d.Revision)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// tour walks all chains and refusals, and listens.
func (j *judge) tour(ctx context.Context) error {
	t, err := tour.New(io.Discard)
	if err != nil {
		return err
	}
	defer t.Close()
	t.Lab().Hear(j.exchange)
	return t.Walk(ctx, func(tour.Row) {})
}

func (j *judge) recording(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewReader(f)
	for dec := json.NewDecoder(lines); ; {
		var e lab.Exchange
		switch err := dec.Decode(&e); err {
		case nil:
			j.exchange(e)
		case io.EOF:
			return nil
		default:
			return fmt.Errorf("%s: %w", name, err)
		}
	}
}

// disagree prints the same text for the same fault, so that it can be accepted by it.
func (j *judge) disagree(m *method, format string, args ...any) {
	j.disagreements++
	fmt.Printf("disagreement: discovery: %s: %s\n", m.ID, fmt.Sprintf(format, args...))
}
