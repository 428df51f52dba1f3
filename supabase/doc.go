// Package supabase connects to a Supabase project: what st-supabase-connection is to Streamlit, and
// the client that Go did not have.
//
//	sb, err := supabase.Get(ctx, "supabase") // SUPABASE_URL and SUPABASE_KEY in [connections.supabase], or in the environment
//	users, err := supabase.Query[User](ctx, sb.WithTTL(15*time.Minute).Table("users").Select("name, teams(name)").Gte("age", 18).Order("created_at", supabase.Desc))
//	u, err := supabase.QueryOne[User](ctx, sb.Table("users").Eq("email", email)) // errors.Is(err, supabase.ErrNotFound)
//	res, err := supabase.Execute(ctx, sb.Table("users").Insert(rows))            // a write: exactly once, never cached
//	sum, err := supabase.QueryOne[int](ctx, sb.RPC("add_them", map[string]any{"a": 1, "b": 2}))
//
// [Get] shares one connection for each name, [Open] makes one of your own; [Connect] has the
// parameters. connection.Do, Ping, Clear, Explain and Stats do for a [Conn] what they do for
// every connection.
//
// # Queries
//
// [Conn.Table], [Conn.RPC] and [Conn.Schema] begin a [Builder], which is that of package database:
// every filter and modifier of the official clients, and never changed, so that one can be kept. The
// functions [Query], [QueryOne], [QueryPage], [Count] and [Execute] run it; [Rows] and [Pages] give all
// rows, page by page. A kept query runs as somebody else by database.On(q, mine).
//
// # Reads and writes
//
// GET and HEAD are reads: queries without Insert, Upsert, Update or Delete, and functions with Get or
// Head. Reads are cached for the TTL of the connection or view, and tried again after faults that
// pass. Without a ttl that is forever: what other processes write is then never seen. Give the section
// a ttl, or the view, and 0 to what must be as it is now.
//
// Everything else is a write: it runs exactly once, is not cached, and ends all that is cached of the
// project's database, for every user, also when it fails; [Conn.WithKeepCache] leaves that alone. An
// answer that denies or does not find ends what is cached of the same query.
//
// A cached result belongs to one connection, its parameters, and one identity: the connection's own
// key, or one access token. What callers get is their own copy; [Conn.WithShared] spares it.
//
// # Users
//
//	session, err := sb.CachedSignInWithPassword(ctx, supabase.Credentials{Email: email, Password: password})
//	mine := sb.As(session, supabase.OnSession(func(ctx context.Context, s *supabase.Session) { store(ctx, s) }))
//	todos, err := supabase.Query[Todo](ctx, mine.Table("todos").Select("*")) // under row security, as this user
//
// A connection is nobody but its key. [Conn.As] and [Conn.AsToken] give views of it as a user, of which
// there can be any number at once; [Conn.Auth] signs users in, up and out. The identity of a view is
// an HMAC of the whole access token, signature included, and not a claim read from it: a token that
// is forged finds nothing in the cache, and is refused by the project. A view without a good token
// is [ErrSignInAgain], and is never the connection's key.
//
// The connection renews sessions, not the view: one request for each refresh token, and it remembers
// what followed. Processes that share sessions do not know of each other's renewals: give the newest
// session to all of them, by [OnSession].
//
// # Errors
//
// A [*connection.Error] names the connection; behind it, errors.AsType finds the [*Error] of the
// service with its code, message, details and hint, and errors.Is the sentinels of this package. No
// error, log line or formatted value holds a key, a token or a password.
//
// # The community's modules
//
// Raw and connection.Do hand out a [Client], which makes clients of postgrest-go, gotrue-go and
// storage-go over the same transport, for who knows them. Their types and methods are their own; what
// replaces them here, and why:
//
//	postgrest-go                   here                        because there
//	From(t).Select, Eq, …          Table(t).Select, Eq, …      a second filter on a column, a second Or, replaces the first
//	Execute, ExecuteTo             Query, QueryOne, Execute    no context; errors are texts; one error stays for ever
//	Rpc                            RPC                         errors are results; no filters, no GET
//	SetAuthToken, ChangeSchema     As, AsToken; Schema         they change the client for everybody, while it is in use
//	Ping                           connection.Ping             it leaks connections, and poisons the client
//
//	gotrue-go                      here                        because there
//	SignInWithEmailPassword, …     Auth().SignInWithPassword   no context; errors are texts
//	VerifyForUser                  Auth().Verify…              it always fails, and its error holds the tokens
//	Token(pkce), SSO               Auth()                      they cannot work: wrong field, swapped arguments
//	AdminListUsers                 Auth().Admin()              the first page only
//	AdminUpdateUser, CreateUser    Auth().Admin()              nothing can be cleared; a ban is refused
//
//	storage-go                     here                        because there
//	UploadFile, UpdateFile         Upload, Update              options stay for later calls, and race; JSON is the type
//	DownloadFile                   Download                    paths are not escaped; []byte alone; errors as content
//	RemoveFile, EmptyBucket        Remove, EmptyBucket         results and bodies of the wrong form
//	UploadToSignedUrl              UploadToSignedURL           every file becomes text/plain
//
// What works there, and is the same here, is not in the table.
package supabase
