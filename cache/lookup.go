package cache

import (
	"reflect"
	"slices"
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
		if value, ok := valueOf[T](e, p.Shared); ok {
			s.served(e)
			return value, true
		}
	}
	var none T
	return none, false
}

// LookupSlice is [Lookup] of a slice. If its elements are copied by assignment, as rows are most often, it takes no
// longer than a lookup and [slices.Clone].
func LookupSlice[E any](s *Scope, text string, args []byte, p *Policy) ([]E, bool) {
	e := s.lookup(reflect.TypeFor[*[]E](), text, args, p)
	if e == nil {
		return nil, false
	}
	if e.plan.flatSlice && !p.Shared {
		s.served(e)
		return slices.Clone(*e.value.(*[]E)), true
	}
	value, ok := valueOf[[]E](e, p.Shared)
	if ok {
		s.served(e)
	}
	return value, ok
}

// lookup gives the entry if it is a hit, or nil.
func (s *Scope) lookup(pointer reflect.Type, text string, args []byte, p *Policy) *entry {
	same := unsafe.String(unsafe.SliceData(args), len(args)) // which nobody keeps
	if e, v := s.find(s.hashOf(pointer, text, same), pointer, text, same, p); v == hit {
		return e
	}
	return nil
}

// find looks for the entry of a key, and tells what it is to this call.
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
	if e == nil || !e.is(s, pointer, text, args) || e.plan.reason != "" && !p.Shared {
		return nil, miss
	}
	return e, e.judge(s, p, ttl)
}

// served counts a call that an entry has answered, being a hit.
func (s *Scope) served(e *entry) {
	stripe := stripeOf()
	s.counters.hit(stripe)
	if nth := s.cache.counters.hit(stripe); e.heard.Load() < heardEnough || sampled(nth) {
		s.cache.engine.Load().hear(e)
	}
}

// servedAs counts a call that an entry has answered, but being no hit.
func (s *Scope) servedAs(of event, e *entry) {
	s.count(of)
	s.cache.engine.Load().hear(e)
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
