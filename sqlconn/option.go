package sqlconn

import (
	"database/sql"

	"github.com/streamconn/streamconn/connection"
)

// WithURL gives the database's URL in code. It hides every part that the secrets give.
func WithURL(url string) connection.Option { return connection.With(partURL, url) }

// WithURLEnv names the environment variable that has the URL, for when neither the options nor
// the section give one: "DATABASE_URL". A key of that name in the secrets, such as a mounted secret,
// goes before the environment.
func WithURLEnv(variable string) connection.Option { return connection.With("url_env", variable) }

// WithOpener replaces sql.Open, which is the place for wrappers of drivers, such as those for
// tracing: it gets the driver's registered name and the DSN, which holds the password.
// Functions cannot be compared: [Get] refuses this option, [Open] takes it.
func WithOpener(open func(driver, dsn string) (*sql.DB, error)) connection.Option {
	return connection.With("opener", open)
}
