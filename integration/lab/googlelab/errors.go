package googlelab

import (
	"encoding/json"
	"net/http"
)

// A fault is an error in the shape of Google's APIs.
// https://cloud.google.com/apis/design/errors
type fault struct {
	code       int
	status     string
	message    string
	reason     string // of the ErrorInfo
	permission string // in its metadata
	listed     string // the reason in errors[]; from the code where empty
}

func (f *fault) Error() string { return f.status + ": " + f.message }

func (f *fault) write(w http.ResponseWriter) {
	writeJSON(w, f.code, map[string]any{"error": f.body()})
}

func (f *fault) body() map[string]any {
	body := map[string]any{"code": f.code, "status": f.status, "message": f.message}
	if f.reason != "" {
		info := map[string]any{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": f.reason, "domain": "iam.googleapis.com"}
		if f.permission != "" {
			info["metadata"] = map[string]string{"permission": f.permission}
		}
		body["details"] = []any{info}
	}
	return body
}

// writeListed writes the fault as the APIs do that are older than google.rpc.Status: with
// errors[], whose reasons clients go by.
// https://cloud.google.com/bigquery/docs/error-messages
// https://cloud.google.com/storage/docs/json_api/v1/status-codes
func (f *fault) writeListed(w http.ResponseWriter, reasons map[int]string) {
	reason := f.listed
	if reason == "" {
		reason = reasons[f.code]
	}
	entry := map[string]any{"message": f.message, "domain": "global", "reason": reason}
	if f.code == http.StatusUnauthorized {
		entry["locationType"], entry["location"] = "header", "Authorization"
		w.Header().Set("WWW-Authenticate", `Bearer realm="https://accounts.google.com/", error="invalid_token"`)
	}
	body := f.body()
	body["errors"] = []any{entry}
	writeJSON(w, f.code, map[string]any{"error": body})
}

func denied(permission string) *fault {
	return &fault{code: http.StatusForbidden, status: "PERMISSION_DENIED", message: "Permission '" + permission + "' denied on resource (or it may not exist).", reason: "IAM_PERMISSION_DENIED", permission: permission}
}

func invalid(message string) *fault {
	return &fault{code: http.StatusBadRequest, status: "INVALID_ARGUMENT", message: message}
}

func missing(message string) *fault {
	return &fault{code: http.StatusNotFound, status: "NOT_FOUND", message: message}
}

func unauthenticated() *fault {
	return &fault{code: http.StatusUnauthorized, status: "UNAUTHENTICATED", message: "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."}
}

// An oauthFault is an error of the token endpoint.
// https://www.rfc-editor.org/rfc/rfc6749#section-5.2
type oauthFault struct {
	status      int
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func (f *oauthFault) Error() string { return f.Code + ": " + f.Description }

func oauth(code, description string) *oauthFault {
	return &oauthFault{http.StatusBadRequest, code, description}
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	w.Write(text)
}
