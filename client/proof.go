package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// A Proof adds to a request what shows who asks.
type Proof func(ctx context.Context, r *http.Request, body []byte) error

// SigV4 signs requests for a function URL of auth type AWS_IAM: the iam door on AWS.
func SigV4(credentials aws.CredentialsProvider, region string) Proof {
	signer := v4.NewSigner()
	return func(ctx context.Context, r *http.Request, body []byte) error {
		creds, err := credentials.Retrieve(ctx)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		return signer.SignHTTP(ctx, creds, r, hex.EncodeToString(sum[:]), "lambda", region, time.Now())
	}
}

// Token shows a JSON Web Token that a source gives: a Google ID token, or that of an OIDC
// issuer which the operator lists. It is the token door, on either cloud.
func Token(source func(context.Context) (string, error)) Proof {
	return func(ctx context.Context, r *http.Request, _ []byte) error {
		token, err := source(ctx)
		if err == nil {
			r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(token))
		}
		return err
	}
}

// CloudRun shows the caller's token twice: to the platform, whose check removes its
// signature, and to carnet, which wants it whole. It is the iam door on Google Cloud.
func CloudRun(platform, own func(context.Context) (string, error)) Proof {
	show := Token(own)
	return func(ctx context.Context, r *http.Request, body []byte) error {
		token, err := platform(ctx)
		if err != nil {
			return err
		}
		r.Header.Set("X-Serverless-Authorization", "Bearer "+strings.TrimSpace(token))
		return show(ctx, r, body)
	}
}

// File gives the token that stands in a file, read anew each time: a projected service
// account token is replaced while the pod runs.
func File(path string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		text, err := os.ReadFile(path)
		if err == nil && len(text) == 0 {
			err = fmt.Errorf("%s is empty", path)
		}
		return string(text), err
	}
}
