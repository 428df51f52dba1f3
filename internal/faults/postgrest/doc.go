// Package postgrest breaks the database's interface of a Supabase project on purpose: a real PostgREST,
// the PostgreSQL behind it, the gateway before it, and the network. Its tests are as those of
// package faults.
package postgrest
