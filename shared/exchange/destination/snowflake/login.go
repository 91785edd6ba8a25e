package snowflake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"carnet.dev/carnet/shared/exchange"
)

// A login request is what every driver of Snowflake's begins with.
// https://github.com/snowflakedb/gosnowflake/blob/master/auth.go
type loginRequest struct {
	Data struct {
		App           string `json:"CLIENT_APP_ID"`
		Version       string `json:"CLIENT_APP_VERSION"`
		Account       string `json:"ACCOUNT_NAME"`
		User          string `json:"LOGIN_NAME,omitempty"`
		Authenticator string `json:"AUTHENTICATOR"`
		Provider      string `json:"PROVIDER,omitempty"`
		Token         string `json:"TOKEN"`
	} `json:"data"`
}

type loginAnswer struct {
	Success bool   `json:"success"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Data    struct {
		Token string `json:"token"`
	} `json:"data"`
}

const maxLoginAnswer = 1 << 20

// try logs in with what was minted, and out again. It is the one edge of a snowflake
// destination that no cloud crosses.
func (u linked) try(ctx context.Context, c *exchange.Credential) error {
	from := u.Secret // of a key pair: no identity is entered
	if u.Login != KeyPair {
		from = u.at.End.Principal()
	}
	edge := exchange.Edge{From: from, To: u.Account, Op: "snowflake.login"}
	var ask loginRequest
	ask.Data.App, ask.Data.Version = "carnet", "1"
	ask.Data.Account, ask.Data.User = accountName(u.Account), c.Login.User
	ask.Data.Authenticator, ask.Data.Provider, ask.Data.Token = c.Login.Authenticator, c.Login.Provider, c.Login.Token.Reveal()
	var answer loginAnswer
	if err := u.call(ctx, "/session/v1/login-request", "", ask, &answer); err != nil {
		return exchange.AtEdge(err, edge, c.Trail)
	}
	if !answer.Success {
		return &exchange.EdgeError{Edge: edge, Crossed: c.Trail, Reason: loginReason(answer.Code), Code: answer.Code, Err: errors.New(answer.Message)}
	}
	// What is not logged out ends by itself.
	_ = u.call(ctx, "/session?delete=true", answer.Data.Token, struct{}{}, new(loginAnswer))
	return nil
}

// loginReason: 390xxx and 394xxx are answers to a login; the rest is an account that is not
// well.
func loginReason(code string) exchange.Reason {
	if strings.HasPrefix(code, "390") || strings.HasPrefix(code, "394") || strings.HasPrefix(code, "395") {
		return exchange.Refused
	}
	return exchange.Unavailable
}

func (u linked) call(ctx context.Context, path, session string, ask, answer any) error {
	if u.at.HTTP == nil {
		return errors.New("this process has no way to the account")
	}
	text, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+u.host()+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	if session != "" {
		r.Header.Set("Authorization", fmt.Sprintf("Snowflake Token=%q", session))
	}
	resp, err := u.at.HTTP.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err = io.ReadAll(io.LimitReader(resp.Body, maxLoginAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || json.Unmarshal(text, answer) != nil {
		return fmt.Errorf("the account answers %s", resp.Status)
	}
	return nil
}
