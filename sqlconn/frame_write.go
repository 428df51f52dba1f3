package sqlconn

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// WriteCSV writes the names of the columns and all rows as RFC 4180 has it, in
// UTF-8, with CRLF at the end of each record.
//
// NULL is an empty field, an empty string is "", with its quotes. (A frame of a
// single column has "" for NULL as well, since readers skip empty lines.)
// Times are in RFC 3339 with up to nine digits of fractions; those of DATE and
// TIME columns are 2006-01-02 and 15:04:05. Bytes are in standard base64.
// Everything else is as the driver gave it: nothing is done about what a
// spreadsheet would take for a formula.
func (f *Frame) WriteCSV(w io.Writer) error {
	if len(f.columns) == 0 {
		return nil
	}
	b := bufio.NewWriter(w)
	var record []byte
	for j, c := range f.columns {
		record = appendCSVField(record, j, c.Name, c.Name == "" && len(f.columns) == 1)
	}
	if _, err := b.Write(append(record, "\r\n"...)); err != nil {
		return err
	}
	for i := range f.rows {
		record = record[:0]
		for j := range f.columns {
			switch v := f.cell(i, j).(type) {
			case nil:
				record = appendCSVField(record, j, "", len(f.columns) == 1)
			case []byte:
				record = appendCSVField(record, j, base64.StdEncoding.EncodeToString(v), len(v) == 0)
			default:
				text := cellText(v, f.types[j])
				record = appendCSVField(record, j, text, text == "")
			}
		}
		if _, err := b.Write(append(record, "\r\n"...)); err != nil {
			return err
		}
	}
	return b.Flush()
}

func appendCSVField(record []byte, column int, text string, quote bool) []byte {
	if column > 0 {
		record = append(record, ',')
	}
	if !quote && !strings.ContainsAny(text, "\",\r\n") && strings.TrimSpace(text) == text {
		return append(record, text...)
	}
	record = append(record, '"')
	record = append(record, strings.ReplaceAll(text, `"`, `""`)...)
	return append(record, '"')
}

// WriteJSON writes the rows as an array of objects, one to a line, and a line
// break at the end. The keys are the columns' names in their order; a name that
// comes again has "_2", "_3" … added, and a column without one is column_1,
// counted from the left.
//
// Integers are written in full, whatever their size. NaN and the infinities,
// which JSON does not have, are null. Times and bytes are strings as in
// [Frame.WriteCSV]. A decimal is a string if the driver gives one. What a JSON
// column holds is written as it is.
func (f *Frame) WriteJSON(w io.Writer) error {
	b := bufio.NewWriter(w)
	keys := f.jsonKeys()
	line := []byte{'['}
	for i := range f.rows {
		if i > 0 {
			line = append(line, ',')
		}
		line = f.appendJSONRow(append(line, '\n'), i, keys)
		if _, err := b.Write(line); err != nil {
			return err
		}
		line = line[:0]
	}
	if f.rows > 0 {
		line = append(line, '\n')
	}
	if _, err := b.Write(append(line, "]\n"...)); err != nil {
		return err
	}
	return b.Flush()
}

// MarshalJSON returns what WriteJSON writes, without line breaks.
func (f *Frame) MarshalJSON() ([]byte, error) {
	keys := f.jsonKeys()
	b := []byte{'['}
	for i := range f.rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = f.appendJSONRow(b, i, keys)
	}
	return append(b, ']'), nil
}

// jsonKeys returns the quoted keys of the columns.
func (f *Frame) jsonKeys() [][]byte {
	taken := make(map[string]bool, len(f.columns))
	for _, c := range f.columns {
		taken[c.Name] = true // also of columns yet to come
	}
	used := make(map[string]bool, len(f.columns))
	keys := make([][]byte, len(f.columns))
	for j, c := range f.columns {
		key := c.Name
		if key == "" {
			key = "column_" + strconv.Itoa(j+1)
		}
		base := key
		for n := 2; used[key] || key != c.Name && taken[key]; n++ {
			key = base + "_" + strconv.Itoa(n)
		}
		used[key] = true
		keys[j] = append(appendJSONString(nil, key), ':')
	}
	return keys
}

func (f *Frame) appendJSONRow(b []byte, row int, keys [][]byte) []byte {
	b = append(b, '{')
	for j, key := range keys {
		if j > 0 {
			b = append(b, ',')
		}
		b = append(b, key...)
		b = appendJSONCell(b, f.cell(row, j), f.types[j])
	}
	return append(b, '}')
}

func appendJSONCell(b []byte, v any, databaseType string) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case bool:
		return strconv.AppendBool(b, v)
	case float64:
		return appendJSONFloat(b, v, 64)
	case float32:
		return appendJSONFloat(b, float64(v), 32)
	case time.Time:
		return appendJSONString(b, timeText(v, databaseType))
	case string:
		switch databaseType {
		case "JSON", "JSONB", "VARIANT", "OBJECT", "ARRAY":
			compact := bytes.NewBuffer(b)
			if json.Compact(compact, []byte(v)) == nil {
				return compact.Bytes()
			}
		}
		return appendJSONString(b, v)
	case []byte:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, v)
		return append(b, '"')
	}
	if text, err := json.Marshal(v); err == nil {
		return append(b, text...)
	}
	return appendJSONString(b, cellText(v, databaseType))
}

func appendJSONFloat(b []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(b, "null"...)
	}
	return append(b, floatText(f, bits)...)
}

// appendJSONString does not escape <, > and &, which only matters inside HTML.
func appendJSONString(b []byte, s string) []byte {
	buffer := bytes.NewBuffer(b)
	e := json.NewEncoder(buffer)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always has a JSON form
	return bytes.TrimSuffix(buffer.Bytes(), []byte{'\n'})
}
