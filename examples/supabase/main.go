// Supabase lists, filters, joins, inserts, upserts and calls a function, and shows that of a table
// under row security each user sees their own rows alone, all through one connection.
//
//	go run ./examples/supabase
//
// Without an account it runs on a project that it starts itself. For a project of yours, run
// schema.sql in its SQL editor, and name it by the environment, or in [connections.supabase] of
// .streamlit/secrets.toml. The key is a secret one, since the program writes the library, and makes
// two users whom it deletes in the end:
//
//	SUPABASE_URL=https://x.supabase.co SUPABASE_KEY=sb_secret_… go run ./examples/supabase
package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/auth"
	"github.com/streamconn/streamconn/supabase/supabasetest"
)

//go:embed schema.sql
var schema string

// Author is a row of library_authors.
type Author struct {
	ID   int64  `json:"id,omitempty"`
	Name string `json:"name"`
	Born int    `json:"born"`
}

// Book is a row of library_books; joined, it has its author.
type Book struct {
	Title    string  `json:"title"`
	Cents    int     `json:"cents"`
	AuthorID int64   `json:"author_id,omitempty"`
	Author   *Author `json:"author,omitempty"`
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	sb, stop, err := open(ctx, out)
	if err != nil {
		return err
	}
	defer stop()
	if err := library(ctx, sb, out); err != nil {
		return err
	}
	return notes(ctx, sb, out)
}

// library writes rows, and reads them in several ways.
func library(ctx context.Context, sb *supabase.Conn, out io.Writer) error {
	// An upsert that gives its rows back: whether they are new or not, their ids are known.
	authors, err := supabase.Query[Author](ctx, sb.Table("library_authors").
		Upsert([]Author{{Name: "Le Guin", Born: 1929}, {Name: "Lem", Born: 1921}}).OnConflict("name").Select("*"))
	if err != nil {
		return err
	}
	ids := map[string]int64{}
	for _, a := range authors {
		ids[a.Name] = a.ID
	}
	books := sb.Table("library_books")
	if _, err := supabase.Execute(ctx, books.Delete().Like("title", "The %")); err != nil {
		return err
	}
	_, err = supabase.Execute(ctx, books.Insert([]Book{ // once, and never from a cache
		{Title: "The Dispossessed", Cents: 999, AuthorID: ids["Le Guin"]},
		{Title: "The Lathe of Heaven", Cents: 850, AuthorID: ids["Le Guin"]},
		{Title: "The Cyberiad", Cents: 725, AuthorID: ids["Lem"]},
	}))
	if err != nil {
		return err
	}

	// Filters, a join, an order. The query is kept, and read twice: the second time from the cache.
	cheap := sb.WithTTL(15*time.Minute).Table("library_books").
		Select("title, cents, author:library_authors(name, born)").
		Gte("cents", 700).Lt("cents", 900).Like("title", "The %").Order("title")
	for range 2 {
		rows, err := supabase.Query[Book](ctx, cheap)
		if err != nil {
			return err
		}
		for _, b := range rows {
			fmt.Fprintf(out, "%s by %s, %d.%02d\n", b.Title, b.Author.Name, b.Cents/100, b.Cents%100)
		}
	}
	fmt.Fprintf(out, "read %d times, asked once\n", 1+connection.Stats(sb).Cache.Hits)

	page, err := supabase.QueryPage[Author](ctx, sb.Table("library_authors").Select("*").Order("born").Count(supabase.Exact).Range(0, 0))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "the eldest of %d authors is %s\n", page.Total, page.Rows[0].Name)
	worth, err := supabase.QueryOne[int](ctx, sb.RPC("library_worth", map[string]any{"author": "Le Guin"}).Get())
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "the books of Le Guin are worth %d.%02d\n", worth/100, worth%100)
	_, err = supabase.QueryOne[Book](ctx, books.Select("*").Eq("title", "The Unwritten"))
	fmt.Fprintf(out, "no such book: %v\n", errors.Is(err, supabase.ErrNotFound))
	return nil
}

// notes are read by two users, of whom each has written one.
func notes(ctx context.Context, sb *supabase.Conn, out io.Writer) error {
	for _, name := range []string{"ada", "grace"} {
		by := supabase.Credentials{Email: name + "-" + strings.ToLower(rand.Text()[:10]) + "@example.com", Password: rand.Text()}
		user, err := sb.Auth().Admin().CreateUser(ctx, auth.NewUser{Email: by.Email, Password: by.Password, EmailConfirm: true})
		if err != nil {
			return err
		}
		defer func() { // and with the user, the notes
			if err := sb.Auth().Admin().DeleteUser(context.WithoutCancel(ctx), user.ID); err != nil {
				fmt.Fprintln(out, err)
			}
		}()
		session, err := sb.CachedSignInWithPassword(ctx, by)
		if err != nil {
			return err
		}
		mine := sb.As(session) // the same connection as this user: their rights, their cache entries
		if _, err := supabase.Execute(ctx, mine.Table("library_notes").Insert(map[string]string{"body": "a note of " + name})); err != nil {
			return err
		}
		bodies, err := supabase.Query[struct{ Body string }](ctx, mine.Table("library_notes").Select("body"))
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s sees %v\n", name, bodies)
	}
	return nil
}

// open connects to the project that is configured, or to one that it starts.
func open(ctx context.Context, out io.Writer) (sb *supabase.Conn, stop func(), err error) {
	sb, err = supabase.Open(ctx, "supabase", connection.WithDefaultTTL(time.Minute))
	if err == nil {
		return sb, func() { _ = sb.Close() }, nil
	}
	if _, missing := errors.AsType[*connection.MissingError](err); !missing {
		return nil, nil, err
	}
	fmt.Fprintln(out, "no SUPABASE_URL and SUPABASE_KEY: this is a project inside the program")
	srv, err := supabasetest.Start(supabasetest.WithSchema(schema), supabasetest.WithRPC("library_worth", worth))
	if err != nil {
		return nil, nil, err
	}
	sb, err = supabase.Open(ctx, "supabase", supabase.WithURL(srv.URL), supabase.WithKey(srv.ServiceKey), connection.WithDefaultTTL(time.Minute))
	if err != nil {
		srv.Close()
		return nil, nil, err
	}
	return sb, func() { _ = sb.Close(); srv.Close() }, nil
}

// worth is library_worth in the project inside the program, which runs no SQL functions.
func worth(tx *supabasetest.Tx, args supabasetest.Args) (any, error) {
	row, err := tx.QueryRow(`select coalesce(sum(b.cents), 0) as sum from library_books b join library_authors a on a.id = b.author_id where a.name = $1`, args["author"])
	return row["sum"], err
}
