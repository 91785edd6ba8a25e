package awslab

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
)

// A Caller is whom a function URL of auth type AWS_IAM has verified.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
type Caller struct{ AccessKey, AccountID, UserARN, UserID string }

// InvokeURL verifies a request to a function's URL: its signature for the service lambda,
// and that the caller's own policies let it invoke the URL of that function.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
func (c *Cloud) InvokeURL(r *http.Request, body []byte, function string) (Caller, error) {
	sum := sha256.Sum256(body)
	s, f := c.authenticate(r, "lambda", hex.EncodeToString(sum[:]))
	if f != nil {
		return Caller{}, f
	}
	context := s.context()
	context["lambda:functionurlauthtype"] = []string{"AWS_IAM"}
	if !s.permits(request{action: "lambda:InvokeFunctionUrl", resource: function, context: context}).allows() {
		return Caller{}, accessDenied("User: %s is not authorized to perform: lambda:InvokeFunctionUrl on resource: %s", s.arn(), function)
	}
	return Caller{s.keyID, s.role.account, s.arn(), s.role.id + ":" + s.name}, nil
}
