package client_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"carnet.dev/carnet/client"
)

func TestWhatIsDelivered(t *testing.T) {
	const secret = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:carnet/acme/lake-AbCdEf"
	for name, x := range map[string]struct{ text, wrong string }{
		"a credential":                  {login(t, time.Hour), ""},
		"one that has ended":            {login(t, -time.Minute), "ended at"},
		"one in another format":         {`{"Version":1,"AccessKeyId":"ASIAX","SecretAccessKey":"w","SessionToken":"t","Expiration":"2100-01-01T00:00:00Z"}`, "format: json"},
		"a secret that has no text yet": {"", "format: json"},
	} {
		body, err := json.Marshal(map[string]string{"ARN": secret, "Name": "carnet/acme/lake", "SecretString": x.text})
		if err != nil {
			t.Fatal(err)
		}
		store := &deployment{answers: []answer{{status: http.StatusOK, body: string(body)}}}
		from := secretsmanager.New(secretsmanager.Options{Region: "eu-west-1", HTTPClient: &http.Client{Transport: store}, Credentials: aws.AnonymousCredentials{}})
		cred, err := client.Delivered(t.Context(), from, secret)
		switch {
		case x.wrong == "" && (err != nil || cred.Login == nil || cred.Login.Password.Reveal() != "w"):
			t.Errorf("%s: %v", name, err)
		case x.wrong != "" && (err == nil || !strings.Contains(err.Error(), x.wrong)):
			t.Errorf("%s: %v", name, err)
		}
	}
}
