package supabase_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"

	"github.com/streamconn/streamconn/supabase"
)

// hello is the edge function of these examples: it greets whom it is told, or sends the greeting word
// by word.
func hello(w http.ResponseWriter, r *http.Request) {
	name, _ := io.ReadAll(r.Body)
	switch {
	case len(name) == 0:
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"message":"whom?"}`)
	case r.URL.Query().Get("stream") != "":
		_, _ = fmt.Fprintf(w, "hello\n%s\n", name)
	default:
		_, _ = fmt.Fprintf(w, `{"greeting":"hello %s"}`, name)
	}
}

func ExampleFunctions_Invoke() {
	srv, sb := exampleProject()
	defer srv.Close()
	defer sb.Close()
	ctx := context.Background()

	resp, err := sb.Functions().Invoke(ctx, "hello", &supabase.Invocation{Body: "Ada"})
	if err != nil {
		log.Fatal(err)
	}
	var answer struct{ Greeting string }
	if err := resp.Decode(&answer); err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Greeting)

	_, err = sb.Functions().Invoke(ctx, "hello", nil)
	if e, ok := errors.AsType[*supabase.FunctionError](err); ok {
		fmt.Printf("%s said %s\n", e.Function, e.Body())
	}
	// Output:
	// hello Ada
	// hello said {"message":"whom?"}
}

func ExampleFunctions_Stream() {
	srv, sb := exampleProject()
	defer srv.Close()
	defer sb.Close()

	_, body, err := sb.Functions().Stream(context.Background(), "hello", &supabase.Invocation{Body: "Ada", Query: map[string][]string{"stream": {"1"}}})
	if err != nil {
		log.Fatal(err)
	}
	defer body.Close()
	for lines := bufio.NewScanner(body); lines.Scan(); {
		fmt.Println(lines.Text())
	}
	// Output:
	// hello
	// Ada
}
