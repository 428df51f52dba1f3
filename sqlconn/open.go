package sqlconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync/atomic"

	"github.com/streamconn/streamconn/connection"
)

// Connect makes the *sql.DB. It is a [connection.Factory], for [connection.Register]; [Get] and
// [Open] use it. Its parameters are those of Streamlit's SQLConnection:
//
//   - url, as SQLAlchemy or as Go's drivers write it: sqlite:///pets.db,
//     postgresql+psycopg2://user:password@host/database, user:password@tcp(host:3306)/database;
//   - or parts: dialect, driver, username, password, host, port, database, and the table query;
//   - url_env, the name of an environment variable to take the url from where neither the
//     options nor the secrets give one;
//   - the settings of create_engine_kwargs, in a table of that name or beside the others.
//
// A url speaks for every part at its own level (options, secrets) and hides all parts of lower
// levels, the credentials too; a part at the same or a higher level overrides the url's.
//
// It does not dial. The driver has to be imported by the program; the error names the import if it is not.
func Connect(ctx context.Context, p *connection.Params) (*sql.DB, error) {
	t, err := readTarget(p)
	if err != nil {
		return nil, err
	}
	settings, err := readEngine(p)
	if err != nil {
		return nil, err
	}
	hideLowerAddress(p, settings.connectArgs)
	if t, err = t.withConnectArgs(settings.connectArgs); err != nil {
		return nil, err
	}
	opener, err := readOpener(p)
	if err != nil {
		return nil, err
	}
	for _, why := range settings.ignored {
		p.Logger().Warn("an engine setting has no effect here", "setting", why)
	}
	name, err := pickDriver(t, sql.Drivers())
	if err != nil {
		return nil, err
	}
	e := newEngine(t, name, settings, p.Logger())
	dsn, err := e.dsn(t, name)
	if err != nil {
		return nil, e.masked(err)
	}
	if opener == nil {
		opener = e.open
	}
	db, err := opener(name, dsn)
	if err != nil {
		return nil, e.masked(err)
	}
	if d, ok := recognise(reflect.TypeOf(db.Driver())); ok {
		e.keepsPromise = d.keepsPromise
	}
	settings.apply(db, t.inMemory())
	if t.inMemory() {
		if n := settings.maxOpen(); n > 0 {
			db.SetMaxOpenConns(n + 1) // the anchor's
		}
		if err := anchor(ctx, p, db); err != nil {
			_ = db.Close()
			return nil, e.masked(err)
		}
	}
	engines.Store(db, e)
	p.OnClose(func() error {
		engines.Delete(db)
		return nil
	})
	return db, nil
}

// readTarget collects the url and the parts with the levels that they come from.
func readTarget(p *connection.Params) (target, error) {
	var given []levelled
	add := func(name string, env ...string) {
		if value, source, ok := p.Lookup(name, env...); ok {
			given = append(given, levelled{name: name, value: value, level: int(source), where: source.String()})
		}
	}
	variable, err := p.StringOr("url_env", "")
	if err != nil {
		return target{}, err
	}
	var urlEnv []string
	if variable != "" {
		urlEnv = append(urlEnv, variable)
	}
	add(partURL, urlEnv...)
	for _, part := range []string{partDialect, partDriver, partUsername, partPassword, partHost, partPort, partDatabase, partQuery} {
		add(part)
	}
	t, err := mergeParts(given)
	parts, isMissing := errors.AsType[*missingPartsError](err)
	switch {
	case errors.Is(err, errNoTarget):
		_, missing := p.String(partURL, urlEnv...)
		err = errors.Join(err, missing)
	case isMissing:
		err = whereLooked(p, err, parts.parts...)
	}
	return t, err
}

// whereLooked adds to the error of missing parts where each was looked for, and whether a key
// there looks like a slip.
func whereLooked(p *connection.Params, err error, parts ...string) error {
	errs := []error{err}
	for _, part := range parts {
		if _, missing := p.String(part); missing != nil {
			errs = append(errs, missing)
		}
	}
	return errors.Join(errs...)
}

// hideLowerAddress takes out of connect_args what says where the database is and as whom, if they
// come from a lower level than the url: a url hides such parts wherever they stand.
func hideLowerAddress(p *connection.Params, args map[string]any) {
	_, url, _ := p.Lookup(partURL)
	_, level, _ := p.Lookup("create_engine_kwargs")
	if _, beside, ok := p.Lookup("connect_args"); ok {
		level = beside
	}
	if level >= url {
		return
	}
	for _, key := range []string{
		"host", "hostaddr", "port", "unix_socket", "user", "username", "password", "passwd", "passfile",
		"dbname", "database", "db", "service", "servicefile",
	} {
		delete(args, key)
	}
}

// readEngine collects the settings of create_engine_kwargs; those beside the others go before those in the table.
func readEngine(p *connection.Params) (engineSettings, error) {
	table, err := p.Table("create_engine_kwargs")
	if err != nil {
		return engineSettings{}, err
	}
	for _, key := range engineKeys {
		if v, _, ok := p.Lookup(key); ok {
			table[key] = v
		}
	}
	return parseEngine(table)
}

// newEngine is the engine of a database that is about to be opened.
func newEngine(t target, driverName string, s engineSettings, log *slog.Logger) *engine {
	e := &engine{
		driver: driverName, dialect: t.dialect, style: styleOf(t.dialect, driverName), secrets: t.secrets,
		isolation: s.sessionIsolation(t.dialect), autocommit: s.autocommit, prePing: s.prePing,
	}
	if s.echo {
		e.echo = log
	}
	if n := s.maxOpen(); n > 0 {
		e.slots, e.timeout = make(chan struct{}, n), s.poolTimeout
	}
	return e
}

// memories numbers the in-memory databases of the process.
var memories atomic.Uint64

func (e *engine) dsn(t target, driverName string) (string, error) {
	if t.inMemory() {
		return t.memoryDSN(fmt.Sprintf("streamconn-%d", memories.Add(1)), driverName)
	}
	return t.dsn(driverName)
}

// anchor holds one connection to an in-memory database, which would be gone with its last one.
func anchor(ctx context.Context, p *connection.Params, db *sql.DB) error {
	p.Ephemeral()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	p.OnClose(conn.Close)
	return nil
}

// readOpener is WithOpener's function, or nil.
func readOpener(p *connection.Params) (func(driver, dsn string) (*sql.DB, error), error) {
	v, _, ok := p.Lookup("opener")
	if !ok {
		return nil, nil
	}
	opener, ok := v.(func(driver, dsn string) (*sql.DB, error))
	if !ok {
		return nil, errors.New("opener is to be given in code, by sqlconn.WithOpener")
	}
	return opener, nil
}

// open is sql.Open with a connector that tells failed dials.
func (e *engine) open(name, dsn string) (*sql.DB, error) {
	db, err := sql.Open(name, dsn)
	if err != nil {
		return nil, err
	}
	d := db.Driver()
	_ = db.Close() // it has no connections yet
	if opener, ok := d.(driver.DriverContext); ok {
		connector, err := opener.OpenConnector(dsn)
		if err != nil {
			return nil, err
		}
		return sql.OpenDB(&dialer{connector, e}), nil
	}
	return sql.OpenDB(&dialer{plainConnector{d, dsn}, e}), nil
}

// plainConnector is the connector of a driver that has none of its own.
type plainConnector struct {
	driver driver.Driver
	dsn    string
}

func (c plainConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c plainConnector) Driver() driver.Driver                        { return c.driver }
