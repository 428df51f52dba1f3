package cache

import (
	"reflect"
	"slices"
	"time"
	"unsafe"
)

// Lookup gives what is stored under a text and encoded arguments (see [MakeKey] and [AppendArg]), if
// the policy allows to serve it as it is. It does nothing else: where it gives false, call [Get]
// with the same parameters. A hit is counted, a miss is not: Get will.
//
// It is the fast path of reads. It does not allocate, apart from the copy that the caller gets;
// neither args nor p escape, and both can be used again at once.
func Lookup[T any](s *Scope, text string, args []byte, p *Policy) (T, bool) {
	if e := s.lookup(reflect.TypeFor[*T](), text, args, p); e != nil {
		return valueOf[T](e, p.Shared)
	}
	var none T
	return none, false
}

// LookupSlice is [Lookup] of a slice. If its elements are copied by assignment, as rows are most often, it takes no
// longer than a lookup and [slices.Clone].
func LookupSlice[E any](s *Scope, text string, args []byte, p *Policy) ([]E, bool) {
	e := s.lookup(reflect.TypeFor[*[]E](), text, args, p)
	switch {
	case e == nil:
		return nil, false
	case e.plan.flatSlice && !p.Shared:
		return slices.Clone(*e.value.(*[]E)), true
	default:
		return valueOf[[]E](e, p.Shared)
	}
}

// lookup gives the entry if it is a hit, or nil.
func (s *Scope) lookup(pointer reflect.Type, text string, args []byte, p *Policy) *entry {
	same := unsafe.String(unsafe.SliceData(args), len(args)) // which nobody keeps
	if e, v := s.find(s.hashOf(pointer, text, same), pointer, text, same, p); v == hit {
		return e
	}
	return nil
}

// find looks for the entry of a key, and tells what it is to this call. Hits are counted.
func (s *Scope) find(hash uint64, pointer reflect.Type, text, args string, p *Policy) (*entry, verdict) {
	ttl := p.ttl()
	if ttl == 0 {
		return nil, miss
	}
	engine := s.cache.engine.Load()
	if engine == nil {
		return nil, miss
	}
	e := engine.table.get(hash)
	v := s.judge(e, pointer, text, args, p, ttl)
	switch v {
	case hit:
		stripe := stripeOf()
		s.counters.hit(stripe)
		if nth := s.cache.counters.hit(stripe); e.heard.Load() < heardEnough || sampled(nth) {
			engine.hear(e)
		}
	case stale, negative:
		engine.hear(e)
	case miss:
	}
	return e, v
}

// judge is what an entry, possibly that of another key or nil, is to a call.
func (s *Scope) judge(
	e *entry, pointer reflect.Type, text, args string, p *Policy, ttl time.Duration,
) verdict {
	if e == nil || !e.is(s, pointer, text, args) || e.plan.reason != "" && !p.Shared {
		return miss
	}
	return e.judge(s, p, ttl)
}

// valueOf gives a caller what is in an entry: its own copy, unless it is shared. It
// fails if there is something in it that cannot be copied.
func valueOf[T any](e *entry, shared bool) (T, bool) {
	stored := e.value.(*T)
	if shared || e.plan.flat {
		return *stored, true
	}
	return copyOf(e.plan, stored)
}
