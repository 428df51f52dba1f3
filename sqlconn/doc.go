// Package sqlconn connects to SQL databases: Streamlit's SQLConnection on database/sql, with typed,
// cached and self-healing queries.
//
//	conn, err := sqlconn.Get(ctx, "pets_db")    // [connections.pets_db] url = "sqlite:///pets.db"
//	owners, err := sqlconn.Query[Owner](ctx, conn, `select * from pet_owners`)
//
// [Get] shares one connection for each name, [Open] makes one of your own, and [New] wraps any
// connection to a *sql.DB. [Query], [QueryOne], [Rows] and [Conn.Query] read, [Conn.Exec]
// writes, [Conn.Session] is a transaction. connection.Do lends the *sql.DB itself;
// connection.Ping, Clear, Explain and Stats do for a [Conn] what they do for every connection.
//
// # Which database
//
// The section [connections.NAME] of the secrets, or options over it, give a url:
//
//	sqlite:///pets.db                                     relative; sqlite:////var/lib/pets.db is absolute
//	sqlite://                                             in memory
//	postgresql+psycopg2://user:password@host:5432/db      as SQLAlchemy writes it, and postgres://
//	mysql+pymysql://user:password@host/db                 and mariadb://, user:password@tcp(host)/db
//	mssql+pyodbc://user:password@host/db                  and sqlserver://
//	snowflake://user:password@account/db/schema, duckdb:///pets.duckdb, and others
//
// or parts: dialect, driver, username, password, host, port, database, and the table query. A
// url speaks for every part at its own level (options, secrets) and hides all parts of lower
// levels, credentials too; a part at the url's level or a higher one overrides what the
// url says. The environment counts where [WithURLEnv], or url_env in the section, names a variable.
//
// No driver comes with this package: the program imports one, and an error names the import that is
// missing. The name after the plus sign is a Go driver's or, which says nothing here, a
// Python driver's. A driver that is wrapped, for tracing say, is chosen by the name under which it is
// registered, or opened by [WithOpener].
//
// sqlite:// is one database for the whole pool and for no other connection. It lives until Close;
// Reset empties it and ends its cached reads, and nothing but a Reset or changed parameters does: no
// age, no fault, no bound on the number of connections.
//
// # Engine settings
//
// The keyword arguments of SQLAlchemy's create_engine, from the table create_engine_kwargs, from the
// section itself (which goes before the table), or from options, are mapped onto database/sql and
// the driver:
//
//	key                default  meaning here
//	pool_size          5        connections kept open: SetMaxIdleConns; 0: no bound at all
//	max_overflow       10       more at a time: SetMaxOpenConns(pool_size + max_overflow); -1: no bound
//	pool_recycle       -1       seconds until a connection is replaced: SetConnMaxLifetime; -1: never
//	pool_timeout       30       seconds that a caller waits for a free connection, within its own
//	                            context, before a [PoolTimeoutError]; 0: not at all
//	pool_pre_ping      false    a connection is pinged before it is used
//	isolation_level    driver's of every Session: READ UNCOMMITTED, READ COMMITTED, REPEATABLE READ,
//	                            SERIALIZABLE, SNAPSHOT, or AUTOCOMMIT for none
//	autocommit         false    true is isolation_level = "AUTOCOMMIT", wherever it is given: every
//	                            statement of a Session is committed by itself
//	echo               false    statements are logged, without their arguments
//	connect_args       none     a table of parameters of the driver; they override the url's query
//	execution_options  none     a table; its isolation_level and autocommit count, nothing else
//	poolclass          none     "QueuePool" is the default, "NullPool" keeps no connection open
//
// Numbers may be strings of digits and switches "true", "yes", "on", "1" and their opposites, as
// environment variables and mounted files have them; durations are seconds, or "30s" and a
// time.Duration. A value of None (nil) is the default. What concerns only Python's side of
// SQLAlchemy (its compiler, its logging, its type system) is accepted and ignored, which a
// warning tells. What would change the program's behaviour and cannot be done here is an error, and
// so is a name that SQLAlchemy does not know.
//
// # Reads and writes
//
// A read is one statement whose first word, after comments and opening parentheses, is SELECT, VALUES,
// TABLE, SHOW, DESCRIBE, EXPLAIN without ANALYZE, PRAGMA without a new value, or a WITH that
// holds no INSERT, UPDATE, DELETE or MERGE; never with INTO, FOR UPDATE or FOR SHARE, and not if it
// calls a function that is known to change something, such as nextval. Everything else is a
// write, through whichever function it comes. What cannot be decided is a write. A SELECT that
// calls a writing function of your own looks like a read: run it by [Conn.Exec], or in a Session.
//
// Reads are cached and tried again. Writes run exactly once, uncached, and end all cached reads
// of their connection and its views, also when they fail or their outcome is unknown;
// [Conn.WithKeepCache] leaves them.
//
// # Caching
//
// A read is cached for the TTL of [Conn.WithTTL], else that of the section's ttl, else that of
// connection.WithDefaultTTL, else for good. A write through the connection ends it before, see above; one
// through another connection, though it leads to the same database, through the *sql.DB itself, or by another
// program does not: set a ttl where others write too. The key holds the connection, its
// parameters, a view's identity, the text, the arguments with their types, and T. An argument without
// a stable form, such as a channel, makes its call uncached. Results are the caller's own to
// change, unless it asks for [Conn.WithShared]. [Rows] and Sessions are never cached.
// [Conn.ClearQuery] ends the results of one query, connection.Clear all.
//
// # Sessions
//
// [Conn.Session] commits when its function returns nil, and rolls back when it fails, panics or ends its
// goroutine. [Isolation] and [ReadOnly] set it up; [RetrySession] runs it again after
// serialization failures, deadlocks and a busy SQLite. [ErrCommitUnknown] tells of a commit whose
// answer was lost.
//
// # Faults
//
// Reads are tried until the caller's deadline, without one for connection.Retry's window, after
// broken connections and after what the server calls transient: by SQLSTATE (classes 08, 53, and
// 40001, 40P01, 57P01 to 57P03 and a few more), by the error numbers of MySQL, SQL Server,
// Snowflake, Oracle and ClickHouse, by SQLite's busy and locked, by driver.ErrBadConn and faults of the
// network. Syntax errors, constraint violations and all else are answered at once. Rows are tried
// again only before their first row. database/sql replaces broken connections; the whole
// pool is made anew, from the parameters as they are then, only when no connection can be
// made or the server refuses the credentials.
//
// database/sql itself runs a statement again when a driver answers driver.ErrBadConn, which a driver may
// do only if the server has certainly not executed it. pgx, go-sql-driver/mysql, the drivers of SQLite
// and DuckDB are known to keep to that. With all others (lib/pq, go-mssqldb, gosnowflake,
// go-ora and godror among them, and every driver that is not known) a write first looks, by a ping,
// for a connection that answers, and then runs on it once, whatever comes: that costs a round trip
// per write.
//
// No error, log line or printed value shows the password or another secret of the connection's parameters:
// they are masked in what drivers say. Errors of a *sql.DB that Connect has not opened are the
// business of who did, as is what the *sql.Tx of [Tx.Raw] says.
//
// # Values
//
// T is a struct (see [Query]), a pointer to one, a map[string]any, or anything that holds one
// value. NULL goes into pointers, sql.Null[T] and other Scanners, and any; into a plain field it is an
// error that names the column. Arguments are positional, in the driver's own notation, or one
// [Params], whose :name works with every driver.
//
// SQLite keeps times as text and compares them as text. With modernc.org/sqlite all are written, and come
// back, in UTC, as "2026-07-01 20:30:00+00:00", so that =, < and order by go by the instant; _timezone in the
// url's query is another zone. mattn's and ncruces' drivers write a time in the zone that it is given in: give
// them t.UTC(). A text without an offset, as CURRENT_TIMESTAMP and SQLAlchemy write it, is read as UTC but is
// another text: compare such columns by datetime(at) = datetime(:t), in whole seconds.
//
// # Tests
//
// Code that takes a [*Conn] is tested on a SQLite in memory, which is the test's own:
//
//	conn, err := sqlconn.Open(ctx, "pets", sqlconn.WithURL("sqlite://")) // and conn.Close() at the end
//
// Code that calls [Get] is given a registry for its connections and secrets, and code that runs on a *sql.DB that
// the test has made, or on a mock's, is given that:
//
//	reg := connection.Registry{Secrets: secrets.Of(map[string]any{"connections": map[string]any{"pets": …}})}
//	conn, err := sqlconn.Get(ctx, "pets", connection.In(&reg)) // and reg.Close() at the end
//	conn := sqlconn.New(connection.Of("pets", db))
//
// Without connection.In it is connection.Default, whose places (the home, the working directory, what
// $STREAMCONN_SECRETS lists) are looked up once, for its first connection: a test that changes these later changes
// nothing. What is in the files, and in other variables, is looked at again at each connect.
//
// # Different from Streamlit
//
//   - Parameters: the environment can give the url, if the program or the section names the variable; in
//     Streamlit nothing but keyword arguments and the section counts.
//   - url and parts: parts that are given in code override a url in the secrets, where Streamlit lets
//     them lose without a word.
//   - Required parts depend on the dialect, all that are missing are told at once, and SQLite can be given by
//     parts.
//   - A port that is no number is an error that names the port and where it was given, not the bare error of a
//     conversion.
//   - Engine settings may also stand in the section itself, and connect_args are merged key by key, where
//     Streamlit replaces that table whole.
//   - autocommit counts in the secrets too, where Streamlit ignores it.
//   - The TTL: without one, reads are cached for good, as in Streamlit, which one log line tells; but a
//     write through the connection ends them.
//   - The cache key holds the connection and its parameters, so that two databases of one name never share
//     results, and the types of arguments, but not the order of named ones.
//   - Retries follow the fault, back off and keep to a deadline, where Streamlit makes three attempts a second
//     apart with a new pool for each, for syntax errors too.
//   - Writes are known as such: they are neither cached nor tried again, where Streamlit's query() would do both
//     to an INSERT … RETURNING.
//   - There is no index_col: a struct or a map keyed by the caller does its work; and no chunksize, which never
//     worked with Streamlit's cache: [Rows] streams.
//   - Connections go back to the pool with the end of each call, not with the garbage collector's next run.
//   - Session takes a function, and commits or rolls back by what that returns; there is no object mapper, and
//     no way to forget the commit.
//   - connect() and engine are Raw, or better connection.Do, which keeps the pool open meanwhile; driver is
//     [Conn.Driver], and [Conn.Dialect] stands beside it.
//   - Changed secrets end the cached reads of the connection that they move, and Reset those of an
//     in-memory database; a Reset that leads to the same database keeps them.
//   - One query can be cleared by [Conn.ClearQuery]; in Streamlit it is all or nothing.
package sqlconn
