package connection

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/streamconn/streamconn/secrets"
)

// sources is where a connect finds its parameters, as everything is at that moment.
type sources struct {
	places
	version uint64 // the store's
	problem error  // of refresh
}

// refresh has the secrets read again if a file has changed. A problem with that keeps nobody from connecting, since
// the last good values stay; err is the end of ctx.
func (t *trunk) refresh(ctx context.Context) (problem, err error) {
	problem = t.cfg.store.RefreshContext(ctx)
	if isEnd(ctx, problem) {
		return nil, endedContext(ctx, nil)
	}
	return problem, nil
}

// configured looks at the secrets, as they were last read, and at the environment.
func (t *trunk) configured() (sources, error) {
	store := t.cfg.store.Snapshot() // a user name and a password of one version, wherever each is
	s := sources{version: store.Version()}
	s.given, s.environ = t.cfg.given, t.cfg.environ
	s.header = "[connections." + quoted(t.name) + "]"
	s.top = func(key string) (any, bool) {
		v, ok := store.Lookup(key)
		if _, isTable := v.(map[string]any); isTable {
			return nil, false // tables are no variables
		}
		return v, ok
	}
	switch v, ok := store.Lookup("connections", t.name); section := v.(type) {
	case map[string]any:
		s.section = section
	default:
		if ok {
			return s, fmt.Errorf("connections.%s in the secrets is %s, not a section; write %s above its keys", quoted(t.name), typeName(v), s.header)
		}
		s.absent = func() string {
			_, err := store.Secret("connections", t.name)
			if wrong, ok := errors.AsType[*secrets.TypeError](err); ok { // connections itself, say
				return strings.TrimPrefix(wrong.Error(), "secrets: ")
			}
			missing, _ := errors.AsType[*secrets.MissingError](err)
			if missing == nil || len(missing.Looked) == 0 {
				return "" // it has come since, or there is no place where it could be
			}
			return strings.TrimPrefix(missing.Error(), "secrets: ")
		}
	}
	return s, nil
}

// storeChangedSince tells whether the secrets have changed since that version of them.
func (t *trunk) storeChangedSince(version uint64) bool {
	return t.cfg.store.Version() != version
}

// unconfigured is configured for clients that have no parameters.
func unconfigured() (sources, error) {
	none := func(string) (string, bool) { return "", false }
	return sources{places: places{
		header:  "no section",
		top:     func(string) (any, bool) { return nil, false },
		environ: none,
	}}, nil
}

// asked asks the same questions again.
func (s *sources) asked(before []answer) []answer {
	now := make([]answer, len(before))
	for i, a := range before {
		now[i].question = a.question
		now[i].found, now[i].ok = s.find(a.name, a.env)
	}
	return now
}

// markOf is the mark of what was answered.
func (t *trunk) markOf(asked []answer, ephemeral bool) mark {
	var encoded []byte
	for _, a := range asked {
		encoded = appendText(encoded, a.name)
		if !a.ok {
			encoded = append(encoded, 0)
			continue
		}
		// What has no stable form can only have been given in code, and code does not change:
		// then the part that could be encoded will do.
		encoded, _ = appendContent(append(encoded, 1), a.value)
	}
	return mark{own: hmacOf(encoded), shared: t.sharedMarkOf(asked, ephemeral)}
}
