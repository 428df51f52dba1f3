package conntest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
)

// testCase is one rule. The rule is told when it is broken.
type testCase[T any] struct {
	name  string
	rule  string
	check func(*testing.T, *world[T])
}

func cases[T any]() []testCase[T] {
	return []testCase[T]{
		{"open", "With parameters that work, a connection opens, gives its name and a client that can be used.", checkOpen[T]},
		{"precedence", "Each parameter may come from the environment; the section of the secrets goes before that, and an option before both.", checkPrecedence[T]},
		{"missing", "Without a required parameter the connect fails, with a MissingError that names the parameter.", checkMissing[T]},
		{"empty", "A required parameter that is present and empty is an error, and not taken for one that is missing.", checkEmpty[T]},
		{"cancelled", "Nothing is dialed for a context that has ended: the error says that it has.", checkCancelled[T]},
		{"retry", "A connect that failed can be tried again: the same connection works as soon as its parameters are there.", checkRetry[T]},
		{"one connect", "However many ask for the client at once, one of them connects, and all get that client.", checkOneConnect[T]},
		{"reset", "Reset gives a new client and closes the old one, once.", checkReset[T]},
		{"leases", "Reset and Close let those finish to whom the client is lent; the last of them closes it.", checkLeases[T]},
		{"changed secrets", "When the values that the factory read change in the secrets, the connection is reset; when others change, it is not.", checkChangedSecrets[T]},
		{"close", "Close is final and idempotent: every later use is an ErrClosed, and every client is closed once.", checkClose[T]},
		{"shared", "Get shares: the same options in any order give the same connection.", checkShared[T]},
		{"read", "The second Read of one key comes from the cache; a Write, and Clear, end that.", checkRead[T]},
		{"views", "A view shares the connection and none of its cached reads; closing it ends the view alone; an empty identity is refused.", checkViews[T]},
		{"secrets in errors", "No error shows a secret, whatever goes wrong.", checkSecretsInErrors[T]},
		{"explain", "Explain tells where each parameter came from, and shows no value of it.", checkExplain[T]},
		{"goroutines", "When the connection is closed, none of its goroutines is left.", checkGoroutines[T]},
	}
}

func checkOpen[T any](t *testing.T, w *world[T]) {
	c := w.mustOpen(t)
	if c.Name() != name {
		t.Errorf("Name() = %q, want %q", c.Name(), name)
	}
	err := connection.Do(t.Context(), c, func(client T) error { return w.use(t.Context(), client) })
	if err != nil {
		t.Errorf("the client cannot be used: %v", err)
	}
	if err := connection.Ping(t.Context(), c); err != nil {
		t.Errorf("Ping: %v", err)
	}
	if s := connection.Stats(c); !s.Connected || s.Connects != 1 || s.ConnectErrors != 0 {
		t.Errorf("Stats: %+v", s)
	}
}

func checkPrecedence[T any](t *testing.T, w *world[T]) {
	sourceOf := func(c connection.Any, param string) connection.Source {
		for _, p := range connection.Explain(c).Params {
			if p.Name == param {
				return p.Source
			}
		}
		return connection.NoSource
	}
	for _, param := range slices.Sorted(maps.Keys(w.Params)) {
		value := w.Params[param]
		w.setEnviron(nil)
		w.reload(t, nil)
		check := func(params map[string]any, want connection.Source) {
			t.Helper()
			c, err := w.tryOpen(t, t.Context(), params)
			if err != nil {
				t.Errorf("%s from %v: %v", param, want, err)
				return
			}
			if got := sourceOf(c, param); got != want {
				t.Errorf("%s was taken from %v, want %v: does the factory ask its Params for it, by that name?", param, got, want)
			}
		}
		if variable, ok := w.Env[param]; ok {
			w.setEnviron(map[string]string{variable: text(value)})
			check(w.without(param), connection.Environment)
		}
		w.reload(t, map[string]any{param: value})
		check(w.without(param), connection.Section)
		check(w.Params, connection.Code)
	}
}

func checkMissing[T any](t *testing.T, w *world[T]) {
	for _, param := range w.Required {
		_, err := w.tryOpen(t, t.Context(), w.without(param))
		if err == nil {
			t.Errorf("it connects without %s", param)
			continue
		}
		missing, ok := errors.AsType[*connection.MissingError](err)
		if !ok || missing.Param != param || !strings.Contains(err.Error(), param) {
			t.Errorf("without %s: %v: want a MissingError of that parameter (Params.String and its like, and Decode, give it)", param, err)
		}
		if e, ok := errors.AsType[*connection.Error](err); !ok || e.Name != name {
			t.Errorf("without %s: %v: want a *connection.Error that names the connection", param, err)
		}
	}
	if n := w.closes.Load(); n != 0 {
		t.Errorf("%d clients were made", n)
	}
}

func checkEmpty[T any](t *testing.T, w *world[T]) {
	for _, param := range w.Required {
		if _, isText := w.Params[param].(string); !isText {
			continue
		}
		params := maps.Clone(w.Params)
		params[param] = ""
		_, err := w.tryOpen(t, t.Context(), params)
		if err == nil {
			t.Errorf("it connects with an empty %s", param)
		} else if missing, ok := errors.AsType[*connection.MissingError](err); ok && missing.Param == param {
			t.Errorf("an empty %s is told to be missing: %v", param, err)
		}
	}
}

func checkCancelled[T any](t *testing.T, w *world[T]) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.tryOpen(t, ctx, w.Params)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Open with a cancelled context: %v, want context.Canceled", err)
	}
	if n := w.connects.Load(); n != 0 {
		t.Errorf("the factory ran %d times", n)
	}
	c := w.mustOpen(t)
	if err := c.Reset(); err != nil {
		t.Fatalf("Reset: %v", err)
	}
	if _, err := c.Raw(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Raw with a cancelled context: %v, want context.Canceled", err)
	}
	w.raw(t, c)
}

func checkRetry[T any](t *testing.T, w *world[T]) {
	if len(w.Required) == 0 {
		t.Skip("Config.Required names no parameter without which the connect fails")
	}
	param := w.Required[0]
	section := map[string]any{param: w.Params[param]}
	w.reload(t, section)
	c, err := w.tryOpen(t, t.Context(), w.without(param))
	if err != nil {
		t.Fatalf("with %s in the secrets: %v", param, err)
	}
	w.reload(t, nil) // resets it, since the value is gone
	for range 2 {
		_, err := c.Raw(t.Context())
		if missing, ok := errors.AsType[*connection.MissingError](err); !ok || missing.Param != param {
			t.Errorf("with %s gone: %v, want a MissingError", param, err)
		}
	}
	w.reload(t, section)
	if err := w.use(t.Context(), w.raw(t, c)); err != nil {
		t.Errorf("the client that was made at last cannot be used: %v", err)
	}
}

func checkOneConnect[T any](t *testing.T, w *world[T]) {
	c := w.mustOpen(t)
	if err := c.Reset(); err != nil {
		t.Fatalf("Reset: %v", err)
	}
	before := connection.Stats(c).Connects
	hold := make(chan struct{})
	if w.ownFactory {
		w.setHold(hold)
	}
	const callers = 100
	clients := make(chan T, callers)
	var begun, all sync.WaitGroup
	begun.Add(callers)
	for range callers {
		all.Go(func() {
			begun.Done()
			client, err := c.Raw(t.Context())
			if err != nil {
				t.Errorf("Raw: %v", err)
			}
			clients <- client
		})
	}
	begun.Wait()
	w.setHold(nil)
	close(hold)
	all.Wait()
	if n := connection.Stats(c).Connects - before; n != 1 {
		t.Errorf("%d callers made %d connects", callers, n)
	}
	first, _ := identity(<-clients)
	for range callers - 1 {
		other, _ := identity(<-clients)
		if other != first {
			t.Error("two callers got different clients")
		}
	}
}

func checkReset[T any](t *testing.T, w *world[T]) {
	c := w.mustOpen(t)
	old := w.raw(t, c)
	for i := range int64(3) {
		if err := c.Reset(); err != nil {
			t.Fatalf("Reset: %v", err)
		}
		if w.ownFactory && w.closes.Load() != i+1 {
			t.Errorf("after %d Resets %d clients are closed", i+1, w.closes.Load())
		}
		client := w.raw(t, c)
		before, _ := identity(old)
		if now, ok := identity(client); ok && now == before {
			t.Error("Reset gave the old client")
		}
		if err := w.use(t.Context(), client); err != nil {
			t.Errorf("the new client cannot be used: %v", err)
		}
		if w.Use != nil && w.use(t.Context(), old) == nil {
			t.Error("the old client can still be used: it is not closed. A client without a Close needs Params.OnClose")
		}
		old = client
	}
	if n := connection.Stats(c).Connects; n != 4 {
		t.Errorf("%d connects for one Open and three Resets", n)
	}
}

func checkLeases[T any](t *testing.T, w *world[T]) {
	c := w.mustOpen(t)
	err := connection.Do(t.Context(), c, func(client T) error {
		for _, end := range []func() error{c.Reset, c.Close} {
			if err := end(); err != nil {
				t.Errorf("%v", err)
			}
			if err := w.use(t.Context(), client); err != nil {
				t.Errorf("the client was closed while it was lent: %v", err)
			}
		}
		if n := w.closes.Load(); n != 0 {
			t.Errorf("%d clients were closed while one was lent", n)
		}
		return nil
	})
	if err != nil {
		t.Errorf("Do: %v", err)
	}
	if n := w.closes.Load(); w.ownFactory && n != 1 {
		t.Errorf("after the last lease the client was closed %d times, want once", n)
	}
}

func checkChangedSecrets[T any](t *testing.T, w *world[T]) {
	section := map[string]any{"ttl": "1h"} // which every connection reads
	w.reload(t, section)
	c := w.mustOpen(t)
	w.raw(t, c)
	section["conntest_unread"] = 1
	w.reload(t, section)
	if s := connection.Stats(c); s.Resets != 0 {
		t.Errorf("a key that nobody reads has reset the connection: %+v", s)
	}
	section["ttl"] = "2h"
	w.reload(t, section)
	if s := connection.Stats(c); s.Resets != 1 || s.Connected {
		t.Errorf("a changed value has not reset the connection: %+v", s)
	}
	if n := w.closes.Load(); w.ownFactory && n != 1 {
		t.Errorf("the old client was closed %d times", n)
	}
	if err := w.use(t.Context(), w.raw(t, c)); err != nil {
		t.Errorf("the new client cannot be used: %v", err)
	}
}

func checkClose[T any](t *testing.T, w *world[T]) {
	c := w.mustOpen(t)
	client := w.raw(t, c)
	for range 2 {
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if w.Use != nil && w.use(t.Context(), client) == nil {
		t.Error("the client can still be used: it is not closed. A client without a Close needs Params.OnClose")
	}
	_, rawError := c.Raw(t.Context())
	_, readError := connection.Read(t.Context(), c, "k", cache.Forever, func(context.Context, T) (int, error) { return 0, nil })
	for what, err := range map[string]error{
		"Raw":   rawError,
		"Read":  readError,
		"Reset": c.Reset(),
		"Ping":  connection.Ping(t.Context(), c),
		"Do":    connection.Do(t.Context(), c, func(T) error { t.Error("Do lent a client"); return nil }),
	} {
		if !errors.Is(err, connection.ErrClosed) {
			t.Errorf("%s after Close: %v, want ErrClosed", what, err)
		}
	}
	if n := w.closes.Load(); w.ownFactory && n != 1 {
		t.Errorf("the client was closed %d times", n)
	}
}

func checkShared[T any](t *testing.T, w *world[T]) {
	kind := connection.Kind[T, connection.Connection[T]]{Name: name, Connect: w.connect}
	t.Cleanup(func() {
		if err := w.registry.Close(); err != nil {
			t.Errorf("closing the registry: %v", err)
		}
	})
	opts := w.options(w.Params, connection.WithDefaultTTL(time.Hour))
	a, err := kind.Get(t.Context(), name, opts...)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	slices.Reverse(opts)
	b, err := kind.Get(t.Context(), name, opts...)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	if a != b || w.connects.Load() != 1 {
		t.Errorf("the same options in another order made another connection; %d connects", w.connects.Load())
	}
}

func checkRead[T any](t *testing.T, w *world[T]) {
	c := w.mustOpen(t)
	loads := 0
	read := func(want int) {
		t.Helper()
		v, err := connection.Read(t.Context(), c, "k", cache.Forever, func(ctx context.Context, client T) (int, error) {
			loads++
			return loads, w.use(ctx, client)
		})
		if err != nil || v != want {
			t.Errorf("Read gave %d, %v; want %d", v, err, want)
		}
	}
	read(1)
	read(1)
	if err := connection.Write(t.Context(), c, func(client T) error { return w.use(t.Context(), client) }); err != nil {
		t.Errorf("Write: %v", err)
	}
	read(2)
	read(2)
	connection.Clear(c)
	read(3)
	if err := c.Reset(); err != nil {
		t.Errorf("Reset: %v", err)
	}
	read(3) // the parameters are the same
}

func checkViews[T any](t *testing.T, w *world[T]) {
	c := w.mustOpen(t)
	derive := w.Derive
	if derive == nil {
		derive = func(client T) T { return client }
	}
	ann, bob := connection.Scoped(c, "ann", derive), connection.Scoped(c, "bob", derive)
	loads := 0
	read := func(c connection.Connection[T], want int) {
		t.Helper()
		v, err := connection.Read(t.Context(), c, "k", cache.Forever, func(ctx context.Context, client T) (int, error) {
			loads++
			return loads, w.use(ctx, client)
		})
		if err != nil || v != want {
			t.Errorf("Read gave %d, %v; want %d", v, err, want)
		}
	}
	read(c, 1)
	read(ann, 2)
	read(bob, 3)
	read(c, 1)
	read(connection.Scoped(c, "ann", derive), 2)
	if err := ann.Close(); err != nil {
		t.Errorf("closing a view: %v", err)
	}
	if _, err := ann.Raw(t.Context()); !errors.Is(err, connection.ErrClosed) {
		t.Errorf("a closed view: %v, want ErrClosed", err)
	}
	read(c, 1)
	read(bob, 3)
	if err := w.use(t.Context(), w.raw(t, bob)); err != nil {
		t.Errorf("closing one view closed the client: %v", err)
	}
	if _, err := connection.Scoped(c, "", derive).Raw(t.Context()); err == nil {
		t.Error("a view for an empty identity gave a client")
	}
}

func checkSecretsInErrors[T any](t *testing.T, w *world[T]) {
	var hidden []string
	for i, param := range w.Secrets {
		value, ok := w.Params[param]
		if !ok { // which may be a value, and is not printed
			t.Fatalf("conntest: Config.Secrets[%d] is not the name of one of Params", i)
		}
		if s := text(value); len(s) < 6 {
			t.Fatalf("conntest: the value of %s is too short to be looked for", param)
		} else {
			hidden = append(hidden, s)
		}
	}
	if len(hidden) == 0 {
		t.Skip("Config.Secrets names no parameter")
	}
	check := func(what string, err error) {
		t.Helper()
		if err == nil {
			return
		}
		for _, format := range []string{"%v", "%+v", "%#v", "%q"} {
			for _, secret := range hidden {
				if strings.Contains(fmt.Sprintf(format, err), secret) {
					t.Errorf("the error %s shows a secret as %s", what, format)
				}
			}
		}
	}
	try := func(what string, params map[string]any) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		c, err := w.tryOpen(t, ctx, params)
		if err == nil {
			err = connection.Ping(ctx, c)
			if err == nil {
				err = connection.Do(ctx, c, func(client T) error { return w.use(ctx, client) })
			}
		}
		check(what, err)
		if err == nil && strings.HasPrefix(what, "with broken") {
			t.Errorf("nothing fails %s", what)
		}
	}
	for _, param := range slices.Sorted(maps.Keys(w.Params)) {
		try("without "+param, w.without(param))
		for what, wrong := range map[string]any{"a table for ": map[string]any{}, "a list for ": []any{}, "a truth value for ": true, "nonsense for ": "\x00 not usable %zz"} {
			params := maps.Clone(w.Params)
			params[param] = wrong
			try("with "+what+param, params)
		}
	}
	for i, broken := range w.Broken {
		params := maps.Clone(w.Params)
		maps.Copy(params, broken)
		try(fmt.Sprintf("with broken parameters %d", i), params)
	}
	c := w.mustOpen(t)
	if err := c.Close(); err != nil {
		check("of Close", err)
	}
	_, err := c.Raw(t.Context())
	check("after Close", err)
}

func checkExplain[T any](t *testing.T, w *world[T]) {
	w.reload(t, map[string]any{"conntest_unread": "conntest_unread_value"})
	c := w.mustOpen(t)
	e := connection.Explain(c)
	for param := range w.Params {
		if !slices.ContainsFunc(e.Params, func(p connection.ExplainedParam) bool { return p.Name == param && p.Source == connection.Code }) {
			t.Errorf("%s is not explained: does the factory ask its Params for it?", param)
		}
	}
	if len(e.Unknown) != 1 || e.Unknown[0].Key != "conntest_unread" {
		t.Errorf("keys that nobody read: %v", e.Unknown)
	}
	shown := fmt.Sprintf("%v %+v %#v %v %+v", e, e, e, c, c)
	for _, param := range w.Secrets {
		if strings.Contains(shown, text(w.Params[param])) {
			t.Errorf("the value of %s is shown", param)
		}
	}
	if strings.Contains(shown, "conntest_unread_value") {
		t.Error("the value of a key that nobody read is shown")
	}
}

func checkGoroutines[T any](t *testing.T, w *world[T]) {
	// Goroutines inherit the labels of the one that starts them: other tests' do not disturb.
	label := fmt.Sprintf("%p", w)
	pprof.Do(t.Context(), pprof.Labels("conntest", label), func(ctx context.Context) {
		c, err := w.open(ctx, name, w.connect, w.options(w.Params)...)
		if err != nil {
			t.Fatalf("Open: %v", err)
		}
		view := connection.Scoped(c, "ann", func(client T) T { return client })
		for range 3 {
			for _, of := range []connection.Connection[T]{c, view} {
				_, err := connection.Read(ctx, of, "k", time.Minute, func(ctx context.Context, client T) (int, error) { return 0, w.use(ctx, client) })
				if err != nil {
					t.Errorf("Read: %v", err)
				}
			}
			if err := connection.Ping(ctx, c); err != nil {
				t.Errorf("Ping: %v", err)
			}
			if err := c.Reset(); err != nil {
				t.Errorf("Reset: %v", err)
			}
		}
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	// They may need a moment to notice.
	patience := time.NewTimer(2 * time.Second)
	defer patience.Stop()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		left := labelled(label)
		if left == "" {
			return
		}
		select {
		case <-look.C:
		case <-patience.C:
			t.Errorf("after Close there still is\n%s", left)
			return
		}
	}
}

// labelled gives the stacks of the goroutines with a label.
func labelled(label string) string {
	var b bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
		return err.Error()
	}
	var found []string
	for stack := range strings.SplitSeq(b.String(), "\n\n") {
		if strings.Contains(stack, label) {
			found = append(found, stack)
		}
	}
	return strings.Join(found, "\n\n")
}

// identity tells clients apart that are pointers or the like.
func identity(client any) (address uintptr, ok bool) {
	switch v := reflect.ValueOf(client); v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Chan:
		return v.Pointer(), true
	default:
		return 0, false
	}
}
