// Package platform finds the credentials that a long-running process has on AWS: on EKS,
// ECS and EC2. It stands apart from awsid since a Lambda needs its environment alone, and
// would only be larger for what is here.
package platform

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"carnet.dev/carnet/shared/exchange/awsid"
)

// Credentials returns what the platform gives to this process, in the SDK's own order:
// the environment, a projected token (IRSA on EKS), the container endpoint (EKS Pod
// Identity, ECS), the instance's metadata (EC2). The SDK's config package would read
// profiles and SSO as well, with the risk of being somebody else than the platform says.
func Credentials(region string, client *http.Client) (aws.CredentialsProvider, error) {
	switch {
	case os.Getenv("AWS_ACCESS_KEY_ID") != "":
		return awsid.Environment(), nil
	case os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE") != "":
		return projected(region, client, os.Getenv("AWS_ROLE_ARN"), os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE"))
	case os.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI") != "":
		return container(client, os.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI"))
	case os.Getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") != "":
		return container(client, "http://169.254.170.2"+os.Getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"))
	}
	return aws.NewCredentialsCache(ec2rolecreds.New(func(o *ec2rolecreds.Options) {
		o.Client = imds.New(imds.Options{HTTPClient: client})
	})), nil
}

func projected(region string, client *http.Client, role, file string) (aws.CredentialsProvider, error) {
	if role == "" {
		return nil, fmt.Errorf("AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not: annotate the service account with eks.amazonaws.com/role-arn")
	}
	return aws.NewCredentialsCache(stscreds.NewWebIdentityRoleProvider(
		sts.New(sts.Options{Region: region, HTTPClient: client, Credentials: aws.AnonymousCredentials{}}), role, stscreds.IdentityTokenFile(file))), nil
}

func container(client *http.Client, endpoint string) (aws.CredentialsProvider, error) {
	if err := allowedContainerEndpoint(endpoint); err != nil {
		return nil, err
	}
	return aws.NewCredentialsCache(endpointcreds.New(endpoint, func(o *endpointcreds.Options) {
		o.HTTPClient = client
		o.AuthorizationToken = os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN")
		if file := os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); file != "" {
			o.AuthorizationTokenProvider = tokenFile(file)
		}
	})), nil
}

// allowedContainerEndpoint holds what the SDKs hold: plain HTTP only to ECS, to
// EKS, or to loopback.
func allowedContainerEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil {
		return fmt.Errorf("AWS_CONTAINER_CREDENTIALS_FULL_URI is no URL: %w", err)
	}
	host, ip := u.Hostname(), net.ParseIP(u.Hostname())
	switch {
	case u.Scheme == "https", host == "localhost", ip != nil && ip.IsLoopback():
		return nil
	case host == "169.254.170.2", host == "169.254.170.23", host == "fd00:ec2::23":
		return nil
	}
	return fmt.Errorf("AWS_CONTAINER_CREDENTIALS_FULL_URI points at %s: use https, or the container endpoint of ECS or EKS", u.Host)
}

type tokenFile string

func (f tokenFile) GetToken() (string, error) {
	text, err := os.ReadFile(string(f))
	return string(text), err
}
