package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"unicode"
)

// OAuth is by whom the user signs in, and where they come back to.
type OAuth struct {
	// Provider is the provider's name at GoTrue: google, github, azure, linkedin_oidc, …
	Provider string
	// RedirectTo is the page to come back to, one of those that the project allows; the project's
	// own by default.
	RedirectTo string
	// Scopes are asked for besides the provider's default ones.
	Scopes []string
	// PKCE makes the user come back with a code for [Client.ExchangeCode]. Without it the session
	// is in the fragment of the address, which a server does not see.
	PKCE *PKCE
	// Query is added to the address, for the provider: prompt, access_type, hd, …
	Query url.Values
}

// OAuthURL is the address to send the user's browser to. It is made here, without a request, and
// nothing depends on ctx.
func (c *Client) OAuthURL(ctx context.Context, by OAuth) (string, error) {
	query, err := by.query()
	if err != nil {
		return "", err
	}
	base, err := c.key.Base(ctx)
	if err != nil {
		return "", err
	}
	return base + "/authorize?" + query.Encode(), nil
}

func (by OAuth) query() (url.Values, error) {
	if by.Provider == "" {
		return nil, fmt.Errorf("%w: OAuth needs a Provider", ErrInvalid)
	}
	q := url.Values{}
	maps.Copy(q, by.Query)
	ch := by.PKCE.body()
	for name, value := range map[string]string{
		"provider": by.Provider, "redirect_to": by.RedirectTo, "scopes": strings.Join(by.Scopes, " "),
		"code_challenge": ch.Challenge, "code_challenge_method": ch.Method,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q, nil
}

// LinkIdentityURL is the address to send the browser of the signed-in user to, to add an identity
// of a provider. The server is asked for it, since a browser does not bring the user's token.
func (c *Client) LinkIdentityURL(ctx context.Context, by OAuth) (string, error) {
	query, err := by.query()
	if err != nil {
		return "", err
	}
	query.Set("skip_http_redirect", "true")
	return c.url(ctx, asUser, request{method: http.MethodGet, path: "user/identities/authorize", query: query})
}

// url sends r and gives the address that is the answer.
func (c *Client) url(ctx context.Context, by as, r request) (string, error) {
	var to struct {
		URL string `json:"url"`
	}
	if err := c.send(ctx, by, r, &to); err != nil {
		return "", err
	}
	if to.URL == "" {
		return "", r.undecodable(answerError("no address"))
	}
	return to.URL, nil
}

// ExchangeCode gives the session for a code that a link or a provider brought back, and the PKCE
// that the flow began with. Another PKCE is the error bad_code_verifier, a code that is used or too
// old flow_state_not_found, [ErrNotFound].
func (c *Client) ExchangeCode(ctx context.Context, code string, p *PKCE) (*Session, error) {
	return c.token(ctx, asKey, "pkce", struct {
		Code     string `json:"auth_code"`
		Verifier string `json:"code_verifier"`
	}{code, p.Verifier()}, code, p.Verifier())
}

// IDToken is a token that a provider gave the user: by a native app's sign-in, One Tap, or Apple's.
type IDToken struct {
	Provider     string // google, apple, azure, facebook, kakao, or the issuer
	Token        string // the id_token
	AccessToken  string // of the same answer, where the id_token holds an at_hash
	Nonce        string // as it was before hashing, where the id_token holds one
	CaptchaToken string
}

// SignInWithIDToken signs in with a token of a provider.
func (c *Client) SignInWithIDToken(ctx context.Context, by IDToken) (*Session, error) {
	return c.idToken(ctx, asKey, by, false)
}

// LinkIDToken adds the identity that a token of a provider tells to the signed-in user, and gives
// a new session of theirs.
func (c *Client) LinkIDToken(ctx context.Context, by IDToken) (*Session, error) {
	return c.idToken(ctx, asUser, by, true)
}

func (c *Client) idToken(ctx context.Context, who as, by IDToken, link bool) (*Session, error) {
	return c.token(ctx, who, "id_token", struct {
		Provider    string   `json:"provider"`
		Token       string   `json:"id_token"`
		AccessToken string   `json:"access_token,omitempty"`
		Nonce       string   `json:"nonce,omitempty"`
		Link        bool     `json:"link_identity,omitempty"`
		Captcha     *captcha `json:"gotrue_meta_security,omitempty"`
	}{by.Provider, by.Token, by.AccessToken, by.Nonce, link, captchaOf(by.CaptchaToken)},
		by.Token, by.AccessToken, by.Nonce, by.CaptchaToken)
}

// Format tells the provider.
func (by IDToken) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "auth.IDToken(%s)", by.Provider)
}

// LogValue is what Format prints.
func (by IDToken) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(by)) }

// MarshalJSON is what Format prints.
func (by IDToken) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(by)) }

// SSO is whose single sign-on the user takes: that of Domain, or the provider itself.
type SSO struct {
	Domain       string
	ProviderID   string
	RedirectTo   string
	PKCE         *PKCE
	CaptchaToken string
}

// SSOURL asks for the address to send the user's browser to.
func (c *Client) SSOURL(ctx context.Context, by SSO) (string, error) {
	return c.url(ctx, asKey, request{
		method: http.MethodPost, path: "sso", secrets: []string{by.CaptchaToken},
		body: struct {
			Domain       string `json:"domain,omitempty"`
			ProviderID   string `json:"provider_id,omitempty"`
			RedirectTo   string `json:"redirect_to,omitempty"`
			SkipRedirect bool   `json:"skip_http_redirect"`
			challenge
			Captcha *captcha `json:"gotrue_meta_security,omitempty"`
		}{by.Domain, by.ProviderID, by.RedirectTo, true, by.PKCE.body(), captchaOf(by.CaptchaToken)},
	})
}

// SAMLMetadata is what an identity provider wants to know of the project, as XML.
func (c *Client) SAMLMetadata(ctx context.Context) ([]byte, error) {
	resp, err := c.do(ctx, asKey, request{method: http.MethodGet, path: "sso/saml/metadata"})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// Redirect is what the user's browser brings back from a link or a provider.
type Redirect struct {
	// Code is for [Client.ExchangeCode]: what a flow with a PKCE ends with.
	Code string
	// Session is what a flow without one ends with. It is in the fragment of the address, which
	// browsers do not send. Anybody can make such an address: it says who the user is, and not
	// that they asked for it.
	Session *Session
	// Type is what the link was for: recovery asks for a new password.
	Type VerifyType
	// Message is what the server has to say where there is neither.
	Message string
}

// Format tells what it is for, without the code.
func (r Redirect) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "auth.Redirect(%s)", r.Type) }

// LogValue is what Format prints.
func (r Redirect) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

// MarshalJSON is what Format prints.
func (r Redirect) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(r)) }

// ParseRedirect reads the address that the user came back with: its query and, where it has one,
// its fragment. What went wrong on the way is an [*Error] with the server's code: otp_expired,
// access_denied. Its text comes with the address, which anybody can make.
func ParseRedirect(to *url.URL) (*Redirect, error) {
	q := to.Query()
	if fragment, err := url.ParseQuery(to.Fragment); err == nil {
		for name, values := range fragment {
			if !q.Has(name) {
				q[name] = values
			}
		}
	}
	if q.Has("error") || q.Has("error_code") || q.Has("error_description") {
		return nil, redirectError(to, q)
	}
	r := &Redirect{Code: q.Get("code"), Type: VerifyType(q.Get("type")), Message: q.Get("message")}
	if access := q.Get("access_token"); access != "" {
		w := map[string]any{"access_token": access}
		for _, name := range []string{"refresh_token", "token_type", "provider_token", "provider_refresh_token"} {
			if q.Has(name) {
				w[name] = q.Get(name)
			}
		}
		for _, name := range []string{"expires_in", "expires_at"} {
			if n := json.Number(q.Get(name)); q.Has(name) {
				w[name] = n
			}
		}
		b, err := json.Marshal(w)
		if err != nil {
			return nil, answerError("no session in the address: an expiry that is no number")
		}
		if r.Session, err = ParseSession(b); err != nil {
			return nil, err
		}
	}
	if r.Code == "" && r.Session == nil && r.Message == "" {
		return nil, fmt.Errorf("%w: the address has no code, session or error of a sign-in", ErrInvalid)
	}
	return r, nil
}

// redirectError is the error that an address tells.
func redirectError(to *url.URL, q url.Values) *Error {
	e := &Error{Method: http.MethodGet, Path: to.EscapedPath(), Status: http.StatusBadRequest}
	switch q.Get("error") {
	case "access_denied", "unauthorized_client":
		e.Status = http.StatusForbidden
	case "server_error":
		e.Status = http.StatusInternalServerError
	case "temporarily_unavailable":
		e.Status = http.StatusServiceUnavailable
	}
	for _, code := range []string{q.Get("error_code"), q.Get("error")} {
		word := strings.TrimFunc(code, func(r rune) bool { return r >= '0' && r <= '9' }) // older servers send the status
		if e.Code == "" && word != "" && len(code) <= 64 && !strings.ContainsFunc(code, func(r rune) bool {
			return r != '_' && r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
		}) {
			e.Code = code
		}
	}
	text := strings.Join(strings.FieldsFunc(q.Get("error_description"), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	if len(text) > 512 {
		text = strings.ToValidUTF8(text[:512], "") + "…"
	}
	e.Message = text
	return e
}
