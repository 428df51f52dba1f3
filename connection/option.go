package connection

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"log/slog"
	"slices"
	"time"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/secrets"
)

// Option configures one connection. Options of different packages mix.
//
// It is a small value rather than a function, so that a [Registry] can tell whether two calls
// ask for the same connection, without allocating. The zero Option does nothing.
type Option struct {
	setting setting
	name    string // of a parameter, a kind
	number  int64  // durations, sizes, switches
	value   hidden // a parameter's value, or a pointer
}

type setting uint8

const (
	settingNone setting = iota
	settingParam
	settingKind
	settingRegistry
	settingSecrets
	settingLogger
	settingCache
	settingTTL
	settingMaxAge
	settingStrict
	settingRetry
	settingTransient
	settingEnviron
	settingTier
)

// With gives the connection a parameter in code: what Streamlit calls a keyword argument. It
// wins over the secrets and the environment; a table (map[string]any) is laid over the
// section's table key by key. Of two options for one parameter the later wins.
//
// With [Get] the value has to be one that can be compared by its content: texts, numbers, truth
// values, times, and slices, maps and structs of such.
func With(param string, value any) Option {
	return Option{setting: settingParam, name: param, value: hide(value)}
}

// WithType names the registered kind, for [Get] from a [Registry]. It wins over the "type" of the section.
func WithType(kind string) Option { return Option{setting: settingKind, name: kind} }

// In picks the registry that shares the connection, and whose secrets, logger and cache it
// uses. Without it, and with a nil one, that is [Default].
func In(r *Registry) Option { return Option{setting: settingRegistry, value: hide(r)} }

// WithSecrets picks the store that the section is read from. Without it that is the registry's.
func WithSecrets(s *secrets.Store) Option { return Option{setting: settingSecrets, value: hide(s)} }

// WithLogger sets where the connection logs. Without it that is the registry's logger.
func WithLogger(l *slog.Logger) Option { return Option{setting: settingLogger, value: hide(l)} }

// WithCache keeps the connection's cached reads in c, which its maker closes. Without it,
// a shared connection uses its registry's cache (64 MiB), and an opened one has its own (8 MiB).
func WithCache(c *cache.Cache) Option { return Option{setting: settingCache, value: hide(c)} }

// WithSharedCache puts a second tier behind the connection's cached reads: a store that several processes
// share, such as that of package cache/rediscache. Whatever one of them has read through a connection of
// this name, with parameters of the same values, the others find there; and a write, or [Clear],
// through a connection of this name in any of them ends the cached reads in all.
//
// What the parameters say has to mean the same everywhere: "localhost", and the path of a file,
// do not on two machines. Processes for which they differ must not share a tier. A connection
// whose data lives in this process (see [Params.Ephemeral]), whose factory reads no parameter that is there,
// or that has a parameter without a stable form, such as a function, keeps its reads to itself, and
// a warning says so once.
//
// The tier outlives the connection and is closed by who opened it. A nil tier is none.
func WithSharedCache(t cache.Tier) Option { return Option{setting: settingTier, value: hide(t)} }

// WithDefaultTTL sets the TTL of reads for which neither the call nor the section names one:
// 0 does not cache, [cache.Forever], which is the default, never expires.
func WithDefaultTTL(ttl time.Duration) Option {
	return Option{setting: settingTTL, number: int64(ttl)}
}

// WithMaxAge resets the connection at the first use after its client has become that old. 0 sets no limit.
func WithMaxAge(age time.Duration) Option {
	return Option{setting: settingMaxAge, number: int64(age)}
}

// WithStrict makes it an error of the connect when the options or the section have a key that
// the connection does not read. Without it a warning names such keys, once.
func WithStrict() Option { return Option{setting: settingStrict, number: 1} }

// WithRetry sets how reads are tried again. See [Retry] for what its zero fields mean.
func WithRetry(r Retry) Option { return Option{setting: settingRetry, value: hide(r)} }

// WithTransient adds errors after which a read is worth another try, for clients of kinds that
// the library does not know. It is asked besides the rules of the kind itself. Functions cannot be
// compared: [Get] refuses this option, [Open] takes it.
func WithTransient(transient func(error) bool) Option {
	return Option{setting: settingTransient, value: hide(transient)}
}

// WithEnviron replaces the process environment, for tests. Functions cannot be compared: [Get]
// refuses this option, [Open] takes it, and a [Registry] has a field for it.
func WithEnviron(lookup func(name string) (string, bool)) Option {
	return Option{setting: settingEnviron, value: hide(lookup)}
}

// String names the option, and never shows a parameter's value: it may be a secret.
func (o Option) String() string {
	switch o.setting {
	case settingParam:
		return fmt.Sprintf("connection.With(%q, …)", o.name)
	case settingNone:
		return "connection.Option{}"
	default:
		return "connection." + settingNames[o.setting]
	}
}

// GoString is String: %#v must not show values either.
func (o Option) GoString() string { return o.String() }

// Format keeps every verb from looking inside.
func (o Option) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(o.String())) }

var settingNames = map[setting]string{
	settingKind: "WithType", settingRegistry: "In", settingSecrets: "WithSecrets", settingLogger: "WithLogger",
	settingCache: "WithCache", settingTTL: "WithDefaultTTL", settingMaxAge: "WithMaxAge", settingStrict: "WithStrict",
	settingRetry: "WithRetry", settingTransient: "WithTransient", settingEnviron: "WithEnviron",
	settingTier: "WithSharedCache",
}

// config is what the options come to.
type config struct {
	given     map[string]any
	kind      string
	registry  *Registry
	store     *secrets.Store // nil: the registry's
	logger    *slog.Logger   // nil: the registry's
	cache     *cache.Cache   // nil: the registry's, or one of its own
	tier      cache.Tier     // nil: none
	ttl       time.Duration
	ttlGiven  bool
	maxAge    time.Duration
	strict    bool
	retry     Retry
	transient func(error) bool
	environ   func(string) (string, bool)
}

func newConfig(opts []Option) (config, error) {
	c := config{registry: Default}
	for _, o := range opts {
		switch o.setting {
		case settingParam:
			if o.name == "" {
				return c, fmt.Errorf("connection.With needs the name of a parameter")
			}
			if c.given == nil {
				c.given = make(map[string]any)
			}
			c.given[o.name] = copyOfTables(o.value.reveal()) // the caller may go on with the table
		case settingKind:
			c.kind = o.name
		case settingRegistry:
			if r, _ := o.value.reveal().(*Registry); r != nil {
				c.registry = r
			}
		case settingSecrets:
			c.store, _ = o.value.reveal().(*secrets.Store)
		case settingLogger:
			c.logger, _ = o.value.reveal().(*slog.Logger)
		case settingCache:
			c.cache, _ = o.value.reveal().(*cache.Cache)
		case settingTier:
			if c.tier, _ = o.value.reveal().(cache.Tier); isNil(c.tier) { // a nil pointer of some type is none, too
				c.tier = nil
			}
		case settingTTL:
			c.ttl, c.ttlGiven = time.Duration(o.number), time.Duration(o.number) != cache.Default
		case settingMaxAge:
			c.maxAge = time.Duration(o.number)
		case settingStrict:
			c.strict = true
		case settingRetry:
			c.retry, _ = o.value.reveal().(Retry)
		case settingTransient:
			c.transient, _ = o.value.reveal().(func(error) bool)
		case settingEnviron:
			c.environ, _ = o.value.reveal().(func(string) (string, bool))
		}
	}
	if c.environ == nil {
		c.environ = c.registry.environ()
	}
	return c, nil
}

// hashSeed is of this process: hashes of options are never stored anywhere else.
var hashSeed = maphash.MakeSeed()

// appendContent appends the option as bytes that are equal exactly for equal options; ok is
// false for what cannot be compared by content.
func (o *Option) appendContent(dst []byte) (b []byte, ok bool) {
	dst = append(dst, byte(o.setting))
	switch o.setting {
	case settingParam:
		dst = appendText(dst, o.name)
		if o.name == "ttl" { // 10, "10s" and 10*time.Second are one
			if ttl, err := cache.TTLOf(o.value.reveal()); err == nil {
				return binary.LittleEndian.AppendUint64(append(dst, 't'), uint64(ttl)), true
			}
		}
		return appendContent(append(dst, 'v'), o.value.reveal())
	case settingRetry:
		r, _ := o.value.reveal().(Retry)
		for _, d := range [...]time.Duration{r.Window, r.Min, r.Max} {
			dst = binary.LittleEndian.AppendUint64(dst, uint64(d))
		}
		return dst, true
	case settingSecrets, settingLogger, settingCache, settingRegistry, settingTier:
		return binary.LittleEndian.AppendUint64(dst, uint64(o.value.address())), true
	case settingTransient, settingEnviron:
		return dst, false
	default:
		dst = append(dst, o.name...)
		return binary.LittleEndian.AppendUint64(dst, uint64(o.number)), true
	}
}

// contents is the comparable form of a call's options, built on the caller's stack.
type contents struct {
	bytes []byte // the options' contents, one after another
	ends  []int  // where each ends
	sum   uint64 // the same for the same options in any order
}

// append encodes opts. It fails, naming the option, if one cannot be compared. It takes and gives c
// by value, since what is stored through a pointer is allocated.
func (c contents) append(opts []Option) (contents, error) {
	for i := range opts {
		o := &opts[i]
		if o.setting == settingNone || o.setting == settingRegistry { // the registry is compared by looking into it
			continue
		}
		start := len(c.bytes)
		b, ok := o.appendContent(c.bytes)
		if !ok {
			return c, fmt.Errorf("%v cannot be compared with the options of other calls, so this connection cannot be shared: use Open", *o)
		}
		c.bytes = b
		c.ends = append(c.ends, len(b))
		c.sum += maphash.Bytes(hashSeed, b[start:])
	}
	return c, nil
}

func (c *contents) at(i int) []byte {
	start := 0
	if i > 0 {
		start = c.ends[i-1]
	}
	return c.bytes[start:c.ends[i]]
}

// equal tells whether both hold the same options, in any order. Neither holds one twice.
func (c *contents) equal(other *contents) bool {
	if c.sum != other.sum || len(c.ends) != len(other.ends) || len(c.bytes) != len(other.bytes) {
		return false
	}
	if bytes.Equal(c.bytes, other.bytes) && slices.Equal(c.ends, other.ends) { // as most often, in the same order
		return true
	}
next:
	for i := range c.ends {
		for j := range other.ends {
			if bytes.Equal(c.at(i), other.at(j)) {
				continue next
			}
		}
		return false
	}
	return true
}

// repeated tells whether two options set the same thing; then the order counts, and
// lastOfEach sorts it out.
func repeated(opts []Option) bool {
	for i := range opts {
		for j := range i {
			if opts[i].setting == opts[j].setting && opts[i].setting != settingNone &&
				(opts[i].setting != settingParam || opts[i].name == opts[j].name) {
				return true
			}
		}
	}
	return false
}

// lastOfEach drops the options that a later one overrides.
func lastOfEach(opts []Option) []Option {
	var kept []Option
	for i := range opts {
		overridden := false
		for j := i + 1; j < len(opts); j++ {
			overridden = overridden || repeated([]Option{opts[i], opts[j]})
		}
		if !overridden {
			kept = append(kept, opts[i])
		}
	}
	return kept
}
