//go:build linux

// Command soak uses the library for a while, in all the ways that a service does and under faults that
// never stop, and looks whether anything grows, gets lost, comes twice or is wrong.
//
//	go run ./soak -for 20m
//	go run ./soak -for 20m -heap /tmp/heap    and heap profiles, of when nothing may grow any more and of the end
//
// The servers, the networks before them and what breaks them are another process, which it starts
// itself; so what is measured is the library's, the drivers' and the workers' alone. It
// needs PostgreSQL and PostgREST (STREAMCONN_POSTGREST). It ends with non-zero if a promise was broken.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if isWorld(os.Args) {
		os.Exit(worldMain())
	}
	length := flag.Duration("for", time.Minute, "how long")
	heap := flag.String("heap", "", "begin of the names of files for heap profiles")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := run(ctx, *length, *heap)
	if r != nil {
		err = errors.Join(err, r.print(os.Stdout), r.verdict())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:gocritic // there is nothing left for stop to do
	}
}
