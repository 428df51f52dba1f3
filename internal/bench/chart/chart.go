// Package chart draws pictures of figures, as SVG that is readable on light and dark pages.
package chart

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

const (
	width  = 880.0
	margin = 24.0
	top    = 74.0 // below the title
)

// page is a picture while it is drawn.
type page struct{ strings.Builder }

const style = `
	.page { fill: #ffffff; stroke: #d0d7de }
	text { font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
	.title { font-size: 17px; font-weight: 600 }
	.quiet { fill: #59636e }
	.grid { stroke: #d8dee4; stroke-width: 1 }
	.axis { stroke: #59636e; stroke-width: 1.5 }
	.ours { fill: #0b7a5c; stroke: #0b7a5c }
	.peer { fill: #a8b3bd; stroke: #a8b3bd }
	.line { fill: none; stroke-width: 2.5; stroke-linejoin: round }
	.oursText { fill: #0b7a5c; stroke: none; font-weight: 600 }
	@media (prefers-color-scheme: dark) {
		.page { fill: #0d1117; stroke: #30363d }
		text { fill: #e6edf3 }
		.quiet { fill: #9198a1 }
		.grid { stroke: #21262d }
		.axis { stroke: #9198a1 }
		.ours { fill: #3fb68b; stroke: #3fb68b }
		.peer { fill: #57606a; stroke: #57606a }
		.oursText { fill: #3fb68b; stroke: none }
	}
`

func newPage(title, subtitle string) *page {
	p := &page{}
	p.text(margin, 32, "title", "start", title)
	p.text(margin, 54, "quiet", "start", subtitle)
	return p
}

// end gives the whole picture.
func (p *page) end(height float64) string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%g" height="%g" viewBox="0 0 %g %g" role="img">
<style>%s</style>
<rect class="page" x="0.5" y="0.5" width="%g" height="%g" rx="8"/>
%s</svg>
`, width, height, width, height, style, width-1, height-1, p.String())
}

func (p *page) text(x, y float64, class, anchor, s string) {
	fmt.Fprintf(p, `<text class="%s" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", class, x, y, anchor, html.EscapeString(s))
}

func (p *page) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(p, `<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`+"\n", class, x1, y1, x2, y2)
}

// Bar is one of a group.
type Bar struct {
	Name  string
	Value float64
	Text  string // beside the bar
	Ours  bool
}

// Group is some bars under one heading.
type Group struct {
	Name string
	Bars []Bar
}

// Bars is a picture of groups of horizontal bars, from 0, or on a logarithmic scale.
type Bars struct {
	Title, Subtitle string
	Log             bool
	Line            float64              // a value to mark; 0 is none
	Tick            func(float64) string // of the axis
	Groups          []Group
}

// SVG draws it.
func (b Bars) SVG() string {
	const thick, gap, heading, letter = 18.0, 6.0, 30.0, 7.4
	p := newPage(b.Title, b.Subtitle)
	height := top
	low, high, name := math.Inf(1), 0.0, 0
	for _, g := range b.Groups {
		height += heading + float64(len(g.Bars))*(thick+gap)
		for _, bar := range g.Bars {
			low, high, name = min(low, bar.Value), max(high, bar.Value), max(name, len(bar.Name))
		}
	}
	left, right := margin+letter*float64(name), width-margin-110
	scale, ticks := linear(high, left, right)
	if b.Log {
		scale, ticks = logarithmic(low/2, high, left, right)
	}
	for _, t := range ticks {
		p.line("grid", scale(t), top, scale(t), height)
		p.text(scale(t), height+18, "quiet", "middle", b.Tick(t))
	}
	y := top
	for _, g := range b.Groups {
		p.text(margin, y+20, "quiet", "start", g.Name)
		y += heading
		for _, bar := range g.Bars {
			class, textClass := "peer", ""
			if bar.Ours {
				class, textClass = "ours", "oursText"
			}
			p.text(left-8, y+thick-4, textClass, "end", bar.Name)
			fmt.Fprintf(p, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="2"/>`+"\n", class, left, y, max(1, scale(bar.Value)-left), thick)
			beside := max(left+1, scale(bar.Value))
			if mark := scale(b.Line); b.Line > 0 && mark > beside && mark < beside+50 {
				beside = mark // the text is not crossed
			}
			p.text(beside+6, y+thick-4, textClass, "start", bar.Text)
			y += thick + gap
		}
	}
	if b.Line > 0 {
		p.line("axis", scale(b.Line), top, scale(b.Line), height)
	}
	return p.end(height + 34)
}

// Point is a value at a size.
type Point struct{ X, Y float64 }

// Series is a line of points.
type Series struct {
	Name   string
	Points []Point
	Ours   bool
	Dashed bool
}

// Lines is a picture of how something grows, on logarithmic scales.
type Lines struct {
	Title, Subtitle string
	X, Y            func(float64) string // the texts of the axes
	Series          []Series
}

// SVG draws it.
func (l Lines) SVG() string {
	const height, names, axis = 460.0, 265.0, 66.0
	p := newPage(l.Title, l.Subtitle)
	left, right, bottom := margin+axis, width-margin-names, height-44
	lowX, highX, lowY, highY := math.Inf(1), 0.0, math.Inf(1), 0.0
	for _, s := range l.Series {
		for _, at := range s.Points {
			lowX, highX, lowY, highY = min(lowX, at.X), max(highX, at.X), min(lowY, at.Y), max(highY, at.Y)
		}
	}
	x, ticksX := logarithmic(lowX, highX, left, right)
	y, ticksY := logarithmic(lowY/1.5, highY*1.5, bottom, top)
	for _, t := range ticksX {
		p.line("grid", x(t), top, x(t), bottom)
		p.text(x(t), bottom+20, "quiet", "middle", l.X(t))
	}
	for _, t := range ticksY {
		p.line("grid", left, y(t), right, y(t))
		p.text(left-8, y(t)+4, "quiet", "end", l.Y(t))
	}
	type label struct {
		y    float64
		name string
		ours bool
	}
	var labels []label
	for _, s := range l.Series {
		class, dash := "peer", ""
		if s.Ours {
			class = "ours"
		}
		if s.Dashed {
			dash = ` stroke-dasharray="5 4"`
		}
		var points []string
		for _, at := range s.Points {
			points = append(points, fmt.Sprintf("%.1f,%.1f", x(at.X), y(at.Y)))
			fmt.Fprintf(p, `<circle class="%s" cx="%.1f" cy="%.1f" r="3.5"/>`+"\n", class, x(at.X), y(at.Y))
		}
		fmt.Fprintf(p, `<polyline class="line %s" style="fill: none" points="%s"%s/>`+"\n", class, strings.Join(points, " "), dash)
		last := s.Points[len(s.Points)-1]
		labels = append(labels, label{y(last.Y), s.Name, s.Ours})
	}
	// The names stand at the ends of their lines, apart from each other.
	slices.SortFunc(labels, func(a, b label) int { return int(math.Copysign(1, a.y-b.y)) })
	const apart = 18.0
	floor := bottom
	for i := len(labels) - 1; i >= 0; i-- {
		labels[i].y = min(labels[i].y, floor)
		floor = labels[i].y - apart
	}
	for _, one := range labels {
		class := ""
		if one.ours {
			class = "oursText"
		}
		p.text(right+12, one.y+4, class, "start", one.name)
	}
	return p.end(height)
}

// linear gives the place of a value between from and to, and where to draw a grid.
func linear(high, from, to float64) (place func(float64) float64, ticks []float64) {
	step := 0.5
	for high/step > 8 {
		step *= 2
	}
	for t := 0.0; t <= high; t += step {
		ticks = append(ticks, t)
	}
	return func(v float64) float64 { return from + (to-from)*v/high }, ticks
}

func logarithmic(low, high, from, to float64) (place func(float64) float64, ticks []float64) {
	place = func(v float64) float64 {
		return from + (to-from)*(math.Log(max(v, low))-math.Log(low))/(math.Log(high)-math.Log(low))
	}
	for e := math.Ceil(math.Log10(low) - 1e-9); math.Pow(10, e) <= high*1.0001; e++ {
		ticks = append(ticks, math.Pow(10, e))
	}
	return place, ticks
}
