package connection

import (
	"encoding"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/secrets"
)

// Params gives a [Factory] its parameters. Each is looked for, in this order, in
//
//  1. the options: [With];
//  2. the section [connections.NAME] of the secrets: under the parameter's own name, then
//     under the environment names that the factory gives;
//  3. the top level of the secrets: under the environment names;
//  4. the process environment: under the environment names.
//
// What is present wins, be it empty; tables are merged key by key over options and section.
// A required parameter that is present and empty is an error which names its place.
//
// Params notes what was asked for: a later change of just these values resets the connection,
// [Explain] lists them, and keys that nobody asked for are told once, or refused by [WithStrict].
// It is safe for concurrent use, and is of no use after the factory has returned.
type Params struct {
	*behind
}

// behind is a second pointer: package fmt does not ask the methods of somebody's unexported field, and
// follows the first pointer there for verbs that do not fit, such as %s.
type behind struct {
	*parameters
}

type parameters struct {
	name   string
	kind   *atomic.Pointer[string]
	logger *slog.Logger
	places places

	mu        sync.Mutex
	asked     []answer
	closers   []func() error
	ephemeral bool
	hidden    []string // the names of what was asked for as a Secret
}

// question is one parameter that was asked for, so that it can be asked again.
type question struct {
	name string
	env  []string
}

// answer is what one question was told. A connect asks once: whatever changes meanwhile, the
// factory, Explain and the mark of the connect speak of the same value.
type answer struct {
	question
	found
	ok bool
}

// Format shows the connection's name with every verb, and never a parameter's value.
func (p Params) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "connection.Params(%q)", p.name) }

// Name is the connection's name, the NAME of [connections.NAME].
func (p *Params) Name() string { return p.name }

// Logger is where the connection logs, with its name.
func (p *Params) Logger() *slog.Logger { return p.logger }

// Lookup gives a parameter as it is, and the level that it came from. Tables are
// map[string]any; ok is false if no level has it.
func (p *Params) Lookup(name string, env ...string) (value any, source Source, ok bool) {
	f, ok := p.ask(name, env)
	return f.value, f.source, ok
}

func (p *Params) ask(name string, env []string) (found, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.asked, func(a answer) bool { return a.name == name && slices.Equal(a.env, env) })
	if i < 0 {
		i = len(p.asked)
		f, ok := p.places.find(name, env)
		p.asked = append(p.asked, answer{question{name, slices.Clone(env)}, f, ok})
	}
	f := p.asked[i].found
	f.value = copyOfTables(f.value) // what the factory does with it changes no later answer
	return f, p.asked[i].ok
}

// String gives a required text. Whole numbers are taken as text, since passwords and names
// are easily written without quotes; any other type is an error.
func (p *Params) String(name string, env ...string) (string, error) {
	return required(p, name, env, text)
}

// StringOr is [Params.String] for a parameter that need not be there.
func (p *Params) StringOr(name, otherwise string, env ...string) (string, error) {
	return optional(p, name, otherwise, env, text)
}

// Secret gives a required text as a value that does not print itself.
func (p *Params) Secret(name string, env ...string) (secrets.Secret, error) {
	p.setSecret(name)
	s, err := p.String(name, env...)
	return secrets.NewSecret(s), err
}

func (p *Params) setSecret(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hidden = append(p.hidden, name)
}

func (p *Params) isSecret(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.hidden, name)
}

// Int gives a required whole number; digits in a text will do, since the environment and
// mounted folders have nothing else.
func (p *Params) Int(name string, env ...string) (int, error) {
	return required(p, name, env, integer)
}

// IntOr is [Params.Int] for a parameter that need not be there.
func (p *Params) IntOr(name string, otherwise int, env ...string) (int, error) {
	return optional(p, name, otherwise, env, integer)
}

// Bool gives a required truth value; "true", "false", "1" and "0" as texts will do.
func (p *Params) Bool(name string, env ...string) (bool, error) {
	return required(p, name, env, boolean)
}

// BoolOr is [Params.Bool] for a parameter that need not be there.
func (p *Params) BoolOr(name string, otherwise bool, env ...string) (bool, error) {
	return optional(p, name, otherwise, env, boolean)
}

// Duration gives a required length of time: "90s", "15m", "1d12h", or a number of seconds.
// See [cache.ParseTTL] for the grammar.
func (p *Params) Duration(name string, env ...string) (time.Duration, error) {
	return required(p, name, env, duration)
}

// DurationOr is [Params.Duration] for a parameter that need not be there.
func (p *Params) DurationOr(name string, otherwise time.Duration, env ...string) (time.Duration, error) {
	return optional(p, name, otherwise, env, duration)
}

// Table gives a table, merged key by key at every depth from the section and the options;
// an empty one if neither has it.
func (p *Params) Table(name string) (map[string]any, error) {
	f, ok := p.ask(name, nil)
	if !ok {
		return map[string]any{}, nil
	}
	table, ok := f.value.(map[string]any)
	if !ok {
		return nil, &ValueError{Param: name, Place: f.place, Problem: "is " + typeName(f.value) + ", not a table"}
	}
	return table, nil
}

// OnClose registers what is to be done when the client that the factory is making is closed,
// after its own Close if it has one, the last registered first; also when the factory fails.
// Clients with a method Close() error, Close() or Close(context.Context) error need none.
func (p *Params) OnClose(f func() error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closers = append(p.closers, f)
}

// Ephemeral tells that the data lives and dies with the client, as an in-memory database does.
// The connection's cached reads then end with the client, and neither its age, nor a bound on
// the number of connections, nor a fault resets it: only a caller, or changed parameters.
func (p *Params) Ephemeral() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ephemeral = true
}

func required[V any](p *Params, name string, env []string, convert func(any) (V, string)) (V, error) {
	var zero V
	f, ok := p.ask(name, env)
	if !ok {
		return zero, p.missing(name, env)
	}
	if isEmptyText(f.value) {
		return zero, &ValueError{Param: name, Place: f.place, Problem: "is empty"}
	}
	return converted(name, f, convert)
}

func optional[V any](p *Params, name string, otherwise V, env []string, convert func(any) (V, string)) (V, error) {
	f, ok := p.ask(name, env)
	if !ok {
		return otherwise, nil
	}
	return converted(name, f, convert)
}

func isEmptyText(v any) bool {
	switch v := v.(type) {
	case string:
		return v == ""
	case secrets.Secret:
		return v.Reveal() == ""
	default:
		return false
	}
}

func converted[V any](name string, f found, convert func(any) (V, string)) (V, error) {
	v, problem := convert(f.value)
	if problem != "" {
		return v, &ValueError{Param: name, Place: f.place, Problem: problem}
	}
	return v, nil
}

func (p *Params) missing(name string, env []string) error {
	err := &MissingError{Param: name, Looked: p.places.looked(name, env)}
	for _, candidates := range []struct {
		place string
		keys  []string
	}{
		{p.places.header, p.unasked(p.places.section)},
		{"connection.With", p.unasked(p.places.given)},
	} {
		for _, want := range append([]string{name}, env...) {
			if near := nearestKey(want, candidates.keys); near != "" && err.Near == "" {
				err.Near, err.Place = near, candidates.place
			}
		}
	}
	return err
}

// unasked lists, sorted, the keys of table that were not asked for.
func (p *Params) unasked(table map[string]any) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var keys []string
	for key := range table {
		if !slices.ContainsFunc(p.asked, func(a answer) bool { return a.name == key || slices.Contains(a.env, key) }) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// unknown lists every key of the options and the section that nobody asked for.
func (p *Params) unknown() []UnknownKey {
	p.mu.Lock()
	var names []string
	for _, a := range p.asked {
		names = append(append(names, a.name), a.env...)
	}
	p.mu.Unlock()
	var unknown []UnknownKey
	for _, key := range p.unasked(p.places.given) {
		unknown = append(unknown, UnknownKey{Key: key, Place: "connection.With", Near: nearestKey(key, names)})
	}
	for _, key := range p.unasked(p.places.section) {
		unknown = append(unknown, UnknownKey{Key: key, Place: p.places.header, Near: nearestKey(key, names)})
	}
	return unknown
}

func text(v any) (string, string) {
	switch v := v.(type) {
	case string:
		return v, ""
	case secrets.Secret:
		return v.Reveal(), ""
	case int64:
		return strconv.FormatInt(v, 10), ""
	case int:
		return strconv.Itoa(v), ""
	case encoding.TextAppender: // net/netip and the like, given in code
		b, err := v.AppendText(nil)
		if err != nil {
			return "", "cannot be written as text"
		}
		return string(b), ""
	case nil, map[string]any, []any: // no quotes make a text of these
		return "", "is " + typeName(v) + ", not a text"
	default:
		return "", "is " + typeName(v) + ", not a text; put it in quotes"
	}
}

func integer(v any) (int, string) {
	switch v := v.(type) {
	case int:
		return v, ""
	case int64:
		if int64(int(v)) != v {
			return 0, "is too large for a whole number here"
		}
		return int(v), ""
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int(v), ""
		}
		return 0, "is a number with a fraction, not a whole one"
	case string:
		n, err := strconv.Atoi(strings.TrimSpace(v))
		if err != nil {
			return 0, "is not a whole number"
		}
		return n, ""
	default:
		return 0, "is " + typeName(v) + ", not a whole number"
	}
}

func boolean(v any) (bool, string) {
	switch v := v.(type) {
	case bool:
		return v, ""
	case string:
		b, err := strconv.ParseBool(strings.TrimSpace(v))
		if err != nil {
			return false, `is neither "true" nor "false"`
		}
		return b, ""
	default:
		return false, "is " + typeName(v) + ", not true or false"
	}
}

func duration(v any) (time.Duration, string) {
	if v == nil {
		return 0, "is nil, not a length of time; leave it out for the default"
	}
	d, err := cache.TTLOf(v)
	if err != nil {
		return 0, `is no length of time such as "90s", "15m", "1d12h" or a number of seconds`
	}
	return d, ""
}

// typeName names the type of a value for people, and never shows the value.
func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "nil"
	case string, secrets.Secret:
		return "a text"
	case bool:
		return "a truth value"
	case int, int64:
		return "a whole number"
	case float64:
		return "a number with a fraction"
	case map[string]any:
		return "a table"
	case []any:
		return "a list"
	default:
		return fmt.Sprintf("a %T", v)
	}
}
