//go:build linux

package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"go.uber.org/goleak"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
	"github.com/streamconn/streamconn/sqlconn"
	"github.com/streamconn/streamconn/supabase"
)

// soak is what is used, and the account of it.
type soak struct {
	*work
	world  *child
	places *places
	dir    string

	registry connection.Registry
	file     *secretsFile
	options  []connection.Option
	pg, lite *sqlconn.Conn
	rest     *supabase.Conn
	admin    *supabase.Conn // the project in memory, for its service

	sources map[string]*source
	files   []*files
}

// run uses everything for as long as length, and gives the report; nil if it could not begin. Unless
// heap is empty, it is the begin of the names of two heap profiles.
func run(ctx context.Context, length time.Duration, heap string) (r *report, err error) {
	dir, err := os.MkdirTemp("", "streamconn-soak-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	// It ends in good order when ctx does, not with it.
	world, err := startWorld(context.WithoutCancel(ctx))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, world.end()) }()

	before := goleak.IgnoreCurrent()
	filesBefore, err := openFiles()
	if err != nil {
		return nil, err
	}
	s := &soak{world: world, places: &world.places, dir: dir}
	r = &report{length: length, heap: heap, warm: min(5*time.Minute, length/3), flags: raceFlag}
	if err := s.use(ctx, r); err != nil {
		return nil, err
	}
	if r.broken, err = world.say(calm); err != nil {
		return nil, err
	}
	r.kinds = s.kinds
	if err := s.account(r); err != nil {
		return r, err
	}
	r.wrong, r.wrongs = s.wrong, s.wrongs
	if err := goleak.Find(before); err != nil {
		r.leaks = append(r.leaks, err.Error())
	}
	filesAfter, err := openFiles()
	if filesAfter > filesBefore {
		r.leaks = append(r.leaks, fmt.Sprintf("%d files were open before, %d are afterwards", filesBefore, filesAfter))
	}
	return r, err
}

// use opens the connections, has all kinds of work done with them, measures, and closes them.
func (s *soak) use(ctx context.Context, r *report) (err error) {
	working, cancel := context.WithCancel(ctx)
	defer cancel()
	s.work = &work{ctx: working}
	if s.file, err = newSecretsFile(s.dir, s.places); err != nil {
		return err
	}
	quiet := slog.New(slog.DiscardHandler)
	store, err := secrets.Load(secrets.WithoutDefaults(), secrets.WithPath(s.file.path), secrets.WithLogger(quiet))
	if err != nil {
		return err
	}
	watched := make(chan struct{})
	watching, endWatch := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(watched)
		_ = store.Watch(watching)
	}()
	defer func() { endWatch(); <-watched }()
	s.registry.Secrets, s.registry.Logger = store, quiet
	s.registry.Environ = func(string) (string, bool) { return "", false }
	defer func() { err = errors.Join(err, s.registry.Close()) }()
	if err := s.open(ctx); err != nil {
		return err
	}

	began := time.Now()
	s.start()
	err = s.sample(ctx, r, began)
	cancel()
	s.wg.Wait()
	r.took = time.Since(began)
	return err
}

func (s *soak) open(ctx context.Context) error {
	opts := []connection.Option{connection.In(&s.registry), connection.WithRetry(connection.Retry{Window: patience})}
	s.options = opts
	var errs [4]error
	s.pg, errs[0] = sqlconn.Get(ctx, pgName, opts...)
	s.lite, errs[1] = sqlconn.Get(ctx, fileName, opts...)
	s.rest, errs[2] = supabase.Get(ctx, restName, opts...)
	s.admin, errs[3] = supabase.Get(ctx, adminName, opts...)
	return errors.Join(errs[:]...)
}

// app is the project in memory for its users. It is closed from time to time, and whoever asks next gets
// another: a connection remembers on purpose, for a day, which sessions followed which.
func (s *soak) app(ctx context.Context) (*supabase.Conn, error) {
	return supabase.Get(ctx, appName, s.options...)
}

// closeApp closes what app gives, while nobody uses it.
func (s *soak) closeApp(ctx context.Context) error {
	s.still.Lock()
	defer s.still.Unlock()
	app, err := s.app(ctx)
	if err != nil {
		return err
	}
	return app.Close()
}

// start begins all kinds of work.
func (s *soak) start() {
	s.sources = make(map[string]*source)
	of := func(name string) *source {
		s.sources[name] = &source{name: name}
		return s.sources[name]
	}
	useSQL(s.work, of("Postgres"), s.pg)
	useSQL(s.work, of("SQLite"), s.lite)
	useTables(s.work, of("PostgREST"), s.rest, "rest_counters", "rest_ledger")
	callFunctions(s.work, "PostgREST", s.rest)
	useTokens(s.work, "PostgREST", s.rest, s.places.Tokens)
	useTables(s.work, of("project"), s.admin, "counters", "ledger")
	useSessions(s.work, "project", s.app, s.places)
	for w := range 2 {
		s.files = append(s.files, &files{w: w})
	}
	useFiles(s.work, "project", s.admin, s.files)
	useFunctions(s.work, "project", s.admin)
	disturb(s.work, s.file, map[string]conn{
		pgName: s.pg, fileName: s.lite, restName: s.rest, adminName: s.admin,
	}, s.app)
	openAndClose(s.work, s.places, []connection.Option{
		connection.WithSecrets(secrets.Of(nil)), connection.WithLogger(s.registry.Logger), connection.WithEnviron(s.registry.Environ),
		connection.WithRetry(connection.Retry{Window: patience}),
	})
}

// closeEvery is after how many samples the connection of the users is closed.
const closeEvery = 6

// enough is how many samples it takes to tell whether something grows.
const enough = 9

// sample measures until the time is over; on a machine so busy that there are too few samples by then,
// until there are enough.
func (s *soak) sample(ctx context.Context, r *report, began time.Time) error {
	tick := time.NewTicker(min(max(r.length/120, time.Second), 10*time.Second))
	defer tick.Stop()
	for time.Since(began) < r.length || len(r.window()) < enough {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		m, err := s.measure(s.world, began)
		if err != nil {
			return err
		}
		r.samples = append(r.samples, m)
		if len(r.samples)%closeEvery == 0 {
			if err := s.closeApp(ctx); err != nil {
				return err
			}
		}
		if len(r.window()) == 1 {
			if err := r.writeHeap("first"); err != nil {
				return err
			}
		}
	}
	return r.writeHeap("last")
}

// account compares what was written with what is there, past all networks and with nothing left of what
// was used.
func (s *soak) account(r *report) error {
	ctx := context.Background()
	r.outcomes = make(map[string]outcome)
	for _, from := range []struct{ source, driver, dsn, table string }{
		{"Postgres", "pgx", s.places.Direct, "ledger"},
		{"PostgREST", "pgx", s.places.Direct, "rest_ledger"},
		{"SQLite", "sqlite", s.places.SQLite, "ledger"},
	} {
		o, err := s.accountSQL(ctx, s.sources[from.source], from.driver, from.dsn, from.table)
		if err != nil {
			return fmt.Errorf("%s: %w", from.source, err)
		}
		r.outcomes[from.source] = o
	}
	return s.accountProject(ctx, r)
}

func (s *soak) accountSQL(ctx context.Context, of *source, driver, dsn, table string) (o outcome, err error) {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rows, err := db.QueryContext(ctx, "select w, n, count(*) from "+table+" group by w, n") //nolint:gosec // a name of ours
	if err != nil {
		return o, err
	}
	defer rows.Close()
	for rows.Next() {
		var w, n, times int
		if err := rows.Scan(&w, &n, &times); err != nil {
			return o, err
		}
		of.ledgers[w].found(n, times, &o)
	}
	for k := range of.ledgers {
		of.ledgers[k].close(&o)
	}
	return o, rows.Err()
}

// accountProject reads the project in memory by a connection of its own.
func (s *soak) accountProject(ctx context.Context, r *report) error {
	conn, err := supabase.Open(ctx, "account", connection.WithSecrets(secrets.Of(nil)), connection.WithLogger(s.registry.Logger),
		connection.WithEnviron(s.registry.Environ), supabase.WithURL(s.places.Project[0]), supabase.WithKey(s.places.Service))
	if err != nil {
		return err
	}
	defer conn.Close()
	of, o := s.sources["project"], outcome{}
	type entry struct{ W, N int }
	for e, err := range supabase.Rows[entry](ctx, conn.Table("ledger").Select("w, n").Order("w").Order("n"), 10_000) {
		if err != nil {
			return err
		}
		of.ledgers[e.W].found(e.N, 1, &o)
	}
	for k := range of.ledgers {
		of.ledgers[k].close(&o)
	}
	r.outcomes["project"] = o

	var stored outcome
	for _, f := range s.files {
		gone, going := int(f.gone.Load()), int(f.going.Load())
		for n := range int(f.ledger.tried.Load()) {
			if n < gone { // it was there, or nobody was told so
				f.ledger.there.add(n)
				continue
			}
			file, err := conn.WithTTL(0).Download(ctx, bucket, f.path(n))
			switch {
			case errors.Is(err, supabase.ErrNotFound) && n < going:
				f.ledger.there.add(n)
			case errors.Is(err, supabase.ErrNotFound):
			case err != nil:
				return err
			case !bytes.Equal(file.Data, content(f.w, n)):
				s.report("%s holds %d bytes that are not what was uploaded", f.path(n), len(file.Data))
			default:
				f.ledger.found(n, 1, &stored)
			}
		}
		f.ledger.close(&stored)
	}
	r.outcomes["files"] = stored
	return nil
}
