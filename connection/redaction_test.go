package connection_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
)

const planted = "hunter2-plänted"

// shown lists everything that a value may be printed as.
func shown(v any) map[string]string {
	texts := make(map[string]string)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%t", "%p"} {
		texts[verb] = fmt.Sprintf(verb, v)
		texts["slice of "+verb] = fmt.Sprintf(verb, []any{v})
		texts["struct with "+verb] = fmt.Sprintf(verb, struct{ Field any }{v})
		texts["unexported field with "+verb] = fmt.Sprintf(verb, struct{ field any }{v}) // fmt asks no methods there
	}
	if b, err := json.Marshal(v); err == nil {
		texts["JSON"] = string(b)
	} else {
		texts["JSON's error"] = err.Error()
	}
	var text, js strings.Builder
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", v)
	slog.New(slog.NewJSONHandler(&js, nil)).Info("m", "v", v)
	texts["slog's text"], texts["slog's JSON"] = text.String(), js.String()
	if err, ok := v.(error); ok {
		texts["Error"] = err.Error()
	}
	return texts
}

func checkHidden(t *testing.T, what string, v any) {
	t.Helper()
	for how, text := range shown(v) {
		for _, form := range []string{planted, fmt.Sprintf("%x", planted), fmt.Sprintf("%X", planted), fmt.Sprint([]byte(planted))} {
			if strings.Contains(text, form) {
				t.Errorf("%s as %s shows the secret: %s", what, how, text)
			}
		}
	}
}

// Every exported type, printed in every way, with secrets in every place that holds any. The names are
// compared with the package's source, so that a new type cannot be forgotten.
func TestNothingShowsASecret(t *testing.T) {
	t.Parallel()
	var l logs
	r := &connection.Registry{
		Secrets: secrets.Of(map[string]any{
			"TOP":         planted,
			"connections": map[string]any{"x": map[string]any{"password": planted, "unread": planted, "number": planted, "type": "src"}},
		}),
		Environ: environ("TOKEN=" + planted),
		Logger:  logger(&l),
	}
	t.Cleanup(func() { _ = r.Close() })
	seen := make(map[string]bool)
	check := func(typ string, values ...any) {
		t.Helper()
		seen[typ] = true
		for _, v := range values {
			checkHidden(t, typ, v)
		}
	}

	table := map[string]any{"deep": map[string]any{"password": planted, "secret": secrets.NewSecret(planted)}}
	opts := []connection.Option{
		connection.With("password", planted), connection.With("table", table), connection.With("secret", secrets.NewSecret(planted)),
		connection.WithSecrets(r.Secrets), connection.WithType("src"), connection.In(r), connection.WithLogger(r.Logger), connection.WithStrict(),
		{},
		connection.WithRetry(connection.Retry{}), connection.WithMaxAge(1), connection.WithDefaultTTL(1), connection.WithCache(nil),
		connection.WithTransient(func(error) bool { return false }), connection.WithEnviron(environ("TOKEN=" + planted)),
	}
	for _, o := range opts {
		check("Option", o, &o)
	}
	check("Option", opts)

	kind := &connection.Kind[*client, connection.Connection[*client]]{Name: "src", Connect: func(_ context.Context, p *connection.Params) (*client, error) {
		password, err := p.String("password")
		if err != nil || password != planted {
			t.Errorf("the test is wrong: %v", err)
		}
		p.Lookup("token", "TOKEN")
		p.Lookup("top", "TOP")
		if _, err := p.Table("table"); err != nil {
			t.Error(err)
		}
		check("Params", p, *p)
		_, notThere := p.String("passwort")
		check("MissingError", notThere)
		_, noNumber := p.Int("number")
		check("ValueError", noNumber)
		var into struct{ Number, Password int }
		check("ValueError", p.Decode(&into))
		return &client{of: new(source), host: planted}, nil
	}}
	check("Kind", kind, *kind)
	check("Factory", kind.Connect)
	c, err := kind.Open(t.Context(), "x", opts[0], opts[1], connection.In(r))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	view := connection.Scoped(c, planted, same)
	if _, err := connection.Read(t.Context(), view, planted, cacheForever, func(context.Context, *client) (string, error) { return planted, nil }); err != nil {
		t.Fatal(err)
	}
	check("Connection", c, view, struct{ connection.Connection[*client] }{c})
	check("Any", connection.Any(c))
	check("Explanation", connection.Explain(c), connection.Explain(view))
	check("ExplainedParam", connection.Explain(c).Params)
	check("UnknownKey", connection.Explain(c).Unknown)
	check("Source", connection.Explain(c).Params[0].Source)
	check("Statistics", connection.Stats(c))
	check("Retry", connection.Retry{})
	check("Ref", connection.RefTo(&client{host: planted}), connection.Ref{})

	if _, err := kind.Get(t.Context(), "x", connection.In(r), opts[0]); err != nil {
		t.Fatal(err)
	}
	check("Registry", r)

	_, err = kind.Open(t.Context(), "x", connection.In(r), connection.WithStrict(), opts[0], opts[1])
	if _, ok := errors.AsType[*connection.UnknownKeysError](err); !ok {
		t.Errorf("got %v", err)
	}
	check("UnknownKeysError", err)
	check("Error", err)
	_, err = kind.Open(t.Context(), "x", connection.In(r), connection.With("ttl", planted))
	check("Error", err)
	_, err = kind.Get(t.Context(), "x", connection.In(r), connection.With("f", func() {}), opts[0])
	check("Error", err)
	check("PanicError", panicked(t))

	if l.String() == "" || strings.Contains(l.String(), planted) {
		t.Errorf("the log: %s", &l)
	}
	for _, name := range exportedTypes(t) {
		if !seen[name] {
			t.Errorf("the type %s is not in this test", name)
		}
	}
}

// panicked is what those get who wait for an open that panics with a secret.
func panicked(t *testing.T) error {
	t.Helper()
	r := world(t, nil)
	inside, gate := make(chan struct{}), make(chan struct{})
	connection.Register(r, "src", func(context.Context, *connection.Params) (*client, error) {
		close(inside)
		<-gate
		panic(planted)
	})
	opener := make(chan any)
	go func() {
		defer func() { opener <- recover() }()
		_, _ = connection.Get[*client](context.Background(), r, "src")
	}()
	<-inside
	waiting := make(chan error)
	ctx := &noticed{Context: context.Background(), waits: make(chan struct{})}
	go func() { _, err := connection.Get[*client](ctx, r, "src"); waiting <- err }()
	<-ctx.waits
	close(gate)
	if v := <-opener; v != planted {
		t.Errorf("the opener recovered %v", v)
	}
	err := <-waiting
	if _, ok := errors.AsType[*connection.PanicError](err); !ok {
		t.Errorf("the waiter got %v", err)
	}
	return err
}

// noticed tells when somebody begins to wait on it.
type noticed struct {
	context.Context //nolint:containedctx // it is one
	waits           chan struct{}
	told            bool
}

func (c *noticed) Done() <-chan struct{} {
	if !c.told {
		c.told = true
		close(c.waits)
	}
	return nil
}

func exportedTypes(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok && spec.Name.IsExported() {
				names = append(names, spec.Name.Name)
			}
			return true
		})
	}
	if len(names) < 10 {
		t.Errorf("found only %v", names)
	}
	return names
}

// What a connection prints is its name.
func TestConnectionPrintsItsName(t *testing.T) {
	t.Parallel()
	kind := connection.Kind[*client, connection.Connection[*client]]{Name: "src", Connect: new(source).connect}
	c, err := kind.Open(t.Context(), "x", connection.In(world(t, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	bare := open(t, world(t, nil), "y", new(source).connect)
	for want, v := range map[string]any{
		`connection "x" (src)`:           c,
		`{connection "x" (src)}`:         struct{ connection.Connection[*client] }{c},
		`connection "y"`:                 connection.Scoped(bare, "ann", same),
		`connection.With("password", …)`: connection.With("password", planted),
		`connection.WithStrict`:          connection.WithStrict(),
		`connection.Option{}`:            connection.Option{},
	} {
		if got := fmt.Sprint(v); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := fmt.Sprintf("%#v", connection.With("password", planted)); got != `connection.With("password", …)` {
		t.Error(got)
	}
}
