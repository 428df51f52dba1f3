package supabasetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/streamconn/streamconn/internal/fakeauth"
	"github.com/streamconn/streamconn/internal/fakejwt"
	"github.com/streamconn/streamconn/internal/fakerest"
)

// Row is a row of a table, or some columns of one, by their names. Values that are read have these
// forms, and values that are written may have them; a string is taken for every type, as a literal is
// in SQL.
//
//	type Row map[string]any
//
//	boolean                          bool
//	smallint, integer, bigint        int64 (any integer when written)
//	real, double precision           float64
//	numeric                          string, with all its digits (any number when written)
//	date, timestamp, timestamptz     time.Time in UTC
//	json, jsonb                      json.RawMessage (anything that encoding/json encodes when written)
//	arrays                           []any (any slice when written)
//	bytea                            []byte
//	everything else                  string, as Postgres writes it
//	NULL                             nil
type Row = fakerest.Row

// Tx is a transaction: what a function of the database, or Do, reads and changes the tables with. A
// match is the rows whose columns equal its own, and an empty one every row; a table's name may have a
// schema. Query and Exec know the SQL that a schema may have, $1 and so on are args. It is used by one
// goroutine, and not after the function that it was given to has returned.
//
//	func (t *Tx) Rows(table string, match Row) ([]Row, error)        // as they were stored
//	func (t *Tx) Insert(table string, row Row) (Row, error)          // gives it with its defaults
//	func (t *Tx) Update(table string, match, set Row) ([]Row, error) // gives them as they are then
//	func (t *Tx) Delete(table string, match Row) ([]Row, error)      // gives those that it removed
//	func (t *Tx) Query(sql string, args ...any) ([]Row, error)       // a SELECT, or what has RETURNING
//	func (t *Tx) QueryRow(sql string, args ...any) (Row, error)      // its first row; nil: it has none
//	func (t *Tx) Exec(sql string, args ...any) (int, error)          // how many rows it changed
//	func (t *Tx) AsOwner() *Tx                                       // without row security, as SECURITY DEFINER
//	func (t *Tx) Role() string                                       // on whose behalf it runs
//	func (t *Tx) UserID() string                                     // auth.uid(); "": nobody signed in
//	func (t *Tx) Claims() map[string]any                             // auth.jwt(); nil: there was no token
//	func (t *Tx) Now() time.Time                                     // now(), when it began
type Tx = fakerest.Tx

// Args are the arguments of a function of the database, by their names, in the forms of Row; one
// without a name is called by its place, "1". For a function that the schema does not declare they are
// what encoding/json makes of the request.
//
//	type Args map[string]any
//
//	func (a Args) Decode(into any) error // into a struct by its json tags, or a map
type Args = fakerest.Args

// Func is the body of a function of the database, in Go. It runs in the transaction of the request
// that calls it, and must not use the server. A *DatabaseError that it returns is answered as
// Postgres would answer its code; another error as an exception (P0001). The result is, as the schema
// declares it, a value in the forms of Row, a Row (or a struct, by its json tags), or a []Row for a
// set; nil for void. That of a function which the schema does not declare is answered as JSON.
//
//	type Func func(tx *Tx, args Args) (any, error)
type Func = fakerest.Func

// DatabaseError is an error of the database.
//
//	Code    string // a SQLSTATE, or PGRSTnnn; PTnnn makes nnn the answer's status; "" is P0001
//	Message string
//	Details string // "" is null
//	Hint    string // "" is null
type DatabaseError = fakerest.Error

// Policy is a policy of row security in Go, permissive. It turns row security on for its table.
//
//	Table   string                            // with its schema, or in public
//	Name    string                            // for nothing but to be told apart
//	Command string                            // select, insert, update or delete; "" is all
//	Roles   []string                          // none: every role
//	Using   func(caller Caller, row Row) bool // which rows are seen, changed and deleted; nil: all
//	Check   func(caller Caller, row Row) bool // which rows may be stored; nil: as Using
type Policy = fakerest.Policy

// Caller is on whose behalf a request runs.
//
//	Role   string
//	Claims map[string]any // of its token; not to be changed
//
//	func (c Caller) UserID() string // of the signed-in user; "": nobody signed in
type Caller = fakerest.Session

// WithSchema runs SQL when the project starts, as its owner, as it is given to the real database.
// Several are run in their order. What is not supported is an error of Start that names the line, and
// what is there in its place. It takes:
//
//	create, alter and drop of tables    keys, defaults, checks, identities, generated columns
//	views, enums, sequences, schemas    and indexes, of which the unique ones count
//	policies, grants, roles             row security as Postgres has it
//	insert, update, delete, select      without WITH, FROM and USING
//	functions                           declared; the body is WithRPC's, and a call without one is status 501
//	comment, set, notify, begin, commit and the extensions pgcrypto, uuid-ossp and citext
//
// A trigger on auth.users is WithUserTrigger's. There are no others, and no materialized views,
// domains, publications, procedures and DO. Of the schema auth there are users and the functions uid,
// role, email and jwt. The schema storage is not there: buckets are WithBucket's, and policies of objects
// WithStoragePolicy's.
func WithSchema(sql ...string) Option {
	return func(c *config) error {
		c.rest.Schema = append(c.rest.Schema, sql...)
		return nil
	}
}

// advised adds to an error of a schema what this package has in place of what is not supported there.
func advised(err error) error {
	wrong, ok := errors.AsType[*fakerest.SchemaError](err)
	if !ok {
		return err
	}
	for _, a := range []struct{ in, use string }{
		{"CREATE TRIGGER ", "what a trigger on auth.users does is given by WithUserTrigger; leave others out"},
		{"DROP TRIGGER ", "leave it out: there are no triggers"},
		{`"storage.buckets"`, "buckets are given by WithBucket"},
		{`"storage.objects"`, "who may do what with objects is given by WithStoragePolicy, and objects by WithObject"},
		{"DO ", "write its statements without it"},
		{"CREATE PROCEDURE ", "a function is given by WithRPC"},
		{" PUBLICATION ", "leave it out: there is no Realtime"},
		{"the extension ", "leave it out, if the tables do not need it"},
	} {
		if strings.Contains(wrong.Text+" ", a.in) {
			return fmt.Errorf("%w; %s", err, a.use)
		}
	}
	return err
}

// WithSchemas are the schemas that requests reach, the first by default. Without it public is.
func WithSchemas(names ...string) Option {
	return func(c *config) error {
		c.rest.Schemas = append(c.rest.Schemas, names...)
		return nil
	}
}

// WithRows adds rows to a table of the schema, after the users of WithUser. A row is a Row, another
// map by names, or a struct by its json tags.
func WithRows(table string, rows ...any) Option {
	return func(c *config) error {
		for i, r := range rows {
			row, err := rowOf(r)
			if err != nil {
				return fmt.Errorf("WithRows(%s), row %d: %w", table, i+1, err)
			}
			c.rows = append(c.rows, tableRow{table, row})
		}
		return nil
	}
}

type tableRow struct {
	table string
	row   Row
}

// rowOf makes a row of a map or a struct.
func rowOf(v any) (Row, error) {
	switch r := v.(type) {
	case Row:
		return r, nil
	case map[string]any:
		return r, nil
	}
	t := reflect.TypeOf(v)
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct && t.Kind() != reflect.Map {
		return nil, fmt.Errorf("a %T is no row: give a Row, a map or a struct", v)
	}
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	var row Row
	err = d.Decode(&row)
	return row, err
}

// WithRPC gives a function of the database its body. One that the schema does not declare takes any
// arguments and answers with JSON.
func WithRPC(name string, body Func) Option {
	return func(c *config) error {
		if name == "" || body == nil {
			return errors.New("WithRPC: a function needs a name and a body")
		}
		if c.rest.Functions == nil {
			c.rest.Functions = make(map[string]Func)
		}
		c.rest.Functions[name] = body
		return nil
	}
}

// WithUserTrigger runs f in the transaction that adds a user to auth.users, with the rights of the
// owner: what a trigger after insert on auth.users does in Postgres. If it fails, there is no such
// user, and who signed up gets status 500. It must not use the server. Several run in their order.
func WithUserTrigger(f func(tx *Tx, user Row) error) Option {
	return func(c *config) error {
		if f == nil {
			return errors.New("WithUserTrigger: the function is nil")
		}
		c.triggers = append(c.triggers, f)
		return nil
	}
}

// WithPolicy adds policies of row security, beside those that the schema has. A service key is not
// bound by them.
func WithPolicy(policies ...Policy) Option {
	return func(c *config) error {
		c.rest.Policies = append(c.rest.Policies, policies...)
		return nil
	}
}

// WithOwner lets each user read and write those rows of a table alone whose column holds their id.
func WithOwner(table, column string) Option {
	return func(c *config) error {
		if c.rest.Owners == nil {
			c.rest.Owners = make(map[string]string)
		}
		c.rest.Owners[table] = column
		return nil
	}
}

// WithMaxRows is the most rows of an answer, the rest being left out without a word. Without it
// there is no bound; Supabase's own is 1,000.
func WithMaxRows(n int) Option {
	return func(c *config) error {
		if n < 1 {
			return fmt.Errorf("WithMaxRows(%d): it must be more than 0", n)
		}
		c.rest.MaxRows = n
		return nil
	}
}

// WithoutAggregates refuses sum(), count() and their kin in select, as Supabase does by default.
func WithoutAggregates() Option {
	return func(c *config) error { c.rest.NoAggregates = true; return nil }
}

// WithRollback lets requests ask that nothing of them stay (Prefer: tx=rollback).
func WithRollback() Option {
	return func(c *config) error { c.rest.AllowRollback = true; return nil }
}

// Do runs f in a transaction with the rights of the schema's owner, to look at the tables or to
// change them. If f fails, nothing of it stays, and Do returns its error. It must not use the
// server.
func (s *Server) Do(f func(tx *Tx) error) error { return s.rest.Do(f) }

// Query gives the rows of a SELECT, with the rights of the owner. $1 and so on are args.
func (s *Server) Query(ctx context.Context, sql string, args ...any) ([]Row, error) {
	return s.rest.Query(ctx, sql, args...)
}

// skew is what the database grants to clocks that differ.
const skew = 30 * time.Second

// restToken is what the database says of a token.
func (s *Server) restToken(token string) (map[string]any, error) {
	now := s.clock.Now()
	claims, err := s.keyring.Verify(token, now.Add(-skew))
	switch {
	case errors.Is(err, fakejwt.ErrSegments):
		return nil, fmt.Errorf("JWSError (CompactDecodeError Invalid number of parts: Expected 3 parts; got %d)", strings.Count(token, ".")+1)
	case errors.Is(err, fakejwt.ErrSignature):
		return nil, errors.New("JWSError JWSInvalidSignature")
	case errors.Is(err, fakejwt.ErrExpired):
		return nil, errors.New("JWT expired")
	case err != nil:
		return nil, errors.New(`JWSError (JSONDecodeError "protected header contains invalid JSON")`)
	}
	for name, text := range map[string]string{"nbf": "JWTNotYetValid", "iat": "JWTIssuedAtFuture"} {
		if at, ok := claims[name].(float64); ok && at > float64(now.Add(skew).Unix()) {
			return nil, errors.New(text)
		}
	}
	return claims, nil
}

// userTable is auth.users in the database.
type userTable struct {
	rest     *fakerest.Server
	triggers []func(tx *Tx, user Row) error
}

// Put stores a user.
func (t userTable) Put(u fakeauth.UserRow) error {
	row := Row{
		"aud": "authenticated", "role": u.Role, "email": null(u.Email), "phone": null(u.Phone), "is_anonymous": u.Anonymous,
		"raw_app_meta_data": u.AppMetadata, "raw_user_meta_data": u.UserMetadata,
		"email_confirmed_at": nullTime(u.EmailConfirmed), "phone_confirmed_at": nullTime(u.PhoneConfirmed),
		"last_sign_in_at": nullTime(u.LastSignIn), "created_at": u.Created, "updated_at": u.Updated,
		"banned_until": nullTime(u.Banned), "deleted_at": nullTime(u.Deleted),
	}
	return t.rest.Do(func(tx *Tx) error {
		old, err := tx.Update("auth.users", Row{"id": u.ID}, row)
		if err != nil || len(old) > 0 {
			return err
		}
		row["id"] = u.ID
		added, err := tx.Insert("auth.users", row)
		for _, f := range t.triggers {
			if err == nil {
				err = f(tx, added)
			}
		}
		return err
	})
}

// Delete takes a user away, and what the schema says goes with one.
func (t userTable) Delete(id string) error {
	return t.rest.Do(func(tx *Tx) error {
		_, err := tx.Delete("auth.users", Row{"id": id})
		return err
	})
}

func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func nullTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}
