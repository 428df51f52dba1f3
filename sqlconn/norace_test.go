//go:build !race

package sqlconn_test

const raceDetector = false
