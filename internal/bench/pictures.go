package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/streamconn/streamconn/internal/bench/chart"
	"github.com/streamconn/streamconn/internal/bench/measure"
)

// picture is drawn from the report; "" where that has not what it needs.
type picture struct {
	file, title string
	draw        func(r *report) string
}

var pictures = []picture{
	{"hit.svg", "A hit: the time by the number of rows", hitPicture},
	{"miss.svg", "A miss: the time over that of database/sql by hand", missPicture},
	{"streamlit.svg", "Streamlit and this, for the same rows", streamlitPicture},
}

func (r *report) table(id string) *measured {
	i := slices.IndexFunc(r.tables, func(t measured) bool { return t.ID == id && len(t.results) == len(t.Cases) })
	if i < 0 {
		return nil
	}
	return &r.tables[i]
}

// plain is a name without Markdown.
func plain(name string) string {
	return strings.NewReplacer("**ours**", "streamconn", "`", "").Replace(name)
}

func hitPicture(r *report) string {
	t := r.table("hit")
	if t == nil {
		return ""
	}
	lines := chart.Lines{
		Title:    "A hit: what it costs to get rows that are in the cache",
		Subtitle: "Time for one call, by the number of rows; one processor; both axes logarithmic",
		X:        func(v float64) string { return rowsOf(v) }, Y: func(v float64) string { return duration(time.Duration(v)) },
	}
	add := func(t *measured, keep func(measure.Case) bool, names map[string]string) {
		at := map[string]int{}
		for i, c := range t.Cases {
			for _, s := range t.results[i] {
				name, ok := names[s.Name]
				if !ok || !keep(c) {
					continue
				}
				if _, ok := at[name]; !ok {
					at[name] = len(lines.Series)
					lines.Series = append(lines.Series, chart.Series{Name: name, Ours: s.Ours, Dashed: strings.HasPrefix(name, "ristretto")})
				}
				series := &lines.Series[at[name]]
				series.Points = append(series.Points, chart.Point{X: c.X, Y: float64(s.Time)})
			}
		}
	}
	add(t, func(c measure.Case) bool { return c.Procs == 1 }, map[string]string{
		"ristretto, bare `Get` with a TTL":    "ristretto, bare",
		"otter v2, `Get` with a loader":       "otter v2",
		"eko/gocache, `Loadable`":             "eko/gocache",
		"go-redis/cache, local tier":          "go-redis/cache, local tier",
		"**ours**, `sqlconn.Query`, shared":   "streamconn, shared",
		"**ours**, `sqlconn.Query`, own copy": "streamconn, the caller's own copy",
	})
	if s := r.table("streamlit"); s != nil {
		add(s, func(c measure.Case) bool { return c.Goroutines == 1 }, map[string]string{"Streamlit, `conn.query`, a hit": "Streamlit, conn.query"})
	}
	return lines.SVG()
}

func rowsOf(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%gM rows", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%gk rows", v/1e3)
	default:
		return fmt.Sprintf("%g rows", v)
	}
}

func missPicture(r *report) string {
	bars := chart.Bars{
		Title:    "A miss: reading 1,000 rows into structs",
		Subtitle: "Time over that of database/sql by hand, which is the line at 1×",
		Line:     1, Tick: func(v float64) string { return fmt.Sprintf("%g×", v) },
	}
	for _, db := range []struct{ id, name string }{
		{"miss", "a driver that has its rows ready"}, {"sqlite", "SQLite"}, {"postgres", "PostgreSQL"},
	} {
		t := r.table(db.id)
		if t == nil {
			continue
		}
		group := chart.Group{Name: db.name}
		for i, c := range t.Cases {
			for _, s := range t.results[i] {
				if c.X != 1000 || s.Against.Ratio == 1 || strings.Contains(s.Name, "pointers") || s.Name == "pgx by hand" {
					continue
				}
				group.Bars = append(group.Bars, chart.Bar{Name: plain(s.Name), Value: s.Against.Ratio, Text: times(s.Against.Ratio), Ours: s.Ours})
			}
		}
		bars.Groups = append(bars.Groups, group)
	}
	if len(bars.Groups) == 0 {
		return ""
	}
	return bars.SVG()
}

func streamlitPicture(r *report) string {
	t := r.table("streamlit")
	if t == nil {
		return ""
	}
	bars := chart.Bars{
		Title:    "Streamlit and this, for the same rows from the same file and server",
		Subtitle: "Time for one call; logarithmic; how many times as long beside Streamlit's bars",
		Log:      true, Tick: func(v float64) string { return duration(time.Duration(v)) },
	}
	for i, c := range t.Cases {
		if c.Goroutines != 1 || c.X > 1000 {
			continue
		}
		group := chart.Group{Name: strings.TrimSuffix(c.Name, ", 1 thread")}
		for _, s := range t.results[i] {
			text := duration(s.Time)
			if !s.Ours {
				text += ", " + times(s.Against.Ratio)
			}
			group.Bars = append(group.Bars, chart.Bar{Name: plain(s.Name), Value: float64(s.Time), Text: text, Ours: s.Ours})
		}
		bars.Groups = append(bars.Groups, group)
	}
	return bars.SVG()
}
