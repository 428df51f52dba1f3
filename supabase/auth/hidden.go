package auth

// hidden keeps a value out of what fmt prints of the struct that it is a field of, whatever the
// verb and however deep: fmt follows a pointer to a struct, and never one to a pointer.
type hidden[T any] struct{ p **T }

func hide[T any](v *T) hidden[T] { return hidden[T]{&v} }

// get is the value, the zero value if there is none.
func (h hidden[T]) get() T {
	if h.p == nil {
		var zero T
		return zero
	}
	return **h.p
}

// redacted stands where a secret was.
const redacted = "REDACTED"

// mask is what is printed of a secret: whether it is there.
func mask(secret string) string {
	if secret == "" {
		return ""
	}
	return redacted
}
