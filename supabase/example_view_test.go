package supabase_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/database"
)

// Two users of one connection, under row security: each sees their own rows, from the cache too.
func ExampleConn_As() {
	srv, sb := exampleProject()
	defer srv.Close()
	defer sb.Close()
	ctx := context.Background()
	type Todo struct {
		Title string `json:"title"`
	}
	as := func(email, password string) *supabase.Conn {
		session, err := sb.CachedSignInWithPassword(ctx, supabase.Credentials{Email: email, Password: password})
		if err != nil {
			log.Fatal(err)
		}
		return sb.As(session, supabase.OnSession(func(context.Context, *supabase.Session) {
			// Here the session that followed is stored for the user's next request.
		}))
	}
	ada, grace := as("ada@example.com", "difference engine"), as("grace@example.com", "nanosecond")

	if _, err := supabase.Execute(ctx, ada.Table("todos").Insert(Todo{"weave numbers"})); err != nil {
		log.Fatal(err)
	}
	all := sb.Table("todos").Select("title") // kept, and run as three
	fmt.Println(supabase.Query[Todo](ctx, database.On(all, ada)))
	fmt.Println(supabase.Query[Todo](ctx, database.On(all, grace)))
	fmt.Println(supabase.Query[Todo](ctx, all))

	// A view is never more than its user.
	_, err := supabase.Query[Todo](ctx, sb.As(nil).Table("todos").Select("title"))
	fmt.Println(errors.Is(err, supabase.ErrSignInAgain))
	// Output:
	// [{weave numbers}] <nil>
	// [] <nil>
	// [] <nil>
	// true
}

// The token of a request's Authorization header, say. The project, not this package, says whether it
// is good.
func ExampleConn_AsToken() {
	srv, sb := exampleProject()
	defer srv.Close()
	defer sb.Close()
	ctx := context.Background()
	token, err := srv.UserToken("ada@example.com")
	if err != nil {
		log.Fatal(err)
	}

	me, err := sb.AsToken(token).Auth().User(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(me.Email)
	_, err = sb.AsToken(token + "forged").Auth().User(ctx)
	fmt.Println(errors.Is(err, supabase.ErrUnauthorized))
	// Output:
	// ada@example.com
	// true
}
