//go:build !race

package connection_test

const raceDetector = false
