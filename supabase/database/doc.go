// Package database speaks to PostgREST, the REST interface of a Supabase project's database: an
// immutable query builder, and typed results.
//
//	db, err := database.New("https://x.supabase.co/rest/v1", database.WithKey(key))
//	adults, err := database.All[User](ctx, db.Table("users").Select("name, teams(name)").Gte("age", 18).Order("name"))
//	ada, err := database.One[User](ctx, db.Table("users").Eq("email", email))   // errors.Is(err, database.ErrNotFound)
//	sum, err := database.One[int](ctx, db.RPC("add_them", map[string]any{"a": 1, "b": 2}))
//	_, err = database.Execute(ctx, db.Table("users").Delete().Eq("id", 7))
//
// # Queries
//
// A [Query] is a value that never changes. Each of its methods returns a new one, so one can be kept,
// and extended from many goroutines:
//
//	open := db.Table("todos").Is("done", false)
//	mine, all := open.Eq("owner", me), open.Order("due")
//
// What makes no sense is remembered and becomes the error of the function that runs the query
// ([ErrInvalid]); nothing is sent then: an empty name, a value without a form in SQL, an Update or
// Delete without a filter ([ErrNoFilter]; [Query.AllRows] says that all are meant). [Query.Err] tells
// before.
//
// A query carries what runs it: R of Query[R]. [All], [One], [Paged], [Pages], [Rows], [Count] and
// [Execute] run a Query[*Client]; [On] gives the same query to somebody else, say another user's
// Client. [Query.Request] shows what is sent, and [Query.Key] is that in one string.
//
// # Values
//
// Filters take Go values, and write them so that no value can change what the query is:
//
//	numbers, booleans, strings      as they are; a float that is not a number as Postgres spells it
//	time.Time                       RFC 3339 with nanoseconds
//	[Date], [Timestamp], [Bytea]    the text of those types of columns
//	nil, a nil pointer, sql.Null    NULL: Eq is then "is null", Neq "is not null"; an error elsewhere
//	slices and arrays               an array, {1,2}; of any depth; nil is empty
//	[]byte                          bytea
//	json.RawMessage, [JSON]         JSON; so are maps, and structs that have no text of their own
//	encoding.TextMarshaler          its text: UUIDs, addresses, decimals
//	driver.Valuer                   what it gives
//
// A time.Duration is refused: an interval has many forms; pass its text. So are a text with a NUL
// byte, which Postgres does not hold, and one that is not UTF-8.
//
// # Results
//
// Rows are decoded by encoding/json. Of the columns whose JSON is not what their Go type would expect:
//
//	bigint                          int64
//	numeric                         float64, or a json.Number, which keeps all digits
//	timestamptz                     time.Time
//	timestamp                       [Timestamp]
//	date                            [Date]
//	time, interval                  string
//	bytea                           [Bytea]
//	json, jsonb                     what the JSON is, or json.RawMessage
//	arrays                          slices; of what may be NULL, of pointers
//	numbers that are none (NaN)     string
//	infinity, years before Christ   string
//	NULL                            pointers; anything else keeps its zero value
//
// What does not fit is an error that names the column.
//
// In [Query.Like] and its kin, PostgREST reads * as %; there is no way to mean the star itself:
// [Query.RegexMatch] can.
//
// # Names
//
// A column is a name, a path into JSON (meta->pub->>year), or the column of a referenced table
// (books.title). What is not made of letters, digits, _, $, - and spaces is written in quotes;
// [Ident] does that for a name from elsewhere. The columns of Select and the order's are the
// program's own text, as a statement of SQL is; no input of a stranger belongs there.
package database
