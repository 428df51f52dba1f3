package connection

import (
	"fmt"
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
	}
	return resolved, nil
}
