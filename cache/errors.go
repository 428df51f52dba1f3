package cache

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
)

// PanicError is what those get who waited for a load that panicked. The one who ran it panics.
type PanicError struct {
	value any
	stack []byte
}

func newPanicError(value any) *PanicError { return &PanicError{value: value, stack: debug.Stack()} }

// Error says what type of value the load panicked with. The value itself could hold a secret; only
// errors of the runtime, such as an index out of range, are told in full.
func (e *PanicError) Error() string {
	if err, ok := e.value.(runtime.Error); ok {
		return "cache: the load that was waited for panicked: " + err.Error()
	}
	return fmt.Sprintf("cache: the load that was waited for panicked with a value of type %T", e.value)
}

// Value is what the load panicked with.
func (e *PanicError) Value() any { return e.value }

// Stack is the stack of the goroutine that panicked, as [debug.Stack] gives it.
func (e *PanicError) Stack() []byte { return e.stack }

// Unwrap gives the value, if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.value.(error)
	return err
}

var errNoContext = errors.New("cache: the context is nil; give context.Background() where there is none")

// errGoexit is what those get who waited for a load that ended its goroutine, as t.FailNow does.
var errGoexit = errors.New("cache: the load that was waited for ended its goroutine with runtime.Goexit")
