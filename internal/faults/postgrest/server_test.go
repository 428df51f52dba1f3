//go:build linux

package postgrest_test

import (
	"crypto/md5" //nolint:gosec // what Postgres has a function for
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/faults/gate"
	"github.com/streamconn/streamconn/internal/faults/load"
	"github.com/streamconn/streamconn/internal/faults/trial"
	"github.com/streamconn/streamconn/supabase"
)

func sum(text string) string {
	digest := md5.Sum([]byte(text)) //nolint:gosec // see the import
	return hex.EncodeToString(digest[:])
}

func TestPostgREST(t *testing.T) {
	p := start(t)

	trial.Fault(t, "killed and restarted", trial.ReadsSurvive, func(t *testing.T, c *trial.Case) string {
		conn := p.open(t, c, p.addr(t))
		return p.loaded(t, c, conn, func(l *load.Load) {
			for range trial.Rounds(1, 6) {
				p.Kill(t)
				trial.Tried(t, conn, 16)
				p.Restart(t)
				l.Go(t, 50)
				l.Wrote(t, 10)
				p.Restart(t) // in an orderly way
				l.Go(t, 50)
			}
		})
	})

	trial.Fault(t, "its database killed and back", trial.ReadsSurvive, func(t *testing.T, c *trial.Case) string {
		conn := p.open(t, c, p.addr(t))
		return p.loaded(t, c, conn, func(l *load.Load) {
			for range trial.Rounds(1, 6) {
				p.Database.Kill(t)
				trial.Tried(t, conn, 16)
				p.Database.Restart(t)
				l.Go(t, 50)
				l.Wrote(t, 10)
			}
		})
	})

	trial.Fault(t, "its database stopped and back", trial.ReadsSurvive, func(t *testing.T, c *trial.Case) string {
		conn := p.open(t, c, p.addr(t))
		return p.loaded(t, c, conn, func(l *load.Load) {
			for range trial.Rounds(1, 6) {
				p.Database.Stop(t)
				trial.Tried(t, conn, 16)
				p.Database.Restart(t)
				l.Go(t, 50)
				l.Wrote(t, 10)
			}
		})
	})

	trial.Fault(t, "its backends terminated", trial.ReadsSurvive, func(t *testing.T, c *trial.Case) string {
		conn := p.open(t, c, p.addr(t))
		return p.loaded(t, c, conn, func(l *load.Load) {
			for range trial.Rounds(2, 15) {
				// PostgREST may be the first to notice, and connect anew before the next read comes.
				before := connection.Stats(conn).Retries
				load.Eventually(t, "reads are tried again", func() bool {
					p.administer(t, terminate)
					l.Go(t, 20)
					return connection.Stats(conn).Retries != before
				})
			}
		})
	})

	trial.Fault(t, "schema cache reloaded", "no call fails, and what is new can be called", func(t *testing.T, c *trial.Case) string {
		conn := p.open(t, c, p.addr(t))
		return p.loaded(t, c, conn, func(l *load.Load) {
			for n := range trial.Rounds(5, 50) {
				p.administer(t, fmt.Sprintf("create or replace function public.generation_%d() returns int language sql stable as 'select %d'", n, n))
				p.administer(t, "notify pgrst, 'reload schema'")
				load.Eventually(t, "the new function can be called", func() bool {
					got, err := supabase.QueryOne[int](t.Context(), conn.WithTTL(0).RPC(fmt.Sprintf("generation_%d", n), nil).Get())
					c.Reads.Add(1)
					if err != nil && !errors.Is(err, supabase.ErrUndefined) {
						t.Errorf("a new function: %v", err)
					}
					return err == nil && got == n
				})
				l.Go(t, 20)
			}
			if n := l.WriteFailures.Load(); n != 0 {
				t.Errorf("%d writes failed", n)
			}
		})
	})

	trial.Fault(t, "schema cache not to be had", trial.ReadsSurvive, func(t *testing.T, c *trial.Case) string {
		var mu sync.Mutex
		codes := make(map[string]int)
		conn := p.open(t, c, p.addr(t), supabase.WithObserver(func(e supabase.Event) {
			if failed, ok := errors.AsType[*supabase.Error](e.Err); ok {
				mu.Lock()
				defer mu.Unlock()
				codes[failed.Code]++
			}
		}))
		seen := p.loaded(t, c, conn, func(l *load.Load) {
			// Who reads the tables' descriptions waits for who changes them, and PostgREST has no time to.
			p.administer(t, "alter role authenticator set lock_timeout = '20ms'")
			c.Closes = append(c.Closes, func() error {
				p.administer(t, "alter role authenticator reset lock_timeout")
				return nil
			})
			for range trial.Rounds(1, 6) {
				tx, err := p.admin.BeginTx(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := tx.ExecContext(t.Context(), "lock table pg_catalog.pg_description"); err != nil {
					t.Error(err)
				}
				p.administer(t, terminate)
				load.Eventually(t, "PostgREST has no schema", func() bool {
					mu.Lock()
					defer mu.Unlock()
					return codes["PGRST002"] >= 16
				})
				if err := tx.Rollback(); err != nil {
					t.Error(err)
				}
				l.Go(t, 50)
				mu.Lock()
				codes["PGRST002"] = 0
				mu.Unlock()
			}
		})
		return seen + "; PGRST002 was what it said meanwhile"
	})

	trial.Fault(t, "statement timeout", "answered at once, and the connection serves on", func(t *testing.T, c *trial.Case) string {
		p.administer(t, "alter role service_role set statement_timeout = '100ms'")
		c.Closes = append(c.Closes, func() error {
			p.administer(t, "alter role service_role reset statement_timeout")
			p.administer(t, "notify pgrst, 'reload config'")
			return nil
		})
		conn := p.open(t, c, p.addr(t))
		nap := func(seconds float64) error {
			_, err := supabase.QueryOne[int](t.Context(), conn.WithTTL(0).RPC("nap", map[string]any{"seconds": seconds}).Get())
			c.Reads.Add(1)
			if err != nil {
				c.ReadFails.Add(1)
			}
			return err
		}
		isTimeout := func(err error) bool {
			e, ok := errors.AsType[*supabase.Error](err)
			return ok && e.Code == "57014" && errors.Is(err, supabase.ErrTimeout)
		}
		load.Eventually(t, "the timeout is in force", func() bool {
			p.administer(t, "notify pgrst, 'reload config'") // which nobody may hear while PostgREST connects anew
			return isTimeout(nap(0.3))
		})
		before := connection.Stats(conn).Retries
		for range trial.Rounds(3, 50) {
			err := nap(60)
			typed(t, err)
			if !isTimeout(err) {
				t.Errorf("%v, want the database's 57014", err)
			}
			c.Reads.Add(1)
			if err := subject(t, conn).Read(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if n := connection.Stats(conn).Retries - before; n != 0 {
			t.Errorf("%d retries, want none", n)
		}
		return "the database's own error each time; no retry"
	})

	testGateway(t, p)
	testNetwork(t, p)
}

const terminate = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'authenticator'"

// testGateway has the gateway answer in place of PostgREST, as gateways do and Cloudflare before a
// hosted project: before PostgREST has seen a request, and after it has done what was asked.
func testGateway(t *testing.T, p *project) {
	t.Helper()
	for _, after := range []bool{false, true} {
		name := "gateway answers instead"
		if after {
			name = "gateway loses answers"
		}
		trial.Fault(t, name, trial.ReadsSurvive, func(t *testing.T, c *trial.Case) string {
			conn := p.open(t, c, p.addr(t))
			c.Closes = append(c.Closes, func() error { p.gate.Says(nil); return nil })
			seen := p.loaded(t, c, conn, func(l *load.Load) {
				for range trial.Rounds(1, 6) {
					for _, status := range gate.Statuses {
						until := p.gate.Hits() + 20
						p.gate.Says(gate.Page(status, 3, after))
						load.Eventually(t, "the gateway answers", func() bool { return p.gate.Hits() >= until })
						p.gate.Says(nil)
						l.Go(t, 20)
					}
				}
			})
			return seen + "; a third of the answers were " + strings.Trim(fmt.Sprint(gate.Statuses), "[]")
		})
	}

	trial.Fault(t, "gateway does not know the key", "answered at once", func(t *testing.T, c *trial.Case) string {
		conn := p.open(t, c, p.addr(t))
		c.Closes = append(c.Closes, func() error { p.gate.Says(nil); return nil })
		p.gate.Says(&gate.Answer{Status: 401, OneIn: 1, Type: "application/json", Body: `{"message":"Invalid API key"}`})
		for range trial.Rounds(10, 200) {
			c.Reads.Add(1)
			c.ReadFails.Add(1)
			err := subject(t, conn).Read(t.Context())
			typed(t, err)
			if !errors.Is(err, supabase.ErrUnauthorized) {
				t.Errorf("%v, want ErrUnauthorized", err)
			}
		}
		if n := connection.Stats(conn).Retries; n != 0 {
			t.Errorf("%d retries, want none", n)
		}
		return "ErrUnauthorized each time; no retry"
	})
}
