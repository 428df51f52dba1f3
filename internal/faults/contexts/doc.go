// Package contexts has tests and nothing else: they call whatever in the library takes a
// context.Context with one that has ended, and with one that ends while a server does not answer. Each
// call has to return at once, say which of the two it was, and leave nothing behind.
//
// A new function without a case here fails the tests.
package contexts
