package cache

import (
	"sync"
	"sync/atomic"
)

// table finds entries by the hashes of their keys. It has what is in the window or in the engine, and
// lets go of an entry when neither has it any more. Reading takes no lock.
type table struct {
	chains atomic.Pointer[chains] // replaced by who has all locks
	locks  [tableLocks]sync.Mutex // each of those who change what is in the slots of its stripe
	n      atomic.Int64           // entries
}

const (
	tableLocks = 64
	minSlots   = 4 * tableLocks
)

// chains are the lists of entries whose hashes have the same last bits.
type chains struct {
	slots []atomic.Pointer[entry] // their number is a power of two, and a multiple of tableLocks
	link  int                     // which of its links leads from an entry to the next
}

func newChains(slots, link int) *chains {
	return &chains{slots: make([]atomic.Pointer[entry], slots), link: link}
}

func (c *chains) of(hash uint64) *atomic.Pointer[entry] { return &c.slots[hash&uint64(len(c.slots)-1)] }
func (c *chains) after(e *entry) *atomic.Pointer[entry] { return &e.links[c.link&1] }

// push puts the entry at the front of its chain.
func (c *chains) push(e *entry) {
	slot := c.of(e.hash)
	c.after(e).Store(slot.Load())
	slot.Store(e)
}

// each calls visit for each entry of a stripe, which may change what is after it in other chains.
func (c *chains) each(stripe int, visit func(*entry)) {
	for slot := stripe; slot < len(c.slots); slot += tableLocks {
		for e := c.slots[slot].Load(); e != nil; e = c.after(e).Load() {
			visit(e)
		}
	}
}

// holders are who keeps an entry in the table.
type holders uint8

const (
	byWindow holders = 1 << iota
	byEngine
)

func newTable() *table {
	t := &table{}
	t.chains.Store(newChains(minSlots, 0))
	return t
}

func (t *table) lock(hash uint64) *sync.Mutex { return &t.locks[hash%tableLocks] }

// get finds the entry of a hash, or nil.
func (t *table) get(hash uint64) *entry {
	for c := t.chains.Load(); ; {
		for e := c.of(hash).Load(); e != nil; e = c.after(e).Load() {
			if e.hash == hash {
				return e
			}
		}
		now := t.chains.Load()
		if now == c {
			return nil
		}
		c = now // the old ones may have been cut
	}
}

// put adds a new entry, held by the window, in the place of what was there under its hash. It tells who
// held that.
func (t *table) put(e *entry) holders {
	t.fit()
	lock := t.lock(e.hash)
	lock.Lock()
	defer lock.Unlock()
	e.held = byWindow
	c := t.chains.Load()
	at := c.of(e.hash)
	for old := at.Load(); old != nil; old = at.Load() {
		if old.hash == e.hash {
			c.after(e).Store(c.after(old).Load())
			at.Store(e)
			return old.held
		}
		at = c.after(old)
	}
	c.push(e)
	t.n.Add(1)
	return 0
}

// fits reports whether there are enough slots for one more entry, and not far too many.
func (t *table) fits() bool {
	slots, n := int64(len(t.chains.Load().slots)), t.n.Load()
	return 2*n < slots && (slots == minSlots || 32*n >= slots)
}

// fit makes new chains, if they do not fit.
func (t *table) fit() {
	if t.fits() {
		return
	}
	for i := range t.locks {
		t.locks[i].Lock()
	}
	old := t.chains.Load()
	made := old
	if !t.fits() {
		made = t.remake(old)
	}
	for i := range t.locks {
		if made != old {
			made.each(i, func(e *entry) { old.after(e).Store(nil) })
		}
		t.locks[i].Unlock()
	}
}

// remake puts all entries into new chains. Those who read the old ones meanwhile find everything there. Afterwards,
// the old ones are to be cut: else what is removed later could still be reached by them, and would stay in memory. Who
// then finds nothing, looks into the new ones.
func (t *table) remake(old *chains) *chains {
	slots := minSlots
	for int64(slots) <= 2*t.n.Load() {
		slots *= 2
	}
	made := newChains(slots, 1-old.link)
	for i := range t.locks {
		old.each(i, made.push)
	}
	t.chains.Store(made)
	return made
}

// hold notes that the engine has the entry. It fails if that was noted before, or if the entry is no
// longer in the table.
func (t *table) hold(e *entry) bool {
	lock := t.lock(e.hash)
	lock.Lock()
	defer lock.Unlock()
	if e.held&byEngine != 0 || t.get(e.hash) != e {
		return false
	}
	e.held |= byEngine
	return true
}

// release notes who no longer keeps the entry.
func (t *table) release(e *entry, by holders) {
	lock := t.lock(e.hash)
	lock.Lock()
	defer lock.Unlock()
	if e.held &^= by; e.held == 0 {
		t.unlink(e)
	}
}

// remove takes the entry out, whoever holds it, and tells who does. It does nothing if it is not there.
func (t *table) remove(e *entry) holders {
	lock := t.lock(e.hash)
	lock.Lock()
	defer lock.Unlock()
	if !t.unlink(e) {
		return 0
	}
	return e.held
}

// unlink takes the entry out of its chain. It still leads to the rest of that, for those who have just
// read it; so it must not be put in again.
func (t *table) unlink(e *entry) bool {
	c := t.chains.Load()
	at := c.of(e.hash)
	for next := at.Load(); next != nil; next = at.Load() {
		if next == e {
			at.Store(c.after(e).Load())
			t.n.Add(-1)
			return true
		}
		at = c.after(next)
	}
	return false
}

// all gives the entries. One that is there all the time is not missed.
func (t *table) all() []*entry {
	all := make([]*entry, 0, t.n.Load())
	for i := range t.locks {
		t.locks[i].Lock()
		t.chains.Load().each(i, func(e *entry) { all = append(all, e) })
		t.locks[i].Unlock()
	}
	return all
}
