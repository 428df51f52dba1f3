//go:build linux && race

package main

const raceFlag = ", with the race detector"
