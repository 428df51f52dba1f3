// Package rediscache measures package cache/rediscache beside the client-side cache of rueidis and beside
// go-redis/cache, with a Redis of its own, each turn against the others in the same run:
//
//	go test -bench . ./internal/bench/rediscache   # from its own folder: it is a module of its own
package rediscache
