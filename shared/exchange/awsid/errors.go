package awsid

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"carnet.dev/carnet/shared/exchange"
)

// Failed makes an EdgeError of what a call gave. STS says with status 400 that it
// throttles, so the code decides and the status only helps.
func Failed(err error, edge exchange.Edge, crossed exchange.Trail) error {
	var said *callError
	if !errors.As(err, &said) {
		return exchange.AtEdge(err, edge, crossed)
	}
	edge.RequestID = said.requestID
	return &exchange.EdgeError{
		Edge: edge, Crossed: crossed, Reason: reason(said.code, said.status),
		Code: said.code, Status: said.status, RetryAfter: said.retryAfter, Err: errors.New(said.message),
	}
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
