package cache

import "sync"

// window keeps the newest entries. The engine, when full, admits only what is asked for more often than
// what it has, which a result that was just loaded cannot be; so it is offered what leaves the window.
//
// It is a queue, not a list of the most recently used: only so does an entry stay until others of a
// known size have come after it.
type window struct {
	mu      sync.Mutex
	entries map[uint64]*windowNode
	newest  *windowNode
	oldest  *windowNode
	bytes   int64
	keep    int64 // an entry stays while less than this came after it
}

type windowNode struct {
	entry        *entry
	newer, older *windowNode
}

// add puts e in, in the place of what was there under its hash, and gives what had to leave.
func (w *window) add(e *entry) (left []*entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.entries == nil {
		w.entries = make(map[uint64]*windowNode)
	}
	if n := w.entries[e.hash]; n != nil {
		w.unlink(n)
	}
	n := &windowNode{entry: e, older: w.newest}
	if w.newest != nil {
		w.newest.newer = n
	} else {
		w.oldest = n
	}
	w.newest = n
	w.entries[e.hash] = n
	w.bytes += e.cost
	for w.bytes-w.oldest.entry.cost >= w.keep && w.oldest != n {
		left = append(left, w.oldest.entry)
		w.unlink(w.oldest)
	}
	return left
}

// remove takes e out, if it is still there.
func (w *window) remove(e *entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := w.entries[e.hash]; n != nil && n.entry == e {
		w.unlink(n)
	}
}

func (w *window) unlink(n *windowNode) {
	delete(w.entries, n.entry.hash)
	w.bytes -= n.entry.cost
	if n.newer != nil {
		n.newer.older = n.older
	} else {
		w.newest = n.older
	}
	if n.older != nil {
		n.older.newer = n.newer
	} else {
		w.oldest = n.newer
	}
}

func (w *window) clear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.entries, w.newest, w.oldest, w.bytes = nil, nil, nil, 0
}
