//go:build linux

package servers

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	_ "github.com/jackc/pgx/v5/stdlib" // for the administrator's connections
)

// where Debian keeps PostgreSQL's server programs, which are not in $PATH.
const postgresPattern = "/usr/lib/postgresql/*/bin"

var postgres = &engine{
	name:   "postgres",
	scheme: "postgresql",
	query:  url.Values{"sslmode": {"disable"}},
	users:  []string{"postgres"},
	polite: syscall.SIGINT, // "fast": breaks connections off; SIGTERM would wait for them
	driver: "pgx",
	dsn: func(port int, user, database string) string {
		return fmt.Sprintf("host=%s port=%d user=%s password='%s' dbname=%s sslmode=disable connect_timeout=60", host, port, user, password, database)
	},
	home:   "postgres",
	create: `CREATE DATABASE %s OWNER ` + username,
	drop:   `DROP DATABASE %s WITH (FORCE)`,
	count: `SELECT count(*) FROM pg_stat_activity
		WHERE backend_type = 'client backend' AND usename = '` + username + `' AND datname = $1`,
	program: func() (string, bool) { return find("postgres", postgresPattern) },
	hint:    "Debian's package is postgresql",
	setup: func(s *server) error {
		initdb, ok := find("initdb", filepath.Dir(s.program))
		if !ok {
			return fmt.Errorf("initdb is not beside %s", s.program)
		}
		secret := filepath.Join(s.dir, "password")
		if err := os.WriteFile(secret, []byte(password+"\n"), 0o644); err != nil {
			return err
		}
		data := filepath.Join(s.dir, "data")
		if err := s.account.run(
			initdb, "--pgdata", data, "--username", admin, "--pwfile", secret,
			"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync",
		); err != nil {
			return err
		}
		// A server that runs alone, reading SQL from a file descriptor, makes the tests' user.
		return s.account.runInput(
			fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'\n", username, password),
			s.program, "--single", "-D", data, "postgres",
		)
	},
	args: func(s *server) []string {
		return []string{
			"-D", filepath.Join(s.dir, "data"),
			"-F", // no fsync: the machine is not what fails here
			"-h", host,
			"-p", strconv.Itoa(s.port),
			"-c", "unix_socket_directories=",
			"-c", "max_connections=200",
			"-c", "timezone=UTC",
			"-c", "log_min_messages=fatal",
		}
	},
}

// Postgres returns a new database on the PostgreSQL server that the tests of the binary share.
func Postgres(t TB) *Database {
	t.Helper()
	return common(t, postgres)
}

// StartPostgres starts a PostgreSQL server for this test alone.
func StartPostgres(t TB) *Database {
	t.Helper()
	return own(t, postgres)
}
