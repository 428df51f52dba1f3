package connection

import "github.com/streamconn/streamconn/cache"

// Statistics counts what a connection has done since it was made, its views included.
type Statistics struct {
	Connected     bool   // there is a live client
	Connects      uint64 // factory runs
	ConnectErrors uint64 // of these, how many failed
	Resets        uint64 // by callers, changed secrets, age, a registry's bound and faults
	Retries       uint64 // second and later tries of reads

	Cache cache.Stats // the connection's own hits, misses and loads
}

// Stats gives the connection's counters. It is cheap, and safe at any time.
func Stats(c Any) Statistics {
	s := c.base()
	return Statistics{
		Connected:     s.impl.(inspector).isConnected(),
		Connects:      s.connects.Load(),
		ConnectErrors: s.connectErrors.Load(),
		Resets:        s.resets.Load(),
		Retries:       s.retries.Load(),
		Cache:         s.counters.Stats(),
	}
}
