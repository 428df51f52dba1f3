// Package contexts has tests and nothing else: they call whatever in the library takes a
// context.Context with one that has ended, with one that ends while a server does not answer, and with nil. Each
// call has to return at once, say which it was, and leave nothing behind.
//
// A new function without a case here fails the tests.
package contexts
