package connection

import (
	"fmt"
	"reflect"
)

// Ref is the value of an option that is told apart by what it points to, and not by its content: an
// *http.Client, a *tls.Config. For those who write kinds: two calls of [Get] whose options hold the
// same pointer share. It prints as the type of the pointer.
type Ref struct{ pointer func() any }

// RefTo makes a Ref of a pointer. What is no pointer, or nil, cannot be compared, as a function.
func RefTo(pointer any) Ref { return Ref{func() any { return pointer }} }

// Value is the pointer; nil for the zero Ref.
func (r Ref) Value() any {
	if r.pointer == nil {
		return nil
	}
	return r.pointer()
}

// address is where the pointer leads. Whoever holds the Ref keeps that from being anybody else's.
func (r Ref) address() (at uintptr, ok bool) {
	v := reflect.ValueOf(r.Value())
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return 0, false
	}
	return v.Pointer(), true
}

// Format prints the type of the pointer alone.
func (r Ref) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "connection.Ref(%T)", r.Value()) }
