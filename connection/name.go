package connection

import (
	"fmt"
	"strconv"
	"strings"
)

// resolveName turns "env:VAR" into the value of $VAR. It is done first, and once: secrets,
// sharing and errors know only the name that comes out.
func resolveName(name string, environ func(string) (string, bool)) (string, error) {
	variable, indirect := strings.CutPrefix(name, "env:")
	if !indirect {
		if name == "" {
			return "", fmt.Errorf("a connection needs a name, the NAME of [connections.NAME]")
		}
		return name, nil
	}
	resolved, ok := environ(variable)
	switch {
	case !ok:
		return "", fmt.Errorf("the connection's name is to come from the environment variable %s, which is not set", variable)
	case resolved == "":
		return "", fmt.Errorf("the connection's name is to come from the environment variable %s, which is empty", variable)
	case strings.TrimSpace(resolved) != resolved:
		return "", fmt.Errorf("the connection's name is to come from the environment variable %s, which has white space around it: take it off", variable)
	}
	return resolved, nil
}

// quoted is a name as TOML writes it, with quotes where TOML needs them.
func quoted(name string) string {
	for _, r := range name {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '_', r == '-':
		default:
			return strconv.Quote(name)
		}
	}
	return name
}
