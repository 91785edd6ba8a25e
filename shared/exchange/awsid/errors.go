package awsid

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"carnet.dev/carnet/shared/exchange"
)

// Failed makes an EdgeError of what an SDK client gave. STS says with status 400 that
// it throttles, so the code decides and the status only helps.
func Failed(err error, edge exchange.Edge, crossed exchange.Trail) error {
	e := &exchange.EdgeError{Edge: edge, Crossed: crossed, Reason: exchange.Unavailable, Err: err}
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		e.Status = answer.HTTPStatusCode()
		e.Edge.RequestID = answer.ServiceRequestID()
		if answer.Response != nil && answer.Response.Response != nil {
			e.RetryAfter = retryAfter(answer.Response.Header)
		}
	}
	var own *callError
	if errors.As(err, &own) {
		e.Status, e.Code, e.RetryAfter, e.Edge.RequestID = own.status, own.code, own.retryAfter, own.requestID
		e.Reason, e.Err = reason(own.code, own.status), errors.New(own.message)
		return e
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return exchange.AtEdge(err, e.Edge, crossed)
	}
	e.Code, e.Err = api.ErrorCode(), errors.New(api.ErrorMessage())
	e.Reason = reason(e.Code, e.Status)
	return e
}

func reason(code string, status int) exchange.Reason {
	switch code {
	case "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException",
		"RequestLimitExceeded", "TooManyRequestsException", "SlowDown":
		return exchange.Throttled
	case "IDPCommunicationError", "InternalFailure", "InternalError", "ServiceUnavailable":
		return exchange.Unavailable
	}
	if status >= 500 {
		return exchange.Unavailable
	}
	return exchange.Refused
}

func retryAfter(h http.Header) time.Duration {
	n, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(n) * time.Second
}
