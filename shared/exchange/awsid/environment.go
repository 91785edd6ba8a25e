package awsid

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Environment gives the credentials that Lambda puts into a function's environment.
func Environment() aws.CredentialsProvider { return aws.CredentialsProviderFunc(fromEnvironment) }

func fromEnvironment(context.Context) (aws.Credentials, error) {
	creds := aws.Credentials{
		AccessKeyID:     os.Getenv("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
		SessionToken:    os.Getenv("AWS_SESSION_TOKEN"),
		Source:          "environment",
	}
	switch {
	case creds.AccessKeyID == "":
		return aws.Credentials{}, fmt.Errorf("the environment has no credentials of AWS: AWS_ACCESS_KEY_ID is not set")
	case creds.SessionToken == "":
		return aws.Credentials{}, fmt.Errorf("the environment has a long-lived key: carnet runs as a role, so AWS_SESSION_TOKEN must be set beside AWS_ACCESS_KEY_ID")
	}
	return creds, nil
}
