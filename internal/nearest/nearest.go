// Package nearest finds the name that somebody probably meant.
package nearest

import "strings"

// Name gives the one of names that reads most like want, or "" if none is near: more than a
// third of the letters would have to change. Case, underscores and hyphens count for nothing.
func Name(want string, names []string) string {
	best, bestDistance := "", len(want)+1
	for _, name := range names {
		a, b := fold(want), fold(name)
		limit := max(len(a), len(b)) / 3
		if d := distance(a, b); d <= limit && d < bestDistance {
			best, bestDistance = name, d
		}
	}
	return best
}

func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// distance counts the letters to insert, delete, replace or swap with their neighbour
// (the restricted Damerau-Levenshtein distance).
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 { // no key is that long; a hostile one costs nothing
		return max(len(a), len(b))
	}
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			change := 1
			if x[i-1] == y[j-1] {
				change = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(x)][len(y)]
}
