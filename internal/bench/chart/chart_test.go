package chart

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestPicturesAreXMLWithEveryNameAndText(t *testing.T) {
	t.Parallel()
	times := func(float64) string { return "tick" }
	bars := Bars{Title: "A & B", Tick: times, Log: true, Line: 1, Groups: []Group{{"group", []Bar{{"<ours>", 1, "one", true}, {"peer", 1e6, "many", false}}}}}
	lines := Lines{Title: "A & B", X: times, Y: times, Series: []Series{
		{Name: "<ours>", Ours: true, Points: []Point{{1, 1}, {100, 1}}}, {Name: "peer", Dashed: true, Points: []Point{{1, 1}, {100, 1e4}}},
	}}
	plain := bars
	plain.Log = false
	for _, svg := range []string{bars.SVG(), plain.SVG(), lines.SVG()} {
		for d := xml.NewDecoder(strings.NewReader(svg)); ; {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%v in\n%s", err, svg)
			}
		}
		for _, want := range []string{"A &amp; B", "&lt;ours&gt;", "peer", "tick"} {
			if !strings.Contains(svg, want) {
				t.Errorf("%q is not in\n%s", want, svg)
			}
		}
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Errorf("a place that is none in\n%s", svg)
		}
	}
}

func TestScales(t *testing.T) {
	t.Parallel()
	place, ticks := logarithmic(1, 1000, 0, 300)
	if got := place(10); got < 99.9 || got > 100.1 || len(ticks) != 4 {
		t.Error(got, ticks)
	}
	place, ticks = linear(4, 100, 500)
	if got := place(1); got != 200 || len(ticks) != 9 {
		t.Error(got, ticks)
	}
}
