package connection_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
)

// login is a client whose parameters are of one version of the secrets, or a mixture.
type login struct{ user, password, token string }

func (l *login) whole() bool { return l.user == l.password && l.user == l.token }

func (*login) Close() error { return nil }

func connectLogin(between func()) connection.Factory[*login] {
	return func(_ context.Context, p *connection.Params) (*login, error) {
		l := new(login)
		var err error
		if l.user, err = p.String("user"); err != nil {
			return nil, err
		}
		between()
		if l.password, err = p.String("password"); err != nil {
			return nil, err
		}
		l.token, err = p.String("token", "SOURCE_TOKEN") // at the top level
		return l, err
	}
}

func loginSecrets(n int) string {
	return fmt.Sprintf("SOURCE_TOKEN = '%d'\n[connections.login]\nuser = '%d'\npassword = '%d'\n", n, n, n)
}

// A rotation in the middle of a connect does not mix two versions, and is not missed.
func TestRotationInTheMiddleOfAConnect(t *testing.T) {
	t.Parallel()
	f := newFile(t, loginSecrets(1))
	store := f.load()
	rotate := sync.OnceFunc(func() {
		f.write(loginSecrets(2))
		refresh(t, store)
	})
	c := open(t, &connection.Registry{Secrets: store, Environ: environ(), Logger: quiet}, "login", connectLogin(rotate))
	if l := raw(t, c); !l.whole() {
		t.Errorf("a mixture: %+v", l)
	}
	if l := raw(t, c); !l.whole() || l.user != "2" {
		t.Errorf("after the rotation: %+v", l)
	}
}

// Rewriting the secrets, in whatever way, fails no call and mixes no two versions.
func TestFaultsOfTheSecretsUnderAConnection(t *testing.T) {
	versions := 60
	if os.Getenv("STREAMCONN_FAULTS") == "long" {
		versions = 2000
	}
	const callers = 64
	f := newFile(t, loginSecrets(0))
	c := open(t, &connection.Registry{Secrets: f.load(), Environ: environ(), Logger: quiet}, "login", connectLogin(func() {}))
	raw(t, c)

	var calls, rewritten atomic.Int64
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for rewritten.Load() < int64(versions) && !t.Failed() {
				l, err := c.Raw(t.Context())
				if err != nil || !l.whole() {
					t.Errorf("%+v, %v", l, err)
				}
				if calls.Add(1)%callers == 0 {
					if err := c.Reset(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	for n := 1; n <= versions; n++ {
		var err error
		switch n % 4 {
		case 0:
			f.write(loginSecrets(n))
		case 1:
			err = os.WriteFile(f.path, []byte(loginSecrets(n)), 0o600)
		case 2:
			f.write(loginSecrets(n) + "password = 'again'") // malformed
		case 3:
			err = os.Remove(f.path)
		}
		if err != nil {
			t.Error(err)
		}
		if err := c.Reset(); err != nil {
			t.Error(err)
		}
		raw(t, c)
		rewritten.Add(1)
	}
	group.Wait()
	f.write(loginSecrets(versions))
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	if l := raw(t, c); l.user != fmt.Sprint(versions) || !l.whole() {
		t.Errorf("ends with %+v", l)
	}
	t.Logf("%d calls, %d connects while the file was rewritten %d times", calls.Load(), connection.Stats(c).Connects, versions)
}

// Who has no time for a file that is being rewritten does not wait for it; a load is not run, nor what is
// kept given for parameters that nobody knows.
func TestSecretsBeingRewrittenAreWaitedForOnTheContext(t *testing.T) {
	t.Parallel()
	f := newFile(t, loginSecrets(1))
	synctest.Test(t, func(t *testing.T) {
		c := open(t, &connection.Registry{Secrets: f.load(), Environ: environ(), Logger: quiet}, "login", connectLogin(func() {}))
		raw(t, c)
		rewritten := func() {
			if err := c.Reset(); err != nil {
				t.Error(err)
			}
			if err := os.WriteFile(f.path, []byte(loginSecrets(2)), 0o600); err != nil {
				t.Error(err)
			}
			if err := os.Chtimes(f.path, time.Now(), time.Now()); err != nil { // by the clock of the bubble
				t.Error(err)
			}
		}
		within := func(call func(ctx context.Context) error) {
			rewritten()
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
			defer cancel()
			began := time.Now()
			if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 10*time.Millisecond {
				t.Errorf("%v after %v", err, time.Since(began))
			}
		}
		within(func(ctx context.Context) error { _, err := c.Raw(ctx); return err })
		within(func(ctx context.Context) error {
			_, err := connection.Read(ctx, c, "k", time.Hour, func(context.Context, *login) (int, error) {
				t.Error("a load")
				return 0, nil
			})
			return err
		})
		if l := raw(t, c); l.user != "2" {
			t.Errorf("then: %+v", l)
		}
	})
}

// The first connection of a program waits for the secrets as long as it has time, and the next one, that has more,
// gets them.
func TestSecretsBeingWrittenAtTheStartAreWaitedForOnTheContext(t *testing.T) {
	homeless(t)
	f := newFile(t, loginSecrets(1))
	t.Setenv("STREAMCONN_SECRETS", f.path)
	synctest.Test(t, func(t *testing.T) {
		if err := os.Chtimes(f.path, time.Now(), time.Now()); err != nil { // by the clock of the bubble
			t.Fatal(err)
		}
		r := &connection.Registry{Environ: environ(), Logger: quiet}
		defer r.Close()
		connection.Register(r, "login", connectLogin(func() {}))
		var group sync.WaitGroup
		get := func(within time.Duration, want error) {
			group.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), within)
				defer cancel()
				began := time.Now()
				c, err := connection.Get[*login](ctx, r, "login")
				if !errors.Is(err, want) || err == nil && raw(t, c).user != "1" {
					t.Errorf("with %v: %v", within, err)
				}
				if d := time.Since(began); err != nil && d != within {
					t.Errorf("with %v it took %v", within, d)
				}
			})
		}
		get(10*time.Millisecond, context.DeadlineExceeded)
		synctest.Wait() // it leads; the others join it
		get(20*time.Millisecond, context.DeadlineExceeded)
		group.Go(func() {
			bored := errors.New("bored")
			ctx, cancel := context.WithTimeoutCause(context.Background(), 5*time.Millisecond, bored)
			defer cancel()
			if _, err := connection.Open(ctx, "login", connectLogin(func() {}), connection.In(r)); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, bored) {
				t.Errorf("with a cause of its own: %v", err)
			}
		})
		get(time.Minute, nil)
		get(time.Minute, nil)
		group.Wait()
	})
}

// Nor does who refreshes the secrets wait for what connections do about it.
func TestRefreshOfOneFileWaitsForNoOther(t *testing.T) {
	t.Parallel()
	f, other := newFile(t, loginSecrets(1)), newFile(t, "x = 1")
	synctest.Test(t, func(t *testing.T) {
		store := f.load(secrets.WithPath(other.path))
		c := open(t, &connection.Registry{Secrets: store, Environ: environ(), Logger: quiet}, "login", connectLogin(func() {}))
		raw(t, c)
		at := func(path, text string, when time.Time) { // by the clock of the bubble
			if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chtimes(path, when, when)); err != nil {
				t.Fatal(err)
			}
		}
		at(f.path, loginSecrets(2), time.Now().Add(-time.Minute)) // whole
		at(other.path, "x = 2", time.Now())                       // being written
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		began := time.Now()
		if err := store.RefreshContext(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 10*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if l := raw(t, c); l.user != "2" {
			t.Errorf("%+v: what had changed is missed", l)
		}
		if s := connection.Stats(c); s.Resets != 1 {
			t.Errorf("%d resets, want the one", s.Resets)
		}
	})
}
