package connection

import (
	"github.com/streamconn/streamconn/cache"
)

// tiered is a connection's part in the second tier that several processes share.
//
// Its results are named by all that the factory read, so that two databases under one name have nothing in
// common. What ends them goes by the connection's name alone: processes that reach one database by different
// parameters, with pools of different sizes for instance, still hear of each other's writes.
type tiered struct {
	tier cache.Tier
	name []byte
	ends string // the mark of the epoch that writes and Clear end
}

func newTiered(tier cache.Tier, name string) *tiered {
	return &tiered{tier: tier, name: []byte(name), ends: tier.Mark([]byte("connection"), []byte(name))}
}

// identity is the mark of a view's identity, which may be a secret.
func (t *tiered) identity(above, identity string) string {
	return t.tier.Mark([]byte("identity"), t.name, []byte(above), []byte(identity))
}

// epochs are the marks of what ends the results of a state.
func (t *tiered) epochs(s *state) []string {
	if s.outside == "" {
		return []string{t.ends}
	}
	return []string{t.ends, s.outside}
}

// newScope is where the state's reads belong. Without a mark for other processes they are kept from them,
// but end as theirs do.
func (t *tiered) newScope(s *state, c *cache.Cache, id string, m mark) *cache.Scope {
	scope := cache.TierScope{Tier: t.tier, Epochs: t.epochs(s)}
	if m.shared == "" {
		s.tellAlone()
	} else {
		scope.Mark = t.tier.Mark([]byte("reads"), []byte(s.kindName()), t.name, []byte(m.shared), []byte(s.outside))
	}
	return c.TieredScope(id, &s.counters, scope, &s.all)
}

func (t *trunk) tellAlone() {
	if t.once(toldAlone) {
		t.logger().Warn("the reads of this connection are not shared with other processes, since these could not tell " +
			"whose they are: its data lives in this process, or its factory reads no parameter, or one that " +
			"has no stable form; give it what tells it from others by parameters")
	}
}

// sharedMarkOf is the mark of what was answered for all processes that share the second tier, or "".
// The type and the TTL are not what a database is told from others by; what is of this process is told from all.
func (t *trunk) sharedMarkOf(asked []answer, ephemeral bool) string {
	if t.tiered == nil || ephemeral {
		return ""
	}
	var encoded []byte
	telling := false
	for _, a := range asked {
		if a.name == "ttl" || a.name == "type" {
			continue
		}
		encoded = appendText(encoded, a.name)
		if !a.ok {
			encoded = append(encoded, 0)
			continue
		}
		var stable bool
		if encoded, stable = appendDeep(append(encoded, 1), a.value, cache.AppendStableArg); !stable {
			return ""
		}
		telling = true
	}
	if !telling {
		return ""
	}
	return t.tiered.tier.Mark([]byte("parameters"), encoded)
}

// endReads ends the cached reads of the connection and its views, after a write: in all processes, if
// they share a second tier.
func (t *trunk) endReads() {
	t.reads.Bump()
	t.endShared()
}

// endShared ends what is cached of the connection in the second tier, and because of it.
func (t *trunk) endShared() {
	if t.tiered != nil {
		t.tiered.tier.End(t.tiered.ends)
	}
}

// endSharedOf is endShared for the identity of a view alone.
func (s *state) endSharedOf() {
	if s.tiered != nil {
		s.tiered.tier.End(s.outside)
	}
}
