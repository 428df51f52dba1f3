//go:build linux

package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/supabase"
)

// useTables reads and writes the tables of a project by its REST interface; counters and ledger are
// the tables' names.
func useTables(w *work, s *source, conn *supabase.Conn, counters, ledger string) {
	entry := func(k, n int) any {
		row := map[string]any{"w": k, "n": n}
		if n%3 == 0 {
			return []map[string]any{row}
		}
		return row
	}
	s.writes(w, func(ctx context.Context, k, n int) error {
		_, err := supabase.Execute(ctx, conn.Table(ledger).Insert(entry(k, n)))
		return err
	}, func(ctx context.Context, k, n int, v int64) error {
		if _, err := supabase.Query[map[string]any](ctx, conn.Table(ledger).Insert(entry(k, n)).Select("*")); err != nil {
			return err
		}
		// Should this fail, it is not told that the row is there. What was given up on may arrive later than the next.
		_, err := supabase.Execute(ctx, conn.Table(counters).Update(map[string]any{"v": v}).Eq("k", k).Lt("v", v))
		return err
	})
	type row struct {
		V int64 `json:"v"`
	}
	counter := func(conn *supabase.Conn) func(ctx context.Context, k int) (int64, error) {
		return func(ctx context.Context, k int) (int64, error) {
			r, err := supabase.QueryOne[row](ctx, conn.Table(counters).Select("v").Eq("k", k))
			return r.V, err
		}
	}
	s.reads(w, "cached for ever", 2, counter(conn.WithTTL(cache.Forever)))
	s.reads(w, "cached, and stale ones at need", 1, counter(conn.WithTTL(50*time.Millisecond).WithStale(10*time.Second)))
	s.reads(w, "not cached", 1, counter(conn.WithTTL(0)))

	for _, how := range []struct {
		name string
		conn *supabase.Conn
	}{{"cached", conn.WithTTL(time.Second)}, {"shared", conn.WithTTL(time.Second).WithShared()}, {"not cached", conn.WithTTL(0)}} {
		all := how.conn.Table("pets").Select("*").Order("id")
		w.goes(w.kind(s.name+": rows, "+how.name, false), 15*time.Millisecond, func(ctx context.Context) error {
			return readPets(ctx, all)
		})
	}
	w.goes(w.kind(s.name+": rows, page by page", false), 40*time.Millisecond, func(ctx context.Context) error {
		rows := make([]pet, 0, pets)
		for p, err := range supabase.Rows[pet](ctx, conn.Table("pets").Select("*").Order("id"), pets/3) {
			if err != nil {
				return err
			}
			rows = append(rows, p)
		}
		if err := wholePets(rows); err != nil {
			return wrong("%v", err)
		}
		return nil
	})
	w.goes(w.kind(s.name+": rows, without time for them", true), 20*time.Millisecond, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, rand.N(100*time.Millisecond))
		defer cancel()
		return readPets(ctx, conn.WithTTL(rand.N(2*time.Millisecond)).Table("pets").Select("*").Order("id"))
	})
}

// callFunctions calls a function of the database.
func callFunctions(w *work, name string, conn *supabase.Conn) {
	w.goes(w.kind(name+": a function's rows", false), 20*time.Millisecond, func(ctx context.Context) error {
		names, err := supabase.Query[string](ctx, conn.WithTTL(300*time.Millisecond).RPC("pet_names", nil).Get())
		if err == nil && (len(names) != pets || names[pets-1] != petName(pets-1)) {
			return wrong("%d names", len(names))
		}
		return err
	})
}

func readPets(ctx context.Context, all supabase.Builder) error {
	rows, err := supabase.Query[pet](ctx, all)
	if err != nil {
		return err
	}
	if err := wholePets(rows); err != nil {
		return wrong("%v", err)
	}
	return nil
}

// readNotes reads, as a user, what nobody else may see.
func readNotes(ctx context.Context, conn *supabase.Conn, user int) error {
	rows, err := supabase.Query[noteRow](ctx, conn.Table("notes").Select("owner, n, body").Order("n"))
	if err != nil {
		return err
	}
	if err := ownNotes(user, rows); err != nil {
		return wrong("%v", err)
	}
	return nil
}

// useTokens reads as users whose tokens somebody else has issued.
func useTokens(w *work, name string, conn *supabase.Conn, tokens []string) {
	kind := w.kind(name+": each user's own rows", false)
	for user, token := range tokens {
		w.goes(kind, 20*time.Millisecond, func(ctx context.Context) error {
			return readNotes(ctx, conn.AsToken(token).WithTTL([]time.Duration{0, time.Second, cache.Forever}[rand.IntN(3)]), user)
		})
	}
}
