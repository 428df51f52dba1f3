// Package servers starts real database servers for tests, on loopback, on free ports, with their
// data in temporary folders, and stops them again.
//
// A test that does not disturb its server shares one with the other tests of its binary and gets
// a database of its own on it:
//
//	func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }
//
//	pg := servers.Postgres(t)
//	conn, err := sqlconn.Open(ctx, "pets", sqlconn.WithURL(pg.URL()))
//
// A test that kills its server has its own: [StartPostgres], [StartMariaDB]. [StartPostgREST] puts the
// REST interface of a Supabase project over a database.
//
// Where a server's program is missing, the test is skipped and says what to install. With
// STREAMCONN_REQUIRE_SERVERS=1 in the environment it fails instead, so that CI cannot skip by
// accident. It works on Linux only, and so do the tests that need it.
package servers
