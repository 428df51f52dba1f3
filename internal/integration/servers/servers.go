//go:build linux

package servers

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// RequireVariable is the environment variable that turns skips into failures when it is "1".
const RequireVariable = "STREAMCONN_REQUIRE_SERVERS"

// startTimeout bounds how long a server may take until it answers. It is generous: it is spent
// only when something is broken.
const startTimeout = 3 * time.Minute

// Missing skips the test because a program is not installed, or fails it where servers are
// required. hint says how to install it.
func Missing(t TB, program, hint string) {
	t.Helper()
	if os.Getenv(RequireVariable) == "1" {
		t.Fatalf("%s is not installed and %s=1 requires it: %s", program, RequireVariable, hint)
	}
	t.Skipf("%s is not installed: %s", program, hint)
}

// find returns the path of a program, looked for in $PATH and then in the folders that match the
// patterns, of which the last in order wins: /usr/lib/postgresql/16 over 15.
func find(program string, patterns ...string) (string, bool) {
	if path, err := exec.LookPath(program); err == nil {
		return path, true
	}
	for _, pattern := range patterns {
		matches, err := filepath.Glob(filepath.Join(pattern, program))
		if err == nil && len(matches) > 0 {
			return matches[len(matches)-1], true
		}
	}
	return "", false
}

// FreePort returns a port of 127.0.0.1 on which nobody listens. It is one below the range from
// which the kernel takes the ports of outgoing connections, so that it is still free when a
// killed server starts again: clients dial it all the while, and one from that range would
// sometimes meet itself.
func FreePort() (int, error) {
	const lowest = 15000
	highest := 32000
	if data, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		if fields := strings.Fields(string(data)); len(fields) == 2 {
			if first, err := strconv.Atoi(fields[0]); err == nil && first > lowest+1000 {
				highest = first
			}
		}
	}
	for range 100 {
		port := lowest + rand.IntN(highest-lowest)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			return 0, err
		}
		return port, nil
	}
	return 0, errors.New("no free port on 127.0.0.1")
}

// tail returns the end of a log file, for messages.
func tail(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	const most = 4096
	return string(data[max(0, len(data)-most):])
}

// waitFor calls ready until it returns nil, the process ends, or the time is over.
func waitFor(p *process, ready func() error) error {
	late := time.NewTimer(startTimeout)
	defer late.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.done:
			return fmt.Errorf("it ended at once: %s\n%s", p.state, tail(p.log))
		case <-late.C:
			return fmt.Errorf("it does not answer after %v (%w):\n%s", startTimeout, err, tail(p.log))
		}
	}
}
