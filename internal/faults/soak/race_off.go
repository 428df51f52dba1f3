//go:build linux && !race

package main

const raceFlag = ""
