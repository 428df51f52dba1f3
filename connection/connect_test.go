package connection_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
)

// gated makes the source's dials wait until they are let through.
func gated() (src *source, gate chan struct{}) {
	gate = make(chan struct{})
	src = &source{dial: func(ctx context.Context, _ *connection.Params) error {
		select {
		case <-gate:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}}
	return src, gate
}

type answer struct {
	client *client
	err    error
}

// ask runs Raw in n goroutines and waits until all of them wait.
func ask(ctx context.Context, c connection.Connection[*client], n int) <-chan answer {
	answers := make(chan answer, n)
	for range n {
		go func() {
			client, err := c.Raw(ctx)
			answers <- answer{client, err}
		}()
	}
	synctest.Wait()
	return answers
}

// In Streamlit each of those who come after a reset connects for itself, and nobody closes the
// old handle. Here one connects, all others wait, each on its own context.
func TestDefect06_ThousandCallersAfterAResetMakeOneConnect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := new(source)
		c := open(t, world(t, nil), "x", src.connect)
		old := raw(t, c)
		gated, gate := gated()
		src.dial = gated.dial
		if err := c.Reset(); err != nil {
			t.Fatal(err)
		}
		if !old.closed.Load() {
			t.Error("the old client was not closed")
		}

		answers := ask(context.Background(), c, 1000)
		impatient, cancel := context.WithTimeoutCause(context.Background(), time.Second, errors.New("had enough"))
		defer cancel()
		late := ask(impatient, c, 1)
		pass(time.Second)
		synctest.Wait()
		select {
		case a := <-late:
			wantErrorIs(t, a.err, context.DeadlineExceeded)
			wantErrorText(t, a.err, `connection "x": connect: `, "had enough")
		default:
			t.Error("a caller outlasts its own context")
		}
		close(gate)
		first := <-answers
		for range cap(answers) - 1 {
			if a := <-answers; a != first {
				t.Errorf("got %v, %v; another got %v, %v", a.client, a.err, first.client, first.err)
			}
		}
		if n := src.connects.Load(); n != 2 || first.client == old || first.err != nil {
			t.Errorf("%d connects, %v", n, first.err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		src.check(t)
	})
}

// In Streamlit those who wait run the failing call again, one by one. Here they share its
// answer; whoever comes later tries anew.
func TestDefect11_FailedConnectAnswersAllWhoWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := new(source)
		c := open(t, world(t, nil), "x", src.connect)
		if err := c.Reset(); err != nil {
			t.Fatal(err)
		}
		gate, refused := make(chan struct{}), errors.New("refused")
		src.dial = func(context.Context, *connection.Params) error { <-gate; return refused }
		answers := ask(context.Background(), c, 100)
		close(gate)
		for range cap(answers) {
			err := (<-answers).err
			wantErrorIs(t, err, refused)
			wantErrorText(t, err, `connection "x": connect: refused`)
		}
		if n := src.connects.Load(); n != 2 {
			t.Errorf("%d connects, want one, and one that failed", n)
		}
		_, err := c.Raw(t.Context())
		wantErrorIs(t, err, refused)
		src.dial = nil
		raw(t, c)
		if s := connection.Stats(c); s.Connects != 4 || s.ConnectErrors != 2 {
			t.Errorf("%+v", s)
		}
	})
}

// The connect of a caller who gives up is no answer for the others: one of them dials.
func TestDefect11_WaiterDialsWhenTheLeaderGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := new(source)
		c := open(t, world(t, nil), "x", src.connect)
		if err := c.Reset(); err != nil {
			t.Fatal(err)
		}
		gated, gate := gated()
		src.dial = gated.dial
		ctx, cancel := context.WithCancelCause(context.Background())
		leader := ask(ctx, c, 1)
		waiters := ask(context.Background(), c, 50)
		cancel(errors.New("had enough"))
		wantErrorText(t, (<-leader).err, "had enough")
		synctest.Wait()
		if n := src.connects.Load(); n != 3 {
			t.Errorf("%d connects: 1 to open, 1 by the leader, 1 by a waiter", n)
		}
		close(gate)
		for range cap(waiters) {
			if a := <-waiters; a.err != nil {
				t.Error(a.err)
			}
		}
		if n := src.connects.Load(); n != 3 {
			t.Errorf("%d connects in the end", n)
		}
	})
}

func TestNoConnectForAnEndedContext(t *testing.T) {
	t.Parallel()
	src := new(source)
	r := world(t, nil)
	c := open(t, r, "x", src.connect)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("had enough"))
	if _, err := c.Raw(ctx); err != nil {
		t.Errorf("there is a client, nothing has to wait: %v", err)
	}
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	_, err := c.Raw(ctx)
	wantErrorIs(t, err, context.Canceled)
	wantErrorText(t, err, `connection "x": connect: context canceled: had enough`)
	_, err = connection.Open(ctx, "y", src.connect, connection.In(r))
	wantErrorIs(t, err, context.Canceled)
	if n := src.connects.Load(); n != 1 {
		t.Errorf("%d connects", n)
	}
}

func TestPanickingFactory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := new(source)
		c := open(t, world(t, nil), "x", src.connect)
		if err := c.Reset(); err != nil {
			t.Fatal(err)
		}
		gate, closed := make(chan struct{}), 0
		src.dial = func(_ context.Context, p *connection.Params) error {
			p.OnClose(func() error { closed++; return nil })
			<-gate
			panic("boom")
		}
		var leader sync.WaitGroup
		leader.Go(func() {
			defer func() {
				if got := recover(); got != "boom" {
					t.Errorf("the leader recovered %v", got)
				}
			}()
			_, _ = c.Raw(context.Background())
		})
		synctest.Wait()
		waiters := ask(context.Background(), c, 10)
		close(gate)
		leader.Wait()
		for range cap(waiters) {
			err := (<-waiters).err
			if _, ok := errors.AsType[*connection.PanicError](err); !ok {
				t.Errorf("a waiter got %v", err)
			}
			wantErrorText(t, err, `connection "x": connect: the connect in another goroutine panicked or ended it`)
		}
		if closed != 1 {
			t.Errorf("what OnClose registered ran %d times", closed)
		}
		src.dial = nil
		raw(t, c)
	})
}

func TestFactoryThatEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := new(source)
		c := open(t, world(t, nil), "x", src.connect)
		if err := c.Reset(); err != nil {
			t.Fatal(err)
		}
		gate := make(chan struct{})
		src.dial = func(context.Context, *connection.Params) error { <-gate; runtime.Goexit(); return nil }
		go func() { _, _ = c.Raw(context.Background()) }()
		synctest.Wait()
		waiters := ask(context.Background(), c, 10)
		close(gate)
		for range cap(waiters) {
			if _, ok := errors.AsType[*connection.PanicError]((<-waiters).err); !ok {
				t.Error("a waiter did not get a PanicError")
			}
		}
		src.dial = nil
		raw(t, c)
	})
}

// A panic in the factory of Open leaves nothing behind: the store holds on to no connection that
// nobody has.
func TestPanickingOpenLeavesNothing(t *testing.T) {
	t.Parallel()
	store := secrets.Of(nil)
	left := make(chan weak.Pointer[source])
	go func() {
		src := &source{dial: func(context.Context, *connection.Params) error { panic("boom") }}
		defer func() {
			_ = recover()
			left <- weak.Make(src)
		}()
		_, _ = connection.Open(context.Background(), "x", src.connect, connection.WithSecrets(store))
	}()
	pointer := <-left
	for range 10 {
		runtime.GC()
	}
	if pointer.Value() != nil {
		t.Error("the connection is still there")
	}
	runtime.KeepAlive(store)
}

// In Streamlit a function that calls itself with the same arguments hangs. A factory that asks for
// the connection it is to make is told so.
func TestDefect10_FactoryAskingForItsOwnConnection(t *testing.T) {
	t.Parallel()
	t.Run("by Raw", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var c connection.Connection[*client]
			src := new(source)
			c = open(t, world(t, nil), "x", src.connect)
			src.dial = func(ctx context.Context, _ *connection.Params) error {
				_, err := c.Raw(ctx)
				return err
			}
			if err := c.Reset(); err != nil {
				t.Fatal(err)
			}
			_, err := c.Raw(t.Context())
			wantErrorText(t, err, "the connection's factory asks for the very connection that it is to make")
		})
	})
	t.Run("by Raw after a Reset", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var c connection.Connection[*client]
			src := new(source)
			c = open(t, world(t, nil), "x", src.connect)
			src.dial = func(ctx context.Context, _ *connection.Params) error {
				if err := c.Reset(); err != nil {
					return err
				}
				_, err := c.Raw(ctx)
				return err
			}
			if err := c.Reset(); err != nil {
				t.Fatal(err)
			}
			_, err := c.Raw(t.Context())
			wantErrorText(t, err, "the very connection that it is to make")
			if n := src.connects.Load(); n != 2 {
				t.Errorf("%d connects", n)
			}
		})
	})
	t.Run("by Get", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			r := world(t, nil)
			connection.Register(r, "x", func(ctx context.Context, _ *connection.Params) (*client, error) {
				c, err := connection.Get[*client](ctx, r, "x")
				if err != nil {
					return nil, err
				}
				return c.Raw(ctx)
			})
			_, err := connection.Get[*client](t.Context(), r, "x")
			wantErrorText(t, err, "the very connection that it is to make")
		})
	})
	t.Run("another one may be asked for", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			r := world(t, nil)
			src := new(source)
			connection.Register(r, "inner", src.connect)
			connection.Register(r, "outer", func(ctx context.Context, _ *connection.Params) (*client, error) {
				inner, err := connection.Get[*client](ctx, r, "inner")
				if err != nil {
					return nil, err
				}
				if err := inner.Reset(); err != nil { // so that it dials under the outer's context
					return nil, err
				}
				if _, err := inner.Raw(ctx); err != nil {
					return nil, err
				}
				return &client{of: new(source)}, nil
			})
			if _, err := connection.Get[*client](t.Context(), r, "outer"); err != nil {
				t.Error(err)
			}
		})
	})
}

// Whoever began to connect before a Reset gets the client, closed when they are done; all others
// get a newer one.
func TestResetDuringADial(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := new(source)
		c := open(t, world(t, nil), "x", src.connect)
		if err := c.Reset(); err != nil {
			t.Fatal(err)
		}
		gated, gate := gated()
		src.dial = gated.dial
		type outcome struct {
			client       *client
			err          error
			closedDuring bool
		}
		leader := make(chan outcome)
		finish := make(chan struct{})
		go func() {
			var o outcome
			o.err = connection.Do(context.Background(), c, func(client *client) error {
				o.client = client
				return client.use(func() { <-finish; o.closedDuring = client.closed.Load() })
			})
			leader <- o
		}()
		synctest.Wait()
		waiter := ask(context.Background(), c, 1)
		src.dial = nil
		if err := c.Reset(); err != nil {
			t.Fatal(err)
		}
		a := <-waiter // dials for itself, and does not wait for the first dial
		if a.err != nil {
			t.Fatal(a.err)
		}
		close(gate)
		synctest.Wait()
		close(finish)
		o := <-leader
		if o.err != nil || o.client == a.client || o.closedDuring {
			t.Errorf("the leader: %v, the same client %t, closed meanwhile %t", o.err, o.client == a.client, o.closedDuring)
		}
		if !o.client.closed.Load() {
			t.Error("the overtaken client was not closed")
		}
		if raw(t, c) != a.client || src.connects.Load() != 3 {
			t.Errorf("the newer client did not stay; %d connects", src.connects.Load())
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		src.check(t)
	})
}

func TestCloseDuringADial(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := new(source)
		c := open(t, world(t, nil), "x", src.connect)
		if err := c.Reset(); err != nil {
			t.Fatal(err)
		}
		gated, gate := gated()
		src.dial = gated.dial
		leader := ask(context.Background(), c, 1)
		waiters := ask(context.Background(), c, 10)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		for range cap(waiters) { // do not wait for the dial
			wantErrorIs(t, (<-waiters).err, connection.ErrClosed)
		}
		close(gate)
		wantErrorIs(t, (<-leader).err, connection.ErrClosed)
		synctest.Wait()
		src.check(t)
	})
}

func TestCloseIsIdempotentAndFinal(t *testing.T) {
	t.Parallel()
	src := &source{closeError: errors.New("cannot close")}
	c := open(t, world(t, nil), "x", src.connect)
	err := c.Reset()
	wantErrorIs(t, err, src.closeError)
	wantErrorText(t, err, `connection "x": reset: cannot close`)
	raw(t, c)
	err = c.Close()
	wantErrorIs(t, err, src.closeError)
	wantErrorText(t, err, `connection "x": close: cannot close`)
	if err := c.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
	_, err = c.Raw(t.Context())
	wantErrorIs(t, err, connection.ErrClosed)
	wantErrorText(t, err, `connection "x": connect: the connection is closed`)
	wantErrorIs(t, c.Reset(), connection.ErrClosed)
	wantErrorIs(t, connection.Ping(t.Context(), c), connection.ErrClosed)
	wantErrorIs(t, connection.Do(t.Context(), c, func(*client) error { t.Error("lent"); return nil }), connection.ErrClosed)
	wantErrorIs(t, connection.Write(t.Context(), c, func(*client) error { t.Error("lent"); return nil }), connection.ErrClosed)
	_, err = connection.Read(t.Context(), c, "k", cacheForever, func(context.Context, *client) (int, error) { t.Error("lent"); return 0, nil })
	wantErrorIs(t, err, connection.ErrClosed)
	connection.Clear(c) // does nothing, and does not panic
	connection.ClearText(c, "k", nil)
	src.check(t)
}

// A nil client is an error: Streamlit connects again at every use of one.
func TestNilClientIsAnError(t *testing.T) {
	t.Parallel()
	_, err := connection.Open(t.Context(), "x", func(context.Context, *connection.Params) (*client, error) { return nil, nil }, connection.In(world(t, nil)))
	wantErrorText(t, err, "the factory gave neither a client nor an error")
	_, err = connection.Open[any](t.Context(), "x", func(context.Context, *connection.Params) (any, error) { return (*client)(nil), nil }, connection.In(world(t, nil)))
	wantErrorText(t, err, "the factory gave neither a client nor an error")
	_, err = connection.Open[any](t.Context(), "x", nil, connection.In(world(t, nil)))
	wantErrorText(t, err, "there is no factory")
}

// A pool whose server has gone says so when it is closed: that is no reason for Reset or Close to fail.
func TestClosingWhatIsBrokenAlreadyIsNoError(t *testing.T) {
	t.Parallel()
	gone := errors.New("FATAL: terminating connection")
	src := &source{closeError: gone}
	c := open(t, world(t, nil), "x", src.connect, connection.WithTransient(func(err error) bool { return errors.Is(err, gone) }))
	if err := c.Reset(); err != nil {
		t.Errorf("reset: %v", err)
	}
	src.closeError = io.ErrUnexpectedEOF
	raw(t, c)
	if err := c.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// 1,000 Resets under 64 goroutines that use the client for 5 to 50 ms: no use after close, no
// failed use, at most one connect per Reset, nothing left.
func TestResetsUnderLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := new(source)
		src.dial = func(context.Context, *connection.Params) error { pass(time.Millisecond); return nil }
		c := open(t, world(t, nil), "x", src.connect)
		done := make(chan struct{})
		var users sync.WaitGroup
		for i := range 64 {
			users.Go(func() {
				random := rand.New(rand.NewPCG(uint64(i), 0))
				for {
					select {
					case <-done:
						return
					default:
					}
					err := connection.Do(context.Background(), c, func(client *client) error {
						return client.use(func() { pass(time.Duration(5+random.IntN(46)) * time.Millisecond) })
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		const resets = 1000
		for range resets {
			pass(2 * time.Millisecond)
			if err := c.Reset(); err != nil {
				t.Error(err)
			}
		}
		close(done)
		users.Wait()
		if n := src.connects.Load(); n > 1+resets || n < resets/2 {
			t.Errorf("%d connects for %d Resets", n, resets)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		src.check(t)
	})
}

// The same without a clock: as fast as the processors go, with panics and closes in between.
func TestResetsAtFullSpeed(t *testing.T) {
	t.Parallel()
	src := new(source)
	c := open(t, world(t, nil), "x", src.connect)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 500 {
				func() {
					defer func() { _ = recover() }()
					_ = connection.Do(context.Background(), c, func(client *client) error {
						return client.use(func() {
							runtime.Gosched()
							if i%50 == 49 {
								panic("a use that panics gives its lease back")
							}
						})
					})
				}()
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for range 500 {
				_ = c.Reset()
				runtime.Gosched()
			}
		})
	}
	wg.Wait()
	if n := src.connects.Load(); n > 1001 {
		t.Errorf("%d connects for 1,000 Resets", n)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	src.check(t)
}

// rude is a context that panics, as a nil pointer of somebody's own type does.
type rude struct{ context.Context } //nolint:containedctx // it is one

func (rude) Value(any) any { panic("rude") }

// What panics while it is asked who it is, as net/http recovers from, takes nothing with it.
func TestContextsThatPanicLeaveNothingLocked(t *testing.T) {
	t.Parallel()
	src := new(source)
	r := world(t, nil)
	c := open(t, r, "x", src.connect)
	connection.Register(r, "y", src.connect)
	for name, call := range map[string]func(ctx context.Context) error{
		"Raw": func(ctx context.Context) error { _, err := c.Raw(ctx); return err },
		"Open": func(ctx context.Context) error {
			_, err := connection.Open(ctx, "z", src.connect, connection.In(r))
			return err
		},
		"Get": func(ctx context.Context) error { _, err := connection.Get[*client](ctx, r, "y"); return err },
	} {
		if err := c.Reset(); err != nil {
			t.Error(err)
		}
		func() {
			defer func() {
				if p := recover(); p != "rude" {
					t.Errorf("%s: %v, want the context's own panic", name, p)
				}
			}()
			_ = call(rude{t.Context()})
		}()
		if err := call(nil); err == nil || !strings.Contains(err.Error(), "the context is nil") {
			t.Errorf("%s: %v, want to be told that there is no context", name, err)
		}
	}
	raw(t, c)
	if _, err := connection.Get[*client](t.Context(), r, "y"); err != nil {
		t.Error(err)
	}
}

// Closing waits for nobody: the last of those who use the client closes it.
func TestResetAndCloseWaitForNobody(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(connection.Any) error{"Reset": connection.Any.Reset, "Close": connection.Any.Close} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := new(source)
			c := open(t, world(t, nil), "x", src.connect)
			err := connection.Do(t.Context(), c, func(outer *client) error {
				return connection.Do(t.Context(), c, func(inner *client) error {
					if inner != outer {
						t.Error("two clients")
					}
					if err := end(c); err != nil { // would hang if it waited
						t.Error(err)
					}
					if outer.closed.Load() {
						t.Error("closed while it is lent")
					}
					return nil
				})
			})
			if err != nil {
				t.Fatal(err)
			}
			if n := src.closes.Load(); n != 1 {
				t.Errorf("closed %d times", n)
			}
		})
	}
}

func TestMaxAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := new(source)
		c := open(t, world(t, nil), "x", src.connect, connection.WithMaxAge(time.Hour))
		first := raw(t, c)
		pass(time.Hour - 1)
		err := connection.Do(t.Context(), c, func(held *client) error {
			if held != first {
				t.Error("reset too early")
			}
			pass(time.Nanosecond)
			if raw(t, c) == first {
				t.Error("older than it may be")
			}
			if first.closed.Load() {
				t.Error("closed while it is lent")
			}
			return nil
		})
		if err != nil || !first.closed.Load() {
			t.Errorf("%v; closed %t", err, first.closed.Load())
		}
		if s := connection.Stats(c); s.Resets != 1 || s.Connects != 2 {
			t.Errorf("%+v", s)
		}
		pass(48 * time.Hour) // an idle connection is not reset by time alone
		if n := src.connects.Load(); n != 2 {
			t.Errorf("%d connects", n)
		}
	})
}

// closer is a client whose Close panics.
type closer struct{ *client }

func (c closer) Close() error {
	_ = c.client.Close()
	panic("rude")
}

func TestOldClientWhoseClosePanics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := new(source)
		connects := 0
		c := open(t, world(t, nil), "x", func(ctx context.Context, p *connection.Params) (io.Closer, error) {
			made, err := src.connect(ctx, p)
			if connects++; connects == 1 {
				return closer{made}, err
			}
			return made, err
		}, connection.WithMaxAge(time.Hour))
		pass(time.Hour)
		func() {
			defer func() { _ = recover() }()
			_, _ = c.Raw(t.Context())
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := c.Raw(ctx); err != nil {
			t.Errorf("the connection is locked: %v", err)
		}
	})
}

func TestMaxAgeSparesWhatCannotBeMadeAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := &source{dial: func(_ context.Context, p *connection.Params) error { p.Ephemeral(); return nil }}
		c := open(t, world(t, nil), "x", src.connect, connection.WithMaxAge(time.Hour))
		first := raw(t, c)
		pass(48 * time.Hour)
		if raw(t, c) != first {
			t.Error("the in-memory database is gone")
		}
	})
}

// A fault resets the generation on which it was seen, and no newer one.
func TestFaultResetsItsOwnGeneration(t *testing.T) {
	t.Parallel()
	src := new(source)
	refused := errors.New("credentials refused")
	kind := connection.Kind[*client, connection.Connection[*client]]{
		Name: "src", Connect: src.connect, Fault: func(err error) bool { return errors.Is(err, refused) },
	}
	c, err := kind.Open(t.Context(), "x", connection.In(world(t, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	fail := func(err error, during func()) {
		t.Helper()
		got := connection.Do(t.Context(), c, func(*client) error { during(); return err })
		if got != err { //nolint:errorlint // as it is, not wrapped
			t.Errorf("got %v, want %v as it is", got, err)
		}
	}
	first := raw(t, c)
	fail(errors.New("syntax error"), func() {})
	if raw(t, c) != first {
		t.Error("an error that is no fault reset the connection")
	}
	fail(refused, func() {})
	second := raw(t, c)
	if second == first || !first.closed.Load() {
		t.Error("a fault did not reset the connection")
	}
	var third *client
	fail(refused, func() {
		if err := c.Reset(); err != nil {
			t.Fatal(err)
		}
		third = raw(t, c)
	})
	if raw(t, c) != third {
		t.Error("a fault on an old client reset its successor")
	}
	if s := connection.Stats(c); s.Resets != 2 {
		t.Errorf("%+v", s)
	}
}
