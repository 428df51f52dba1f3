//go:build unix

package rediscache

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
)

// A Redis that does not answer keeps nobody longer than their context, though its own bounds are far.
func TestWhateverTakesAContextEndsWithIt(t *testing.T) {
	t.Parallel()
	srv := startRedis(t)
	tier := openTier(t, srv.values(map[string]any{"timeout": "1h", "heartbeat": "1h"}))
	mark := tier.Mark([]byte("epoch"))
	epoch := tier.Epoch(mark)
	find := func(ctx context.Context, key string) cache.TierAnswer {
		return tier.Find(ctx, cache.TierQuery{
			Scope: tier.Mark([]byte("scope")), Epochs: []string{mark}, Type: reflect.TypeFor[int](),
			Shape: [32]byte{1}, Key: []byte(key), MaxAge: cache.Forever,
		}, new(int))
	}
	held := find(t.Context(), "a").Turn
	if held == nil {
		t.Fatal("there is no turn to store")
	}
	defer held.End()

	srv.signal(syscall.SIGSTOP)
	defer srv.signal(syscall.SIGCONT)
	// What has no way to tell of an error has returned; the deadline may have been noticed before its context has.
	end := func(ctx context.Context) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	// All that takes a context here; Raw, Get and Open are package connection's.
	calls := map[string]func(ctx context.Context) error{
		"Client.Ping": func(ctx context.Context) error { return connection.Ping(ctx, tier) },
		"Tier.Find": func(ctx context.Context) error {
			if find(ctx, "b").Found {
				return errors.New("found what nobody has stored")
			}
			return end(ctx)
		},
		"turn.Store": func(ctx context.Context) error {
			held.Store(ctx, new(int), time.Hour, time.Time{})
			return end(ctx)
		},
		"turn.Drop": func(ctx context.Context) error {
			held.Drop(ctx)
			return end(ctx)
		},
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[*Client](), reflect.TypeFor[*Tier](), reflect.TypeFor[*turn]()} {
		for m := range typ.Methods() {
			name := typ.Elem().Name() + "." + m.Name
			if m.Type.NumIn() > 1 && m.Type.In(1) == reflect.TypeFor[context.Context]() && m.Name != "Raw" && calls[name] == nil {
				t.Errorf("%s takes a context and has no case here", name)
			}
		}
	}
	for name, call := range calls {
		for way, ended := range map[string]func() (context.Context, context.CancelFunc){
			"cancelled before": func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				return ctx, cancel
			},
			"expired meanwhile": func() (context.Context, context.CancelFunc) {
				return context.WithTimeout(t.Context(), 20*time.Millisecond)
			},
		} {
			ctx, cancel := ended()
			done := make(chan error, 1)
			go func() { done <- call(ctx) }()
			select {
			case err := <-done:
				if want := ctx.Err(); want == nil || !errors.Is(err, want) {
					t.Errorf("%s, %s: error = %v, want one that is %v", name, way, err, want)
				}
			case <-time.After(time.Minute):
				t.Fatalf("%s, %s, does not return", name, way)
			}
			cancel()
		}
	}
	runtime.KeepAlive(epoch)
}
