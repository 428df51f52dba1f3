package connection

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// Explanation tells where a connection has its parameters from. It holds no values, so that it
// can be logged.
type Explanation struct {
	Name    string
	Kind    string
	Params  []ExplainedParam // in the order in which they were asked for
	Unknown []UnknownKey     // keys that nobody asked for
}

// ExplainedParam is one parameter.
type ExplainedParam struct {
	Name   string
	Source Source // the level that won; NoSource if it was given nowhere
	Place  string // the same for people: "[connections.pets] in /etc/app/secrets.toml"
}

// Explain tells, for each parameter that the last successful connect asked for, which source won.
func Explain(c Any) Explanation {
	s := c.base()
	e := Explanation{Name: s.name, Kind: s.kindName()}
	answers := s.impl.(inspector).answered()
	if answers == nil {
		return e
	}
	for _, a := range answers.params.answers() {
		if !a.ok && (a.name == "type" || a.name == "ttl") {
			continue // asked for every connection
		}
		param := ExplainedParam{Name: a.name, Source: a.source, Place: a.place}
		if where := s.where(a.found); where != "" {
			param.Place += " in " + where
		}
		e.Params = append(e.Params, param)
	}
	e.Unknown = answers.params.unknown()
	return e
}

// where names the file behind a value from the secrets.
func (t *trunk) where(f found) string {
	switch f.source {
	case Section:
		return t.cfg.store.Where("connections", t.name, f.key)
	case TopLevel:
		return t.cfg.store.Where(f.key)
	default:
		return ""
	}
}

// String is a table for people, a line for each parameter that was given; values are masked.
func (e Explanation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "connection %q", e.Name)
	if e.Kind != "" {
		fmt.Fprintf(&b, " (%s)", e.Kind)
	}
	b.WriteByte('\n')
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	var absent []string
	for _, p := range e.Params {
		if p.Source == NoSource {
			absent = append(absent, p.Name)
			continue
		}
		fmt.Fprintf(w, "  %s\t******\tfrom %s\n", p.Name, p.Place)
	}
	for _, k := range e.Unknown {
		fmt.Fprintf(w, "  %s\tunread\tin %s\n", k.Key, k.Place)
	}
	_ = w.Flush() // into memory
	if len(absent) > 0 {
		fmt.Fprintf(&b, "  not given: %s\n", strings.Join(absent, ", "))
	}
	return b.String()
}
