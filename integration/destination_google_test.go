package integration

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/storage"
	"golang.org/x/oauth2"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/shared/exchange"
)

type gcsStore struct{ bucket *storage.BucketHandle }

func (s gcsStore) put(ctx context.Context, key string) error {
	w := s.bucket.Object(key).NewWriter(ctx)
	if _, err := io.WriteString(w, "x"); err != nil {
		return err
	}
	return w.Close()
}

func (s gcsStore) get(ctx context.Context, key string) error {
	r, err := s.bucket.Object(key).NewReader(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, r)
	return err
}

func (s gcsStore) list(ctx context.Context, prefix string) error {
	_, err := s.bucket.Objects(ctx, &storage.Query{Prefix: prefix}).Next()
	if errors.Is(err, iterator.Done) {
		return nil
	}
	return err
}

func (s gcsStore) remove(ctx context.Context, key string) error {
	return s.bucket.Object(key).Delete(ctx)
}

// withToken is an HTTP client that shows the vended token, as Google's clients take one.
func withToken(client *http.Client, cred *exchange.Credential) option.ClientOption {
	source := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: cred.Token.AccessToken.Reveal(), TokenType: "Bearer", Expiry: cred.Expires})
	return option.WithHTTPClient(&http.Client{Transport: &oauth2.Transport{Source: source, Base: client.Transport}})
}

func openGCS(t *testing.T, l *lab.Lab, cred *exchange.Credential) gcsStore {
	t.Helper()
	client, err := storage.NewClient(t.Context(), withToken(machine(t, l).Client(), cred))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	client.SetRetry(storage.WithPolicy(storage.RetryNever))
	return gcsStore{client.Bucket(cred.Place["bucket"])}
}

func TestGCSGrantsThroughGooglesClient(t *testing.T) {
	l, dir := startSample(t)
	for name, grant := range grants() {
		t.Run(name, func(t *testing.T) {
			all := openGCS(t, l, narrowed(t, l, "gcp", dir, "drop", exchange.Grant{}))
			for _, key := range []string{"from-operator/a", "from-operator/2026/a", "from-operator/2026/b"} {
				if err := all.put(t.Context(), key); err != nil {
					t.Fatal(err)
				}
			}
			cred := narrowed(t, l, "gcp", dir, "drop", grant)
			tryAll(t, bucketOperations(openGCS(t, l, cred), grant))
		})
	}
}

// TestABoundaryLeavesCloudStorageAlone: the account that the token stands for may also use a
// dataset and read secrets; the token may not.
func TestABoundaryLeavesCloudStorageAlone(t *testing.T) {
	l, dir := startSample(t)
	for _, runtime := range []string{"aws", "gcp"} {
		cred := narrowed(t, l, runtime, dir, "drop", exchange.Grant{})
		cred.Place["project"] = "acme-prod"
		elsewhere := openBigQuery(t, l, cred)
		tryAll(t, []operation{
			{"a dataset of the account's", func(ctx context.Context) error {
				_, err := elsewhere.Dataset("shared").Metadata(ctx)
				return err
			}, false},
		})
	}
}

type greeting struct {
	Greeting string `bigquery:"greeting"`
}

func TestBigQueryGrantsThroughGooglesClient(t *testing.T) {
	l, dir := startSample(t)
	first := openBigQuery(t, l, narrowed(t, l, "gcp", dir, "warehouse", exchange.Grant{}))
	if err := first.Dataset("shared").Table("seen").Create(t.Context(), &bigquery.TableMetadata{Schema: greetings()}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		grant                 exchange.Grant
		insert, create, reads bool
	}{
		"all":   {exchange.Grant{}, true, true, true},
		"write": {exchange.Grant{Access: exchange.Write}, true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			client := openBigQuery(t, l, narrowed(t, l, "gcp", dir, "warehouse", c.grant))
			seen := client.Dataset("shared").Table("seen")
			tryAll(t, []operation{
				{"stream rows in", func(ctx context.Context) error { return seen.Inserter().Put(ctx, greeting{"hello"}) }, c.insert},
				{"make a table", func(ctx context.Context) error {
					return client.Dataset("shared").Table("made_"+name).Create(ctx, &bigquery.TableMetadata{Schema: greetings()})
				}, c.create},
				{"read rows", func(ctx context.Context) error { return rows(seen.Read(ctx)) }, c.reads},
				{"query", func(ctx context.Context) error {
					return rowOf(client.Query("select * from `acme-prod.shared.seen`").Read(ctx))
				}, c.reads},
				{"read another dataset", func(ctx context.Context) error { return rows(client.Dataset("private").Table("t").Read(ctx)) }, false},
				{"read another project", func(ctx context.Context) error {
					return rows(client.DatasetInProject("globex-data", "inbox").Table("t").Read(ctx))
				}, false},
			})
		})
	}
}

func greetings() bigquery.Schema {
	return bigquery.Schema{{Name: "greeting", Type: bigquery.StringFieldType}}
}

func rows(it *bigquery.RowIterator) error { return rowOf(it, nil) }

func rowOf(rows *bigquery.RowIterator, err error) error {
	if err != nil {
		return err
	}
	var g greeting
	err = rows.Next(&g)
	if errors.Is(err, iterator.Done) {
		return nil
	}
	return err
}

func openBigQuery(t *testing.T, l *lab.Lab, cred *exchange.Credential) *bigquery.Client {
	t.Helper()
	client, err := bigquery.NewClient(t.Context(), cred.Place["project"], withToken(machine(t, l).Client(), cred))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// TestReadingBigQueryIsTheAccountsGrant: a client's query calls jobs.insert, which takes no scope
// that only reads. So a destination that is read has a token that queries, the dataset's binding
// says that it does no more, and a request that would narrow to reading is told so.
func TestReadingBigQueryIsTheAccountsGrant(t *testing.T) {
	w := sampleWorld(t)
	for i, b := range w.Google.Projects["acme-prod"].Datasets["shared"].Bindings {
		if b.Role == "roles/bigquery.dataEditor" {
			w.Google.Projects["acme-prod"].Datasets["shared"].Bindings[i].Role = "roles/bigquery.dataViewer"
		}
	}
	l, dir := labOf(t, w)
	_, err := deploy(t, l, "gcp", dir).Broker.Vend(t.Context(), exchange.Request{
		Caller: exchange.Console, Tenant: "acme", Destination: "warehouse", Grant: exchange.Grant{Access: exchange.Read},
	})
	if !errors.Is(err, exchange.ErrBadRequest) || !strings.Contains(err.Error(), "no scope of BigQuery's narrows a token to reading") {
		t.Errorf("narrowing to reading: %v", err)
	}
	change(t, dir, "acme", "dataset: shared\n    access: read_write", "dataset: shared\n    access: read")
	client := openBigQuery(t, l, narrowed(t, l, "gcp", dir, "warehouse", exchange.Grant{}))
	tryAll(t, []operation{
		{"query", func(ctx context.Context) error {
			_, err := client.Query("select 1").Read(ctx)
			return err
		}, true},
		{"make a table", func(ctx context.Context) error {
			return client.Dataset("shared").Table("made").Create(ctx, &bigquery.TableMetadata{Schema: greetings()})
		}, false},
	})
}
