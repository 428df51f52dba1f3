// Signin is a web program in which each browser acts as its own Supabase user, through one
// connection that all share: sign-up, sign-in, sign-out, and a page of the user's own rows under row
// security. The sessions are in cookies that the server alone can read, and are renewed on the way.
//
//	go run ./examples/signin           # shows itself: two users, in a project in memory
//	go run ./examples/signin -serve    # serves, and prints the address
//
// With -project it runs on a project of [connections.NAME] in the secrets, or of SUPABASE_URL and
// SUPABASE_KEY in the environment; run schema.sql there first. cookie_key at the top of the secrets,
// 32 bytes in base64, keeps browsers signed in when the program is started anew:
//
//	go run ./examples/signin -serve -project supabase
package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
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
	"github.com/streamconn/streamconn/secrets"
	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/supabasetest"
)

//go:embed schema.sql
var schema string

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "where to serve")
	serving := flag.Bool("serve", false, "serve until interrupted, in place of the demonstration")
	project := flag.String("project", "", "the connection's `name` in the secrets; empty: a project in memory")
	secure := flag.Bool("secure", false, "browsers reach this by https, through a proxy: cookies for nothing else")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *addr, *project, *secure, *serving || *project != ""); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer, addr, project string, secure, serving bool) error {
	sb, done, err := connect(ctx, project, serving)
	if err != nil {
		return err
	}
	defer done()
	key, err := cookieKey(project)
	if err != nil {
		return err
	}
	cookies, err := newCookies(key, secure)
	if err != nil {
		return fmt.Errorf("cookie_key: %w", err)
	}
	a := &app{sb: sb, cookies: cookies, log: slog.Default()}

	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	address := "http://" + listener.Addr().String()
	server := &http.Server{Handler: a.handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	if serving {
		fmt.Fprintf(out, "%s\n", address)
		select {
		case err = <-served:
			return err
		case <-ctx.Done():
		}
	} else {
		err = demonstrate(ctx, out, address)
	}
	// A connection over which a browser has not asked for anything yet counts as idle after 5 s.
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(err, server.Shutdown(end))
}

// connect opens the one connection of the process: to the project of the secrets, or to one in
// memory.
func connect(ctx context.Context, project string, serving bool) (sb *supabase.Conn, done func(), err error) {
	if project != "" {
		sb, err = supabase.Get(ctx, project)
		return sb, func() { _ = connection.Default.Close() }, err
	}
	life := time.Hour
	if !serving { // so short that the demonstration sees sessions being renewed
		life = time.Minute
	}
	srv, err := supabasetest.Start(supabasetest.WithSchema(schema), supabasetest.WithAuth(supabasetest.TokenLife(life)))
	if err != nil {
		return nil, nil, err
	}
	sb, err = supabase.Open(ctx, "signin", supabase.WithURL(srv.URL), supabase.WithKey(srv.AnonKey), connection.WithDefaultTTL(time.Minute))
	if err != nil {
		srv.Close()
		return nil, nil, err
	}
	return sb, func() { _ = sb.Close(); srv.Close() }, nil
}

// cookieKey gives the key of the secrets; without one, or without a project, one of this process.
func cookieKey(project string) ([]byte, error) {
	if project != "" {
		store, err := secrets.Load()
		if err != nil {
			return nil, err
		}
		text, err := store.String("cookie_key")
		if err == nil {
			return base64.StdEncoding.DecodeString(text)
		}
		if _, missing := errors.AsType[*secrets.MissingError](err); !missing {
			return nil, err
		}
	}
	key := make([]byte, 32)
	_, err := rand.Read(key)
	return key, err
}
