package database

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The years that Postgres has, of those that are counted upwards.
const (
	lastYear      = 5874897 // of a date
	lastStampYear = 294276  // of a timestamp
)

// Date is a column of type date, which a time.Time does not read: a day of the calendar, wherever. It is
// a value of filters and of rows that are written, too. The zero Date is no day, and writing it is an
// error; NULL is a nil pointer. What a Date does not hold, infinity and years before Christ, is read
// into a string.
type Date struct {
	Year  int // from 1
	Month time.Month
	Day   int
}

// DateOf is the day that it is at t, in t's own zone.
func DateOf(t time.Time) Date {
	year, month, day := t.Date()
	return Date{year, month, day}
}

// Time is the beginning of the day, in UTC.
func (d Date) Time() time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC) }

// String is 2006-01-02.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day) }

// MarshalText is String; what is no day of the calendar is an error.
func (d Date) MarshalText() ([]byte, error) {
	if d.Year < 1 || d.Year > lastYear || DateOf(d.Time()) != d {
		return nil, errors.New("database: a Date that is no day of the calendar; NULL is a nil pointer")
	}
	return []byte(d.String()), nil
}

// UnmarshalText reads what String writes.
func (d *Date) UnmarshalText(text []byte) error {
	year, rest, _ := strings.Cut(string(text), "-")
	month, day, _ := strings.Cut(rest, "-")
	y, err := strconv.ParseUint(year, 10, 31)
	m, err2 := strconv.ParseUint(month, 10, 31)
	n, err3 := strconv.ParseUint(day, 10, 31)
	read := Date{int(y), time.Month(m), int(n)}
	if err != nil || err2 != nil || err3 != nil || y < 1 || y > lastYear || DateOf(read.Time()) != read || read.String() != string(text) {
		return errors.New("database: not a date such as 2006-01-02; infinity and years before Christ are read into a string")
	}
	*d = read
	return nil
}

// Timestamp is a column of type timestamp, without a time zone, which a time.Time does not read: what
// calendar and clock say, wherever. What is read is a time in UTC; what is written, in filters and rows,
// is what t's own zone says, and Postgres keeps microseconds of it. NULL is a nil pointer. Infinity
// and years before Christ are read into a string.
type Timestamp time.Time

// Time is the same as a time.Time.
func (t Timestamp) Time() time.Time { return time.Time(t) }

const clock = "15:04:05.999999999"

// String is 2006-01-02T15:04:05.999999999, as many digits as there are.
func (t Timestamp) String() string { return DateOf(t.Time()).String() + "T" + t.Time().Format(clock) }

// MarshalText is String; a year that Postgres does not have is an error.
func (t Timestamp) MarshalText() ([]byte, error) {
	if year := t.Time().Year(); year < 1 || year > lastStampYear {
		return nil, errors.New("database: a Timestamp of a year that Postgres does not have")
	}
	return []byte(t.String()), nil
}

// UnmarshalText reads what String writes.
func (t *Timestamp) UnmarshalText(text []byte) error {
	day, hour, _ := strings.Cut(string(text), "T")
	var d Date
	err := d.UnmarshalText([]byte(day))
	at, err2 := time.Parse(clock, hour)
	if err != nil || err2 != nil || d.Year > lastStampYear {
		return errors.New("database: not a timestamp without a zone, such as 2006-01-02T15:04:05; with one, it is read into a time.Time; " +
			"infinity and years before Christ, into a string")
	}
	*t = Timestamp(d.Time().Add(at.Sub(DateOf(at).Time())))
	return nil
}

// Bytea is a column of type bytea, which in JSON is \xdeadbeef, where a []byte is base64. As a filter it
// is what a []byte is. Nil in a row that is written, and what is read of NULL, is nil.
type Bytea []byte

// String is \xdeadbeef.
func (b Bytea) String() string { return `\x` + hex.EncodeToString(b) }

// MarshalText is String.
func (b Bytea) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// MarshalJSON is String, and null of nil.
func (b Bytea) MarshalJSON() ([]byte, error) {
	if b == nil {
		return []byte("null"), nil
	}
	return json.Marshal(b.String())
}

// UnmarshalText reads what String writes.
func (b *Bytea) UnmarshalText(text []byte) error {
	digits, ok := strings.CutPrefix(string(text), `\x`)
	read, err := hex.DecodeString(digits)
	if !ok || err != nil {
		return errors.New(`database: not a bytea such as \xdeadbeef`)
	}
	*b = read
	return nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (b *Bytea) UnmarshalJSON(data []byte) error {
	var text *string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	if text == nil {
		*b = nil
		return nil
	}
	return b.UnmarshalText([]byte(*text))
}
