package supabase_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/database"
)

// What a hit allocates: nothing, with a kept query.
func TestAllocationsOfHits(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	sb := open(t, counting())
	ctx := t.Context()
	q := sb.Table("todos").Select("*").Eq("id", 1)
	shared := database.On(q, sb.WithShared().WithTTL(time.Hour))
	user := database.On(q, sb.As(new(issuer).session(t, "ann")).WithShared())
	reg := connection.Registry{Secrets: secrets.Of(nil), Environ: nothing}
	defer reg.Close()
	for _, test := range []struct {
		name string
		most float64
		hit  func() error
	}{
		{"shared", 0, func() error { _, err := supabase.Query[numbered](ctx, shared); return err }},
		{"shared, as a user", 0, func() error { _, err := supabase.Query[numbered](ctx, user); return err }},
		{"one row", 0, func() error { _, err := supabase.QueryOne[numbered](ctx, q); return err }},
		{"a shared page", 0, func() error { _, err := supabase.QueryPage[numbered](ctx, shared); return err }},
		{"a shared raw answer", 0, func() error { _, err := supabase.Execute(ctx, shared); return err }},
		{"own copy of flat rows", 1, func() error { _, err := supabase.Query[numbered](ctx, q); return err }},
		{"run as somebody else", 0, func() error { _, err := supabase.Query[numbered](ctx, database.On(q, shared.Runner())); return err }},
		{"Get", 0, func() error {
			_, err := supabase.Get(ctx, "supabase", connection.In(&reg), supabase.WithURL(address), supabase.WithKey(anonKey))
			return err
		}},
	} {
		var err error
		got := testing.AllocsPerRun(100, func() { // once before it counts: that is the miss
			if e := test.hit(); e != nil {
				err = e
			}
		})
		if got > test.most || err != nil {
			t.Errorf("%s: %v allocations, want at most %v; error: %v", test.name, got, test.most, err)
		}
	}
}

// What a read allocates that reaches the project, over a transport that costs the same for all: no more
// than the same by hand, and a few for the connection.
func TestAllocationsOfUncachedReads(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	s := &server{answer: func(*request) (int, string) { return 200, `[{"id":12,"name":"Ada Lovelace","age":36}]` }}
	sb := open(t, s).WithTTL(0)
	ctx, client := t.Context(), &http.Client{Transport: s}
	q := sb.Table("people").Select("id,name,age,note").Gte("age", 18)
	var failed error
	count := func(read func() ([]person, error)) float64 {
		return testing.AllocsPerRun(100, func() {
			if _, err := read(); err != nil {
				failed = err
			}
		})
	}
	hand := count(func() ([]person, error) {
		return peopleByHand(ctx, client, address+"/rest/v1/people?select=id,name,age,note&age=gte.18")
	})
	ours := count(func() ([]person, error) { return supabase.Query[person](ctx, q) })
	if failed != nil || ours > hand+4 {
		t.Errorf("%v allocations, by hand %v; error: %v", ours, hand, failed)
	}
}
