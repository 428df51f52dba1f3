package rest

import (
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"
)

// redacted stands where a secret was.
const redacted = "REDACTED"

// shortest is the length from which a value is looked for in texts. Shorter ones are found in any
// text by chance; name=value pairs are masked however short.
const shortest = 5

// maxSearched bounds, in bytes, how much of a server's text is searched for secrets.
const maxSearched = 256 << 10

// secretNames are the parameters, in addresses and forms, whose values are credentials.
var secretNames = [...]string{
	"access_token", "apikey", "api_key", "api-key", "auth_code", "authorization", "client_secret", "code",
	"code_verifier", "email_otp", "hashed_token", "id_token", "jwt", "key", "nonce", "otp", "pass", "passwd",
	"password", "provider_refresh_token", "provider_token", "pwd", "refresh_token", "secret", "sig", "signature",
	"token", "token_hash", "x-signature",
}

func isSecretName(name string) bool {
	return len(name) <= len("provider_refresh_token") && slices.Contains(secretNames[:], strings.ToLower(name))
}

// secrets are the values of one request that no text may hold. It is made where there is something
// to tell, not for each request.
type secrets struct {
	values []string // longest first, so that none is masked in part by another
}

func newSecrets(values ...string) *secrets {
	s := &secrets{}
	for _, v := range values {
		s.add(v)
	}
	slices.SortStableFunc(s.values, func(a, b string) int { return len(b) - len(a) })
	s.values = slices.Compact(s.values)
	return s
}

// add takes value in each form in which it may come back.
func (s *secrets) add(value string) {
	if len(value) < shortest {
		return
	}
	s.values = append(s.values, value)
	for _, form := range []string{url.QueryEscape(value), url.PathEscape(value), jsonEscaped(value), quoted.Replace(value)} {
		if form != value {
			s.values = append(s.values, form)
		}
	}
}

// quoted escapes as other languages' JSON does, which leaves <, > and & alone.
var quoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

func jsonEscaped(value string) string {
	b, err := json.Marshal(value)
	if err != nil || len(b) < 2 {
		return value
	}
	return string(b[1 : len(b)-1])
}

// querySecrets are the values of a query's parameters with secret names.
func querySecrets(query string) []string {
	if query == "" {
		return nil
	}
	var found []string
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if n, err := url.QueryUnescape(name); err == nil {
			name = n
		}
		if !isSecretName(name) {
			continue
		}
		if lower := strings.ToLower(name); (lower == "code" || lower == "key") && strings.Contains(value, ".") {
			continue // a filter on a column; such a name alone makes no credential
		}
		found = append(found, value)
		if v, err := url.QueryUnescape(value); err == nil {
			value = v
			found = append(found, v)
		}
		// A filter on a column of that name: eq.VALUE.
		if _, operand, ok := strings.Cut(value, "."); ok {
			found = append(found, operand)
		}
	}
	return found
}

// mask takes secrets out of text: the values known, and whatever looks like a token, a secret key,
// or a parameter with a secret name.
func (s *secrets) mask(text string) string {
	for _, v := range s.values {
		if strings.Contains(text, v) {
			text = strings.ReplaceAll(text, v, redacted)
		}
	}
	return maskShapes(text)
}

// text is mask, on one line and cut.
func (s *secrets) text(text string) string {
	if text == "" {
		return ""
	}
	// Far more than is kept is searched, so that nothing is cut in two where it would show.
	if len(text) > maxSearched {
		text = strings.ToValidUTF8(text[:maxSearched], "")
	}
	return oneLine(s.mask(text))
}

// maskShapes masks, without knowing any value: JSON web tokens, keys that begin with sb_, what
// follows Bearer and Basic, the user of an address, and name=value and "name":"value" with a secret name.
func maskShapes(text string) string {
	if text == "" {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		if n, keep := secretAt(text, i); n > 0 {
			b.WriteString(text[i : i+keep])
			b.WriteString(redacted)
			i += n
			continue
		}
		b.WriteByte(text[i])
		i++
	}
	return b.String()
}

// secretAt tells how many bytes at i are a secret with what introduces it, and how many of these
// are the introduction; 0: none begins here.
func secretAt(text string, i int) (n, keep int) {
	rest := text[i:]
	if i > 0 && isNameByte(text[i-1]) && isNameByte(text[i]) {
		return 0, 0 // within a word
	}
	switch {
	case strings.HasPrefix(rest, "eyJ"):
		// A header and a payload make a token, whole or cut.
		token := span(rest, func(c byte) bool { return isNameByte(c) || c == '.' })
		if strings.Contains(rest[:token], ".") && token >= 20 {
			return token, 0
		}
	case strings.HasPrefix(rest, "sb_secret_"), strings.HasPrefix(rest, "sb_publishable_"), strings.HasPrefix(rest, "sb_temp_"):
		prefix := strings.IndexByte(rest[3:], '_') + 4
		if key := span(rest[prefix:], isTokenByte); key > 0 {
			return prefix + key, prefix
		}
	case strings.HasPrefix(rest, "://"):
		authority := rest[3:]
		if end := strings.IndexAny(authority, "/?# \t\r\n\"'<>"); end >= 0 {
			authority = authority[:end]
		}
		if at := strings.LastIndexByte(authority, '@'); at > 0 {
			return 3 + at, 3
		}
	}
	if !isNameByte(text[i]) {
		return 0, 0
	}
	name := span(rest, isNameByte)
	word, after := rest[:name], rest[name:]
	if strings.EqualFold(word, "Bearer") || strings.EqualFold(word, "Basic") {
		if value := span(strings.TrimLeft(after, " "), isTokenByte); strings.HasPrefix(after, " ") && value >= 8 {
			blanks := len(after) - len(strings.TrimLeft(after, " "))
			return name + blanks + value, name + blanks
		}
		return 0, 0
	}
	if !isSecretName(word) {
		return 0, 0
	}
	switch {
	case strings.HasPrefix(after, "="), strings.HasPrefix(after, "%3D"), strings.HasPrefix(after, "%3d"):
		sep := 1
		if after[0] == '%' {
			sep = 3
		}
		value := span(after[sep:], func(c byte) bool { return c > ' ' && !strings.ContainsRune("&\"'<>,;)#", rune(c)) })
		if value > 0 {
			return name + sep + value, name + sep
		}
	case strings.HasPrefix(after, `"`):
		sep := 1 + span(after[1:], func(c byte) bool { return c == ':' || c == ' ' || c == '\t' || c == '\n' || c == '\r' })
		if !strings.Contains(after[:sep], ":") || !strings.HasPrefix(after[sep:], `"`) {
			return 0, 0
		}
		sep++
		value := 0
		for value < len(after)-sep && after[sep+value] != '"' {
			if after[sep+value] == '\\' {
				value++
			}
			value++
		}
		value = min(value, len(after)-sep)
		if word == "code" {
			return 0, 0 // in JSON that is an error's
		}
		if value > 0 {
			return name + sep + value, name + sep
		}
	}
	return 0, 0
}

func span(text string, in func(byte) bool) int {
	n := 0
	for n < len(text) && in(text[n]) {
		n++
	}
	return n
}

func isNameByte(c byte) bool {
	return c == '_' || c == '-' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

func isTokenByte(c byte) bool {
	return isNameByte(c) || c == '.' || c == '+' || c == '/' || c == '=' || c == '~'
}

// clean makes err fit to be wrapped: without the address that net/http puts around it, and without
// credentials that a transport, a proxy or a token's source may have put into its text.
func (s *secrets) clean(err error) error {
	for {
		wrapped, ok := err.(*url.Error) //nolint:errorlint // the outermost; what is deeper is masked as text
		if !ok || wrapped.Err == nil {
			break
		}
		err = wrapped.Err
	}
	text := err.Error()
	var inner *url.Error
	if errors.As(err, &inner) && inner.URL != "" { // the values of a query are rows' values, or worse
		address, _, _ := strings.Cut(inner.URL, "?")
		text = strings.ReplaceAll(text, inner.URL, address)
	}
	masked := s.mask(text)
	if inner == nil && masked == text {
		return err
	}
	return &opaqueError{text: masked, err: &err}
}

// opaqueError is an error with another text. What it was can be asked, and not got: its fields hold
// what the text must not.
type opaqueError struct {
	text string
	err  *error // a pointer, so that printing the struct does not follow it
}

func (o *opaqueError) Error() string        { return o.text }
func (o *opaqueError) Is(target error) bool { return errors.Is(*o.err, target) }
func (o *opaqueError) Timeout() bool        { return isTimeout(*o.err) }
func (o *opaqueError) Temporary() bool      { return o.Timeout() }

func isTimeout(err error) bool {
	if errors.Is(err, ErrTimeout) {
		return true
	}
	netErr, ok := errors.AsType[net.Error](err)
	return ok && netErr.Timeout()
}
