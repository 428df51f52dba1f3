// Package streamconn is the landing page of the module; it holds no code. The packages, in
// the order in which to read them:
//
//   - [github.com/streamconn/streamconn/sqlconn]: connections to SQL databases, with typed and
//     cached queries. Most programs begin and end here.
//   - [github.com/streamconn/streamconn/supabase]: connections to Supabase projects: the database, as
//     the project or as one of its users, cached; sign-ins; files; functions.
//   - [github.com/streamconn/streamconn/connection]: what a connection is; kinds of your own,
//     parameters and their precedence, sharing, Reset, cached reads.
//   - github.com/streamconn/streamconn/cache/rediscache, a module of its own: what several processes have
//     read, shared through Redis.
//   - [github.com/streamconn/streamconn/connection/conntest]: the conformance suite for kinds of your own.
//   - [github.com/streamconn/streamconn/secrets]: the secrets.toml of Streamlit, mounted folders,
//     values that do not print themselves, and Watch.
//   - [github.com/streamconn/streamconn/cache]: get-or-compute with a TTL, which the others build on.
//   - [github.com/streamconn/streamconn/supabase/database]: the query builder for PostgREST, usable
//     by itself.
//   - [github.com/streamconn/streamconn/supabase/auth]: users, sessions, and their administration;
//     usable by itself too.
//   - [github.com/streamconn/streamconn/supabase/storage]: buckets and objects, streamed; resumable
//     uploads; a bucket as a file system; usable by itself too.
//   - [github.com/streamconn/streamconn/supabase/supabasetest]: a Supabase project in memory, for
//     tests of programs that use one.
//
// The folder examples has a runnable program for each use; start with
//
//	go run ./examples/quickstart
package streamconn
