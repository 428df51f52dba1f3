// Package supabasetest is a Supabase project inside go test: the database, auth and storage
// services and functions behind one gateway, in memory, without Docker, network or account. It is
// up in milliseconds, and any number can run side by side.
//
//	srv := supabasetest.NewServer(t, supabasetest.WithSchema(`create table todos (…)`))
//	sb, err := supabase.Open(ctx, "test", supabase.WithURL(srv.URL), supabase.WithKey(srv.AnonKey))
//
// What the services answer, statuses, codes and shapes, is what the real ones answer: PostgREST 12.0.2,
// GoTrue 2.196 and Supabase's storage. PostgREST 13 and later differ: a table that is not there is
// PGRST205 and not 42P01 (both are supabase.ErrUndefined), and max-affected is known. What this package
// does not have it refuses with status 501 and names it; it never makes up an answer. [WithSchema] lists
// the SQL that it takes.
//
// [Server.HTTPClient] reaches the server without a socket. With [WithoutPort] there is none at
// all, so that the server works inside a bubble of testing/synctest. [Server.Advance] moves the
// clock of the project, by which tokens, codes and links end.
//
// [Server.Inject] makes requests fail as networks and services do, and [Server.Requests] tells what
// was asked. [Server.Mail] holds the codes and links that users were sent.
//
// The package does not import testing: a program that runs on a made-up project may link it.
package supabasetest
