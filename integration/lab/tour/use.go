package tour

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/shared/exchange"
)

// use writes with the credential and reads it back, under whichever of the
// prefixes the place has.
func (t *Tour) use(ctx context.Context, cred *exchange.Credential, prefixes ...string) error {
	machine, err := t.lab.Machine("")
	if err != nil {
		return err
	}
	var last error
	for _, p := range prefixes {
		if last = useAt(ctx, machine, cred, p); last == nil {
			return nil
		}
	}
	return last
}

const hello = "hello from a chain without keys"

func useAt(ctx context.Context, machine *lab.Machine, cred *exchange.Credential, prefix string) error {
	client := machine.Client()
	switch cred.Kind {
	case "redshift":
		return useRedshift(ctx, machine, cred, "greetings")
	case "snowflake":
		return useSnowflake(ctx, client, cred)
	case "s3":
		return useS3(ctx, client, cred, prefix+"hello.txt", hello)
	case "gcs":
		return useGCS(ctx, client, cred, prefix+"hello.txt", hello)
	case "bigquery":
		return useBigQuery(ctx, client, cred, hello)
	}
	return fmt.Errorf("the lab cannot use a credential of kind %s", cred.Kind)
}

func useS3(ctx context.Context, client *http.Client, cred *exchange.Credential, key, text string) error {
	s := cred.Session
	store := s3.New(s3.Options{
		Region: cred.Place["region"], HTTPClient: client, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(s.AccessKeyID, s.SecretAccessKey.Reveal(), s.SessionToken.Reveal()),
	})
	bucket := aws.String(cred.Place["bucket"])
	if _, err := store.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader(text)}); err != nil {
		return err
	}
	out, err := store.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: &key})
	if err != nil {
		return err
	}
	defer out.Body.Close()
	return same(out.Body, text)
}

func useGCS(ctx context.Context, client *http.Client, cred *exchange.Credential, name, text string) error {
	bucket := "https://storage.googleapis.com/%s/b/" + cred.Place["bucket"] + "/o"
	upload := fmt.Sprintf(bucket, "upload/storage/v1") + "?uploadType=media&name=" + url.QueryEscape(name)
	if _, err := withToken(ctx, client, cred, http.MethodPost, upload, "text/plain", text); err != nil {
		return err
	}
	download := fmt.Sprintf(bucket, "storage/v1") + "/" + url.PathEscape(name) + "?alt=media"
	got, err := withToken(ctx, client, cred, http.MethodGet, download, "", "")
	if err != nil {
		return err
	}
	return same(bytes.NewReader(got), text)
}

func useBigQuery(ctx context.Context, client *http.Client, cred *exchange.Credential, text string) error {
	tables := "https://bigquery.googleapis.com/bigquery/v2/projects/" + cred.Place["project"] + "/datasets/" + cred.Place["dataset"] + "/tables"
	table := map[string]any{
		"tableReference": map[string]string{"projectId": cred.Place["project"], "datasetId": cred.Place["dataset"], "tableId": "hello"},
		"schema":         map[string]any{"fields": []map[string]string{{"name": "greeting", "type": "STRING"}}},
	}
	if err := insert(ctx, client, cred, tables, table); err != nil && !strings.Contains(err.Error(), "409") {
		return err
	}
	rows := map[string]any{"rows": []map[string]any{{"json": map[string]string{"greeting": text}}}}
	if err := insert(ctx, client, cred, tables+"/hello/insertAll", rows); err != nil {
		return err
	}
	got, err := withToken(ctx, client, cred, http.MethodGet, tables+"/hello/data", "", "")
	if err == nil && !bytes.Contains(got, []byte(text)) {
		err = fmt.Errorf("the row that was written is not among those that were read")
	}
	return err
}

func insert(ctx context.Context, client *http.Client, cred *exchange.Credential, to string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	_, err = withToken(ctx, client, cred, http.MethodPost, to, "application/json", string(text))
	return err
}

// A useError is a data plane's refusal.
type useError struct {
	status int
	text   string
}

func (e *useError) Error() string { return fmt.Sprintf("%d: %s", e.status, e.text) }

func withToken(ctx context.Context, client *http.Client, cred *exchange.Credential, method, to, kind, body string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, to, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+cred.Token.AccessToken.Reveal())
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = &useError{resp.StatusCode, strings.TrimSpace(string(text))}
	}
	return text, err
}

func same(r io.Reader, want string) error {
	got, err := io.ReadAll(r)
	if err == nil && string(got) != want {
		err = fmt.Errorf("what was read is not what was written")
	}
	return err
}
