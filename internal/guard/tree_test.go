package guard_test

import (
	"bytes"
	"fmt"
	"regexp"
	"testing"
)

// foreign are texts that belong to the place where a file was written, not to the product.
var foreign = []struct {
	what    string
	pattern *regexp.Regexp
	but     *regexp.Regexp // matches of pattern that are in order
}{
	{
		"the path of a machine",
		regexp.MustCompile(`(?m)(?:^|[^\w.~%}-])/(?:root|work|Users|home/[a-z][\w-]*)/[\w.-]*`),
		regexp.MustCompile(`/home/(?:x|me|you|user|app|alice|jerry)/`), // in examples
	},
	{"a Windows path of a machine", regexp.MustCompile(`[A-Z]:\\Users\\`), nil},
	{
		"the host of a package registry",
		regexp.MustCompile(`(?:proxy|sum)\.golang\.org|goproxy\.(?:io|cn)|registry\.npmjs\.org|pypi\.org|pythonhosted\.org|deb\.debian\.org|docker\.io`),
		nil,
	},
	{"a working paper", regexp.MustCompile(`\b(?:DESIGN|CONTRACT)\.md\b|\bresearch/[a-z]+\.md\b|\bshared/research\b`), nil},
	{"a conflict that was not resolved", regexp.MustCompile(`(?m)^(?:<{7}|>{7}) `), nil},
	{"a private key", regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----`), nil},
}

// checkText says what a file holds that does not belong there.
func checkText(path string, text []byte) []string {
	var wrong []string
	for _, f := range foreign {
		for _, at := range f.pattern.FindAllIndex(text, -1) {
			match := text[at[0]:at[1]]
			if f.but != nil && f.but.Match(match) {
				continue
			}
			line := 1 + bytes.Count(text[:at[0]], []byte("\n"))
			wrong = append(wrong, fmt.Sprintf("%s:%d: %q is %s", path, line, bytes.TrimSpace(match), f.what))
		}
	}
	return wrong
}

func TestTreeSpeaksOfTheProductAlone(t *testing.T) {
	t.Parallel()
	walk(t, func(path string, open func() []byte) {
		text := open()
		if bytes.IndexByte(text, 0) >= 0 {
			return // not a text
		}
		for _, wrong := range checkText(path, text) {
			t.Error(wrong)
		}
	})
}

func TestForeignTextIsSeen(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		want int
	}{
		{"go test ./...", 0},
		{"cd /ro" + "ot/streamconn", 1},
		{"\"/wo" + "rk/main/go.mod\"", 1},
		{"/ho" + "me/builder/go", 1},
		{"/home/user/.streamlit/secrets.toml", 0},
		{"~/.streamlit/secrets.toml", 0},
		{"https://example.com/work/", 0},
		{"GOPROXY=https://proxy.gol" + "ang.org", 1},
		{"https://pkg.go.dev/net/http", 0},
		{"see DESI" + "GN.md", 1},
		{"<<<<" + "<<< HEAD", 1},
	} {
		if got := checkText("a", []byte(test.text)); len(got) != test.want {
			t.Errorf("%q: found %q, want %d findings", test.text, got, test.want)
		}
	}
}
