package fakerest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Config says what a [Server] holds and whom it believes.
type Config struct {
	// Schema is SQL that makes tables and rows, run in order as the owner of everything.
	Schema []string

	// Schemas are those that requests reach, the first by default. None: public.
	Schemas []string

	// Verify checks a bearer token and gives its claims; what its error says is answered as a fault
	// of the token. Nil refuses every token. See [HS256].
	Verify func(token string) (claims map[string]any, err error)

	// AnonRole is the role of requests without a token, and of tokens without a role. "": anon.
	AnonRole string

	// Now is the time; nil: that of the machine.
	Now func() time.Time

	// Functions are the bodies of functions, by name: name or schema.name. A function that the
	// schema declares without one here answers 501. One that is not declared takes any arguments.
	Functions map[string]Func

	// Policies are policies of row security in Go. They turn it on for their tables, and count
	// beside those of the schema.
	Policies []Policy

	// Owners names, for tables that belong to users, the column that holds the owner: row security
	// is turned on, and each user reads and writes their own rows alone.
	Owners map[string]string

	// MaxRows bounds the rows of an answer, and those of each embedded resource. 0: no bound.
	MaxRows int

	// NoAggregates refuses sum(), count() and their kin in select, as hosted projects do.
	NoAggregates bool

	// AllowRollback lets requests ask for tx=rollback. Without it they are kept, as by default.
	AllowRollback bool
}

// Session is on whose behalf a request runs.
type Session struct {
	Role   string
	Claims map[string]any // not to be changed
}

// UserID is the id of the signed-in user; "" if there is none.
func (s Session) UserID() string {
	sub, _ := s.Claims["sub"].(string)
	return sub
}

// Policy is a policy of row security, permissive, with its conditions in Go.
type Policy struct {
	Table   string   // with its schema, or in public
	Name    string   // for nothing but to be told apart
	Command string   // select, insert, update or delete; "" is all
	Roles   []string // none: every role

	// Using tells which rows are seen, changed and deleted; nil: all.
	Using func(s Session, row Row) bool
	// Check tells which rows may be stored; nil: as Using.
	Check func(s Session, row Row) bool
}

// Server answers as PostgREST 12.0.2 does. It is safe for concurrent use, starts no goroutine, and
// needs no closing.
type Server struct {
	cfg     Config
	db      *database
	schemas []string
}

// New runs the schema and makes the server. What the schema says wrongly, or what is not supported
// in it, is an error that names the line: see [SchemaError].
func New(cfg Config) (*Server, error) {
	if cfg.AnonRole == "" {
		cfg.AnonRole = "anon"
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Server{cfg: cfg, schemas: cfg.Schemas, db: newDatabase(cfg.AnonRole)}
	if len(s.schemas) == 0 {
		s.schemas = []string{"public"}
	}
	l := &loader{db: s.db, defaults: map[string]map[string][]string{"public": {}}}
	for _, r := range []string{"anon", "authenticated", "service_role", cfg.AnonRole} {
		l.defaults["public"][r] = tablePrivileges
	}
	for i, src := range append([]string{authSchema}, cfg.Schema...) {
		l.tx = s.begin(s.db.owner(), nil)
		s.db.path = []string{"public", "extensions"}
		if err := l.load(src); err != nil {
			if len(cfg.Schema) > 1 {
				return nil, fmt.Errorf("schema %d of %d: %w", i, len(cfg.Schema), err)
			}
			return nil, err
		}
		if err := l.tx.commit(); err != nil {
			return nil, err
		}
	}
	s.db.path = []string{"public", "extensions"}
	s.addFunctions()
	return s, s.addPolicies()
}

// authSchema is the part of a Supabase project's own schema that others refer to.
const authSchema = `
create table auth.users (
  id uuid primary key default gen_random_uuid(), aud text, role text, email text unique, phone text unique,
  email_confirmed_at timestamptz, phone_confirmed_at timestamptz, last_sign_in_at timestamptz,
  raw_app_meta_data jsonb, raw_user_meta_data jsonb, is_anonymous boolean not null default false,
  created_at timestamptz default now(), updated_at timestamptz default now(), banned_until timestamptz, deleted_at timestamptz
);`

func newDatabase(anon string) *database {
	db := &database{
		schemas: map[string]bool{"public": true, "auth": true, "extensions": true}, tables: map[qualified]*table{}, types: map[qualified]*typ{},
		functions: map[qualified][]*function{}, sequences: map[qualified]*sequence{}, roles: map[string]*role{}, path: []string{"public"},
	}
	for _, r := range []role{
		{name: "postgres", super: true},
		{name: "supabase_admin", super: true},
		{name: "authenticator"},
		{name: "dashboard_user"},
		{name: "anon"},
		{name: "authenticated"},
		{name: "service_role", bypassRLS: true},
		{name: anon},
	} {
		r.memberOf = map[string]bool{}
		if db.roles[r.name] == nil {
			db.roles[r.name] = &r
		}
	}
	db.usage = map[string]map[string]bool{}
	for schema := range db.schemas {
		db.usage[schema] = map[string]bool{"public": true}
	}
	return db
}

func (s *Server) addFunctions() {
	for name, impl := range s.cfg.Functions {
		q := splitName(name)
		if q.schema == "" {
			q.schema = s.schemas[0]
		}
		list := s.db.functions[q]
		if len(list) == 0 {
			s.db.functions[q] = []*function{{schema: q.schema, name: q.name, volatility: 'v', returns: typJSON, undeclared: true, impl: impl}}
			continue
		}
		for _, f := range list {
			f.impl = impl
		}
	}
}

func (s *Server) addPolicies() error {
	policies := slices.Clone(s.cfg.Policies)
	for name, column := range s.cfg.Owners {
		t, ok := lookup(s.db, s.db.tables, splitName(name))
		if !ok || t.column(column) < 0 {
			return fmt.Errorf("fakerest: the owner column %s.%s does not exist", name, column)
		}
		i := t.column(column)
		test := func(tx *txn, values []value) (bool, *Error) {
			sub, _ := tx.claims["sub"].(string)
			return sub != "" && values[i] != nil && formatValue(t.columns[i].typ, values[i], tx.locale()) == sub, nil
		}
		t.rowSecurity = true
		t.policies = append(t.policies, &policy{name: "owner", command: "all", roles: []string{"public"}, using: test, check: test})
	}
	for _, p := range policies {
		t, ok := lookup(s.db, s.db.tables, splitName(p.Table))
		if !ok {
			return fmt.Errorf("fakerest: the policy %q is for a table %s that does not exist", p.Name, p.Table)
		}
		if p.Command != "" && !slices.Contains([]string{"all", "select", "insert", "update", "delete"}, p.Command) {
			return fmt.Errorf("fakerest: the policy %q is for an unknown command %q", p.Name, p.Command)
		}
		out := &policy{name: p.Name, command: p.Command, roles: p.Roles, using: goPredicate(t, p.Using), check: goPredicate(t, p.Check)}
		if out.command == "" {
			out.command = "all"
		}
		if len(out.roles) == 0 {
			out.roles = []string{"public"}
		}
		t.rowSecurity = true
		t.policies = append(t.policies, out)
	}
	return nil
}

func goPredicate(t *table, f func(Session, Row) bool) predicate {
	if f == nil {
		return nil
	}
	columns := tableScope(t, "").columns
	return func(tx *txn, values []value) (bool, *Error) {
		return f(Session{Role: tx.role.name, Claims: tx.claims}, goRow(columns, values)), nil
	}
}

func (s *Server) begin(r *role, claims map[string]any) *txn {
	return &txn{db: s.db, role: r, claims: claims, now: s.cfg.Now().UTC(), zone: time.UTC}
}

// Do runs f in a transaction with the rights of the schema's owner: to look at the tables, or to
// change them. If f fails, nothing of it stays.
func (s *Server) Do(f func(tx *Tx) error) error {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	tx := s.begin(s.db.owner(), nil)
	defer tx.rollback() // nothing after a commit
	if err := f(&Tx{tx: tx, role: tx.role}); err != nil {
		return err
	}
	if err := tx.commit(); err != nil {
		return err
	}
	return nil
}

// ServeHTTP answers one request. Paths are those of PostgREST: /table, /rpc/function.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := s.serve(r)
	h := w.Header()
	h.Set("Server", "postgrest/12.0.2")
	if r.Header.Get("Origin") != "" {
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Expose-Headers", "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, Transfer-Encoding, Range-Unit")
	}
	maps.Copy(h, a.header)
	if _, ok := a.header["Content-Type"]; !ok {
		h["Content-Type"] = nil // none, rather than a guess
	}
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.body) // whom it would tell is gone
	}
}

// answer is what a request gets.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func newAnswer(status int) *answer { return &answer{status: status, header: http.Header{}} }

func (a *answer) typed(media string, body []byte) *answer {
	a.header.Set("Content-Type", media+"; charset=utf-8")
	a.body = body
	return a
}

// refused is the answer to a request that failed.
func refused(e *Error, anonymous bool) *answer {
	a := newAnswer(statusOf(e, anonymous))
	b := append([]byte(`{"code":`), appendJSONString(nil, e.Code)...)
	optional := func(name, text string) {
		b = append(append(b, `,"`...), name...)
		b = append(b, `":`...)
		if text == "" {
			b = append(b, "null"...)
			return
		}
		b = appendJSONString(b, text)
	}
	if e.raw != "" {
		b = append(append(b, `,"details":`...), e.raw...)
	} else {
		optional("details", e.Details)
	}
	optional("hint", e.Hint)
	b = append(append(b, `,"message":`...), appendJSONString(nil, e.Message)...)
	a.typed("application/json", append(b, '}'))
	if a.status == http.StatusNotImplemented { // a HEAD has no body
		a.header.Set("Proxy-Status", "fakerest; error="+strconv.Quote(e.Message))
	}
	if a.status == http.StatusUnauthorized {
		a.header.Set("WWW-Authenticate", "Bearer")
		if e.Code == "PGRST301" {
			a.header.Set("WWW-Authenticate", `Bearer error="invalid_token", error_description="`+strings.ReplaceAll(e.Message, `"`, `\"`)+`"`)
		}
	}
	return a
}

func (s *Server) serve(r *http.Request) *answer {
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
		return preflight(r)
	}
	claims, err := s.claims(r)
	if err != nil {
		return refused(err, true)
	}
	name, known := claims["role"].(string)
	if !known {
		name = s.cfg.AnonRole
	}
	anonymous := name == s.cfg.AnonRole
	a, err := s.answer(r, name, claims)
	if err != nil {
		out := refused(err, anonymous)
		if a != nil { // headers that the failure has, too
			for k, v := range a.header {
				out.header[k] = append(out.header[k], v...)
			}
		}
		return out
	}
	return a
}

func preflight(r *http.Request) *answer {
	a := newAnswer(200)
	a.header.Set("Access-Control-Allow-Origin", "*")
	a.header.Set("Access-Control-Allow-Methods", "GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD")
	asked := strings.FieldsFunc(r.Header.Get("Access-Control-Request-Headers"), func(c rune) bool { return c == ',' || c == ' ' })
	asked = append(append([]string{"Authorization"}, asked...), "Accept", "Accept-Language", "Content-Language")
	a.header.Set("Access-Control-Allow-Headers", strings.Join(asked, ", "))
	a.header.Set("Access-Control-Max-Age", "86400")
	return a
}

// claims checks the token of a request; without one there are none.
func (s *Server) claims(r *http.Request) (map[string]any, *Error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return nil, nil
	}
	if s.cfg.Verify == nil {
		return nil, refusal(500, "PGRST300", "Server lacks JWT secret")
	}
	claims, err := s.cfg.Verify(token)
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok {
			return nil, e
		}
		return nil, refusal(401, "PGRST301", "%s", err.Error())
	}
	if claims == nil {
		claims = map[string]any{}
	}
	return claims, nil
}

// answer reads the request and does what it asks for.
func (s *Server) answer(r *http.Request, roleName string, claims map[string]any) (*answer, *Error) {
	q, err := s.request(r)
	if err != nil {
		return nil, err
	}
	if q == nil {
		return newAnswer(404).typed("application/json", []byte("{}")), nil
	}
	readOnly := q.reads()
	if q.call {
		if fs, ok := s.db.functionsOf(q); ok && !slices.ContainsFunc(fs, func(f *function) bool { return f.volatility == 'v' }) {
			readOnly = true
		}
	}
	if readOnly && !q.call {
		s.db.mu.RLock()
		defer s.db.mu.RUnlock()
	} else { // functions may take numbers from sequences
		s.db.mu.Lock()
		defer s.db.mu.Unlock()
	}
	tx := s.begin(s.db.roles[roleName], claims)
	if tx.role == nil {
		return nil, fault("22023", "role \"%s\" does not exist", roleName)
	}
	tx.readOnly = readOnly
	tx.method, tx.path = r.Method, r.URL.Path
	tx.headers = map[string]string{}
	for k := range r.Header {
		tx.headers[strings.ToLower(k)] = r.Header.Get(k)
	}
	if q.prefer.timezone != "" {
		if zone, zerr := time.LoadLocation(q.prefer.timezone); zerr == nil {
			tx.zone = zone
		} else {
			q.prefer.timezone = ""
		}
	}
	defer tx.rollback() // nothing after a commit
	a, err := s.perform(tx, q)
	if err != nil {
		return a, err
	}
	if q.prefer.rollback {
		return a, nil
	}
	if err := tx.commit(); err != nil {
		return nil, err
	}
	return a, nil
}

func (s *Server) perform(tx *txn, q *request) (*answer, *Error) {
	switch {
	case q.root && q.unacceptable != nil:
		return nil, q.unacceptable
	case q.root:
		return s.describe(tx, q)
	case q.method == http.MethodOptions:
		return s.options(q)
	case q.call:
		return s.callFunction(tx, q)
	case q.reads():
		return s.readTable(tx, q)
	}
	return s.writeTable(tx, q)
}

// HS256 makes a [Config.Verify] for tokens that are signed with a secret, which says of a bad one
// what PostgREST says. Now is the time; nil: that of the machine.
func HS256(secret []byte, now func() time.Time) func(token string) (map[string]any, error) {
	if now == nil {
		now = time.Now
	}
	return func(token string) (map[string]any, error) { return verifyHS256(secret, token, now()) }
}

// Query is for looking at the tables, with the rights of the owner: see [Tx.Query].
func (s *Server) Query(ctx context.Context, sql string, args ...any) (rows []Row, err error) {
	if ctx == nil {
		return nil, errors.New("the context is nil")
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	err = s.Do(func(tx *Tx) error {
		rows, err = tx.Query(sql, args...)
		return err
	})
	return rows, err
}

func (db *database) functionsOf(q *request) ([]*function, bool) {
	list, ok := db.functions[qualified{q.schema, q.name}]
	return list, ok
}

// contentRange is the header of that name: what rows are shown, of how many.
func contentRange(lower, upper int, total *int) string {
	text := "*"
	if lower <= upper && (total == nil || *total != 0) {
		text = strconv.Itoa(lower) + "-" + strconv.Itoa(upper)
	}
	if total == nil {
		return text + "/*"
	}
	return text + "/" + strconv.Itoa(*total)
}
