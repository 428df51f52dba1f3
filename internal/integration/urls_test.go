//go:build linux

package integration_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/integration/servers"
	"github.com/streamconn/streamconn/secrets"
	"github.com/streamconn/streamconn/sqlconn"
)

// reaches fails the test unless the connection leads to the database, through the driver.
func reaches(t *testing.T, conn *sqlconn.Conn, d *servers.Database, dialect, driver string) {
	t.Helper()
	if err := connection.Ping(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	if got, err := conn.Dialect(t.Context()); err != nil || got != dialect {
		t.Errorf("dialect %q and %v, want %q", got, err, dialect)
	}
	if got, err := conn.Driver(t.Context()); err != nil || got != driver {
		t.Errorf("driver %q and %v, want %q", got, err, driver)
	}
	if d == nil {
		return
	}
	query := "select current_database()"
	if driver == "mysql" {
		query = "select database()"
	}
	if got, err := sqlconn.QueryOne[string](t.Context(), conn, query); err != nil || got != d.Name {
		t.Errorf("database %q and %v, want %q", got, err, d.Name)
	}
}

func TestURLsInTheStylesOfSQLAlchemyAndOfGo(t *testing.T) {
	t.Parallel()
	t.Run("Postgres", func(t *testing.T) {
		t.Parallel()
		d := servers.Postgres(t)
		for _, test := range []struct{ url, driver string }{
			{d.URL(), "pgx"},
			{d.URLAs("postgres"), "pgx"},
			{d.URLAs("postgresql+psycopg2"), "pgx"},
			{d.URLAs("postgresql+asyncpg"), "pgx"},
			{d.URLAs("postgresql+pgx"), "pgx"},
			{d.URLAs("postgresql+pq"), "postgres"},
			{fmt.Sprintf("host=%s port=%d user=%s password='%s' dbname=%s sslmode=disable", d.Host, d.Port, d.User, d.Password, d.Name), "pgx"},
		} {
			reaches(t, open(t, sqlconn.WithURL(test.url)), d, "postgresql", test.driver)
		}
	})
	t.Run("MariaDB", func(t *testing.T) {
		t.Parallel()
		d := servers.MariaDB(t)
		for _, test := range []struct{ url, dialect string }{
			{d.URL(), "mysql"},
			{d.URLAs("mysql+pymysql"), "mysql"},
			{d.URLAs("mysql+mysqldb"), "mysql"},
			{d.URLAs("mariadb+mariadbconnector"), "mariadb"},
			{fmt.Sprintf("%s:%s@tcp(%s)/%s?parseTime=true", d.User, d.Password, d.Addr(), d.Name), "mysql"},
		} {
			reaches(t, open(t, sqlconn.WithURL(test.url)), d, test.dialect, "mysql")
		}
	})
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "with space & sign.db")
		exec(t, open(t, sqlconn.WithURL("sqlite:///"+file)), "create table pets (name text)", "insert into pets values ('Rex')")
		for _, u := range []string{"sqlite:///" + file, "sqlite+pysqlite:///" + file, "file:" + filepath.Join(filepath.Dir(file), "with space %26 sign.db")} {
			conn := open(t, sqlconn.WithURL(u))
			reaches(t, conn, nil, "sqlite", "sqlite")
			if n := count(t, conn, "pets"); n != 1 {
				t.Errorf("%s: %d pets, want the one in the file", u, n)
			}
		}
		for _, u := range []string{"sqlite://", "sqlite:///:memory:", ":memory:"} {
			conn := open(t, sqlconn.WithURL(u))
			reaches(t, conn, nil, "sqlite", "sqlite")
			exec(t, conn, "create table pets (name text)") // each has its own
		}
	})
}

func TestPartsInsteadOfAURL(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b backend) {
		if b.shared == nil {
			conn := open(t, connection.With("dialect", "sqlite"), connection.With("database", filepath.Join(t.TempDir(), "pets.db")))
			reaches(t, conn, nil, "sqlite", "sqlite")
			return
		}
		d := b.shared(t)
		parts := []connection.Option{
			connection.With("dialect", b.dialect),
			connection.With("username", d.User),
			connection.With("password", d.Password),
			connection.With("host", d.Host),
			connection.With("port", d.Port),
			connection.With("database", d.Name),
		}
		if b.postgres() {
			parts = append(parts, connection.With("driver", b.driver), connection.With("query", map[string]any{"sslmode": "disable"}))
		}
		reaches(t, open(t, parts...), d, b.dialect, b.driver)
	})
}

func TestTheSectionOfASecretsFile(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b backend) {
		u, d := b.url(t)
		store := secrets.Of(map[string]any{"connections": map[string]any{"pets": map[string]any{"type": "sql", "url": u}}})
		reaches(t, open(t, connection.WithSecrets(store)), d, b.dialect, b.driver)

		if d == nil {
			return
		}
		// A part that is given in code overrides the section's URL, and no more than it says.
		other := b.shared(t)
		reaches(t, open(t, connection.WithSecrets(store), connection.With("database", other.Name)), other, b.dialect, b.driver)
	})
}

func TestRefusedLoginIsAnsweredAtOnceWithoutThePassword(t *testing.T) {
	t.Parallel()
	for _, b := range []backend{pgx, pq, mariadb} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			u, d := b.url(t)
			const wrong = "wr@ng:p/ss%20"
			conn := open(t, sqlconn.WithURL(u), connection.With("password", wrong))
			_, err := sqlconn.QueryOne[int](t.Context(), conn, "select 1")
			if err == nil {
				t.Fatal("the wrong password was accepted")
			}
			noPassword(t, err, wrong, d.Password)
			if retries := connection.Stats(conn).Retries; retries != 0 {
				t.Errorf("%d retries, want none: the password stays wrong", retries)
			}
		})
	}
}

func TestErrorsOfDriversDoNotShowThePassword(t *testing.T) {
	t.Parallel()
	for _, b := range []backend{pgx, pq, mariadb} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			u, d := b.url(t)
			port, err := servers.FreePort()
			if err != nil {
				t.Fatal(err)
			}
			for name, opts := range map[string][]connection.Option{
				"nobody listens":     {connection.With("port", port)},
				"no such host":       {connection.With("host", "no-such-host.invalid")},
				"no such database":   {connection.With("database", "no_such_database")},
				"unknown parameter":  {connection.With("query", map[string]any{"sslmode": "no-such-mode", "tls": "no-such-mode"})},
				"no certificates":    {connection.With("query", map[string]any{"sslmode": "require", "sslrootcert": "/nope.pem"})},
				"unusable parameter": {connection.With("query", map[string]any{"connect_timeout": "soon", "timeout": "soon"})},
			} {
				opts = append(opts, sqlconn.WithURL(u), connection.WithRetry(connection.Retry{Window: -1}))
				conn, err := sqlconn.Open(t.Context(), "pets", append(isolated(), opts...)...)
				if err == nil {
					err = connection.Ping(t.Context(), conn)
					_ = conn.Close()
				}
				if err == nil {
					t.Errorf("%s: no error", name)
				}
				noPassword(t, err, d.Password)
			}
		})
	}
}
