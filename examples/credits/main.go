// Credits is a small web program in which users have credits: some free ones at their first sign-in,
// more when they buy them, and fewer when they spend them on a job.
//
//	go run ./examples/credits          # prints the address, and serves
//	go run ./examples/credits -demo    # uses itself as two users, and ends; CI=true does so too
//
// It runs at once, on a project in memory. Where there are secrets, it runs on that project, in which
// ledger/ledger.sql was run before:
//
//	[connections.credits]               # or SUPABASE_URL and SUPABASE_KEY in the environment
//	url = "https://x.supabase.co"
//	key = "sb_publishable_…"
//
//	[connections.credits_payments]      # or SUPABASE_SECRET_KEY: it credits what was paid, and no more
//	url = "https://x.supabase.co"
//	key = "sb_secret_…"
//
// What users have is kept by the database and not by this program: package ledger has the SQL, and its
// Go side. Package web has the pages.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/examples/credits/ledger"
	"github.com/streamconn/streamconn/examples/credits/web"
	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/supabasetest"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "where to serve")
	demo := flag.Bool("demo", os.Getenv("CI") == "true", "use the program as two users would, and end")
	secure := flag.Bool("secure", false, "browsers reach this by https, through a proxy: cookies for nothing else")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *addr, *demo, *secure); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer, addr string, demo, secure bool) error {
	level := slog.LevelInfo
	if demo {
		level = slog.LevelError
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	p, err := connect(ctx, demo)
	if err != nil {
		return err
	}
	defer p.close()

	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	app := web.Config{
		DB: p.db, Payments: p.payments, Address: "http://" + listener.Addr().String(),
		Client: &http.Client{Transport: transport}, WebhookSecret: []byte(rand.Text()), Secure: secure, Log: logger,
	}
	server := &http.Server{Handler: web.New(app), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	if demo {
		err = demonstrate(ctx, out, app.Address)
	} else {
		fmt.Fprintf(out, "%s (%s)\n", app.Address, p.where)
		select {
		case err = <-served:
			return err
		case <-ctx.Done():
		}
	}
	// A connection over which a browser has not asked for anything yet counts as idle after 5 s.
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(err, server.Shutdown(end))
}

// project is where the data is: the connection of the users, and that of the payments.
type project struct {
	db, payments *supabase.Conn
	where        string
	close        func()
}

func connect(ctx context.Context, demo bool) (*project, error) {
	if demo {
		return inMemory(ctx)
	}
	db, err := supabase.Get(ctx, "credits")
	if missing, ok := errors.AsType[*connection.MissingError](err); ok && missing.Param == "url" {
		return inMemory(ctx)
	}
	if err != nil {
		return nil, err
	}
	var options []connection.Option
	if key := os.Getenv("SUPABASE_SECRET_KEY"); key != "" {
		options = append(options, supabase.WithKey(key))
	}
	payments, err := supabase.Get(ctx, "credits_payments", options...)
	if err != nil {
		return nil, fmt.Errorf("the connection that credits payments, with a secret key: %w", err)
	}
	return &project{db, payments, "on the project of the secrets", func() { _ = connection.Default.Close() }}, nil
}

func inMemory(ctx context.Context) (*project, error) {
	srv, err := supabasetest.Start(ledger.InMemory()...)
	if err != nil {
		return nil, err
	}
	p := &project{where: "on a project in memory, which ends with this program"}
	p.close = func() {
		for _, c := range []*supabase.Conn{p.db, p.payments} {
			if c != nil {
				_ = c.Close()
			}
		}
		srv.Close()
	}
	p.db, err = supabase.Open(ctx, "credits", supabase.WithURL(srv.URL), supabase.WithKey(srv.AnonKey))
	if err == nil {
		p.payments, err = supabase.Open(ctx, "credits_payments", supabase.WithURL(srv.URL), supabase.WithKey(srv.ServiceKey))
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}
