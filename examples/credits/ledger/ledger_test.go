package ledger

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/supabasetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// project is a project in memory, its owner's connection, and those of two users.
type project struct {
	srv              *supabasetest.Server
	anybody, secret  *supabase.Conn
	ada, bob         *supabase.Conn
	adasID, bobsID   string
	adasTok, bobsTok string
}

func newProject(t *testing.T) *project {
	t.Helper()
	p := new(project)
	p.srv = supabasetest.NewServer(t, append(InMemory(), supabasetest.WithoutPort())...)
	open := func(key string) *supabase.Conn {
		sb, err := supabase.Open(t.Context(), "test", supabase.WithURL(p.srv.URL), supabase.WithKey(key),
			supabase.WithHTTPClient(p.srv.HTTPClient()), connection.WithSecrets(secrets.Of(nil)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = sb.Close() })
		return sb
	}
	p.anybody, p.secret = open(p.srv.AnonKey), open(p.srv.ServiceKey)
	user := func(email string) (*supabase.Conn, string, string) {
		id, err := p.srv.AddUser(email, "correct horse")
		if err != nil {
			t.Fatal(err)
		}
		token, err := p.srv.UserToken(id)
		if err != nil {
			t.Fatal(err)
		}
		return p.anybody.AsToken(token), id, token
	}
	p.ada, p.adasID, p.adasTok = user("ada@example.com")
	p.bob, p.bobsID, p.bobsTok = user("bob@example.com")
	return p
}

// atOnce runs f n times at once.
func atOnce(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

func request(i int) string {
	const digits = "0123456789abcdef"
	return "00000000-0000-4000-8000-0000000000" + string([]byte{digits[i/16%16], digits[i%16]})
}

func balance(t *testing.T, me *supabase.Conn) int64 {
	t.Helper()
	a, err := Balance(t.Context(), me)
	if err != nil {
		t.Fatal(err)
	}
	return a.Credits
}

func TestFreeCreditsOnce(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	if _, err := Balance(t.Context(), p.ada); !errors.Is(err, supabase.ErrNotFound) {
		t.Errorf("before the first sign-in: %v", err)
	}
	open := func(int) {
		if a, err := Open(t.Context(), p.ada); err != nil || a.Credits != 100 || a.UserID != p.adasID {
			t.Errorf("%+v, %v", a, err)
		}
	}
	atOnce(16, open)
	if _, _, err := Spend(t.Context(), p.ada, 30, "a job", request(1)); err != nil {
		t.Fatal(err)
	}
	// The row is deleted, and made again by two sign-ins at once: with what was there.
	if err := p.srv.Do(func(tx *supabasetest.Tx) error {
		_, err := tx.Delete("accounts", supabasetest.Row{"user_id": p.adasID})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	atOnce(2, func(int) {
		if a, err := Open(t.Context(), p.ada); err != nil || a.Credits != 70 {
			t.Errorf("%+v, %v", a, err)
		}
	})
	if entries, err := History(t.Context(), p.ada, 0, 10); err != nil || len(entries) != 2 {
		t.Errorf("%+v, %v", entries, err)
	}
}

func TestSpend(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	if _, _, err := Spend(t.Context(), p.ada, 1, "a job", request(0)); !errors.Is(err, supabase.ErrNotFound) {
		t.Errorf("without an account: %v", err)
	}
	if _, err := Open(t.Context(), p.ada); err != nil {
		t.Fatal(err)
	}
	var won, refused atomic.Int64
	atOnce(30, func(i int) {
		_, charged, err := Spend(t.Context(), p.ada, 7, "a job", request(i))
		switch {
		case err == nil && charged:
			won.Add(1)
		case errors.Is(err, ErrInsufficient):
			refused.Add(1)
		default:
			t.Errorf("%v, %v", charged, err)
		}
	})
	if won.Load() != 14 || refused.Load() != 16 || balance(t, p.ada) != 2 {
		t.Errorf("%d spent, %d refused, %d left", won.Load(), refused.Load(), balance(t, p.ada))
	}
	// A form that was sent twice.
	for i, want := range []bool{true, false, false} {
		left, charged, err := Spend(t.Context(), p.ada, 1, "twice", request(99))
		if err != nil || charged != want || left != 1 {
			t.Errorf("time %d: %d left, %v, %v", i, left, charged, err)
		}
	}
	for _, amount := range []int64{0, -1, -100, 1_000_001} {
		e, ok := errors.AsType[*supabase.Error](spendError(t.Context(), p.ada, amount))
		if !ok || e.Code != "PT400" {
			t.Errorf("%d credits: %v", amount, e)
		}
	}
	entries, err := History(t.Context(), p.ada, 0, 5)
	if err != nil || len(entries) != 5 || entries[0].Note != "twice" || entries[0].Amount != -1 || entries[0].Balance != 1 {
		t.Errorf("%+v, %v", entries, err)
	}
	older, err := History(t.Context(), p.ada, entries[4].ID, 5)
	if err != nil || len(older) != 5 || older[0].ID >= entries[4].ID {
		t.Errorf("%+v, %v", older, err)
	}
}

func spendError(ctx context.Context, me *supabase.Conn, amount int64) error {
	_, _, err := Spend(ctx, me, amount, "x", request(7))
	return err
}

func TestPurchases(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	packs, err := Packs(t.Context(), p.anybody)
	if err != nil || len(packs) != 3 || packs[0] != (Pack{"small", "Small", 200, 200}) {
		t.Fatalf("%+v, %v", packs, err)
	}
	if _, err := StartPurchase(t.Context(), p.ada, "huge"); !errors.Is(err, supabase.ErrNotFound) {
		t.Errorf("a pack that is not there: %v", err)
	}
	bought, err := StartPurchase(t.Context(), p.ada, "medium")
	if err != nil || bought.Credits != 550 || bought.Price != 500 || bought.PaidAt != nil {
		t.Fatalf("%+v, %v", bought, err)
	}
	if _, err := Complete(t.Context(), p.ada, bought.ID, 500); !errors.Is(err, supabase.ErrForbidden) {
		t.Errorf("the buyer: %v", err)
	}
	if _, err := Complete(t.Context(), p.secret, bought.ID, 1); err == nil {
		t.Error("a cent pays for all")
	}
	if _, err := Complete(t.Context(), p.secret, request(1), 500); !errors.Is(err, supabase.ErrNotFound) {
		t.Errorf("a purchase that is not there: %v", err)
	}
	var credited atomic.Int64
	atOnce(8, func(int) {
		done, err := Complete(t.Context(), p.secret, bought.ID, 500)
		if err != nil {
			t.Error(err)
		}
		if done {
			credited.Add(1)
		}
	})
	if credited.Load() != 1 || balance(t, p.ada) != 550 {
		t.Errorf("credited %d times, %d credits", credited.Load(), balance(t, p.ada))
	}
	// Free credits come with the first sign-in also when something was bought before.
	if a, err := Open(t.Context(), p.ada); err != nil || a.Credits != 650 {
		t.Errorf("%+v, %v", a, err)
	}
	for range 20 {
		if _, err := StartPurchase(t.Context(), p.bob, "small"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := StartPurchase(t.Context(), p.bob, "small"); !errors.Is(err, supabase.ErrRateLimited) {
		t.Errorf("the 21st purchase that is not paid: %v", err)
	}
}
