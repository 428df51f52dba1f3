package connection

import "maps"

// Source is the level that a parameter's value came from. Later levels win over earlier ones.
type Source uint8

// The levels of precedence, lowest first.
const (
	NoSource    Source = iota // given nowhere
	Environment               // the process environment
	TopLevel                  // the top level of the secrets: Streamlit would have exported these to the environment
	Section                   // [connections.NAME]
	Code                      // an [Option]
)

func (s Source) String() string {
	switch s {
	case Environment:
		return "environment"
	case TopLevel:
		return "top level of secrets"
	case Section:
		return "secrets"
	case Code:
		return "code"
	default:
		return "nowhere"
	}
}

// MarshalText writes what String gives, so that JSON and logs have words.
func (s Source) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// found is a parameter's value and where it came from.
type found struct {
	value  any
	source Source
	place  string // the same for people: "connection.With", "[connections.pets]", "$DB_URL"
	key    string // under which it was there
}

// places is where parameters come from, as they are at one moment.
type places struct {
	given   map[string]any // options
	section map[string]any // [connections.NAME]
	header  string         // "[connections.NAME]"
	absent  func() string  // if there is no such section: which files were looked at; may be nil
	top     func(key string) (any, bool)
	environ func(key string) (string, bool)
}

// find is the whole of the precedence: code, then the section, then the top level of the
// secrets, then the environment; within the section the parameter's own name goes before
// those which the factory names for the environment. Present decides, not non-empty.
func (p *places) find(name string, env []string) (found, bool) {
	inSection, ok := p.findBelowCode(name, env)
	if v, given := p.given[name]; given {
		if table, isTable := v.(map[string]any); isTable && ok {
			v = mergeTables(inSection.value, table)
		}
		return found{v, Code, "connection.With", name}, true
	}
	return inSection, ok
}

func (p *places) findBelowCode(name string, env []string) (found, bool) {
	if v, ok := p.section[name]; ok {
		return found{v, Section, p.header, name}, true
	}
	for _, key := range env {
		if v, ok := p.section[key]; ok {
			return found{v, Section, p.header, key}, true
		}
	}
	for _, key := range env {
		if v, ok := p.top(key); ok {
			return found{v, TopLevel, "the top level of the secrets (" + key + ")", key}, true
		}
	}
	for _, key := range env {
		if v, ok := p.environ(key); ok {
			return found{v, Environment, "$" + key, key}, true
		}
	}
	return found{}, false
}

// mergeTables lays over's keys over under's, at every depth. Neither is changed.
// An under that is no table is replaced whole.
func mergeTables(under any, over map[string]any) map[string]any {
	low, _ := under.(map[string]any)
	merged := make(map[string]any, len(low)+len(over))
	maps.Copy(merged, low)
	for k, v := range over {
		if table, ok := v.(map[string]any); ok {
			v = mergeTables(merged[k], table)
		} else {
			v = copyOfTables(v)
		}
		merged[k] = v
	}
	return merged
}

// copyOfTables copies the tables and lists of a value, at every depth.
func copyOfTables(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return mergeTables(nil, v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = copyOfTables(v[i])
		}
		return list
	default:
		return v
	}
}

// looked names, in the order of precedence, the places where find looks.
func (p *places) looked(name string, env []string) []string {
	section := p.header + " " + name
	if p.absent != nil {
		if why := p.absent(); why != "" {
			section += " (" + why + ")"
		}
	}
	texts := []string{"connection.With(\"" + name + "\", …)", section}
	for _, key := range env {
		texts = append(texts, "$"+key+" (in the environment or the secrets)")
	}
	return texts
}
