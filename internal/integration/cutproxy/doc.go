// Package cutproxy is a TCP proxy between a test and a real database server that fails as networks
// do, at the moment the test chooses: it refuses, it hangs, it breaks connections off, and it
// swallows the answer to a statement that the server has executed, which is the case in which a
// client cannot know what happened.
package cutproxy
