//go:build linux

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/streamconn/streamconn/examples/credits/ledger"
	"github.com/streamconn/streamconn/supabase"
)

// atOnce runs f n times at once.
func atOnce(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

func request(i int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", i) }

// both runs a test on the real database and in memory.
func both(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	for name, start := range map[string]func(*testing.T) *world{"PostgREST": realWorld, "in memory": inMemory} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start(t))
		})
	}
}

func (w *world) expect(t *testing.T, sql, want string) {
	t.Helper()
	rows, err := w.query(t.Context(), sql)
	if err != nil || len(rows) != 1 || rows[0] != want {
		t.Errorf("%s: %s gives %q, %v, want %s", w.name, sql, rows, err, want)
	}
}

func TestSpendsAtOnceNeverOverspend(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		me := w.as(t, ada)
		if _, err := ledger.Open(t.Context(), me); err != nil {
			t.Fatal(err)
		}
		var spent, refused atomic.Int64
		atOnce(200, func(i int) {
			_, charged, err := ledger.Spend(t.Context(), me, 1, "a job", request(i))
			switch {
			case err == nil && charged:
				spent.Add(1)
			case errors.Is(err, ledger.ErrInsufficient):
				refused.Add(1)
			default:
				t.Errorf("spend %d: %v, %v", i, charged, err)
			}
		})
		if spent.Load() != 100 || refused.Load() != 100 {
			t.Errorf("%d spent, %d refused, want 100 of each", spent.Load(), refused.Load())
		}
		w.expect(t, `select credits from accounts`, `{"credits":0}`)
		w.expect(t, `select count(*) as n, sum(amount)::bigint as sum, min(balance) as least from entries`, `{"least":0,"n":101,"sum":0}`)
		t.Logf("%d spends of 1 credit at once on a balance of 100: %d were charged", 200, spent.Load())
	})
}

func TestOneRequestIsChargedOnce(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		me := w.as(t, ada)
		if _, err := ledger.Open(t.Context(), me); err != nil {
			t.Fatal(err)
		}
		var charges atomic.Int64
		atOnce(40, func(int) {
			left, charged, err := ledger.Spend(t.Context(), me, 30, "a job", request(1))
			if err != nil || left != 70 {
				t.Errorf("%d left, %v", left, err)
			}
			if charged {
				charges.Add(1)
			}
		})
		if charges.Load() != 1 {
			t.Errorf("charged %d times", charges.Load())
		}
	})
}

func TestFreeCreditsOnce(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		me := w.as(t, ada)
		open := func(want int64) func(int) {
			return func(int) {
				if a, err := ledger.Open(t.Context(), me); err != nil || a.Credits != want {
					t.Errorf("%+v, %v, want %d credits", a, err, want)
				}
			}
		}
		atOnce(32, open(100))
		if _, _, err := ledger.Spend(t.Context(), me, 40, "a job", request(1)); err != nil {
			t.Fatal(err)
		}
		for range 5 { // the row is deleted, and made again by many sign-ins at once
			if err := w.exec(t.Context(), `delete from accounts`); err != nil {
				t.Fatal(err)
			}
			if _, err := ledger.Balance(t.Context(), me); !errors.Is(err, supabase.ErrNotFound) {
				t.Errorf("the row is still there: %v", err)
			}
			atOnce(16, open(60))
		}
		w.expect(t, `select count(*) as n, sum(amount)::bigint as sum from entries`, `{"n":2,"sum":60}`)
		if _, err := ledger.Open(t.Context(), w.as(t, ghost)); !errors.Is(err, supabase.ErrConflict) {
			t.Errorf("the token of a user who is gone: %v", err)
		}
	})
}

func TestPurchasesAreCreditedOnce(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		me, secret := w.as(t, ada), connect(t, w.url, w.secret)
		bought, err := ledger.StartPurchase(t.Context(), me, "large")
		if err != nil {
			t.Fatal(err)
		}
		var credited atomic.Int64
		atOnce(32, func(i int) {
			if i%4 == 0 { // the first sign-in may come at the same time
				if _, err := ledger.Open(t.Context(), me); err != nil {
					t.Error(err)
				}
			}
			done, err := ledger.Complete(t.Context(), secret, bought.ID, 1000)
			if err != nil {
				t.Error(err)
			}
			if done {
				credited.Add(1)
			}
		})
		if credited.Load() != 1 {
			t.Errorf("credited %d times", credited.Load())
		}
		w.expect(t, `select credits from accounts`, `{"credits":1300}`)
	})
}

// Everything at once, for three users: in the end each balance is the sum of what happened, and
// each entry follows the one before it.
func TestAccountsAddUp(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		secret := connect(t, w.url, w.secret)
		users := []string{ada, bob, cleo}
		atOnce(60, func(i int) {
			ctx := context.WithoutCancel(t.Context())
			me := w.as(t, users[i%3])
			if _, err := ledger.Open(ctx, me); err != nil {
				t.Error(err)
			}
			switch i % 4 {
			case 0:
				bought, err := ledger.StartPurchase(ctx, me, "small")
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := ledger.Complete(ctx, secret, bought.ID, 200); err != nil {
					t.Error(err)
				}
			default:
				if _, _, err := ledger.Spend(ctx, me, int64(1+i), "a job", request(i)); err != nil && !errors.Is(err, ledger.ErrInsufficient) {
					t.Error(err)
				}
			}
		})
		rows, err := w.query(t.Context(), `select a.user_id from accounts a
			where a.credits <> (select sum(e.amount) from entries e where e.user_id = a.user_id)`)
		if err != nil || len(rows) != 0 {
			t.Errorf("accounts that do not add up: %v, %v", rows, err)
		}
		rows, err = w.query(t.Context(), `select e.id from entries e
			where e.balance <> (select sum(p.amount) from entries p where p.user_id = e.user_id and p.id <= e.id)`)
		if err != nil || len(rows) != 0 {
			t.Errorf("entries that do not follow those before: %v, %v", rows, err)
		}
	})
}
