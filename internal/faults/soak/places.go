//go:build linux

package main

import "fmt"

// Sizes of what is read.
const (
	pets  = 200 // rows of a table that never changes
	notes = 20  // rows of each user, of which no other may see one
	keys  = 4   // counters of each source, each with a writer of its own
	users = 4
)

// places are where the world's servers are found. What has two of them is reached by way of two
// networks, which fail by turns.
type places struct {
	Postgres [2]string // URLs
	Direct   string    // the same, past the networks
	SQLite   string    // a file

	Rest   [2]string // a PostgREST
	Key    string    // of its service_role
	Tokens []string  // of its users

	Project           [2]string // a project in memory: users, files, functions
	AnonKey, Service  string
	Emails, Passwords []string
	IDs               []string // of the users, of both
}

// userID is the id of a user.
func userID(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }
