//go:build linux

package servers

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/go-sql-driver/mysql"
)

var mariadb = &engine{
	name:   "mariadb",
	scheme: "mysql",
	users:  []string{"mysql"},
	polite: syscall.SIGTERM,
	driver: "mysql",
	dsn: func(port int, user, database string) string {
		c := mysql.NewConfig()
		c.Net, c.Addr = "tcp", net.JoinHostPort(host, strconv.Itoa(port))
		c.User, c.Passwd, c.DBName = user, password, database
		c.ParseTime = true
		return c.FormatDSN()
	},
	home:    "mysql",
	create:  "CREATE DATABASE %s",
	drop:    "DROP DATABASE %s",
	count:   "SELECT count(*) FROM information_schema.processlist WHERE user = '" + username + "' AND db = ?",
	program: func() (string, bool) { return find("mariadbd", "/usr/sbin", "/usr/libexec", "/usr/local/libexec") },
	hint:    "Debian's package is mariadb-server",
	setup: func(s *server) error {
		install, ok := find("mariadb-install-db", filepath.Dir(s.program))
		if !ok {
			return fmt.Errorf("mariadb-install-db is neither in $PATH nor beside %s", s.program)
		}
		// Read at every start, hence "if not exists".
		accounts := fmt.Sprintf(`CREATE USER IF NOT EXISTS '%[1]s'@'%[3]s' IDENTIFIED BY '%[4]s';
GRANT ALL ON *.* TO '%[1]s'@'%[3]s' WITH GRANT OPTION;
CREATE USER IF NOT EXISTS '%[2]s'@'%[3]s' IDENTIFIED BY '%[4]s';
GRANT ALL ON *.* TO '%[2]s'@'%[3]s';
`, admin, username, host, password)
		if err := os.WriteFile(filepath.Join(s.dir, "accounts.sql"), []byte(accounts), 0o644); err != nil {
			return err
		}
		return s.account.run(
			install, "--no-defaults", "--datadir="+filepath.Join(s.dir, "data"),
			"--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve",
		)
	},
	args: func(s *server) []string {
		return []string{
			"--no-defaults",
			"--datadir=" + filepath.Join(s.dir, "data"),
			"--tmpdir=" + s.dir,
			"--socket=" + filepath.Join(s.dir, "socket"),
			"--pid-file=" + filepath.Join(s.dir, "pid"),
			"--init-file=" + filepath.Join(s.dir, "accounts.sql"),
			"--bind-address=" + host,
			"--port=" + strconv.Itoa(s.port),
			"--skip-name-resolve",
			"--character-set-server=utf8mb4",
			"--default-time-zone=+00:00",
			"--max-connections=200",
			"--innodb-buffer-pool-size=32M",
			"--innodb-log-file-size=8M",
			"--innodb-flush-log-at-trx-commit=2", // the machine is not what fails here
		}
	},
}

// MariaDB returns a new database on the MariaDB server that the tests of the binary share.
func MariaDB(t TB) *Database {
	t.Helper()
	return common(t, mariadb)
}

// StartMariaDB starts a MariaDB server for this test alone.
func StartMariaDB(t TB) *Database {
	t.Helper()
	return own(t, mariadb)
}
