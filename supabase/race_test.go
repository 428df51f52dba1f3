//go:build race

package supabase_test

const raceDetector = true
