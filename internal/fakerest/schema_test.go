package fakerest

import (
	"errors"
	"strings"
	"testing"
)

func TestSchemasThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		sql  string
		line int
		text string // part of what is said
	}{
		{"create tabel t (a int)", 1, "CREATE TABEL is not supported"},
		{"create table t (\n a int,\n b nosuch\n)", 3, `type "nosuch" does not exist`},
		{"create table t (a int,\n b int references u(id))", 2, `relation "u" does not exist`},
		{"create table t (a int);\ncreate table u (b int references t(a))", 2, "no unique constraint"},
		{"create table t (a int primary key);\ncreate table u (b text references t)", 2, "incompatible types: text and integer"},
		{"create table t (a int, a text)", 1, "specified more than once"},
		{"create table t (a int);\n\ncreate table t (a int)", 3, "already exists"},
		{"create table t (a int check (b > 1))", 1, `column "b" does not exist`},
		{"create table t (a int check (a))", 1, "must be type boolean"},
		{"create table t (a int default 'x')", 1, `invalid input syntax for type integer: "x"`},
		{"create table t (a int default now())", 1, "default expression is of type timestamp"},
		{"create table t (a varchar(0))", 1, "must be at least 1"},
		{"create table t (a int) partition by list (a)", 1, "PARTITION"},
		{"create table t (a int) inherits (u)", 1, "INHERITS"},
		{"create table t as select 1", 1, "CREATE TABLE AS"},
		{"create table t (like u)", 1, "LIKE"},
		{"create table t (a int, exclude using gist (a with =))", 1, "EXCLUDE"},
		{"create materialized view v as select 1", 1, "MATERIALIZED VIEW"},
		{"create trigger x before insert on t execute function f()", 1, "CREATE TRIGGER is not supported"},
		{"create extension postgis", 1, "extension postgis"},
		{"create domain d as text", 1, "DOMAIN"},
		{"do $$ begin end $$", 1, "DO is not supported"},
		{"set enable_seqscan = off", 1, "SET enable_seqscan"},
		{"create table t (a int);\ncreate policy p on t using (nosuch())", 2, "nosuch() does not exist"},
		{"create policy p on nosuch using (true)", 1, `relation "nosuch" does not exist`},
		{"grant select on nosuch to anon", 1, `relation "nosuch" does not exist`},
		{"create table t (a int);\ngrant select on t to nobody", 2, `role "nobody" does not exist`},
		{"create view v as select a from nosuch", 1, `relation "nosuch" does not exist`},
		{"create view v as select 1 union select 2", 1, "UNION"},
		{"create view v as with x as (select 1) select 1", 1, "syntax error"},
		{"create table t (a int);\ninsert into t values ('x')", 2, "invalid input syntax"},
		{"create table t (a int not null);\ninsert into t (a) values (null)", 2, "null value in column"},
		{"create table t (a int unique);\ninsert into t values (1), (1)", 2, "duplicate key value"},
		{"create table t (a int);\ninsert into t values (1), (1);\ncreate unique index on t (a)", 3, "duplicate key value"},
		{"create table t (a int);\ninsert into t values (1, 2)", 2, "more expressions than target columns"},
		{"select 'unfinished", 1, "quote that does not end"},
		{"/* comment", 1, "comment that does not end"},
		{"create function f() returns int language sql as $$ select 1", 1, "does not end"},
		{"create function f(a nosuch) returns int language sql as $$ $$", 1, `type "nosuch" does not exist`},
		{"create table public.t (a timetz)", 1, `type "timetz" does not exist`},
		{"create table nosuch.t (a int)", 1, `schema "nosuch" does not exist`},
		{"create table t (a text collate \"de_DE\")", 1, "collation"},
		{"alter table nosuch add column a int", 1, "does not exist"},
		{"create table t (a int);\nalter table t add primary key (a), cluster on x", 2, "ALTER TABLE CLUSTER is not supported"},
		{"alter default privileges in schema public revoke execute on functions from public", 1, "default privileges"},
		{strings.Repeat("select (", 300), 1, "nests too deeply"},
	} {
		_, err := New(Config{Schema: []string{test.sql}})
		serr, ok := errors.AsType[*SchemaError](err)
		if !ok {
			t.Errorf("%s: %v, want a SchemaError", test.sql, err)
			continue
		}
		if serr.Line != test.line || !strings.Contains(serr.Text, test.text) {
			t.Errorf("%s: %v, want line %d and %q", test.sql, err, test.line, test.text)
		}
	}
}

// rowsOf runs a schema and gives the rows of its table t as text.
func rowsOf(t *testing.T, schema string) string {
	t.Helper()
	s, err := New(Config{Schema: []string{schema}})
	if err != nil {
		t.Fatalf("%s: %v", schema, err)
	}
	var parts []string
	tab := s.db.tables[qualified{"public", "t"}]
	rows, rerr := s.begin(s.db.owner(), nil).scan(tab)
	if rerr != nil {
		t.Fatal(rerr)
	}
	for _, values := range rows {
		parts = append(parts, formatRow(recordOf(tab), values, s.begin(s.db.owner(), nil).locale()))
	}
	return strings.Join(parts, " ")
}

func TestSchemasThatAreRun(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ sql, want string }{
		{`create table t (id serial, a text default 'x' || 'y', b int[] default '{1}', c jsonb default '{}'::jsonb);
		  insert into t (a) values (default), ('z')`, "(1,xy,{1},{}) (2,z,{1},{})"},
		{`create table t (id int generated always as identity (start with 10 increment by 5), a int);
		  insert into t (a) values (1), (2); insert into t (id, a) overriding system value values (3, 3);`, "(10,1) (15,2) (3,3)"},
		{`create table t (a int, b int generated always as (a * 2) stored); insert into t values (1), (2); update t set a = a + 1 where a > 1`, "(1,2) (3,6)"},
		{`create type mood as enum ('sad', 'ok'); alter type mood add value 'meh' before 'ok';
		  create table t (m mood); insert into t select 'ok'; insert into t values ('meh');`, "(ok) (meh)"},
		{`create table t (a int primary key, b text); insert into t values (1, 'x') on conflict (a) do nothing;
		  insert into t values (1, 'y'), (2, 'z') on conflict (a) do update set b = t.b || excluded.b where t.a = 1`, "(1,xy) (2,z)"},
		{`create table u (id int primary key); insert into u values (1), (2);
		  create table t (id int primary key, u int references u on delete cascade, p int references t(id) on delete set null);
		  insert into t values (1, 1, 2), (2, 2, null), (3, 2, 1); delete from u where id = 1`, "(2,2,) (3,2,)"},
		{`create table t (a int); insert into t values (1); alter table t add column b text not null default 'd', add column c int;
		  alter table t drop column a; alter table t rename column b to bb; alter table t alter column c set default 7; insert into t default values`, "(d,) (d,7)"},
		{`create table t (a int); insert into t values (1), (2); alter table t alter column a type text using 'n' || a;`, "(n1) (n2)"},
		{`create schema s; create table s.x (a int); set search_path to s, public; create table public.t as_of int`, ""},
		{`create table t (a numeric(5,2), b varchar(3), c char(4), d timestamptz(0), e smallint);
		  insert into t values (1.005, 'ab ', 'x', '2020-01-01 00:00:00.6', '7')`, `(1.01,"ab ","x   ","2020-01-01 00:00:01+00",7)`},
		{`create table t (a int, b int, unique nulls not distinct (a), check (a < b), constraint c check (b is not null)); insert into t values (null, 1), (1, 2)`, "(,1) (1,2)"},
		{`create table u (id int primary key); create table t (u int references u deferrable initially deferred); insert into t values (1); insert into u values (1)`, "(1)"},
		{`-- a comment
		  begin; create table if not exists t (a int); create table if not exists t (b int); comment on table t is 'x'; insert into t values (1); commit;`, "(1)"},
		{`create table t (a text); insert into t values (E'a\n\'b'), ($x$c'd$x$), ('e''f')`, "(\"a\n'b\") (c'd) (e'f)"},
	} {
		if strings.Contains(test.sql, "as_of") {
			if _, err := New(Config{Schema: []string{test.sql}}); err == nil {
				t.Errorf("%s: no error", test.sql)
			}
			continue
		}
		if got := rowsOf(t, test.sql); got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.sql, got, test.want)
		}
	}
}

// What a Supabase project's own schema has is there to be referred to.
func TestSupabaseSchema(t *testing.T) {
	t.Parallel()
	s, err := New(Config{Schema: []string{`
		create extension if not exists "uuid-ossp" with schema extensions;
		create table public.profiles (
			id uuid not null references auth.users on delete cascade default extensions.uuid_generate_v4(),
			username text unique, avatar_url text, updated_at timestamp with time zone default timezone('utc'::text, now()) not null,
			primary key (id), constraint username_length check (char_length(username) >= 3)
		);
		alter table profiles enable row level security;
		create policy "Public profiles are viewable by everyone." on profiles for select using (true);
		create policy "Users can insert their own profile." on profiles for insert with check ((select auth.uid()) = id);
		create policy "Users can update own profile." on profiles for update using ((select auth.uid()) = id);
		create table teams (id int primary key, name text);
		create table members (team_id int references teams, user_id uuid, primary key (team_id, user_id));
		alter table teams enable row level security;
		create policy member on teams for all to authenticated using (
			exists (select 1 from members m where m.team_id = teams.id and m.user_id = auth.uid())
			or (auth.jwt() -> 'app_metadata' ->> 'admin')::boolean
			or auth.jwt() ->> 'email' in (select name from teams t2 where false)
		);`}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Do(func(tx *Tx) error {
		if _, err := tx.Insert("auth.users", Row{"id": userA, "email": "a@x"}); err != nil {
			return err
		}
		_, err := tx.Insert("profiles", Row{"id": userA, "username": "ada"})
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

const (
	userA = "11111111-2222-4333-8444-555555555555"
	userB = "22222222-2222-4333-8444-555555555555"
)
