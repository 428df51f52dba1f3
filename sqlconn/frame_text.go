package sqlconn

import (
	"bufio"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	shownRows  = 20 // by String
	shownWidth = 60 // of a cell, by String
)

// String returns the table that WriteTable writes, with no more than the first
// 20 rows, and with cells cut off at a width of 60. The last line tells how
// many rows there are.
func (f *Frame) String() string {
	var b strings.Builder
	_ = f.writeTable(&b, shownRows, shownWidth) // a Builder does not fail
	return b.String()
}

// WriteTable writes all rows as an aligned table, and a line with their number.
//
// NULL stands for NULL, and "NULL", with quotes, for a string of those letters.
// Numbers are on the right. Bytes are in hexadecimal, \x0fa0; times as in
// [Frame.WriteCSV]. Line breaks and what else cannot be printed are escaped as
// in Go, so that a row is one line, and data cannot command a terminal.
func (f *Frame) WriteTable(w io.Writer) error {
	return f.writeTable(w, f.rows, math.MaxInt)
}

func (f *Frame) writeTable(to io.Writer, rows, width int) error {
	rows = min(rows, f.rows)
	table := make([][]string, rows+2) // names, rules, rows
	widths := make([]int, len(f.columns))
	right := make([]bool, len(f.columns))
	for j, c := range f.columns {
		right[j] = f.isNumeric(j)
		table[0] = append(table[0], cutText(printable(c.Name), width))
		widths[j] = textWidth(table[0][j])
		for i := range rows {
			cell := cutText(tableText(f.cell(i, j), f.types[j]), width)
			table[i+2] = append(table[i+2], cell)
			widths[j] = max(widths[j], textWidth(cell))
		}
		table[1] = append(table[1], strings.Repeat("-", widths[j]))
	}

	w := bufio.NewWriter(to)
	for _, cells := range table {
		if _, err := io.WriteString(w, tableLine(cells, widths, right)); err != nil {
			return err
		}
	}
	var count string
	switch {
	case f.rows == 1:
		count = "(1 row)\n"
	case rows < f.rows:
		count = fmt.Sprintf("(%d rows, the first %d shown)\n", f.rows, rows)
	default:
		count = fmt.Sprintf("(%d rows)\n", f.rows)
	}
	if _, err := io.WriteString(w, count); err != nil {
		return err
	}
	return w.Flush()
}

func tableLine(cells []string, widths []int, right []bool) string {
	if len(cells) == 0 { // there are no columns
		return ""
	}
	var line strings.Builder
	spaces := 0 // before the next text, so that no line ends in spaces
	for j, cell := range cells {
		padding := widths[j] - textWidth(cell)
		if right[j] {
			spaces, padding = spaces+padding, 0
		}
		if cell != "" {
			line.WriteString(strings.Repeat(" ", spaces))
			line.WriteString(cell)
			spaces = 0
		}
		spaces += padding + 2
	}
	line.WriteByte('\n')
	return line.String()
}

// isNumeric tells whether a column has numbers and nothing else but NULL.
func (f *Frame) isNumeric(column int) bool {
	numbers := false
	for i := range f.rows {
		switch f.cell(i, column).(type) {
		case nil:
		case int64, float64, float32, int, int32, int16, int8, uint64, uint32, uint16, uint8:
			numbers = true
		default:
			return false
		}
	}
	return numbers
}

func tableText(v any, databaseType string) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case string:
		if v == "NULL" {
			return `"NULL"`
		}
	case []byte:
		return `\x` + hex.EncodeToString(v)
	}
	return printable(cellText(v, databaseType))
}

// cellText is the text of a value that is not NULL and not binary.
func cellText(v any, databaseType string) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return floatText(v, 64)
	case float32:
		return floatText(float64(v), 32)
	case bool:
		return strconv.FormatBool(v)
	case time.Time:
		return timeText(v, databaseType)
	case encoding.TextMarshaler:
		if text, err := v.MarshalText(); err == nil {
			return string(text)
		}
	case fmt.Stringer:
		return v.String()
	}
	if text, err := json.Marshal(v); err == nil {
		return string(text)
	}
	return fmt.Sprint(v)
}

// timeText writes what the type of the column holds: a date has no time.
func timeText(t time.Time, databaseType string) string {
	switch databaseType {
	case "DATE":
		return t.Format(time.DateOnly)
	case "TIME":
		return t.Format("15:04:05.999999999")
	}
	return t.Format(time.RFC3339Nano)
}

// floatText writes a number without an exponent unless it is very large or
// very small, as encoding/json does.
func floatText(f float64, bits int) string {
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.FormatFloat(f, 'e', -1, bits)
	}
	return strconv.FormatFloat(f, 'f', -1, bits)
}

// printable escapes what cannot be printed.
func printable(s string) string {
	clean := true
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&b, `\x%02x`, s[i])
		} else if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
		i += size
	}
	return b.String()
}

// cutText shortens a text to a width.
func cutText(s string, width int) string {
	if len(s) <= width || textWidth(s) <= width {
		return s
	}
	used := 0
	for i, r := range s {
		if used += runeWidth(r); used > width-1 {
			return s[:i] + "…"
		}
	}
	return s
}

// textWidth counts the columns that a text takes in a terminal.
func textWidth(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// runeWidth is 0 for marks that combine, 2 for East Asian wide letters and most
// emoji, 1 for the rest.
func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r >= 0x1100 && r <= 0x115f, // Hangul Jamo
		r >= 0x2e80 && r <= 0xa4cf && r != 0x303f,              // CJK, Kana, Yi
		r >= 0xa960 && r <= 0xa97f,                             // Hangul Jamo Extended-A
		r >= 0xac00 && r <= 0xd7a3,                             // Hangul syllables
		r >= 0xf900 && r <= 0xfaff,                             // CJK compatibility
		r >= 0xfe30 && r <= 0xfe6f,                             // CJK compatibility forms
		r >= 0xff00 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6, // full width
		r >= 0x1f300 && r <= 0x1f64f, r >= 0x1f680 && r <= 0x1f6ff, r >= 0x1f900 && r <= 0x1f9ff, // emoji
		r >= 0x20000 && r <= 0x3fffd: // CJK extensions
		return 2
	}
	return 1
}
