package sqlconn_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/fakedb"
	"github.com/streamconn/streamconn/sqlconn"
)

func logger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// printed is v in every way in which a program prints things, and, of errors, every error of the
// chain.
func printed(v any) string {
	var b strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	j, err := json.Marshal(v)
	fmt.Fprintln(&b, string(j), err)
	logger(&b).Error("x", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Error("x", "v", v)
	var walk func(error)
	walk = func(err error) {
		fmt.Fprintf(&b, "%v %+v %#v\n", err, err, err)
		switch e := err.(type) { //nolint:errorlint // walks the chain
		case interface{ Unwrap() error }:
			if next := e.Unwrap(); next != nil {
				walk(next)
			}
		case interface{ Unwrap() []error }:
			for _, next := range e.Unwrap() {
				walk(next)
			}
		}
	}
	if err, ok := v.(error); ok {
		walk(err)
	}
	return b.String()
}

func wantNoSecret(t *testing.T, what, text string) {
	t.Helper()
	for _, form := range []string{planted, url.QueryEscape(planted), url.PathEscape(planted), "planted", "s3cret", fmt.Sprintf("%x", planted)} {
		if strings.Contains(text, form) {
			t.Errorf("%s shows the password:\n%s", what, text)
			return
		}
	}
}

func TestPasswordIsNeverShown(t *testing.T) {
	t.Parallel()
	fakedb.Register("pgx")
	ownOpener := sqlconn.WithOpener(sql.Open) // whose dials are not masked by ours
	calls := map[string]func(context.Context, *sqlconn.Conn) error{
		"Ping": func(ctx context.Context, c *sqlconn.Conn) error { return connection.Ping(ctx, c) },
		"the pool's own Ping": func(ctx context.Context, c *sqlconn.Conn) error {
			db, err := c.Raw(ctx)
			if err != nil {
				return err
			}
			return db.PingContext(ctx)
		},
		"Session": func(ctx context.Context, c *sqlconn.Conn) error {
			return c.Session(ctx, func(tx *sqlconn.Tx) error { _, err := tx.Exec(ctx, update); return err })
		},
	}
	for how, read := range reads {
		calls["read by "+how] = func(ctx context.Context, c *sqlconn.Conn) error { return read(ctx, c, selectRun) }
	}
	for how, write := range writes {
		calls["write by "+how] = func(ctx context.Context, c *sqlconn.Conn) error { return write(ctx, c, insertRun) }
	}
	for name, call := range calls {
		for when, set := range map[string]func(srv *fakedb.Server, err error){
			"at the dial": func(srv *fakedb.Server, err error) {
				srv.OnDial(func(context.Context, int) error { return err })
			},
			"at the statement": func(srv *fakedb.Server, err error) {
				if name == "Ping" || name == "the pool's own Ping" {
					srv.OnDial(func(context.Context, int) error { return err })
				}
				srv.Handle(fakedb.Fail(err))
			},
		} {
			for _, opts := range [][]connection.Option{nil, {connection.With("pool_pre_ping", true)}, {ownOpener}, {ownOpener, connection.With("pool_pre_ping", true)}} {
				if len(opts) > 0 && opts[0].String() == ownOpener.String() && name == "the pool's own Ping" {
					continue // it is not our pool
				}
				t.Run(fmt.Sprintf("%s/%s/%v", name, when, opts), func(t *testing.T) {
					t.Parallel()
					var out logs
					srv := fakedb.New(t)
					c := open(t, "pets", append([]connection.Option{
						sqlconn.WithURL(urlOf(srv)), connection.WithLogger(logger(&out)), connection.With("echo", true),
					}, opts...)...)
					inner := &fakedb.StateError{State: "08006", Message: "cannot connect with " + planted + " to " + urlOf(srv)}
					set(srv, fmt.Errorf("dial %s: %w", url.QueryEscape(planted), errors.Join(inner, fmt.Errorf("%q", planted))))
					if strings.HasPrefix(name, "read") { // or it is tried for a while
						inner.State = map[string]string{"at the dial": "28P01", "at the statement": "42601"}[when]
					}
					err := call(t.Context(), c)
					if err == nil {
						t.Fatal("no error")
					}
					wantText(t, err, "REDACTED")
					wantNoSecret(t, "the error", printed(err))
					wantIs(t, err, inner)
					if e, ok := errors.AsType[*fakedb.StateError](err); !ok || e != inner {
						t.Error("the driver's error cannot be found any more")
					}
					wantNoSecret(t, "the log", out.String())
				})
			}
		}
	}
}

func TestNothingExportedShowsThePassword(t *testing.T) {
	t.Parallel()
	var out logs
	srv := fakedb.New(t)
	srv.On("select $1", fakedb.Rows([]string{"x"}, []any{1}))
	u := urlOf(srv)
	r := world(t, map[string]any{"pets": map[string]any{"url": u, "password": planted, "connect_args": map[string]any{"sslpassword": planted}}})
	r.Logger = logger(&out)
	c := get(t, r, "pets", connection.With("echo", true), connection.With("password", planted))
	one[int](t, c, "select :x", sqlconn.Params{"x": planted})
	for what, v := range map[string]any{
		"Conn": c, "*Conn": *c, "a view": c.WithTTL(cache.Forever).WithShared(), "Option": sqlconn.WithURL(u), "options": []connection.Option{sqlconn.WithURL(u)},
		"Registry": r, "Explain": connection.Explain(c), "Stats": connection.Stats(c), "Store": r.Secrets,
		"PoolTimeoutError": &sqlconn.PoolTimeoutError{Size: 1},
		"WithOpener":       sqlconn.WithOpener(nil),
	} {
		wantNoSecret(t, what, printed(v))
	}
	if err := c.Session(t.Context(), func(tx *sqlconn.Tx) error {
		wantNoSecret(t, "Tx", printed(tx))
		wantNoSecret(t, "*Tx", printed(*tx))
		return nil
	}); err != nil {
		t.Error(err)
	}
	wantNoSecret(t, "the log", out.String())
	if !strings.Contains(out.String(), "select $1") {
		t.Errorf("echo has not logged the statement:\n%s", out.String())
	}
}
