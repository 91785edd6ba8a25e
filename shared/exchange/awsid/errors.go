package awsid

import (
	"errors"
	"net/http"
	"strings"

	"carnet.dev/carnet/shared/exchange"
)

// Failed makes an EdgeError of what a call gave. STS says with status 400 that it
// throttles, so the code decides and the status only helps.
func Failed(err error, edge exchange.Edge, crossed exchange.Trail) error {
	var no *callError
	if !errors.As(err, &no) {
		return exchange.AtEdge(err, edge, crossed)
	}
	edge.RequestID = no.requestID
	return &exchange.EdgeError{
		Edge: edge, Crossed: crossed, Reason: reason(no.code, no.status),
		Code: no.code, Status: no.status, RetryAfter: no.retryAfter, Err: errors.New(no.message),
	}
}

// spent tells of a session that has ended before it should have. Sessions that are taken back
// by a policy are denied what they ask, with words that no other party's policy is behind.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func spent(err error) bool {
	var edge *exchange.EdgeError
	if !errors.As(err, &edge) {
		return false
	}
	switch edge.Code {
	case "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException":
		return true
	case "AccessDenied", "AccessDeniedException":
		return strings.HasSuffix(edge.Err.Error(), "with an explicit deny in an identity-based policy")
	}
	return false
}

// reason reads a code. Those of a throttle are the SDK's list.
// https://github.com/aws/aws-sdk-go-v2/blob/main/aws/retry/standard.go
func reason(code string, status int) exchange.Reason {
	switch code {
	case "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException",
		"RequestLimitExceeded", "TooManyRequestsException", "SlowDown", "PriorRequestNotComplete", "BandwidthLimitExceeded",
		"LimitExceededException", "ProvisionedThroughputExceededException", "TransactionInProgressException", "EC2ThrottledException":
		return exchange.Throttled
	case "IDPCommunicationError", "InternalFailure", "InternalError", "ServiceUnavailable", "RequestTimeout", "RequestTimeoutException":
		return exchange.Unavailable
	}
	switch {
	case status == http.StatusTooManyRequests:
		return exchange.Throttled
	case status >= http.StatusInternalServerError, status == http.StatusRequestTimeout:
		return exchange.Unavailable
	}
	return exchange.Refused
}
