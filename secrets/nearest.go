package secrets

import (
	"maps"
	"slices"
	"strings"
)

// nearest finds the key of table that name may be a misspelling of: the same
// but for case and separators, or one slip of the finger in four letters away.
func nearest(name string, table map[string]any) (string, bool) {
	return nearestOf(name, slices.Sorted(maps.Keys(table)))
}

func nearestOf(name string, keys []string) (best string, ok bool) {
	plain := plainKey(name)
	fewest := max(1, len(plain)/4) + 1
	for _, key := range keys {
		if key == name || len(key) > 2*len(name)+8 {
			continue // the latter is far away, and long to compare
		}
		if n := slips(plain, plainKey(key)); n < fewest && n < max(1, len(plain)) {
			best, fewest, ok = key, n, true
		}
	}
	return best, ok
}

// plainKey drops what tells max_overflow, MaxOverflow and max-overflow apart.
func plainKey(key string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(key))
}

// slips counts the insertions, deletions, replacements and swaps of neighbours
// that turn a into b (the optimal string alignment distance).
func slips(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
