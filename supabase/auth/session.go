package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"time"
)

// Session is what a sign-in gives: an access token, which says who the user is until ExpiresAt,
// and a refresh token, which gets the next session ([Client.Refresh]). It is a value that nobody
// changes: a renewal gives another. Its tokens are the user: they are in no text that is made of
// it, with fmt, slog or JSON, however deep it lies in what is printed. [Session.MarshalSecret]
// gives it with them.
type Session struct {
	// ExpiresAt is when the access token stops being accepted, by the server's clock and never
	// later than the token itself says.
	ExpiresAt time.Time
	// TokenType is bearer.
	TokenType string
	// User is the user as the server saw them when it made the session; nil if that is not known.
	User *User
	// WeakPassword is why the password that was just accepted should be changed: length,
	// characters, pwned. Mostly nil.
	WeakPassword []string

	tokens hidden[tokens]
}

type tokens struct{ access, refresh, provider, providerRefresh string }

// NewSession makes a Session of its tokens, as they come from elsewhere: a cookie, a mobile client.
// The expiry is read from the access token, which is not verified here ([Client.Claims] does);
// a token that has none is an error. Without a refresh token the session cannot be renewed. Errors
// hold nothing of the tokens.
func NewSession(accessToken, refreshToken string) (*Session, error) {
	t, err := parseJWT(accessToken)
	if err != nil {
		return nil, err
	}
	expires := t.expiry()
	if expires.IsZero() {
		return nil, answerError("the access token does not say when it expires")
	}
	return &Session{
		ExpiresAt: expires,
		TokenType: "bearer",
		tokens:    hide(&tokens{access: accessToken, refresh: refreshToken}),
	}, nil
}

// AccessToken is the bearer of the user's requests; empty for a nil Session.
func (s *Session) AccessToken() string { return s.secrets().access }

// RefreshToken gets the next session, once; empty if there is none.
func (s *Session) RefreshToken() string { return s.secrets().refresh }

// ProviderToken is the access token of the OAuth provider by which the user signed in. It is in
// the session of that sign-in alone, and not in those that follow it.
func (s *Session) ProviderToken() string { return s.secrets().provider }

// ProviderRefreshToken is the provider's refresh token, where it gives one; see ProviderToken.
func (s *Session) ProviderRefreshToken() string { return s.secrets().providerRefresh }

func (s *Session) secrets() tokens {
	if s == nil {
		return tokens{}
	}
	return s.tokens.get()
}

// Expired tells whether the access token is past its time, or will be after margin.
func (s *Session) Expired(margin time.Duration) bool {
	return s == nil || !time.Now().Add(margin).Before(s.ExpiresAt)
}

// Clone is a copy that shares nothing that can be changed.
func (s *Session) Clone() *Session {
	if s == nil {
		return nil
	}
	n := *s
	n.WeakPassword = slices.Clone(s.WeakPassword)
	n.User = s.User.Clone()
	return &n
}

// Clone is a copy that shares nothing that can be changed.
func (u *User) Clone() *User {
	if u == nil {
		return nil
	}
	n := *u
	n.AppMetadata, n.UserMetadata = cloneObject(u.AppMetadata), cloneObject(u.UserMetadata)
	n.Factors = slices.Clone(u.Factors)
	n.Identities = slices.Clone(u.Identities)
	for i := range n.Identities {
		n.Identities[i].Data = cloneObject(n.Identities[i].Data)
	}
	return &n
}

func cloneObject(m map[string]any) map[string]any {
	m = maps.Clone(m)
	for k, v := range m {
		m[k] = cloneJSON(v)
	}
	return m
}

func cloneJSON(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return cloneObject(v)
	case []any:
		v = slices.Clone(v)
		for i := range v {
			v[i] = cloneJSON(v[i])
		}
		return v
	}
	return v
}

// wireSession is a session as the server writes it.
type wireSession struct {
	AccessToken          string        `json:"access_token"`
	TokenType            string        `json:"token_type,omitempty"`
	ExpiresIn            float64       `json:"expires_in,omitempty"`
	ExpiresAt            *numericDate  `json:"expires_at,omitempty"`
	RefreshToken         string        `json:"refresh_token,omitempty"`
	ProviderToken        string        `json:"provider_token,omitempty"`
	ProviderRefreshToken string        `json:"provider_refresh_token,omitempty"`
	User                 *User         `json:"user,omitempty"`
	WeakPassword         *weakPassword `json:"weak_password,omitempty"`
}

// UnmarshalJSON reads what the server answers, and what [Session.MarshalSecret] gives. Without
// expires_at, the session ends expires_in seconds from now. What [Session.MarshalJSON] gives, and
// what has no access token, is an error.
func (s *Session) UnmarshalJSON(data []byte) error {
	var w wireSession
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	switch w.AccessToken {
	case "":
		return answerError("a session without an access token")
	case redacted:
		return answerError("a session whose tokens are masked, as json.Marshal leaves them: store it by MarshalSecret")
	}
	if !isToken(w.AccessToken) || !isToken(w.RefreshToken) {
		return answerError("a session whose tokens have characters that no token has")
	}
	n := Session{
		TokenType: w.TokenType,
		User:      w.User,
		tokens: hide(&tokens{
			access: w.AccessToken, refresh: w.RefreshToken,
			provider: w.ProviderToken, providerRefresh: w.ProviderRefreshToken,
		}),
	}
	if w.WeakPassword != nil {
		n.WeakPassword = w.WeakPassword.Reasons
	}
	switch {
	case w.ExpiresAt != nil && *w.ExpiresAt > 0:
		n.ExpiresAt = w.ExpiresAt.time()
	case w.ExpiresIn > 0:
		n.ExpiresAt = time.Now().Add(time.Duration(min(w.ExpiresIn, math.MaxInt32) * float64(time.Second)))
	}
	if t, err := parseJWT(w.AccessToken); err == nil {
		if own := t.expiry(); !own.IsZero() && (n.ExpiresAt.IsZero() || own.Before(n.ExpiresAt)) {
			n.ExpiresAt = own
		}
	}
	if n.ExpiresAt.IsZero() {
		return answerError("a session that does not say when it expires")
	}
	*s = n
	return nil
}

// MarshalJSON masks the tokens: it is for logs and pages. UnmarshalJSON refuses what it gives.
func (s Session) MarshalJSON() ([]byte, error) {
	t := s.tokens.get()
	return json.Marshal(s.wire(tokens{mask(t.access), mask(t.refresh), mask(t.provider), mask(t.providerRefresh)}))
}

// MarshalSecret gives the session with its tokens, for a store: an encrypted cookie, a table of the
// server. The bytes are the user's credentials: whoever has them is the user. [ParseSession] reads
// them.
func (s *Session) MarshalSecret() ([]byte, error) {
	if s.AccessToken() == "" {
		return nil, fmt.Errorf("%w: a session without tokens to store", ErrInvalid)
	}
	return json.Marshal(s.wire(s.tokens.get()))
}

// ParseSession reads what [Session.MarshalSecret] gives. Its errors hold nothing of it.
func ParseSession(data []byte) (*Session, error) {
	s := new(Session)
	if err := json.Unmarshal(data, s); err != nil {
		if said, ok := errors.AsType[answerError](err); ok {
			return nil, said
		}
		return nil, answerError("no session: not the bytes that MarshalSecret gives")
	}
	return s, nil
}

func (s *Session) wire(t tokens) wireSession {
	w := wireSession{
		AccessToken: t.access, RefreshToken: t.refresh,
		ProviderToken: t.provider, ProviderRefreshToken: t.providerRefresh,
		TokenType: s.TokenType, User: s.User,
	}
	if !s.ExpiresAt.IsZero() {
		// Whole seconds, as the server writes them; never later than it is.
		at := numericDate(math.Floor(float64(s.ExpiresAt.UnixMilli()) / 1000))
		w.ExpiresAt = &at
	}
	if s.WeakPassword != nil {
		w.WeakPassword = &weakPassword{s.WeakPassword}
	}
	return w
}

// String tells whose session it is, and until when.
func (s Session) String() string {
	who := "an unknown user"
	if s.User != nil && s.User.ID != "" {
		who = "user " + s.User.ID
	}
	until := "no expiry"
	if !s.ExpiresAt.IsZero() {
		until = "until " + s.ExpiresAt.UTC().Format(time.RFC3339)
	}
	return "auth.Session(" + who + ", " + until + ")"
}

// Format is [Session.String], for every verb.
func (s Session) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// GoString is [Session.String].
func (s Session) GoString() string { return s.String() }

// LogValue is [Session.String].
func (s Session) LogValue() slog.Value { return slog.StringValue(s.String()) }
