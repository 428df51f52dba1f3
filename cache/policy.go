package cache

import (
	"math"
	"time"
)

const (
	// Forever is the TTL of what never expires. It can still be evicted, cleared, or dropped.
	Forever time.Duration = math.MaxInt64

	// Default is the TTL of a read that leaves it to its owner, for instance a connection, who
	// replaces it. Where nobody does, it is [Forever].
	Default time.Duration = math.MinInt64
)

// Policy says how one call reads and stores. The zero value bypasses the cache, since its TTL is 0.
type Policy struct {
	// TTL is how old a result may be for this call, and how long one that this call loads
	// may be served. [Forever] and [Default] never expire. 0 and all other negative values
	// bypass the cache entirely: no lookup, no waiting for another's load, no storing.
	TTL time.Duration

	// Stale is how long after its expiry a result is still served while one refresh runs in
	// the background, or fails for a reason that is Transient. 0, and less, is not at all. It
	// applies to results that were stored with it, and to calls that read with it.
	Stale time.Duration

	// Transient tells which errors of a refresh let the old result be served on. Any other
	// error drops it, so that the next call loads and gets the error itself. A nil Transient
	// means no error, apart from the refresh's own time-out. If it is given, an error of a load that
	// is not Transient also drops what is stored under a longer TTL: the source has denied it.
	Transient func(error) bool

	// Shared hands out the stored result itself instead of a copy. Neither the caller nor
	// anyone it passes the result to may change it.
	Shared bool

	// Expires is when the result ends, whatever the TTL and Stale: the end of the token that it
	// was read with. The zero time is no such end.
	Expires time.Time

	// Negative is how long an error that IsNegative accepts is cached as the answer, for
	// instance "no rows". Both have to be given; only calls that give them get such answers. An error
	// that Transient accepts too is such an answer first: after a refresh it takes the place of the old result.
	Negative   time.Duration
	IsNegative func(error) bool
}

// ttl gives the TTL in its final form: positive, or 0 for calls that bypass the cache.
func (p *Policy) ttl() time.Duration {
	switch {
	case p.TTL > 0:
		return p.TTL
	case p.TTL == Default:
		return Forever
	default:
		return 0
	}
}
