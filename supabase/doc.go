// Package supabase connects to a Supabase project.
package supabase
