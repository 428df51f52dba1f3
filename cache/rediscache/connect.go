package rediscache

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/redis/rueidis"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
)

// settings are the parameters that are not about how to reach Redis.
type settings struct {
	keys       keyspace
	localTTL   time.Duration // in memory, while this process hears of ends
	awayTTL    time.Duration // in memory, while it does not
	maxTTL     time.Duration // in Redis
	timeout    time.Duration // of a look into Redis, and of storing there
	endTimeout time.Duration // of telling the others of an end
	heartbeat  time.Duration
	maxBytes   int
	lease      time.Duration // 0: none
	leaseWait  time.Duration
}

const dialTimeout = 500 * time.Millisecond

var namespaceForm = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,100}$`)

// Connect makes the client. It is the [connection.Factory] of [Get] and [Open]. It does not dial: a Redis that is down is no error. Its parameters are:
//
//   - url: redis://user:password@host:6379/0, rediss:// for TLS, unix:///path?db=0; with Sentinels
//     redis://sentinel:26379?master_set=mymaster&addr=other:26379;
//   - password: in the place of the one in the url, so that the url need not be a secret;
//   - secret: at least 32 characters that all processes share and nobody else knows. Whoever has
//     it, and access to Redis, can read and write what is cached. It cannot change while the program runs;
//   - encryption_key: at least 32 characters; with it, entries are encrypted. Without it, they are
//     authenticated, and can be read by whoever can read Redis;
//   - namespace, "streamconn": tells tiers in one Redis apart, for instance those of production and
//     staging, or of versions of a program that load different things under one key;
//   - local_ttl, 1 minute: how long a result stays in memory before Redis is asked again;
//   - away_ttl, 1 second: the same while Redis is away;
//   - max_ttl, 1 day: how long a result stays in Redis at most, also one that never expires;
//   - timeout, 0.05 seconds: how long a read waits for Redis before it loads;
//   - end_timeout, 0.5 seconds: how long a write waits until Redis has told the others;
//   - heartbeat, 1 second: how often the connection to Redis is looked after;
//   - max_bytes, 1 MiB: the size of the largest result that is stored;
//   - lease, false: whether one process at a time loads a key, while the others wait for what it
//     stores, for lease_wait (5 seconds) at most; a process that dies is waited for no longer than
//     lease_time (10 seconds).
//
// The user needs the commands HELLO, CLIENT, PING, INFO, GET, MGET, SET, PTTL and UNLINK, and with lease also
// EVAL, EVALSHA and DEL; Redis has to be of version 6 or later.
func Connect(_ context.Context, p *connection.Params) (*Client, error) {
	options, err := readAddress(p)
	if err != nil {
		return nil, err
	}
	secret, err := p.Secret("secret")
	if err != nil {
		return nil, fmt.Errorf("a shared cache needs a secret that its processes share: %w", err)
	}
	key, err := p.StringOr("encryption_key", "")
	if err != nil {
		return nil, err
	}
	if _, _, given := p.Lookup("encryption_key"); given && key == "" {
		return nil, errors.New("the encryption_key is empty; leave it out if entries are not to be encrypted")
	}
	r, err := newRing(secret.Reveal(), key)
	if err != nil {
		return nil, err
	}
	s, err := readSettings(p)
	if err != nil {
		return nil, err
	}
	return &Client{&held{newClient(s, r, options, p.Logger())}}, nil
}

func readAddress(p *connection.Params) (rueidis.ClientOption, error) {
	url, err := p.String("url")
	if err != nil {
		return rueidis.ClientOption{}, err
	}
	options, err := rueidis.ParseURL(url)
	if err != nil {
		return options, fmt.Errorf("the url cannot be used: %w", err) // its secrets are masked by who asked
	}
	password, err := p.StringOr("password", options.Password)
	if err != nil {
		return options, err
	}
	options.Password = password
	if options.AlwaysRESP2 {
		return options, errors.New("the url has protocol=2, but only with protocol 3 does Redis tell of changes")
	}
	return options, nil
}

func readSettings(p *connection.Params) (settings, error) {
	namespace, err := p.StringOr("namespace", "streamconn")
	errs := []error{err}
	if err == nil && !namespaceForm.MatchString(namespace) {
		errs = append(errs, errors.New("the namespace has to be of up to 100 letters, digits and . _ : -"))
	}
	duration := func(name string, otherwise time.Duration) time.Duration {
		d, err := p.DurationOr(name, otherwise)
		if err == nil && (d < time.Millisecond || d > 100*365*24*time.Hour) {
			err = fmt.Errorf("%s has to be between a millisecond and a hundred years", name)
		}
		errs = append(errs, err)
		return d
	}
	s := settings{
		keys:       newKeyspace(namespace),
		localTTL:   duration("local_ttl", time.Minute),
		awayTTL:    duration("away_ttl", time.Second),
		maxTTL:     duration("max_ttl", 24*time.Hour),
		timeout:    duration("timeout", 50*time.Millisecond),
		endTimeout: duration("end_timeout", 500*time.Millisecond),
		heartbeat:  duration("heartbeat", time.Second),
		lease:      duration("lease_time", 10*time.Second),
		leaseWait:  duration("lease_wait", 5*time.Second),
	}
	s.localTTL = min(s.localTTL, s.maxTTL)
	s.awayTTL = min(s.awayTTL, s.localTTL)
	if s.maxBytes, err = p.IntOr("max_bytes", 1<<20); err == nil && s.maxBytes < 1 {
		err = errors.New("max_bytes has to be positive")
	}
	errs = append(errs, err)
	withLease, err := p.BoolOr("lease", false)
	if errs = append(errs, err); !withLease {
		s.lease = 0
	}
	return s, errors.Join(errs...)
}

// ttlInRedis is for how long to store what may be served for ttl, and ends at expires.
func (s *settings) ttlInRedis(ttl time.Duration, expires, now time.Time) time.Duration {
	if ttl == cache.Forever || ttl > s.maxTTL {
		ttl = s.maxTTL
	}
	if !expires.IsZero() {
		ttl = min(ttl, expires.Sub(now))
	}
	return ttl.Truncate(time.Millisecond)
}

// epochTTL is how long an epoch stays in Redis: longer than what depends on it. If it goes, that ends.
func (s *settings) epochTTL() time.Duration { return 2*s.maxTTL + time.Hour }
