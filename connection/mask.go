package connection

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/streamconn/streamconn/internal/redact"
	"github.com/streamconn/streamconn/secrets"
)

// masked keeps the secrets among the parameters out of what a factory, or a client, says of a failure:
// net/url and many drivers quote what they were given. Not everything that was asked for is a
// secret, and the name of a host or a file has to stay readable: see secretTexts.
func (p *Params) masked(err error) error {
	if err == nil {
		return nil
	}
	var found []string
	for _, a := range p.answers() {
		found = secretTexts(found, isSecretName(a.name) || isSecretName(a.key) || p.isSecret(a.name), a.value)
	}
	return redact.Error(err, found...)
}

var secretName = regexp.MustCompile(`(?i)passw|pwd|secret|token|credential|key$`)

func isSecretName(name string) bool { return secretName.MatchString(name) }

// secretTexts appends the secrets in a parameter's value: the value itself, if it is one by its name or type
// or by how the factory asked for it, and the passwords in URLs and DSNs.
func secretTexts(dst []string, isSecret bool, value any) []string {
	switch v := value.(type) {
	case secrets.Secret:
		return append(dst, v.Reveal())
	case map[string]any:
		for key, inside := range v {
			dst = secretTexts(dst, isSecret || isSecretName(key), inside)
		}
		return dst
	case []any:
		for _, inside := range v {
			dst = secretTexts(dst, isSecret, inside)
		}
		return dst
	}
	s, problem := text(value)
	if problem != "" {
		return dst
	}
	if isSecret {
		dst = append(dst, s)
	}
	return append(dst, passwordsIn(s)...)
}

var secretSetting = regexp.MustCompile(`(?i)(?:passw\w*|pwd|\w*secret|\w*token|\w*key)\s*=\s*(?:'([^']*)'|([^\s&;']+))`)

// passwordsIn finds them in scheme://user:password@host, user:password@host and password=….
func passwordsIn(s string) []string {
	var all []string
	_, rest, isURL := strings.Cut(s, "://")
	if !isURL {
		rest = s
	}
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		if _, password, ok := strings.Cut(rest[:at], ":"); ok {
			all = append(all, password)
			if i := strings.IndexAny(password, "/?#"); i > 0 { // where net/url takes the rest for a port
				all = append(all, password[:i])
			}
		}
	}
	for _, m := range secretSetting.FindAllStringSubmatch(s, -1) {
		all = append(all, m[1]+m[2])
	}
	for _, password := range slices.Clone(all) {
		for _, unescape := range []func(string) (string, error){url.PathUnescape, url.QueryUnescape} {
			if plain, err := unescape(password); err == nil {
				all = append(all, plain)
			}
		}
	}
	return all
}
