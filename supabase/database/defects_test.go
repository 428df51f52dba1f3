package database_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/supabase-community/postgrest-go"

	"github.com/streamconn/streamconn/supabase/database"
)

// The known defects of the community's module, postgrest-go v0.0.11, by their numbers. Each test runs
// one scenario against that module, which must show the defect, and against this one, which must not.
// A release that mends one is noticed so.

func TestDefectP01_FiltersOnOneColumnReplaceEachOther(t *testing.T) {
	t.Parallel()
	p := both(t, nil)
	got := p.sent(t, p.theirs.From("t").Delete("", "").Lt("at", "2026").Gt("at", "2025").Or("a.eq.1", "").Or("b.eq.2", "")).query
	defect(t, len(got["at"]) == 1 && len(got["or"]) == 1, got)

	got = p.run(t, p.ours.Table("t").Delete().Lt("at", "2026").Gt("at", "2025").Or(database.Eq("a", 1)).Or(database.Eq("b", 2))).query
	if want := (url.Values{"at": {"lt.2026", "gt.2025"}, "or": {"(a.eq.1)", "(b.eq.2)"}}); !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

func TestDefectP02_OneFailurePoisonsTheClient(t *testing.T) {
	t.Parallel()
	p := both(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/rpc/f") {
			panic(http.ErrAbortHandler) // the connection breaks
		}
		_, _ = io.WriteString(w, "[]")
	})
	p.theirs.Rpc("f", "", nil)
	_, _, err := p.theirs.From("t").Select("", "", false).Execute()
	defect(t, err != nil, "the next query works")

	if _, err := database.Execute(t.Context(), p.ours.RPC("f", nil)); err == nil {
		t.Error("a broken connection is no error")
	}
	if _, err := database.All[row](t.Context(), p.ours.Table("t")); err != nil {
		t.Error(err)
	}
}

func TestDefectP03_NothingEndsARequest(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var hang bool
	p := both(t, func(_ http.ResponseWriter, r *http.Request) {
		if hang {
			cancel()
			<-r.Context().Done()
		}
	})
	_, _, _ = p.theirs.From("t").Select("", "", false).Execute()
	defect(t, p.endless == 1, "its request has a context that can end")

	hang = true
	if _, err := database.All[row](ctx, p.ours.Table("t")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestDefectP04_AFailedCallIsAResult(t *testing.T) {
	t.Parallel()
	p := both(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"code":"PGRST202","message":"no function","hint":"add_them"}`)
	})
	result := p.theirs.Rpc("add", "exact", nil)
	defect(t, strings.Contains(result, "PGRST202") && p.theirs.ClientError == nil, result)

	_, err := database.One[string](t.Context(), p.ours.RPC("add", nil))
	if e, ok := errors.AsType[*database.Error](err); !ok || e.Hint != "add_them" || !errors.Is(err, database.ErrUndefined) {
		t.Error(err)
	}
}

func TestDefectP05_SingleSendsTwoMediaTypes(t *testing.T) {
	t.Parallel()
	p := both(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") })
	got := p.sent(t, p.theirs.From("t").Select("", "", false).Single()).Header
	defect(t, len(got["Accept"]) == 2 && len(got["Content-Type"]) == 1, got)

	got = p.run(t, p.ours.Table("t").Single().Count(database.Exact).StripNulls()).Header
	if len(got["Accept"]) != 1 || len(got["Prefer"]) != 1 || got["Content-Type"] != nil {
		t.Error(got)
	}
}

func TestDefectP06_ARedirectTakesTheKeyElsewhere(t *testing.T) {
	t.Parallel()
	elsewhere := &wire{}
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { elsewhere.record(r) }))
	t.Cleanup(other.Close)
	to := strings.Replace(other.URL, "127.0.0.1", "localhost", 1) // another host
	p := both(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusTemporaryRedirect) })
	_, _, _ = p.theirs.From("t").Select("", "", false).Execute()
	got := elsewhere.only(t).Header
	defect(t, got.Get("apikey") == anonKey && got.Get("Authorization") == "Bearer "+anonKey, got)

	_, err := database.All[row](t.Context(), p.ours.Table("t"))
	if taken := elsewhere.took(); err == nil || len(taken) != 0 {
		t.Errorf("%v, and %d requests", err, len(taken))
	}
}

func TestDefectP07_ErrorsAreTextsAndSomeNone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status int
		body   string
		shown  func(text string, err error) bool // by theirs
		code   string
	}{
		{409, `{"code":"23505","message":"m","details":"d","hint":"h"}`, func(_ string, err error) bool { return err.Error() == "(23505) m" }, "23505"},
		{401, `{"message":"Invalid API key","hint":"h"}`, func(_ string, err error) bool { return err.Error() == "() Invalid API key" }, ""},
		{502, `<html>Bad Gateway`, func(_ string, err error) bool { return strings.HasPrefix(err.Error(), "error parsing") }, ""},
		{500, `{"code":500,"message":"m"}`, func(_ string, err error) bool { return strings.HasPrefix(err.Error(), "error parsing") }, ""},
		{300, `{"code":"PGRST201","message":"ambiguous"}`, func(body string, err error) bool { return err == nil && body != "" }, "PGRST201"},
	} {
		p := both(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(tt.status)
			_, _ = io.WriteString(w, tt.body)
		})
		text, _, err := p.theirs.From("t").Select("", "", false).ExecuteString()
		defect(t, tt.shown(text, err), err)

		_, err = database.All[row](t.Context(), p.ours.Table("t"))
		if e, ok := errors.AsType[*database.Error](err); !ok || e.Status != tt.status || e.Code != tt.code {
			t.Errorf("%d: %v", tt.status, err)
		}
	}
}

func TestDefectP07_AnErrorOfNullPanics(t *testing.T) {
	t.Parallel()
	p := both(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, "null")
	})
	defect(t, panics(func() { _, _, _ = p.theirs.From("t").Select("", "", false).Execute() }), "no panic")

	_, err := database.All[row](t.Context(), p.ours.Table("t"))
	if e, ok := errors.AsType[*database.Error](err); !ok || e.Status != http.StatusInternalServerError {
		t.Error(err)
	}
}

func TestDefectP08_ANameIsAPath(t *testing.T) {
	t.Parallel()
	p := both(t, nil)
	escaped := p.sent(t, p.theirs.From("../../auth/v1/admin/users").Select("", "", false))
	defect(t, escaped.URL.Path == "/auth/v1/admin/users", escaped.URL)
	asked := p.sent(t, p.theirs.From("users?select=password&x=").Select("id", "", false))
	defect(t, asked.URL.Path == "/rest/v1/users" && slices.Contains(asked.query["select"], "password"), asked.URL)
	_, _, err := p.theirs.From("100%").Select("", "", false).Execute()
	defect(t, err != nil, "100% is a name")

	for _, name := range []string{"../../auth/v1/admin/users", "..", ".", ""} {
		if _, err := database.All[row](t.Context(), p.ours.Table(name)); !errors.Is(err, database.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"users?select=password", "100%", "a b", "a#b", "größe"} {
		if got := p.run(t, p.ours.Table(name)).URL; got.Path != "/rest/v1/"+name || got.RawQuery != "" {
			t.Errorf("%q became %s", name, got)
		}
	}
}

func TestDefectP09_AValueWithoutAFormPanics(t *testing.T) {
	t.Parallel()
	p := both(t, nil)
	defect(t, panics(func() { _, _, _ = p.theirs.From("t").Update(make(chan int), "", "").Eq("id", "1").Execute() }), "no panic")
	defect(t, panics(func() { postgrest.NewClient("://", "", nil).SetAuthToken("x") }), "no panic of a broken address")

	for _, query := range []query{
		p.ours.Table("t").Insert(make(chan int)), p.ours.Table("t").Upsert(func() {}), p.ours.Table("t").Update(object{"a": make(chan int)}),
		p.ours.RPC("f", object{"a": func() {}}), p.ours.Table("t").Eq("a", struct{ F func() }{}),
	} {
		if err := query.Eq("a", 1).Select("id").Order("id").Err(); !errors.Is(err, database.ErrInvalid) {
			t.Error(err)
		}
	}
	if _, err := database.New("://"); err == nil {
		t.Error("a broken address is no error")
	}
}

func TestDefectP10_NotWithAnUnknownOperatorDeletesAll(t *testing.T) {
	t.Parallel()
	p := both(t, nil)
	got := p.sent(t, p.theirs.From("t").Delete("", "").Not("id", "match", "^a"))
	defect(t, got.Method == http.MethodDelete && len(got.query) == 0, got.URL)

	got = p.run(t, p.ours.Table("t").Delete().Not(database.RegexMatch("id", "^a")))
	if got.query.Get("id") != "not.match.^a" {
		t.Error(got.URL)
	}
	if err := p.ours.Table("t").Delete().Filter("id", "not.a&b", 1).Err(); !errors.Is(err, database.ErrInvalid) {
		t.Error(err)
	}
	if got := p.run(t, p.ours.Table("t").Delete().Filter("id", "not.unheard", 1)); got.query.Get("id") != "not.unheard.1" {
		t.Error(got.URL)
	}
}

func TestDefectP11_ContainedByObjectAsksForContains(t *testing.T) {
	t.Parallel()
	p := both(t, nil)
	got := p.sent(t, p.theirs.From("t").Select("", "", false).ContainedByObject("a", object{"k": 1})).query.Get("a")
	defect(t, got == `cs.{"k":1}`, got)

	if got := p.run(t, p.ours.Table("t").ContainedBy("a", object{"k": 1})).query.Get("a"); got != `cd.{"k":1}` {
		t.Error(got)
	}
}

func TestDefectP12_ValuesAreQuotedAsInGo(t *testing.T) {
	t.Parallel()
	p := both(t, nil)
	const array, list, columns = "x\ny\u00a0", `x",y`, `"First Name", b`
	got := p.sent(t, p.theirs.From("t").Select(columns, "", false).Contains("a", []string{array}).In("b", []string{list})).query
	wrong := url.Values{"a": {`cs.{"x\ny\u00a0"}`}, "b": {`in.("x",y")`}, "select": {`"FirstName",b`}}
	defect(t, cmp.Equal(got, wrong), got)

	got = p.run(t, p.ours.Table("t").Select(columns).Contains("a", []string{array}).In("b", list, `\`)).query
	right := url.Values{"a": {"cs.{\"x\ny\u00a0\"}"}, "b": {`in.("x\",y","\\")`}, "select": {`"First Name",b`}}
	if !cmp.Equal(got, right) {
		t.Error(cmp.Diff(right, got))
	}
}

func TestDefectP13_ABuilderRemembersTheQueryBefore(t *testing.T) {
	t.Parallel()
	p := both(t, nil)
	builder := p.theirs.From("t")
	p.sent(t, builder.Select("id", "exact", false).Eq("owner", "ada").Limit(1, ""))
	got := p.sent(t, builder.Select("id", "", false))
	defect(t, got.query.Get("owner") == "eq.ada" && got.query.Get("limit") == "1" && got.Header.Get("Prefer") == "count=exact", got.URL)

	kept := p.ours.Table("t")
	p.run(t, kept.Select("id").Count(database.Exact).Eq("owner", "ada").Limit(1))
	if got := p.run(t, kept.Select("id")); got.URL.RawQuery != "select=id" || got.Header.Get("Prefer") != "" {
		t.Error(got.URL, got.Header)
	}
}

func TestDefectP14_OrderIsDescendingByDefault(t *testing.T) {
	t.Parallel()
	p := both(t, nil)
	got := p.sent(t, p.theirs.From("t").Select("", "", false).Order("a", nil)).query.Get("order")
	defect(t, got == "a.desc.nullslast", got)

	if got := p.run(t, p.ours.Table("t").Order("a").Order("b", database.Desc)).query.Get("order"); got != "a,b.desc" {
		t.Error(got)
	}
}

func TestDefectP15_AnEmptyAnswerIsAnErrorAndZeroIsNoCount(t *testing.T) {
	t.Parallel()
	p := both(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusCreated)
			return
		}
		if strings.Contains(r.Header.Get("Prefer"), "count") {
			w.Header().Set("Content-Range", "*/0")
		}
		_, _ = io.WriteString(w, "[]")
	})
	var rows []row
	_, err := p.theirs.From("t").Insert(row{}, false, "", "minimal", "").ExecuteTo(&rows)
	defect(t, errors.Is(err, io.EOF), err)
	_, asked, _ := p.theirs.From("t").Select("", "exact", false).Execute()
	_, not, _ := p.theirs.From("t").Select("", "", false).Execute()
	defect(t, asked == not, asked, " and ", not)

	if r, err := database.Execute(t.Context(), p.ours.Table("t").Insert(row{})); err != nil || r.Status != http.StatusCreated {
		t.Error(err)
	}
	for query, total := range map[query]int64{p.ours.Table("t").Count(database.Exact): 0, p.ours.Table("t"): -1} {
		if page, err := database.Paged[row](t.Context(), query); err != nil || page.Total != total {
			t.Errorf("%+v, %v", page, err)
		}
	}
}

func TestDefectP16_RowsOfDifferentKeysAreRefused(t *testing.T) {
	t.Parallel()
	// As PostgREST does: without the parameter columns, all rows must have the keys of the first.
	p := both(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("columns") == "" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"code":"PGRST102","message":"All object keys must match"}`)
		}
	})
	rows := []object{{"b": 1}, {"a": 2}}
	_, _, err := p.theirs.From("t").Insert(rows, false, "", "minimal", "").Execute()
	defect(t, err != nil, "both rows are inserted")
	p.took()

	got := p.run(t, p.ours.Table("t").Insert(rows).MissingDefault())
	if got.query.Get("columns") != `"a","b"` || got.Header.Get("Prefer") != "missing=default" {
		t.Error(got.URL, got.Header)
	}
}

func TestDefectP17_EveryPingKeepsAConnection(t *testing.T) {
	t.Parallel()
	const pings = 20
	p := both(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(repeated(1 << 10)) })
	for range pings {
		p.theirs.Ping()
	}
	before := p.connections()
	defect(t, before == pings, before, " connections")

	for range pings {
		if _, err := database.Execute(t.Context(), p.ours.Table("t")); err != nil {
			t.Error(err)
		}
	}
	if n := p.connections() - before; n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestDefectP17_AFailedPingPoisonsTheClient(t *testing.T) {
	t.Parallel()
	p := both(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/rest/v1" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	p.theirs.Ping()
	_, _, err := p.theirs.From("t").Select("", "", false).Execute()
	defect(t, err != nil, "the next query works")

	if _, err := database.Execute(t.Context(), p.ours.Table("t")); err != nil {
		t.Error(err)
	}
}

// The connection is used again all the same, because the body was read to its end.
func TestDefectP17b_TheBodyOfAnErrorIsNotClosed(t *testing.T) {
	t.Parallel()
	p := both(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"code":"PGRST205"}`)
	})
	_, _, _ = p.theirs.From("t").Select("", "", false).Execute()
	defect(t, !p.bodies[0].closed, "it is closed")

	seen := &wire{next: p.next}
	ours := newClient(t, p.url, database.WithHTTPClient(&http.Client{Transport: seen}))
	_, _ = database.Execute(t.Context(), ours.Table("t"))
	if len(seen.bodies) != 1 || !seen.bodies[0].closed {
		t.Error("the body is not closed")
	}
}

// That the headers are one map for all is shown by its effect on a query that was there before. It is
// a data race as well as soon as a request is under way, which is not shown: it would end this test.
func TestDefectP18_OneUsersTokenReachesEverybodysQueries(t *testing.T) {
	t.Parallel()
	p := both(t, nil)
	mine := p.theirs.From("t").Select("", "", false)
	p.theirs.SetAuthToken("of-bob").ChangeSchema("bobs")
	got := p.sent(t, mine).Header
	defect(t, got.Get("Authorization") == "Bearer of-bob" && got.Get("Accept-Profile") == "bobs", got)

	kept := p.ours.Table("t")
	echo := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "[%q,%q]", r.Header.Get("Authorization"), r.Header.Get("Accept-Profile"))
	})
	var wg sync.WaitGroup
	for i := range 32 {
		token := "token" + strconv.Itoa(i)
		user := echo.WithToken(func(context.Context) (string, error) { return token, nil })
		wg.Go(func() {
			got, err := database.All[string](t.Context(), database.On(kept, user).Schema(token))
			if diff := cmp.Diff([]string{"Bearer " + token, token}, got); diff != "" || err != nil {
				t.Error(diff, err)
			}
			got, err = database.All[string](t.Context(), database.On(kept, echo))
			if diff := cmp.Diff([]string{"Bearer " + anonKey, ""}, got); diff != "" || err != nil {
				t.Error(diff, err)
			}
		})
	}
	wg.Wait()
}

// That all calls of a client write one variable is shown by calls that follow each other. Calls at the
// same time race on it, which is not shown: the race detector would end this test.
func TestDefectP19_CallersReadEachOthersErrors(t *testing.T) {
	t.Parallel()
	p := both(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/adas") {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, "1")
	})
	p.theirs.Rpc("adas", "", nil)
	result := p.theirs.Rpc("bobs", "", nil)
	defect(t, result == "1" && p.theirs.ClientError != nil, "the call that worked has no error")

	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, err := database.One[int](t.Context(), p.ours.RPC("adas", nil)); err == nil {
				t.Error("a broken connection is no error")
			}
			if n, err := database.One[int](t.Context(), p.ours.RPC("bobs", nil)); n != 1 || err != nil {
				t.Error(n, err)
			}
		})
	}
	wg.Wait()
}

func TestDefectP20_OperatorsAreAClosedList(t *testing.T) {
	t.Parallel()
	p := both(t, nil)
	for _, op := range []string{"match", "imatch", "isdistinct", "like(any)", "fts(german)", "not.eq"} {
		theirs := postgrest.NewClient("http://localhost", "", nil)
		theirs.From("t").Select("", "", false).Filter("a", op, "x")
		defect(t, theirs.ClientError != nil, op)
	}

	query := p.ours.Table("t").RegexMatch("a", "x").RegexIMatch("a", "x").IsDistinct("a", 1).LikeAnyOf("a", "x").
		TextSearch("a", "x", database.TextSearchConfig("german")).Filter("a", "not.newop(any)", "x")
	want := []string{"match.x", "imatch.x", "isdistinct.1", "like(any).{x}", "fts(german).x", "not.newop(any).x"}
	if got := p.run(t, query).query["a"]; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestDefectP21_AnswersHaveNoBoundAndNoHeaders(t *testing.T) {
	t.Parallel()
	const long = 2 << 20
	p := both(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/t?id=eq.7")
		_, _ = w.Write(repeated(long))
	})
	all, _, err := p.theirs.From("t").Select("", "", false).Execute()
	defect(t, len(all) == long && err == nil, "there is a bound")
	execute := reflect.TypeFor[interface{ Execute() ([]byte, int64, error) }]()
	defect(t, reflect.TypeFor[*postgrest.FilterBuilder]().Implements(execute), "Execute gives more")

	r, err := database.Execute(t.Context(), p.ours.Table("t"))
	if err != nil || r.Header.Get("Location") != "/t?id=eq.7" || len(r.Body) != long {
		t.Error(err)
	}
	bounded := newClient(t, p.url, database.WithMaxBody(long-1))
	if _, err := database.Execute(t.Context(), bounded.Table("t")); !errors.Is(err, database.ErrTooLarge) {
		t.Error(err)
	}
}

func TestDefectP22_FeaturesAreMissing(t *testing.T) {
	t.Parallel()
	p := both(t, nil)
	missing := []string{"select", "offset", "maybesingle", "csv", "geojson", "explain", "maxaffected", "stripnulls", "rollback"}
	for m := range reflect.TypeFor[*postgrest.FilterBuilder]().Methods() {
		defect(t, !slices.Contains(missing, strings.ToLower(m.Name)), m.Name)
	}

	table := p.ours.Table("t")
	for _, tt := range []struct {
		query                 query
		line, header, content string
	}{
		{table.Insert(row{}).Select("id"), "POST select=id", "Prefer", "return=representation"},
		{table.Offset(7), "GET offset=7", "", ""},
		{table.MaybeSingle(), "GET ", "", ""},
		{table.CSV(), "GET ", "Accept", "text/csv"},
		{table.GeoJSON(), "GET ", "Accept", "application/geo+json"},
		{table.Explain(database.ExplainOptions{}), "GET ", "Accept", `application/vnd.pgrst.plan+text; for="application/json";`},
		{table.Delete().Eq("a", 1).MaxAffected(3), "DELETE a=eq.1", "Prefer", "handling=strict,max-affected=3"},
		{table.StripNulls(), "GET ", "Accept", "application/vnd.pgrst.array+json;nulls=stripped"},
		{table.Delete().AllRows().Rollback(), "DELETE ", "Prefer", "tx=rollback"},
	} {
		got := p.run(t, tt.query)
		if line := got.Method + " " + got.URL.RawQuery; line != tt.line || tt.header != "" && got.Header.Get(tt.header) != tt.content {
			t.Errorf("%v: %s, %s %q", tt, line, tt.header, got.Header.Get(tt.header))
		}
	}
}
