//go:build linux

package integration_test

import (
	"bytes"
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/streamconn/streamconn/internal/fakerest"
	"github.com/streamconn/streamconn/internal/integration/servers"
)

// Random histories of requests are run on the real PostgREST and on the one in memory, which must
// give the same answers. Each history begins with the same rows; what a request does shows in the
// answers to those after it.

//go:embed testdata/history.sql
var historyTables string

//go:embed testdata/history_rows.sql
var historyRows string

const (
	histories     = 100
	historyLength = 1000
)

const historyEmpty = `truncate public.orgs, public.people, public.tasks, public.tags, public.task_tags,
	public.passports, public.secrets, public.loose restart identity cascade`

// users are those on whose behalf the histories ask.
var historyUsers = []string{"11111111-2222-4333-8444-555555555555", "22222222-2222-4333-8444-555555555555"}

// historyVariable names one history that is run alone, to look into it.
const historyVariable = "STREAMCONN_HISTORY"

func TestHistories(t *testing.T) {
	t.Parallel()
	first, last := int64(1), int64(histories)
	if testing.Short() || raceDetector { // one request at a time: nothing that could race
		last = 10
	}
	if n, err := strconv.ParseInt(os.Getenv(historyVariable), 10, 64); err == nil {
		first, last = n, n
	}
	projects := make([]*servers.PostgREST, max(2, runtime.NumCPU())) // each runs histories, one after the other
	for i := range projects {
		projects[i] = servers.StartPostgREST(t, servers.PostgRESTOptions{
			SQL: []string{historyTables},
			Settings: map[string]string{
				"db-tx-end": `"commit-allow-override"`, "db-aggregates-enabled": "true", "log-level": `"crit"`,
			},
		})
	}
	var next atomic.Int64
	next.Store(first - 1)
	var workers sync.WaitGroup
	for _, p := range projects {
		db := p.Database.Admin(t)
		workers.Go(func() {
			for seed := next.Add(1); seed <= last; seed = next.Add(1) {
				if err := runHistory(t.Context(), p, db, uint64(seed)); err != nil {
					t.Errorf("history %d: %v", seed, err)
				}
			}
		})
	}
	workers.Wait()
}

// runHistory runs one history, up to the first answer that differs.
func runHistory(ctx context.Context, p *servers.PostgREST, db *sql.DB, seed uint64) error {
	if _, err := db.ExecContext(ctx, historyEmpty+";"+historyRows); err != nil {
		return err
	}
	fake, err := fakerest.New(fakerest.Config{
		Schema: []string{historyTables, historyRows}, Functions: historyFunctions(), AllowRollback: true,
		Verify: func(token string) (map[string]any, error) {
			role, sub, _ := strings.Cut(token, " ")
			claims := map[string]any{"role": role}
			if sub != "" {
				claims["sub"] = sub
			}
			return claims, nil
		},
	})
	if err != nil {
		return err
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	h := &history{project: p, client: &http.Client{Transport: transport, Timeout: time.Minute}, fake: fake, tokens: map[string]string{}}
	for _, who := range []string{"anon", "service_role", "authenticated " + historyUsers[0], "authenticated " + historyUsers[1]} {
		role, sub, _ := strings.Cut(who, " ")
		h.tokens[who] = p.Token(sub, role, time.Hour)
	}
	g := newGenerator(seed)
	for i := range historyLength {
		op := g.next()
		got, err := h.ask(ctx, op)
		if err != nil {
			return fmt.Errorf("operation %d, %s: %w", i, op, err)
		}
		made := h.pretend(ctx, op)
		if d := op.differs(got, made); d != "" {
			return fmt.Errorf("operation %d, %s differ:\n%s\nPostgREST %s\nin memory %s", i, d, op, got, made)
		}
	}
	return nil
}

// historyFunctions are the twins of the functions in SQL.
func historyFunctions() map[string]fakerest.Func {
	return map[string]fakerest.Func{
		"aged": func(tx *fakerest.Tx, args fakerest.Args) (any, error) {
			return tx.Query(`select * from public.people where age between $1 and $2 order by id`, args["min_age"], args["max_age"])
		},
		"hire": func(tx *fakerest.Tx, args fakerest.Args) (any, error) {
			who, org := args["who"], args["org"]
			if _, err := tx.Exec(`insert into public.tags (id, label) values ($1, $2)`, org, who); err != nil {
				return nil, err
			}
			if _, err := tx.Exec(`insert into public.people (name, org_id) values ($1, $2)`, who, org); err != nil {
				return nil, err
			}
			row, err := tx.QueryRow(`select count(*)::int as n from public.people where name = $1`, who)
			return row["n"], err
		},
	}
}

type history struct {
	project *servers.PostgREST
	client  *http.Client
	fake    *fakerest.Server
	tokens  map[string]string
}

// reply is what a server answers.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d", r.status)
	for _, k := range comparedHeaders {
		if v := r.header.Get(k); v != "" {
			fmt.Fprintf(&b, "  %s: %s", k, v)
		}
	}
	return b.String() + "\n" + string(r.body)
}

// comparedHeaders are those that both servers must have alike.
var comparedHeaders = []string{"Content-Range", "Content-Type", "Content-Location", "Location", "Preference-Applied", "Www-Authenticate"}

func (op *operation) request(ctx context.Context, base, token string) (*http.Request, error) {
	var body io.Reader
	if op.body != "" {
		body = strings.NewReader(op.body)
	}
	req, err := http.NewRequestWithContext(ctx, op.method, base+op.target(), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if op.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if op.prefer != "" {
		req.Header.Set("Prefer", op.prefer)
	}
	if op.accept != "" {
		req.Header.Set("Accept", op.accept)
	}
	return req, nil
}

func (h *history) ask(ctx context.Context, op *operation) (reply, error) {
	req, err := op.request(ctx, h.project.URL+"/rest/v1", h.tokens[op.who])
	if err != nil {
		return reply{}, err
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, body}, err
}

func (h *history) pretend(ctx context.Context, op *operation) reply {
	req, err := op.request(ctx, "http://project.test", op.who)
	if err != nil {
		return reply{body: []byte(err.Error())}
	}
	w := httptest.NewRecorder()
	h.fake.ServeHTTP(w, req)
	return reply{w.Code, w.Header(), w.Body.Bytes()}
}

// differs names what is different in two answers; "" for nothing.
func (op *operation) differs(a, b reply) string {
	if op.method == http.MethodPatch && op.unread(a, b) || op.method == http.MethodPatch && op.unread(b, a) {
		return ""
	}
	if a.status != b.status && !(op.method == http.MethodPost && a.status < 300 && b.status < 300 && string(a.body) == "[]") {
		// whether a row is new is sometimes looked at before it is stored, if nothing is shown of it
		return "statuses"
	}
	if a.status >= 400 || a.status == http.StatusMultipleChoices {
		return op.errorsDiffer(a, b)
	}
	for _, k := range comparedHeaders {
		if a.header.Get(k) != b.header.Get(k) {
			return "headers " + k
		}
	}
	if !bytes.Equal(op.normal(a.body), op.normal(b.body)) {
		return "bodies, at " + around(op.normal(a.body), op.normal(b.body)) + ","
	}
	return ""
}

// around shows where two texts begin to differ.
func around(a, b []byte) string {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	part := func(s []byte) []byte { return s[max(i-40, 0):min(i+60, len(s))] }
	return fmt.Sprintf("%q and %q", part(a), part(b))
}

// unread tells whether only one of the servers has looked at the body of a PATCH that meets no row:
// whether Postgres does is its planner's choice.
func (op *operation) unread(a, b reply) bool {
	var fault struct{ Code string }
	none := b.status < 300 && strings.HasPrefix(b.header.Get("Content-Range"), "*/") || b.status == http.StatusNotAcceptable
	return a.status == http.StatusBadRequest && none && json.Unmarshal(a.body, &fault) == nil && strings.HasPrefix(fault.Code, "22")
}

// errorsDiffer compares codes; and messages, but where they tell how a parser works, or which of
// several rows was met first.
func (op *operation) errorsDiffer(a, b reply) string {
	if op.method == http.MethodHead {
		return ""
	}
	var x, y struct {
		Code    string
		Message string
	}
	if json.Unmarshal(a.body, &x) != nil || json.Unmarshal(b.body, &y) != nil {
		if !bytes.Equal(a.body, b.body) {
			return "bodies"
		}
		return ""
	}
	if x.Code != y.Code {
		return "codes"
	}
	if op.racing || x.Code == "PGRST100" || x.Code == "PGRST201" {
		return ""
	}
	if x.Message != y.Message {
		return "messages"
	}
	return ""
}

// normal is a body with the members of its objects in one order, and its rows, if nobody has asked
// for theirs.
func (op *operation) normal(body []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		if op.unordered { // CSV
			lines := bytes.Split(body, []byte("\n"))
			slices.SortFunc(lines, bytes.Compare)
			return bytes.Join(lines, []byte("\n"))
		}
		return body
	}
	if op.unordered {
		sorted(v)
	}
	return encoded(v)
}

// sorted sorts all arrays: what is embedded in a write's rows has no order either.
func sorted(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			sorted(item)
		}
		slices.SortFunc(v, func(a, b any) int { return bytes.Compare(encoded(a), encoded(b)) })
	case map[string]any:
		for _, item := range v {
			sorted(item)
		}
	}
}

func encoded(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // it was JSON
	}
	return b
}
