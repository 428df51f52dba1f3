package fakedb_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/streamconn/streamconn/internal/fakedb"
)

func open(t *testing.T, srv *fakedb.Server) *sql.DB {
	t.Helper()
	db := srv.Open()
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestRowsAreAnswered(t *testing.T) {
	t.Parallel()
	srv := fakedb.New(t)
	srv.On("select id, name from pets", fakedb.Rows([]string{"id", "name"}, []any{1, "Rex"}, []any{2, nil}))
	db := open(t, srv)

	for range 2 { // scripts are not used up
		rows, err := db.QueryContext(t.Context(), "select id, name from pets")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for rows.Next() {
			var id int
			var name sql.NullString
			if err := rows.Scan(&id, &name); err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(id, name))
		}
		if err := rows.Close(); err != nil || rows.Err() != nil {
			t.Fatal(err, rows.Err())
		}
		if want := []string{"1 {Rex true}", "2 { false}"}; !slices.Equal(got, want) {
			t.Errorf("rows = %q, want %q", got, want)
		}
	}
	if n := srv.Count("select id, name from pets"); n != 2 {
		t.Errorf("Count = %d, want 2", n)
	}
}

func TestHandlersAnswerInTurnAndTheLastOneStays(t *testing.T) {
	t.Parallel()
	srv := fakedb.New(t)
	boom := errors.New("boom")
	srv.On("tick", fakedb.Fail(boom), fakedb.Affected(1), fakedb.Affected(2))
	db := open(t, srv)

	_, err := db.ExecContext(t.Context(), "tick")
	if !errors.Is(err, boom) {
		t.Fatalf("first run = %v, want boom", err)
	}
	for i, want := range []int64{1, 2, 2} {
		r, err := db.ExecContext(t.Context(), "tick")
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := r.RowsAffected(); n != want {
			t.Errorf("run %d affected %d rows, want %d", i+2, n, want)
		}
	}
}

func TestUnscriptedStatementSaysSo(t *testing.T) {
	t.Parallel()
	db := open(t, fakedb.New(t))
	_, err := db.ExecContext(t.Context(), "drop table pets")
	if err == nil || !strings.Contains(err.Error(), `"drop table pets"`) {
		t.Errorf("err = %v, want one that names the statement", err)
	}
}

func TestHandleAnswersTheRest(t *testing.T) {
	t.Parallel()
	srv := fakedb.New(t)
	srv.On("a", fakedb.Affected(1))
	srv.Handle(func(_ context.Context, c fakedb.Call) (*fakedb.Result, error) {
		return &fakedb.Result{Columns: []fakedb.Column{{Name: "call"}}, Rows: [][]any{
			{fmt.Sprintf("%s run %d exec %v tx %v args %v", c.Text, c.Run, c.Exec, c.Tx, c.Args[0].Value)},
		}}, nil
	})
	db := open(t, srv)
	for run := 1; run <= 2; run++ {
		var got string
		if err := db.QueryRowContext(t.Context(), "b", 7).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("b run %d exec false tx false args 7", run); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if _, err := db.ExecContext(t.Context(), "a"); err != nil {
		t.Error(err)
	}
}

func TestStatementsAreRecordedWithTheirArguments(t *testing.T) {
	t.Parallel()
	srv := fakedb.New(t)
	srv.Handle(fakedb.Affected(1))
	db := open(t, srv)
	raw := []byte("abc")
	tx, err := db.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelSerializable})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "insert", sql.Named("pet", "fish"), 3, raw); err != nil {
		t.Fatal(err)
	}
	raw[0] = 'X' // the record is the server's own
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}

	events := srv.Events()
	var ops []fakedb.Op
	for _, e := range events {
		ops = append(ops, e.Op)
	}
	if want := []fakedb.Op{fakedb.Dial, fakedb.Begin, fakedb.Exec, fakedb.Commit}; !slices.Equal(ops, want) {
		t.Fatalf("operations = %v, want %v", ops, want)
	}
	if with := events[1].With; !with.ReadOnly || with.Isolation != driver.IsolationLevel(sql.LevelSerializable) {
		t.Errorf("transaction options = %+v", with)
	}
	insert := events[2]
	if want := []any{"fish", int64(3), []byte("abc")}; !reflect.DeepEqual(insert.Values(), want) {
		t.Errorf("arguments = %v, want %v", insert.Values(), want)
	}
	if insert.Args[0].Name != "pet" || !insert.Tx || insert.Conn != 1 {
		t.Errorf("event = %+v, want the name, the transaction and the connection", insert)
	}
	if got := srv.Texts(); !slices.Equal(got, []string{"insert"}) {
		t.Errorf("Texts = %q", got)
	}
}

func TestPrepareOnlyRunsEverythingPrepared(t *testing.T) {
	t.Parallel()
	srv := fakedb.New(t)
	srv.PrepareOnly()
	srv.On("select 1", fakedb.Rows([]string{"n"}, []any{1}))
	db := open(t, srv)
	var n int
	if err := db.QueryRowContext(t.Context(), "select 1").Scan(&n); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if !slices.ContainsFunc(srv.Events(), func(e fakedb.Event) bool { return e.Op == fakedb.Prepare && e.Text == "select 1" }) {
		t.Errorf("events = %+v, want a prepare", srv.Events())
	}
}

func TestResultSetsAndColumnTypes(t *testing.T) {
	t.Parallel()
	srv := fakedb.New(t)
	no := false
	srv.On("call", fakedb.Reply(&fakedb.Result{
		Columns: []fakedb.Column{{Name: "price", Type: "NUMERIC", ScanType: reflect.TypeFor[string](), Nullable: &no, Precision: 10, Scale: 2}},
		Rows:    [][]any{{"1.50"}},
		More:    []*fakedb.Result{{Columns: []fakedb.Column{{Name: "n"}}, Rows: [][]any{{1}, {2}}}},
	}))
	rows, err := open(t, srv).QueryContext(t.Context(), "call")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		t.Fatal(err)
	}
	c := types[0]
	precision, scale, _ := c.DecimalSize()
	nullable, known := c.Nullable()
	if got, want := fmt.Sprintln(c.Name(), c.DatabaseTypeName(), c.ScanType(), precision, scale, nullable, known), "price NUMERIC string 10 2 false true\n"; got != want {
		t.Errorf("column = %s, want %s", got, want)
	}
	count := 0
	for rows.Next() {
		count++
	}
	if !rows.NextResultSet() {
		t.Fatal("no second result set")
	}
	for rows.Next() {
		count += 10
	}
	if count != 21 || rows.Err() != nil {
		t.Errorf("read %d, want one row and two rows; %v", count, rows.Err())
	}
}

func TestRowsEndWithAnError(t *testing.T) {
	t.Parallel()
	srv := fakedb.New(t)
	boom := errors.New("boom")
	srv.On("q", fakedb.Reply(&fakedb.Result{
		Columns: []fakedb.Column{{Name: "n"}}, Rows: [][]any{{1}, {2}, {3}},
		Next: func(_ context.Context, i int) error {
			if i == 2 {
				return boom
			}
			return nil
		},
	}))
	rows, err := open(t, srv).QueryContext(t.Context(), "q")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
	}
	if n != 2 || !errors.Is(rows.Err(), boom) {
		t.Errorf("%d rows and %v, want 2 and boom", n, rows.Err())
	}
}

func TestWaitEndsWithTheCallersContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := fakedb.New(t)
		release := make(chan struct{})
		srv.Handle(fakedb.Wait(fakedb.Until(release), fakedb.Affected(1)))
		db := open(t, srv)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := db.ExecContext(ctx, "slow"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v, want the deadline", err)
		}
		close(release)
		if _, err := db.ExecContext(t.Context(), "slow"); err != nil {
			t.Error(err)
		}
	})
}

func TestDialErrors(t *testing.T) {
	t.Parallel()
	srv := fakedb.New(t)
	refused := errors.New("refused")
	srv.OnDial(func(_ context.Context, n int) error {
		if n == 1 {
			return refused
		}
		return nil
	})
	db := open(t, srv)
	if err := db.PingContext(t.Context()); !errors.Is(err, refused) {
		t.Fatalf("first ping = %v, want refused", err)
	}
	if err := db.PingContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := srv.Stats(); st.Dials != 2 || st.Opens != 1 || st.Live() != 1 {
		t.Errorf("stats = %+v", st)
	}
}

func TestDownAndUp(t *testing.T) {
	t.Parallel()
	srv := fakedb.New(t)
	srv.Handle(fakedb.Affected(1))
	db := open(t, srv)
	if _, err := db.ExecContext(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	srv.Down(nil)
	if _, err := db.ExecContext(t.Context(), "a"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("on the broken connection: %v, want unexpected EOF", err)
	}
	if _, err := db.ExecContext(t.Context(), "a"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("on a new connection: %v, want connection refused", err)
	}
	srv.Up()
	if _, err := db.ExecContext(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	if n := srv.Count("a"); n != 2 {
		t.Errorf("the statement ran %d times, want 2: not while down", n)
	}
}

func TestBreakEndsARunningStatementOnce(t *testing.T) {
	t.Parallel()
	srv := fakedb.New(t)
	running := make(chan struct{})
	reset := errors.New("connection reset")
	srv.On("slow", func(ctx context.Context, _ fakedb.Call) (*fakedb.Result, error) {
		close(running)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	srv.On("next", fakedb.Affected(1))
	db := open(t, srv)
	failed := make(chan error)
	go func() {
		_, err := db.ExecContext(t.Context(), "slow")
		failed <- err
	}()
	<-running
	srv.Break(reset)
	if err := <-failed; !errors.Is(err, reset) {
		t.Errorf("running statement = %v, want the reset", err)
	}
	if _, err := db.ExecContext(t.Context(), "next"); err != nil {
		t.Errorf("next statement = %v, want a new connection", err)
	}
	if st := srv.Stats(); st.Opens != 2 || st.Closes != 1 {
		t.Errorf("stats = %+v, want one connection replaced", st)
	}
}

func TestCheckArgsSeesEachArgument(t *testing.T) {
	t.Parallel()
	srv := fakedb.New(t)
	srv.Handle(fakedb.Affected(1))
	srv.CheckArgs(func(v *driver.NamedValue) error {
		if list, ok := v.Value.([]string); ok {
			v.Value = "{" + strings.Join(list, ",") + "}"
		}
		return nil
	})
	if _, err := open(t, srv).ExecContext(t.Context(), "a", []string{"x", "y"}); err != nil {
		t.Fatal(err)
	}
	events := srv.Events()
	if got := events[len(events)-1].Values()[0]; got != "{x,y}" {
		t.Errorf("argument = %v", got)
	}
}

func TestOpenByDriverName(t *testing.T) {
	t.Parallel()
	fakedb.Register("fakedb-by-name")
	fakedb.Register("fakedb-by-name")
	srv := fakedb.New(t)
	srv.On("select 1", fakedb.Rows([]string{"n"}, []any{1}))
	dsn := "postgres://u@127.0.0.1/" + srv.ID() + "?sslmode=disable"
	db, err := sql.Open("fakedb-by-name", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n int
	if err := db.QueryRowContext(t.Context(), "select 1").Scan(&n); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if got := srv.DSNs(); !slices.Equal(got, []string{dsn}) {
		t.Errorf("DSNs = %q", got)
	}
	if other := fakedb.New(nil).ID(); other == srv.ID() {
		t.Errorf("two servers are called %s", other)
	}
	if _, err := sql.Open("fakedb-by-name", "nobody:hunter2@"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("err = %v, want one without the data source name", err)
	}
}

// conn takes a connection out of database/sql's hands, to misuse it.
func conn(t *testing.T, srv *fakedb.Server) driver.Conn {
	t.Helper()
	c, err := srv.Connector().Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestMisuseIsNoticed(t *testing.T) {
	t.Parallel()
	query := func(t *testing.T, c driver.Conn) driver.Rows {
		t.Helper()
		r, err := c.(driver.QueryerContext).QueryContext(t.Context(), "q", nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, test := range []struct {
		name string
		want string
		do   func(t *testing.T, srv *fakedb.Server)
	}{
		{"connection left open", "1 connections never closed", func(t *testing.T, srv *fakedb.Server) {
			conn(t, srv)
		}},
		{"connection closed twice", "1 uses after close", func(t *testing.T, srv *fakedb.Server) {
			c := conn(t, srv)
			_, _ = c.Close(), c.Close()
		}},
		{"statement on a closed connection", "1 uses after close", func(t *testing.T, srv *fakedb.Server) {
			c := conn(t, srv)
			_ = c.Close()
			if _, err := c.(driver.ExecerContext).ExecContext(t.Context(), "q", nil); err == nil {
				t.Error("it worked")
			}
		}},
		{"closed prepared statement", "1 uses after close", func(t *testing.T, srv *fakedb.Server) {
			c := conn(t, srv)
			defer c.Close()
			s, err := c.Prepare("q")
			if err != nil {
				t.Fatal(err)
			}
			_ = s.Close()
			if _, err := s.(driver.StmtQueryContext).QueryContext(t.Context(), nil); err == nil {
				t.Error("it worked")
			}
		}},
		{"closed rows", "1 uses after close", func(t *testing.T, srv *fakedb.Server) {
			c := conn(t, srv)
			defer c.Close()
			r := query(t, c)
			_ = r.Close()
			if err := r.Next(make([]driver.Value, 1)); err == nil || errors.Is(err, io.EOF) {
				t.Error("it worked")
			}
		}},
		{"rows left open", "1 result sets never closed", func(t *testing.T, srv *fakedb.Server) {
			c := conn(t, srv)
			query(t, c)
			_ = c.Close()
		}},
		{"ended transaction", "1 uses after close", func(t *testing.T, srv *fakedb.Server) {
			c := conn(t, srv)
			defer c.Close()
			tx, err := c.(driver.ConnBeginTx).BeginTx(t.Context(), driver.TxOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			if err := tx.Commit(); err == nil {
				t.Error("it worked")
			}
		}},
		{"transaction left open", "1 transactions never ended", func(t *testing.T, srv *fakedb.Server) {
			if _, err := conn(t, srv).(driver.ConnBeginTx).BeginTx(t.Context(), driver.TxOptions{}); err != nil {
				t.Fatal(err)
			}
		}},
		{"two calls on one connection", "1 concurrent uses", func(t *testing.T, srv *fakedb.Server) {
			first, release := make(chan struct{}), make(chan struct{})
			srv.On("first", func(context.Context, fakedb.Call) (*fakedb.Result, error) {
				close(first)
				<-release
				return nil, nil
			})
			c := conn(t, srv)
			defer c.Close()
			var wg sync.WaitGroup
			wg.Go(func() { _, _ = c.(driver.ExecerContext).ExecContext(t.Context(), "first", nil) })
			<-first
			_, _ = c.(driver.ExecerContext).ExecContext(t.Context(), "q", nil)
			close(release)
			wg.Wait()
		}},
		{"sql.DB closed while a statement runs", "1 connections in use when their sql.DB was closed", func(t *testing.T, srv *fakedb.Server) {
			first, release := make(chan struct{}), make(chan struct{})
			srv.On("first", func(context.Context, fakedb.Call) (*fakedb.Result, error) {
				close(first)
				<-release
				return nil, nil
			})
			db := srv.Open()
			var wg sync.WaitGroup
			wg.Go(func() { _, _ = db.ExecContext(t.Context(), "first") })
			<-first
			_ = db.Close()
			close(release)
			wg.Wait()
		}},
		{"sql.DB closed while rows are open", "1 connections in use when their sql.DB was closed", func(t *testing.T, srv *fakedb.Server) {
			db := srv.Open()
			rows, err := db.QueryContext(t.Context(), "q")
			if err != nil {
				t.Fatal(err)
			}
			_ = db.Close()
			_, _ = rows.Close(), rows.Err()
		}},
		{"transaction goes on after its sql.DB was closed", "1 uses after close", func(t *testing.T, srv *fakedb.Server) {
			db := srv.Open()
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			_ = db.Close()
			if _, err := tx.ExecContext(t.Context(), "q"); err == nil {
				t.Error("it worked")
			}
			_ = tx.Rollback()
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := fakedb.New(nil)
			srv.Handle(fakedb.Rows([]string{"n"}, []any{1}))
			test.do(t, srv)
			problems := strings.Join(srv.Problems(), "\n")
			if !strings.Contains(problems, test.want) {
				t.Errorf("problems = %q, want %q among them", problems, test.want)
			}
		})
	}
}

func TestOrderlyUseIsNoMisuse(t *testing.T) {
	t.Parallel()
	srv := fakedb.New(t) // its check at the end is half of this test
	srv.Handle(fakedb.Rows([]string{"n"}, []any{1}, []any{2}))
	db := srv.Open()
	db.SetMaxOpenConns(4)
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			rows, err := db.QueryContext(ctx, "q")
			if err != nil {
				t.Error(err)
				return
			}
			rows.Next()
			if i%2 == 0 {
				cancel() // database/sql closes the rows in the background
			}
			_, _ = rows.Close(), rows.Err()
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = tx.ExecContext(t.Context(), "e")
			_ = tx.Rollback()
			_ = tx.Rollback()
		})
	}
	wg.Wait()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if problems := srv.Problems(); problems != nil {
		t.Errorf("problems = %q", problems)
	}
	if st := srv.Stats(); st.MaxLive > 4 || st.MaxLive < 1 {
		t.Errorf("MaxLive = %d, want 1 to 4", st.MaxLive)
	}
}

func TestErrorsCarryTheirCodes(t *testing.T) {
	t.Parallel()
	srv := fakedb.New(t)
	srv.On("pg", fakedb.Fail(&fakedb.StateError{State: "40001", Message: "could not serialize"}))
	srv.On("my", fakedb.Fail(&fakedb.MySQLError{Number: 1213, SQLState: [5]byte([]byte("40001")), Message: "Deadlock"}))
	srv.On("lite", fakedb.Fail(&fakedb.CodeError{Result: 5, Message: "database is locked"}))
	db := open(t, srv)

	_, err := db.ExecContext(t.Context(), "pg")
	if state, ok := errors.AsType[interface {
		error
		SQLState() string
	}](err); !ok || state.SQLState() != "40001" {
		t.Errorf("pg = %v", err)
	}
	_, err = db.ExecContext(t.Context(), "my")
	if my, ok := errors.AsType[*fakedb.MySQLError](err); !ok || my.Number != 1213 || my.Error() != "Error 1213 (40001): Deadlock" {
		t.Errorf("my = %v", err)
	}
	_, err = db.ExecContext(t.Context(), "lite")
	if code, ok := errors.AsType[interface {
		error
		Code() int
	}](err); !ok || code.Code() != 5 {
		t.Errorf("lite = %v", err)
	}
}
