// Package cache keeps the results of reads: typed get-or-load with a time to live, one load per
// key however many ask, and memory bounded in bytes.
//
//	c := cache.New(cache.Config{})
//	defer c.Close()
//	var counters cache.Counters
//	var writes cache.Epoch // Bump it after every write
//	users := c.Scope("users", &counters, &writes)
//
//	names, err := cache.Get(ctx, users, cache.KeyOf("names", lang), cache.Policy{TTL: time.Minute},
//		func(ctx context.Context) ([]string, error) { return load(ctx, lang) })
//
// # What holds
//
//   - The second call hits: at once, from any goroutine, however full and warm the cache is, as
//     long as the result costs at most 1/16 of [Config.MaxBytes] and other new results of less
//     than a fifth of it came between. Larger results are handed out, counted, and not stored.
//   - One load runs per key. Those who wait for it do so on their own contexts, survive a leader
//     whose context ends, share its error, and get a [*PanicError] if it panics. Errors are not
//     stored, unless [Policy.IsNegative] asks for it.
//   - The TTL is the reader's: a result is served only while it is younger than the TTL it was
//     stored under and than the TTL of the call that reads it. Age counts from the end of the
//     load; a result exactly as old as its TTL has expired. A TTL of 0 bypasses the cache: it
//     does not look, wait, or store.
//   - [Epoch.Bump], [Cache.Clear] and [Cache.Drop] end stored results at once, and also those of
//     loads under way: these still answer the callers who wait for them, but nobody else.
//   - What a caller gets is its own: see below.
//   - No two different calls have one key: [AppendArg] writes types and lengths, so that its
//     bytes can be decoded. The type of the result is part of the key, too.
//   - What has expired or ended leaves memory within seconds, not at the next write.
//
// # What a caller gets is its own
//
// Changing a result changes nobody else's. Copied are values, arrays, slices, maps, pointers,
// exported fields, and what is inside an interface, by a plan made once for each type:
//
//   - A type with a method Clone() T is copied by that.
//   - A struct without exported fields, such as [time.Time] or a decimal, is a value, and copied
//     by assignment; unless it holds a lock, a channel or a function, or reads, writes or
//     closes something: then it is a handle, and cannot be copied. [math/big] numbers are copied.
//   - A struct that has both exported fields and unexported ones with pointers, slices, maps or
//     interfaces in them cannot be copied without a Clone method.
//   - Errors are immutable by convention, and are not copied.
//
// A result that cannot be copied is handed out and not stored, with one warning for its type.
// [Policy.Shared] hands out the stored result itself, to those who only read.
//
// # A second tier
//
// Behind the caches of several processes there can be a store that they share: a [Tier], such as that of
// package cache/rediscache, given to [Cache.TieredScope]. It is asked only instead of a load. What
// ends a result in one process then ends it in all, and no copy of it in memory outlives the one in the store.
//
// # What it costs
//
// [Lookup] is the path of a hit. It does not allocate, waits for no lock of ours, and costs about as
// much as a bare lookup in ristretto, the cache that is the engine here; with a second tier behind it,
// no more. A copy of structs, slices and pointers costs about what one by hand does; of maps, and of what is in
// interfaces, up to three times that.
package cache
