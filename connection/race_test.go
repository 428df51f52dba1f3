//go:build race

package connection_test

// The race detector makes some things allocate that otherwise do not.
const raceDetector = true
