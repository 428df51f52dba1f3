package connection

import "unsafe"

// hidden holds a value that package fmt must not see. Methods do not help there: of an unexported
// field of somebody's struct, and for %p, fmt asks none and prints what is inside. It does not follow
// pointers that have no type. A pointer to the value would do as well, and cost [Get] an allocation.
type hidden struct{ typ, data unsafe.Pointer }

// The two words of an interface; this does not compile if it has others.
var _ = [1]struct{}{}[unsafe.Sizeof(hidden{})-unsafe.Sizeof(any(nil))]

func hide(v any) hidden { return *(*hidden)(unsafe.Pointer(&v)) }

func (h *hidden) reveal() any { return *(*any)(unsafe.Pointer(h)) }

// address stands for the thing that a hidden pointer leads to. While a connection is shared, it
// keeps that alive, so that its address is nobody else's.
func (h *hidden) address() uintptr { return uintptr(h.data) }
