// Package connection gives a program named, configured, shared, cached and self-healing
// connections to data sources: what st.connection is to Streamlit.
//
// A connection is made by a [Factory], a function that turns parameters into a client. Around
// the client, this package finds the parameters, shares the connection, keeps what was read,
// tries again what failed for a while, and connects anew when it is told to, or when the
// parameters change.
//
//	func Connect(ctx context.Context, p *connection.Params) (*sql.DB, error) {
//		path, err := p.String("database", "DUCKDB_DATABASE")
//		if err != nil {
//			return nil, err
//		}
//		return sql.Open("duckdb", path)
//	}
//
//	c, err := connection.Open(ctx, "my_duck", Connect, connection.With("database", "pets.duckdb"))
//
// # Open and Get
//
// [Open] makes a connection of the caller's own. Get shares: those who ask the same [Registry] for
// the same name, with the same options in any order, get the same pointer. There is a Get for
// every kind (sqlconn.Get, [Kind.Get]), and the function [Get] for kinds that a
// section of the secrets names and [Register] has made known.
//
// # Parameters
//
// Options go before the section [connections.NAME] of the secrets, which goes before their top
// level, which goes before the environment; see [Params]. Tables merge key by key at every
// depth. [Explain] tells which source won. Parameters are resolved anew at every connect, so
// that a Reset uses a rotated password. "env:VAR" as a name takes the name from $VAR.
//
// # Leases
//
// [Do], [Read] and [Write] lend the client. Reset and Close drop it at once, for everybody who
// comes later, and wait for nobody: the last of those to whom it is lent closes it. However many
// ask after a Reset, one connects, and the others wait, each on its own context.
//
// # Cached reads
//
// [Read] keeps what a function has read. An entry belongs to one connection, with the
// parameters that its factory read, to one identity ([Scoped]), to one key and to one type. It
// ends with its TTL, with [Write], [Clear] and Close, and when the parameters change. What
// callers get is their own copy.
//
// # Secrets that change
//
// While secrets.Store.Watch runs, an edit of the secrets resets exactly the connections that
// have read what changed. Without it, each connect reads files again that have changed.
//
// # For those who know Streamlit
//
//	st.connection("x", type=…, **kwargs)   Get, Open; With gives one keyword argument
//	class C(BaseConnection[T])             a Factory[T]; with methods of its own, a Kind
//	_connect(self, **kwargs)               the Factory
//	_instance                              Raw, or better Do
//	_secrets                               Params
//	reset()                                Reset
//	@st.cache_data inside query()          Read
//	st.connection(ttl=…, max_entries=…)    WithMaxAge, Registry.MaxConnected
//	st.cache_data.clear()                  Clear, Registry.Close
//	"env:NAME"                             the same
//
// What is different on purpose: a connection is closed when it is dropped, not forgotten; kinds are
// told apart by what they are, never by the name of a type; the order of options is of no account;
// names do not evict each other; nothing is written to the environment; and no error, log line
// or formatted value shows a parameter. A type is a word that the program has registered, not the
// dotted path of a class to import, and is not guessed from a URL. Instead of connections of one session
// ("scope") there are views, see [Scoped]; instead of attributes that point to _instance there is the
// compiler; and health is asked for, by [Ping], not checked behind a lock at every use.
package connection
