// Package rediscache puts Redis, or Valkey, behind the cached reads of several processes: what one has
// loaded, the others find, and what one has changed, none of them serves any more.
//
//	tier, err := rediscache.Open(ctx, "shared_cache")
//	conn, err := sqlconn.Get(ctx, "pets_db", connection.WithSharedCache(tier))
//
// with, in the secrets of all of them,
//
//	[connections.shared_cache]
//	url = "rediss://cache.internal:6379"
//	password = "…"
//	secret = "…" # openssl rand -hex 32
//
// It is a module of its own, so that nobody else gets its client: go get
// github.com/streamconn/streamconn/cache/rediscache.
//
// # Two tiers
//
// Results that are in the memory of a process are as they always were: decoded, private, and found in
// nanoseconds. Redis is asked only where a query would be run, and holds bytes: msgpack, under names that
// are HMACs. It is a cache, not a store: it may lose anything at any time. It needs no persistence; a
// maxmemory with the policy allkeys-lru suits it.
//
// # What ends a result
//
// Each connection has an epoch in Redis, a number to which a write and connection.Clear through any process
// add: one round trip, however many results depend on it. Each entry knows the epochs that it was loaded under, which are
// read together with it: an entry of before is not found, whoever stores it, however late. And Redis tells
// all processes of the end, so that it leaves their memory too, usually within a millisecond of the
// write's return; the writer's own memory is free of it before that. Reads through a view also depend on the epoch of its
// identity.
//
// Epochs go by the name of the connection; entries by all that its factory read, the kind, the identity, the
// request with its arguments, and the type of the result. So two databases under one name share nothing but the
// ends of their results. See [connection.WithSharedCache] for what is not shared, and [cache.TierScope]
// for how types are known.
//
// # When Redis is slow, away, full, or wrong
//
// Then reads are loaded, writes are made, and nobody sees an error. While this process cannot be certain to
// hear of ends, what it loads stays in memory for away_ttl, one second. It notices a connection that is lost
// at once, and one that is silent by the next heartbeat; then everything in memory ends. The same
// happens when Redis was emptied, was started again, has failed over to a replica, or turns out to have
// forgotten an end: of what was stored before, nothing is found. A Redis that answers too late three times in a row is left
// alone for 100 milliseconds, and longer each time, up to 5 seconds; as long as it tells of ends, what is loaded
// meanwhile lives as usual.
//
// So if another process has changed something, this one serves the older result for no longer than a heartbeat
// and a half, plus away_ttl. A process that can reach the database but not Redis tells the others of its
// writes when it can reach Redis again. Until then, and if it ends before, they may find older results in
// Redis, for as long as their TTL.
//
// # What is never shared
//
// Errors that count as answers (sqlconn's WithNegativeTTL), results of a type that cannot be written such
// that nothing is lost, which is told once for each type, and what is larger than max_bytes. They stay in the
// process, and end when the others say so. Written are all types but functions, channels, interfaces with
// methods, and structs with unexported fields that have neither MarshalBinary nor MarshalText with its
// counterpart; in an any, what JSON and drivers put there.
//
// # Who can read it
//
// Whoever can read Redis sees the values, unless there is an encryption_key. Keys tell nothing, and
// entries are authenticated either way: without the secret, nobody can make one, change one, or put one in the place
// of another. Who can write to Redis can still delete entries, put back those of before, and end what is cached.
//
// # One load for all
//
// With lease = true, one process at a time loads a key, and the others wait for what it stores. That costs two more
// round trips for each load, and saves the database a load per process whenever something popular has ended.
//
// # A cluster
//
// All keys of a namespace are in one slot, but this package does not find the node that has it: give it
// the address of a server, or of Sentinels.
package rediscache
