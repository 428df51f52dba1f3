package cache

import (
	"sync"
	"sync/atomic"
)

// table finds entries by the hashes of their keys. It has what is in the window or in the engine, and
// lets go of an entry when neither has it any more. Reading takes no lock.
type table struct {
	chains atomic.Pointer[chains]
	locks  [tableLocks]sync.Mutex // of those who change chains: of the slot of that number, and others
	n      atomic.Int64           // entries
}

const (
	tableLocks = 64
	minSlots   = 4 * tableLocks
)

// chains are entries whose hashes have the same last bits, the newest first.
type chains struct {
	slots []atomic.Pointer[entry] // their number is a power of two, and twice that of the entries at least
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

// each calls visit for each entry of a slot.
func (c *chains) each(slot int, visit func(*entry)) {
	for e := c.slots[slot].Load(); e != nil; e = c.after(e).Load() {
		visit(e)
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

func (t *table) get(hash uint64) *entry {
	c := t.chains.Load()
	for e := c.of(hash).Load(); e != nil; e = c.after(e).Load() {
		if e.hash == hash {
			return e
		}
	}
	return nil
}

// put adds a new entry, held by the window, and takes out what was there under its hash. It tells who
// held that.
func (t *table) put(e *entry) holders {
	t.fit()
	lock := t.lock(e.hash)
	lock.Lock()
	defer lock.Unlock()
	old := t.get(e.hash)
	e.held = byWindow
	t.chains.Load().push(e) // before the old one leaves: nobody shall find neither
	t.n.Add(1)
	if old == nil {
		return 0
	}
	t.unlink(old)
	return old.held
}

// fits reports whether there are enough slots for one more entry, and not far too many.
func (t *table) fits() bool {
	slots, n := int64(len(t.chains.Load().slots)), t.n.Load()
	return 2*n < slots && (slots == minSlots || 32*n >= slots)
}

// fit makes new chains, if they do not fit. Those who read meanwhile find everything in the old ones, whose links
// stay as they are. Who reads on while that happens again may miss something, and looks again before he loads it.
func (t *table) fit() {
	if t.fits() {
		return
	}
	for i := range t.locks {
		t.locks[i].Lock()
	}
	if !t.fits() {
		slots := minSlots
		for int64(slots) <= 2*t.n.Load() {
			slots *= 2
		}
		old := t.chains.Load()
		made := newChains(slots, 1-old.link)
		for i := range old.slots {
			old.each(i, made.push)
		}
		t.chains.Store(made)
	}
	for i := range t.locks {
		t.locks[i].Unlock()
	}
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
		c := t.chains.Load()
		for slot := i; slot < len(c.slots); slot += tableLocks {
			c.each(slot, func(e *entry) { all = append(all, e) })
		}
		t.locks[i].Unlock()
	}
	return all
}
