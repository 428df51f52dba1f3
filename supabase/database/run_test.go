package database_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamconn/streamconn/supabase/database"
)

// answer serves one answer.
func answer(t *testing.T, status int, body string, header ...string) *database.Client {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func TestAllIsNeverNil(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"[]", "null", " [ ] "} {
		rows, err := database.All[row](t.Context(), answer(t, 200, body).Table("t"))
		if err != nil || rows == nil || len(rows) != 0 {
			t.Errorf("%q: %#v, %v", body, rows, err)
		}
	}
}

func TestOneDecodesWhatFunctionsReturn(t *testing.T) {
	t.Parallel()
	if n, err := database.One[int](t.Context(), answer(t, 200, "3").RPC("f", nil)); n != 3 || err != nil {
		t.Error(n, err)
	}
	if list, err := database.One[[]int](t.Context(), answer(t, 200, "[1,2]").RPC("f", nil)); len(list) != 2 || err != nil {
		t.Error(list, err)
	}
	if p, err := database.One[*int](t.Context(), answer(t, 200, "null").RPC("f", nil)); p != nil || err != nil {
		t.Error(p, err)
	}
	if rows, err := database.All[row](t.Context(), answer(t, 200, `{"id":1}`).RPC("f", nil)); len(rows) != 1 || rows[0].ID != 1 || err != nil {
		t.Error(rows, err)
	}
	if _, err := database.One[int](t.Context(), answer(t, 204, "").RPC("f", nil)); err == nil {
		t.Error("a void function gave a value")
	}
	if b, err := database.One[[]byte](t.Context(), answer(t, 200, "a\n1\n").Table("t").CSV()); string(b) != "a\n1\n" || err != nil {
		t.Error(b, err)
	}
	if m, err := database.One[object](t.Context(), answer(t, 200, `{"type":"FeatureCollection"}`).Table("t").GeoJSON()); m["type"] != "FeatureCollection" || err != nil {
		t.Error(m, err)
	}
}

func TestMaybeSingle(t *testing.T) {
	t.Parallel()
	none, err := database.One[*row](t.Context(), answer(t, 200, "[]").Table("t").MaybeSingle())
	if none != nil || err != nil {
		t.Errorf("no row: %v, %v", none, err)
	}
	there, err := database.One[*row](t.Context(), answer(t, 200, `[{"id":1}]`).Table("t").MaybeSingle())
	if err != nil || there == nil || there.ID != 1 {
		t.Errorf("a row: %v, %v", there, err)
	}
	_, err = database.All[row](t.Context(), answer(t, 200, `[{"id":1},{"id":2}]`).Table("t").MaybeSingle())
	if e, ok := errors.AsType[*database.Error](err); !ok || e.Code != "PGRST116" || !errors.Is(err, database.ErrMultipleRows) || errors.Is(err, database.ErrNotFound) {
		t.Errorf("two rows: %v", err)
	}
}

func TestPageTellsZeroFromNotAsked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status       int
		body, header string
		want         database.Page[row]
	}{
		{206, `[{"id":3}]`, "2-2/40", database.Page[row]{Rows: []row{{ID: 3}}, Total: 40, Offset: 2}},
		{200, `[{"id":3}]`, "0-0/*", database.Page[row]{Rows: []row{{ID: 3}}, Total: -1, Offset: 0}},
		{200, `[]`, "*/0", database.Page[row]{Rows: []row{}, Total: 0, Offset: -1}},
		{200, `[]`, "", database.Page[row]{Rows: []row{}, Total: -1, Offset: -1}},
		{200, `[]`, "x-y/-5", database.Page[row]{Rows: []row{}, Total: -1, Offset: -1}},
		{416, `{"code":"PGRST103","message":"Requested range not satisfiable"}`, "*/4", database.Page[row]{Rows: []row{}, Total: 4, Offset: -1}},
	} {
		db := answer(t, tt.status, tt.body, "Content-Range", tt.header)
		page, err := database.Paged[row](t.Context(), db.Table("t").Count(database.Exact).Range(2, 3))
		if diff := cmp.Diff(tt.want, page); diff != "" || err != nil {
			t.Errorf("%s (-want +got):\n%s%v", tt.header, diff, err)
		}
	}
}

func TestCountWithoutTotalIsAnError(t *testing.T) {
	t.Parallel()
	if n, err := database.Count(t.Context(), answer(t, 200, "").Table("t")); err == nil {
		t.Error(n)
	}
}

// By HEAD, PostgREST 12 says no more than a status.
func TestCountFindsOutWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		header      string // of the HEAD's answer
		refusal     int    // its status, 400 or above
		status      int    // of what follows
		body, total string
		want        int64
		means       error
		asked       string
	}{
		"a mistake": {
			status: 404, body: `{"code":"42P01","message":"relation \"t\" does not exist"}`, means: database.ErrUndefined,
			asked: "HEAD ?id=gt.1&limit=5; GET ?id=gt.1&limit=0; ",
		},
		"a database that is back": {
			status: 206, body: `[]`, total: "*/7", want: 7,
			asked: "HEAD ?id=gt.1&limit=5; GET ?id=gt.1&limit=0; ",
		},
		"a table that is not there": {
			refusal: 404, status: 404, body: `{"code":"PGRST205","message":"no t"}`, means: database.ErrUndefined,
			asked: "HEAD ?id=gt.1&limit=5; GET ?id=gt.1&limit=0; ",
		},
		"what is not allowed": { // which is no matter of the key, though the status says so
			refusal: 401, status: 401, body: `{"code":"42501","message":"permission denied"}`, means: database.ErrForbidden,
			asked: "HEAD ?id=gt.1&limit=5; GET ?id=gt.1&limit=0; ",
		},
		"too slow": {
			refusal: 408, means: database.ErrTimeout,
			asked: "HEAD ?id=gt.1&limit=5; ",
		},
		"what says itself what is wrong": {
			header: "PostgREST; error=PGRST205", means: database.ErrUndefined,
			asked: "HEAD ?id=gt.1&limit=5; ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked strings.Builder
			db := serve(t, func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(&asked, "%s ?%s; ", r.Method, r.URL.RawQuery)
				if r.Header.Get("Prefer") != "count=exact" {
					t.Errorf("Prefer: %q", r.Header.Get("Prefer"))
				}
				if r.Method == http.MethodHead {
					if tt.header != "" {
						w.Header().Set("Proxy-Status", tt.header)
					}
					w.WriteHeader(max(tt.refusal, http.StatusBadRequest))
					return
				}
				w.Header().Set("Content-Range", tt.total)
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			n, err := database.Count(t.Context(), db.Table("t").Gt("id", 1).Limit(5))
			if n != tt.want || !errors.Is(err, tt.means) || asked.String() != tt.asked {
				t.Errorf("%d, %v; asked %s", n, err, asked.String())
			}
		})
	}
}

// A function is called by GET again, not by POST.
func TestCountOfAFunctionFindsOutWhatIsWrong(t *testing.T) {
	t.Parallel()
	var asked strings.Builder
	db := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(&asked, "%s %s; ", r.Method, r.URL.RequestURI())
		w.WriteHeader(http.StatusNotFound)
	})
	n, err := database.Count(t.Context(), db.RPC("books_of", map[string]any{"owner": "ada"}).Get())
	if want := "HEAD /rpc/books_of?owner=ada; GET /rpc/books_of?owner=ada&limit=0; "; n != 0 || !errors.Is(err, database.ErrUndefined) || asked.String() != want {
		t.Errorf("%d, %v; asked %s", n, err, asked.String())
	}
}

// PostgREST says PGRST116 of a row that is not there; a 404 without a code is of no table, or of
// somebody else at that address.
func TestA404WithoutACodeIsNoMissingRow(t *testing.T) {
	t.Parallel()
	const advice = "no such table or function, or the URL is not a project's"
	for name, tt := range map[string]struct {
		body, span, text string
		is, not          error
	}{
		"PostgREST 12":   {body: `{}`, text: "404: " + advice, is: database.ErrUndefined, not: database.ErrNotFound},
		"a page":         {body: `<html><title>Not Found</title></html>`, text: "404: Not Found: " + advice, is: database.ErrUndefined, not: database.ErrNotFound},
		"a gateway":      {body: `{"message":"no Route matched"}`, text: "404: no Route matched: " + advice, is: database.ErrUndefined, not: database.ErrNotFound},
		"nothing":        {text: "404: " + advice, is: database.ErrUndefined, not: database.ErrNotFound},
		"a raised PT404": {body: `{"code":"PT404","message":"no such order"}`, text: "PT404: no such order", is: database.ErrNotFound, not: database.ErrUndefined},
		"a function's response.status": {
			body: `{"message":"no such order"}`, span: "0-0/*", text: "404: no such order", is: database.ErrNotFound, not: database.ErrUndefined,
		},
	} {
		db := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			if tt.span != "" {
				w.Header().Set("Content-Range", tt.span)
			}
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, tt.body)
		})
		_, err := database.Execute(t.Context(), db.Table("t").Insert(row{}))
		if !errors.Is(err, tt.is) || errors.Is(err, tt.not) || errors.Is(err, fs.ErrNotExist) != (tt.is == database.ErrNotFound) || //nolint:errorlint // which of the two is meant
			!strings.HasSuffix(err.Error(), tt.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Misuse is an error and sends nothing.
func TestNothingIsSentForInvalidUse(t *testing.T) {
	t.Parallel()
	var sent atomic.Int32
	db := serve(t, func(http.ResponseWriter, *http.Request) { sent.Add(1) })
	ctx := t.Context()
	run := map[string]func() error{
		"All of an invalid query":  func() error { _, err := database.All[row](ctx, db.Table("")); return err },
		"All of a write":           func() error { _, err := database.All[row](ctx, db.Table("t").Insert(row{})); return err },
		"One of a write":           func() error { _, err := database.One[row](ctx, db.Table("t").Insert(row{})); return err },
		"All of HEAD":              func() error { _, err := database.All[row](ctx, db.Table("t").Head()); return err },
		"One of HEAD":              func() error { _, err := database.One[row](ctx, db.Table("t").Head()); return err },
		"All of CSV":               func() error { _, err := database.All[row](ctx, db.Table("t").CSV()); return err },
		"All of GeoJSON":           func() error { _, err := database.All[row](ctx, db.Table("t").GeoJSON()); return err },
		"One of CSV into a struct": func() error { _, err := database.One[row](ctx, db.Table("t").CSV()); return err },
		"Count of a write":         func() error { _, err := database.Count(ctx, db.Table("t").Delete().AllRows()); return err },
		"Count of a call":          func() error { _, err := database.Count(ctx, db.RPC("f", nil)); return err },
		"Count of nothing":         func() error { _, err := database.Count(ctx, db.Table("")); return err },
		"Execute without a client": func() error {
			_, err := database.Execute(ctx, database.Table((*database.Client)(nil), "t"))
			return err
		},
		"Execute of the zero": func() error { _, err := database.Execute(ctx, query{}); return err },
	}
	for name, pages := range map[string]query{
		"Pages without an Order": db.Table("t"), "Pages with Limit": db.Table("t").Order("a").Limit(1),
		"Pages of Single": db.Table("t").Order("a").Single(), "Pages of a call": db.RPC("f", nil).Order("a"), "Pages of an error": db.Table(""),
	} {
		run[name] = func() error {
			for _, err := range database.Rows[row](ctx, pages, 10) {
				return err
			}
			return nil
		}
	}
	run["Pages of no rows"] = func() error {
		for _, err := range database.Pages[row](ctx, db.Table("t").Order("a"), 0) {
			return err
		}
		return nil
	}
	for name, f := range run {
		if err := f(); !errors.Is(err, database.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	if n := sent.Load(); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// numbers serves n rows, at most most at once.
func numbers(t *testing.T, n, most int, requests *atomic.Int32) *database.Client {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		last := min(offset+min(limit, most), n)
		var rows []string
		for i := offset; i < last; i++ {
			rows = append(rows, strconv.Itoa(i))
		}
		total := "*"
		if strings.Contains(r.Header.Get("Prefer"), "count=exact") {
			total = strconv.Itoa(n)
		}
		w.Header().Set("Content-Range", fmt.Sprintf("%d-%d/%s", offset, last-1, total))
		if len(rows) == 0 && total != "*" && offset > 0 {
			w.Header().Set("Content-Range", "*/"+total)
			w.WriteHeader(416)
			_, _ = io.WriteString(w, `{"code":"PGRST103"}`)
			return
		}
		_, _ = io.WriteString(w, "["+strings.Join(rows, ",")+"]")
	})
}

func TestPagesGiveEveryRowOnce(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		n, most, size int
		count         bool
		requests      int32
	}{
		{0, 1000, 10, false, 1},
		{25, 1000, 10, false, 4},
		{25, 7, 10, false, 5}, // the server's bound is smaller than a page
		{20, 1000, 10, true, 2},
		{25, 7, 10, true, 4},
	} {
		var requests atomic.Int32
		query := numbers(t, tt.n, tt.most, &requests).Table("t").Order("id")
		if tt.count {
			query = query.Count(database.Exact)
		}
		var got []int
		for n, err := range database.Rows[int](t.Context(), query, tt.size) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, n)
		}
		for i, n := range got {
			if i != n {
				t.Fatalf("row %d is %d", i, n)
			}
		}
		if len(got) != tt.n || requests.Load() != tt.requests {
			t.Errorf("%+v: %d rows by %d requests", tt, len(got), requests.Load())
		}
	}
}

func TestPagesEndAtBreakAndAtAnError(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	db := numbers(t, 100, 10, &requests)
	for _, err := range database.Pages[int](t.Context(), db.Table("t").Order("id"), 10) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	for _, err := range database.Rows[int](t.Context(), db.Table("t").Order("id"), 10) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	if requests.Load() != 2 {
		t.Errorf("%d requests", requests.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var errs int
	for page, err := range database.Pages[int](ctx, db.Table("t").Order("id"), 10) {
		cancel()
		if err != nil {
			errs++
			if !errors.Is(err, context.Canceled) || page.Rows != nil {
				t.Error(err)
			}
		}
	}
	if errs != 1 {
		t.Errorf("%d errors", errs)
	}
}

func TestUndecodableAnswersAreErrors(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "<html>", `[{"id":"x"}]`, "[1"} {
		if rows, err := database.All[row](t.Context(), answer(t, 200, body).Table("t")); err == nil || rows != nil {
			t.Errorf("All of %q: %v, %v", body, rows, err)
		}
		if r, err := database.One[row](t.Context(), answer(t, 200, body).Table("t")); err == nil || r != (row{}) {
			t.Errorf("One of %q: %v, %v", body, r, err)
		}
	}
}

func TestResult(t *testing.T) {
	t.Parallel()
	db := answer(t, 201, `[{"id":1}]`, "Content-Range", "*/1", "Preference-Applied", "return=representation, tx=rollback")
	r, err := database.Execute(t.Context(), db.Table("t").Insert(row{ID: 1}).Select().Count(database.Exact).Rollback())
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	if err := r.Decode(&rows); err != nil || len(rows) != 1 || r.Status != 201 || r.Total != 1 || r.Offset != -1 || !r.RolledBack() {
		t.Errorf("%v %+v %v", rows, r, err)
	}
	if (&database.Result{Header: http.Header{}}).RolledBack() {
		t.Error("rolled back without a word of it")
	}
}

func TestAnswersToRequestsThatQueriesDoNotMake(t *testing.T) {
	t.Parallel()
	recorded := recordings(t)
	for n, want := range map[int]error{
		60: database.ErrUnauthorized, 61: database.ErrUnauthorized, 62: database.ErrUnauthorized,
		104: database.ErrForbidden, 69: nil, 71: nil, 82: nil, 98: nil,
	} {
		e := recorded[n]
		_, err := database.All[row](t.Context(), answer(t, e.Response.Status, e.Response.Body, "Content-Type", "application/json").Table("t"))
		compareError(t, e, err, want)
	}
}

func TestClientsPrintNoCredentials(t *testing.T) {
	t.Parallel()
	db := newClient(t, "https://x.supabase.co/rest/v1")
	for _, v := range []any{db, *db, db.Table("t"), db.Schema("s"), []any{db.Table("t")}} {
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			if text := fmt.Sprintf(format, v); strings.Contains(text, anonKey) {
				t.Errorf("%s of %T: %s", format, v, text)
			}
		}
	}
	if got, want := fmt.Sprint(db), "database.Client(https://x.supabase.co/rest/v1)"; got != want || db.LogValue().String() != want {
		t.Errorf("%s, want %s", got, want)
	}
	if _, err := database.New("https://user:" + anonKey + "@x/rest"); err == nil || strings.Contains(err.Error(), anonKey) {
		t.Errorf("error %v", err)
	}
}
