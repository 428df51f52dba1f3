package secrets

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// valuesInCode is the name of the place that [WithValues] and [Of] make.
const valuesInCode = "values given in code"

// A Store holds merged secrets and knows where each came from. It is safe for
// concurrent use; readers take no lock. Whatever prints a Store prints how many
// sources it has, never what they hold. Use it by pointer; the zero Store is
// empty.
//
// One call sees one version of the values, and the next may see another. Values
// that belong together come from one [Store.Section] or [Store.Decode], or from
// a [Store.Snapshot].
type Store struct {
	state     atomic.Pointer[snapshot] // nil: empty
	places    []string                 // what Sources returns
	refresher refresher
	listeners listeners
	logger    *slog.Logger // nil: slog.Default
	onError   func(error)  // nil: nobody
}

// refresher is what reading anew needs; only one goroutine does it at a time.
type refresher struct {
	turn    sync.Mutex // held by who reads
	sources []*source  // never changed after Load, but for what they have read
	values  *layer     // nil without values given in code

	begun atomic.Uint64 // how often somebody has begun to read
	whole uint64        // the number of the last time that was not given up
	err   error         // of that time
}

// A snapshot is one state of the merged values. Nothing in it changes once it
// is published, which is what lets readers go without a lock.
type snapshot struct {
	version uint64
	merged  map[string]any
	layers  []*layer // lowest precedence first; what was found
	looked  []string // every place, marked if there is no file, or nothing in it
}

// A layer is what one source gave.
type layer struct {
	path   string
	values sealed
	places map[string]string // of a folder: the file that became a whole secret
	folder bool
}

// sealed is a table that package fmt cannot see. A Store has methods that keep
// it from being printed, but fmt does not call those of an unexported field of
// somebody's struct; it follows pointers instead, and never functions.
type sealed func() map[string]any

func seal(table map[string]any) sealed { return func() map[string]any { return table } }

var emptySnapshot = &snapshot{}

// Load reads the secrets of the program: ~/.streamlit/secrets.toml, then
// ./.streamlit/secrets.toml, then what $STREAMCONN_SECRETS lists, then
// [WithPath] and [WithOptionalPath] in their order, then [WithValues]. Later
// ones win key by key, at every depth; where one has a table and the other has
// not, the later one wins whole.
//
// The home and the project file need not exist, and a program without any
// secrets gets an empty Store. A file that is there and cannot be read or
// parsed is always an error, see [ParseError]: never an empty Store. A file that is being
// written is waited for, as [Store.Refresh] does.
func Load(opts ...Option) (*Store, error) { return LoadContext(context.Background(), opts...) }

// LoadContext is [Load] that waits for whoever writes to a file no longer than ctx. Its error is then
// [context.Cause] of ctx. Where there is nothing to wait for, an ended ctx changes nothing.
func LoadContext(ctx context.Context, opts ...Option) (*Store, error) {
	c := newConfig(opts)
	sources, err := c.sources()
	if err != nil {
		return nil, err
	}
	values, err := layerOf(c.values...)
	if err != nil {
		return nil, fmt.Errorf("secrets: %w", err)
	}
	s := &Store{
		refresher: refresher{sources: sources, values: values},
		logger:    c.logger,
		onError:   c.onError,
	}
	s.places = s.refresher.places()
	if _, err := s.refresh(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Of returns a Store of values alone, without any file: for tests, and for
// programs whose secrets come from elsewhere. The map is copied. A nil map
// makes an empty Store. Of panics, naming the key, if values hold something
// that [WithValues] does not take.
func Of(values map[string]any) *Store {
	own, err := layerOf(values)
	if err != nil {
		panic("secrets: Of: " + err.Error())
	}
	s := &Store{refresher: refresher{values: own}}
	s.places = s.refresher.places()
	_, _ = s.refresh(context.Background()) // there is no file that could fail
	return s
}

func layerOf(given ...map[string]any) (*layer, error) {
	var own map[string]any
	for _, values := range given {
		clean, err := normalizeTable(values, nil)
		if err != nil {
			return nil, err
		}
		own = merge(own, clean)
	}
	if len(own) == 0 {
		return nil, nil
	}
	return &layer{path: valuesInCode, values: seal(own)}, nil
}

// Sources lists the places where the Store looks, lowest precedence first:
// absolute paths, whether or not there is something, and finally "values given
// in code" if there are any.
func (s *Store) Sources() []string { return slices.Clone(s.places) }

func (r *refresher) places() []string {
	var places []string
	for _, src := range r.sources {
		places = append(places, src.path)
	}
	if r.values != nil {
		places = append(places, valuesInCode)
	}
	return places
}

// Version identifies the merged values: it grows with every change of them, and
// with nothing else. It is 1 after [Load] and [Of].
func (s *Store) Version() uint64 { return s.current().version }

// Snapshot returns a Store that stays as this one is now: it has no files to read
// again and never changes. It costs nothing, as nothing is copied.
func (s *Store) Snapshot() *Store {
	still := &Store{places: s.places, logger: s.logger}
	still.state.Store(s.current())
	return still
}

// Refresh brings the Store up to date with its files: it re-reads those that
// changed, appeared, disappeared, or are reached through another symbolic link
// than before. It costs a few system calls when nothing did, so it may be
// called before each use.
//
// A file that was written less than a twentieth of a second ago may not be
// complete, and one that has just gone may be on its way back: Refresh waits
// until nothing has happened to the source for that long. One that does not come
// to rest within a second is an error. Callers at the same time share the wait.
//
// If the merged values differ afterwards, the functions given to
// [Store.OnChange] are called before Refresh returns, or, if another goroutine
// is in the middle of calling them, by that one.
//
// A file that cannot be read or parsed keeps its last good values; what changed
// elsewhere takes effect all the same. The error tells of all such files,
// again at each Refresh until they are mended.
func (s *Store) Refresh() error { return s.RefreshContext(context.Background()) }

// RefreshContext is [Store.Refresh] that waits, for whoever writes to a file or
// reads the files at the same time, no longer than ctx. Its error is then
// [context.Cause] of ctx, and what has been read by then has taken effect.
// Where there is nothing to wait for, an ended ctx changes nothing.
func (s *Store) RefreshContext(ctx context.Context) error {
	_, err := s.reload(ctx)
	return err
}

// reload is RefreshContext that also tells whether the merged values differ.
func (s *Store) reload(ctx context.Context) (changed bool, err error) {
	changed, err = s.refresh(ctx)
	s.listeners.deliver()
	return changed, err
}

// refresh reads the sources, or leaves that to another goroutine which begins to
// do so later than now. It makes the listeners due if the merged values differ.
func (s *Store) refresh(ctx context.Context) (changed bool, err error) {
	if ctx == nil {
		return false, errNoContext
	}
	r := &s.refresher
	before := r.begun.Load()
	if err := r.take(ctx); err != nil {
		return false, err
	}
	defer r.turn.Unlock()
	if r.whole > before {
		return false, r.err
	}
	number := r.begun.Add(1)

	last := s.state.Load()
	read, err := r.read(ctx)
	if !gaveUp(ctx, err) {
		r.whole, r.err = number, err
	}
	if last != nil && !read || last == nil && err != nil { // the latter: there are no last good values yet
		return false, err
	}

	next := r.snapshot()
	switch {
	case last == nil:
		next.version = 1
	case equalTables(last.merged, next.merged):
		next.version = last.version
	default:
		next.version = last.version + 1
	}
	s.state.Store(next)
	changed = last != nil && next.version != last.version
	if changed {
		s.listeners.changed()
	}
	return changed, err
}

// take waits for the turn. It looks for it again and again, since the store may be shared by goroutines that
// must not wait for each other otherwise: those of several bubbles of testing/synctest.
func (r *refresher) take(ctx context.Context) error {
	for pause := 50 * time.Microsecond; !r.turn.TryLock(); pause = min(2*pause, 5*time.Millisecond) {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// read reads the sources that changed, and says whether one has other values now.
func (r *refresher) read(ctx context.Context) (changed bool, err error) {
	var errs []error
	for _, src := range r.sources {
		before := src.layer
		err := src.refresh(ctx)
		changed = changed || src.layer != before
		if gaveUp(ctx, err) {
			return changed, err
		}
		errs = append(errs, err)
	}
	return changed, errors.Join(errs...)
}

// snapshot merges what the sources have. It is the caller's turn.
func (r *refresher) snapshot() *snapshot {
	next := &snapshot{}
	for _, src := range r.sources {
		switch {
		case src.layer == nil:
			next.looked = append(next.looked, src.path+" (not there)")
			continue
		case len(src.layer.values()) == 0:
			next.looked = append(next.looked, src.path+" (no values)")
		default:
			next.looked = append(next.looked, src.path)
		}
		next.layers = append(next.layers, src.layer)
	}
	if r.values != nil {
		next.looked = append(next.looked, valuesInCode)
		next.layers = append(next.layers, r.values)
	}
	for _, layer := range next.layers {
		next.merged = merge(next.merged, layer.values())
	}
	return next
}

func (s *Store) current() *snapshot {
	if now := s.state.Load(); now != nil {
		return now
	}
	return emptySnapshot
}

// summary is all that a Store tells when it is printed.
func (s *Store) summary() string {
	if s == nil {
		return "secrets.Store(nil)"
	}
	n := len(s.places)
	if n == 1 {
		return "secrets.Store(1 source)"
	}
	return "secrets.Store(" + strconv.Itoa(n) + " sources)"
}

// Format implements [fmt.Formatter]: every verb prints the number of sources.
func (s *Store) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.summary())) }

// LogValue implements [slog.LogValuer]: the number of sources.
func (s *Store) LogValue() slog.Value { return slog.StringValue(s.summary()) }

// MarshalText implements [encoding.TextMarshaler], and with it JSON and XML:
// the number of sources.
func (s *Store) MarshalText() ([]byte, error) { return []byte(s.summary()), nil }
