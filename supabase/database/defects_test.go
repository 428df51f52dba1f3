package database_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamconn/streamconn/supabase/database"
)

// More of the community module's defects; others stand beside what they are about.

func TestP03_AQueryEndsWithItsContext(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	db := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		select {
		case <-r.Context().Done():
		case <-release:
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-arrived
		cancel()
	}()
	if _, err := database.All[row](ctx, db.Table("t")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestP04_AFailedCallIsAnError(t *testing.T) {
	t.Parallel()
	db := answer(t, 404, `{"code":"PGRST202","message":"no function","hint":"add_them"}`, "Content-Type", "application/json")
	_, err := database.One[string](t.Context(), db.RPC("f", nil))
	if e, ok := errors.AsType[*database.Error](err); !ok || e.Hint != "add_them" || !errors.Is(err, database.ErrUndefined) {
		t.Error(err)
	}
}

func TestP05_OneAcceptOnePreferAndNoContentTypeOfAGet(t *testing.T) {
	t.Parallel()
	db := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `["%d","%d","%d"]`, len(r.Header["Accept"]), len(r.Header["Prefer"]), len(r.Header["Content-Type"]))
	})
	got, err := database.One[[]string](t.Context(), db.Table("t").StripNulls().Count(database.Exact))
	if diff := cmp.Diff([]string{"1", "1", "0"}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestP09_AValueWithoutAFormIsAnErrorNotAPanic(t *testing.T) {
	t.Parallel()
	for _, query := range []q{
		table("t").Insert(make(chan int)), table("t").Upsert(func() {}), table("t").Update(object{"a": make(chan int)}),
		database.RPC("r", "f", object{"a": func() {}}), table("t").Eq("a", struct{ F func() }{}),
	} {
		if err := query.Eq("a", 1).Select("id").Order("id").Err(); !errors.Is(err, database.ErrInvalid) {
			t.Error(err)
		}
	}
	if _, err := database.New("://"); err == nil {
		t.Error("a broken address is no error")
	}
}

func TestP11_ContainedByIsNotContains(t *testing.T) {
	t.Parallel()
	if got, want := short(t, table("t").ContainedBy("a", object{"k": 1})).line, `GET t?a=cd.{"k":1}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestP20_OperatorsAreNoClosedList(t *testing.T) {
	t.Parallel()
	query := table("t").RegexMatch("a", "x").RegexIMatch("a", "x").IsDistinct("a", 1).LikeAnyOf("a", "x").
		TextSearch("a", "x", database.TextSearchConfig("german")).Filter("a", "not.newop(any)", "x")
	got := short(t, query).line
	for _, op := range []string{"match.", "imatch.", "isdistinct.", "like(any).", "fts(german).", "not.newop(any)."} {
		if !strings.Contains(got, "a="+op) {
			t.Errorf("%s is not in %s", op, got)
		}
	}
}

func TestP21_HeadersOfTheAnswerAreThere(t *testing.T) {
	t.Parallel()
	r, err := database.Execute(t.Context(), answer(t, 201, "", "Location", "/t?id=eq.7").Table("t").Insert(row{ID: 7}))
	if err != nil || r.Header.Get("Location") != "/t?id=eq.7" || r.Status != 201 {
		t.Errorf("%+v, %v", r, err)
	}
}
