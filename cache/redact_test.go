package cache

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestNothingPrintsKeysOrValues(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	var log logs
	c := open(t, Config{Logger: log.logger()})
	s := c.Scope(secret, nil)
	key := KeyOf("select "+secret, secret)
	_ = must[string](t)(Get(t.Context(), s, key, forever, value(secret)))
	_ = must[any](t)(Get(t.Context(), s, key, forever, value(any(map[string]any{secret: make(chan int)}))))
	var info Info
	c.Drop(func(i Info) bool { info = i; return false })
	if !strings.Contains(info.Text, secret) {
		t.Fatal("the secret was not planted")
	}
	_, ttlErr := TTLOf(map[string]string{secret: secret})
	all := []any{
		c, s, key, &key, info, &info, newPanicError(secret), c.Stats(), ttlErr, ErrRecursive,
		Key{},
		[]Key{key},
		struct{ K Key }{key},
		map[string]Info{"a": info},
		Policy{TTL: Forever},
	}
	for _, v := range all {
		var out strings.Builder
		for _, verb := range "vsqxXdTtcUeb" { // fmt itself looks through everything for %p
			fmt.Fprintf(&out, "%"+string(verb)+" %+"+string(verb)+" %#"+string(verb)+"\n", v, v, v)
		}
		if b, err := json.Marshal(v); err == nil {
			out.Write(b)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "v", v)
		text := strings.ToLower(out.String())
		for _, form := range []string{secret, hex.EncodeToString([]byte(secret)), strings.Trim(fmt.Sprint([]byte(secret)), "[]")} {
			if strings.Contains(text, form) {
				t.Errorf("%T shows %q:\n%s", v, form, text)
			}
		}
	}
	if strings.Contains(log.String(), secret) {
		t.Errorf("it was logged: %s", log.String())
	}
	var none *Cache
	equal(t, "a nil cache", fmt.Sprint(none), "cache.Cache(nil)")
}
