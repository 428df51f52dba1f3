package supabase_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/auth"
)

func ExampleConn_CachedSignInWithPassword() {
	srv, sb := exampleProject()
	defer srv.Close()
	defer sb.Close()
	ctx := context.Background()
	ada := supabase.Credentials{Email: "ada@example.com", Password: "difference engine"}

	srv.ResetRequests()
	for range 3 {
		session, err := sb.CachedSignInWithPassword(ctx, ada)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(session.User.Email)
	}
	fmt.Println(len(srv.Requests()), "request")

	_, err := sb.CachedSignInWithPassword(ctx, supabase.Credentials{Email: "ada@example.com", Password: "a guess"})
	fmt.Println(errors.Is(err, supabase.ErrUnauthorized))
	// Output:
	// ada@example.com
	// ada@example.com
	// ada@example.com
	// 1 request
	// true
}

// From a new user to the end of the session.
func ExampleConn_Auth() {
	srv, sb := exampleProject()
	defer srv.Close()
	defer sb.Close()
	ctx := context.Background()

	up, err := sb.Auth().SignUp(ctx, auth.SignUp{Email: "kay@example.com", Password: "dynabook", Data: map[string]any{"fname": "K"}})
	if err != nil {
		log.Fatal(err)
	}
	mine := sb.As(up.Session)
	me, err := mine.Auth().User(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(me.Email, me.UserMetadata["fname"])

	if err := mine.Auth().SignOut(ctx); err != nil {
		log.Fatal(err)
	}
	_, err = mine.Auth().User(ctx)
	fmt.Println(errors.Is(err, supabase.ErrSignInAgain))
	// Output:
	// kay@example.com K
	// true
}
