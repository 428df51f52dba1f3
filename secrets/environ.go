package secrets

import (
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Environ returns the environment of the process and, over it, the top-level
// strings, integers and floats of the Store as KEY=value: what Streamlit would
// have exported, in the form that [os/exec.Cmd] takes. Booleans, times, lists and
// tables are left out, and so is what cannot stand in an environment: a key that
// is empty or holds "=", and NUL bytes.
//
// It is the one way from a Store into an environment: nothing in this package
// changes that of the process.
func (s *Store) Environ() []string {
	values := s.current().merged
	ours := make([]string, 0, len(values))
	for _, key := range slices.Sorted(maps.Keys(values)) {
		text, ok := exported(values[key])
		if ok && key != "" && !strings.ContainsAny(key, "=\x00") && !strings.Contains(text, "\x00") {
			ours = append(ours, key+"="+text)
		}
	}

	given := make(map[string]bool, len(ours))
	for _, pair := range ours {
		key, _, _ := strings.Cut(pair, "=")
		given[key] = true
	}
	environ := slices.DeleteFunc(os.Environ(), func(pair string) bool {
		key, _, _ := strings.Cut(pair, "=")
		return given[key]
	})
	return append(environ, ours...)
}

// exported writes a value as Python's str does, so that a program sees the same
// environment whichever of the two starts it.
func exported(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return pythonFloat(v), true
	}
	return "", false
}

func pythonFloat(v float64) string {
	switch size := math.Abs(v); {
	case math.IsNaN(v):
		return "nan"
	case math.IsInf(v, 1):
		return "inf"
	case math.IsInf(v, -1):
		return "-inf"
	case size >= 1e16 || size < 1e-4 && size != 0:
		return strconv.FormatFloat(v, 'e', -1, 64)
	}
	text := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}
