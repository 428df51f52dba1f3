// Package ledger is the database of the credits app, as Go calls it. What users have, and how that
// changes, is in [SQL]: tables that users read under row security, and functions, which alone change
// them.
package ledger

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/streamconn/streamconn/supabase"
)

// SQL makes the tables, policies, functions and grants, in a project without them.
//
//go:embed ledger.sql
var SQL string

// ErrInsufficient is a spending that would take more credits than there are. Nothing was taken.
var ErrInsufficient = errors.New("not enough credits")

// Account is what a user has. A credit is a cent.
type Account struct {
	UserID    string    `json:"user_id"`
	Credits   int64     `json:"credits"`
	CreatedAt time.Time `json:"created_at"`
}

// Entry is one change of an account.
type Entry struct {
	ID        int64     `json:"id"`
	Amount    int64     `json:"amount"`  // below zero: spent
	Balance   int64     `json:"balance"` // after it
	Note      string    `json:"note"`
	CreatedAt time.Time `json:"created_at"`
}

// Pack is what can be bought.
type Pack struct {
	ID      string `json:"id"`
	Title   string `json:"title"`
	Credits int64  `json:"credits"`
	Price   int64  `json:"price"` // cents
}

// Purchase is what somebody has begun to buy, and bought once it is paid.
type Purchase struct {
	ID      string     `json:"id"`
	Pack    string     `json:"pack"`
	Credits int64      `json:"credits"`
	Price   int64      `json:"price"` // cents
	PaidAt  *time.Time `json:"paid_at"`
}

// The me of the functions below is a view of the connection as a user: see [supabase.Conn.As]. Money is never read
// from the cache, and as nothing else that is read changes with it, writes leave the cache alone.
func fresh(c *supabase.Conn) *supabase.Conn { return c.WithTTL(0).WithKeepCache() }

// Open gives the user's account, and makes it at their first sign-in, with free credits.
func Open(ctx context.Context, me *supabase.Conn) (Account, error) {
	return supabase.QueryOne[Account](ctx, fresh(me).RPC("open_account", nil))
}

// Balance gives the user's account; [supabase.ErrNotFound] before Open.
func Balance(ctx context.Context, me *supabase.Conn) (Account, error) {
	return supabase.QueryOne[Account](ctx, fresh(me).Table("accounts").Select("user_id, credits, created_at"))
}

// Spend takes credits, or is [ErrInsufficient]. Charged is false if the request, a UUID, was charged
// before: then nothing more is taken.
func Spend(ctx context.Context, me *supabase.Conn, amount int64, note, request string) (balance int64, charged bool, err error) {
	spent, err := supabase.QueryOne[struct {
		Balance int64
		Charged bool
	}](ctx, fresh(me).RPC("spend_credits", map[string]any{"amount": amount, "note": note, "request": request}))
	if e, ok := errors.AsType[*supabase.Error](err); ok && e.Code == "PT402" {
		err = fmt.Errorf("%w: %w", ErrInsufficient, err)
	}
	return spent.Balance, spent.Charged, err
}

// History gives the user's entries, the newest first: up to limit, of those before the one with an
// id, or of all with 0.
func History(ctx context.Context, me *supabase.Conn, before int64, limit int) ([]Entry, error) {
	q := fresh(me).Table("entries").Select("id, amount, balance, note, created_at").Order("id", supabase.Desc).Limit(limit)
	if before > 0 {
		q = q.Lt("id", before)
	}
	return supabase.Query[Entry](ctx, q)
}

// Packs gives what can be bought, the cheapest first. They seldom change, and are cached.
func Packs(ctx context.Context, c *supabase.Conn) ([]Pack, error) {
	return supabase.Query[Pack](ctx, c.WithTTL(10*time.Minute).Table("packs").Select("id, title, credits, price").Order("price"))
}

// StartPurchase notes that the user is about to buy a pack; [supabase.ErrNotFound] if there is none
// with this id.
func StartPurchase(ctx context.Context, me *supabase.Conn, pack string) (Purchase, error) {
	return supabase.QueryOne[Purchase](ctx, fresh(me).RPC("start_purchase", map[string]any{"pack": pack}))
}

// Complete credits a purchase for which so many cents were paid. Credited is false if that had been
// done before. The connection must have a secret key.
func Complete(ctx context.Context, secret *supabase.Conn, purchase string, paid int64) (credited bool, err error) {
	done, err := supabase.QueryOne[struct{ Credited bool }](ctx,
		fresh(secret).RPC("complete_purchase", map[string]any{"purchase": purchase, "paid": paid}))
	return done.Credited, err
}
