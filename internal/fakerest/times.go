package fakerest

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The forms of what has to do with time. All of them count from 1970 in UTC.
type (
	dateValue  int64 // days
	clockValue int64 // microseconds of the day
	stampValue int64 // microseconds; of timestamp and timestamptz
)

// intervalValue is an interval: its three parts are counted apart, since months and days have no
// fixed length.
type intervalValue struct {
	months, days int64
	micros       int64
}

const (
	microsPerSecond = int64(1e6)
	microsPerDay    = 86400 * microsPerSecond

	dateForever   = dateValue(math.MaxInt32)
	dateBefore    = dateValue(math.MinInt32)
	stampForever  = stampValue(math.MaxInt64)
	stampBefore   = stampValue(math.MinInt64)
	minYear       = -4712
	maxYear       = 294276
	minDateInDays = -2440588 // 4713-11-24 BC
)

func stampOf(t time.Time) stampValue { return stampValue(t.UnixMicro()) }

func (s stampValue) time() time.Time { return time.UnixMicro(int64(s)).UTC() }

func (s stampValue) finite() bool { return s != stampForever && s != stampBefore }

func (d dateValue) finite() bool { return d != dateForever && d != dateBefore }

func (d dateValue) stamp() stampValue {
	switch d {
	case dateForever:
		return stampForever
	case dateBefore:
		return stampBefore
	}
	return stampValue(int64(d) * microsPerDay)
}

func (s stampValue) date() dateValue {
	switch s {
	case stampForever:
		return dateForever
	case stampBefore:
		return dateBefore
	}
	return dateValue(floorDiv(int64(s), microsPerDay))
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// dayNumber counts the days of a date since 1970.
func dayNumber(year, month, day int) int64 {
	return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Unix() / 86400
}

func formatDate(d dateValue) string {
	switch d {
	case dateForever:
		return "infinity"
	case dateBefore:
		return "-infinity"
	}
	t := time.Unix(int64(d)*86400, 0).UTC()
	year, bc := t.Year(), ""
	if year <= 0 {
		year, bc = 1-year, " BC"
	}
	return fmt.Sprintf("%04d-%02d-%02d%s", year, t.Month(), t.Day(), bc)
}

// formatClock writes the time of a day, without zeros at the end of its fraction.
func formatClock(micros int64) string {
	s := micros / microsPerSecond
	text := fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
	return text + fraction(micros%microsPerSecond)
}

func fraction(micros int64) string {
	if micros == 0 {
		return ""
	}
	return strings.TrimRight(fmt.Sprintf(".%06d", micros), "0")
}

// formatStamp writes a timestamp; with a zone, as that zone has it.
func formatStamp(s stampValue, zone *time.Location, separator string) string {
	switch s {
	case stampForever:
		return "infinity"
	case stampBefore:
		return "-infinity"
	}
	offset := 0
	if zone != nil {
		_, offset = s.time().In(zone).Zone()
	}
	local := s + stampValue(int64(offset)*microsPerSecond)
	date, bc := formatDate(local.date()), ""
	if cut, ok := strings.CutSuffix(date, " BC"); ok {
		date, bc = cut, " BC"
	}
	text := date + separator + formatClock(int64(local)-int64(local.date())*microsPerDay)
	if zone != nil {
		text += formatOffset(offset, separator == "T")
	}
	return text + bc
}

// formatOffset writes a zone's distance from UTC; minutes only where there are some, unless long.
func formatOffset(seconds int, long bool) string {
	sign := '+'
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	text := fmt.Sprintf("%c%02d", sign, seconds/3600)
	if long || seconds%3600 != 0 {
		text += fmt.Sprintf(":%02d", seconds/60%60)
	}
	if seconds%60 != 0 {
		text += fmt.Sprintf(":%02d", seconds%60)
	}
	return text
}

// moment is what a text says about time.
type moment struct {
	year, month, day int
	hasDate          bool
	micros           int64 // of the day
	hasClock         bool
	offset           int // seconds east of UTC
	zone             *time.Location
	hasZone          bool
	special          string // now, today, infinity, …
}

// timeFault tells a text that is no time from one that is none that exists.
type timeFault int

const (
	timeFine timeFault = iota
	timeUnread
	timeOutOfRange
	timeOtherOrder // a month or a day that may be the other
)

func monthNumber(word string) int {
	if len(word) < 3 {
		return 0
	}
	for m := time.January; m <= time.December; m++ {
		if name := strings.ToLower(m.String()); strings.HasPrefix(name, word) && (len(word) == 3 || word == name || word == "sept") {
			return int(m)
		}
	}
	return 0
}

// parseMoment reads the forms of dates and times that Postgres takes: ISO 8601, dates with slashes
// (month first), and with names of months.
func parseMoment(text string) (moment, timeFault) {
	var m moment
	if strings.ContainsFunc(text, func(r rune) bool { return r >= 0x80 }) {
		return m, timeUnread
	}
	words, ok := splitMoment(strings.ToLower(strings.TrimSpace(text)))
	if !ok || len(words) == 0 {
		return m, timeUnread
	}
	bc := false
	var numbers []int // of a date that is written with a name
	for i, w := range words {
		switch {
		case w == "now" || w == "today" || w == "tomorrow" || w == "yesterday" || w == "epoch" || w == "infinity" || w == "-infinity" || w == "allballs":
			if m.special != "" || m.hasDate {
				return m, timeUnread
			}
			m.special = w
		case w == "bc":
			bc = true
		case w == "ad":
		case w == "z" || w == "utc" || w == "gmt" || w == "zulu":
			m.hasZone = true
		case w == "am" || w == "pm":
			h := m.micros / (3600 * microsPerSecond)
			if !m.hasClock || h < 1 || h > 12 {
				return m, timeOutOfRange
			}
			m.micros -= h * 3600 * microsPerSecond
			m.micros += (h%12 + map[string]int64{"pm": 12}[w]) * 3600 * microsPerSecond
		case monthNumber(w) > 0:
			m.month = monthNumber(w)
		case strings.Contains(w, ":") && w[0] != '+' && w[0] != '-':
			if f := m.parseClock(w); f != timeFine {
				return m, f
			}
		case (w[0] == '+' || w[0] == '-') && m.hasClock:
			if f := m.parseOffset(w); f != timeFine {
				return m, f
			}
		case strings.Count(w, "-") == 2 || strings.Count(w, "/") == 2 || !m.hasDate && strings.Count(w, ".") == 2:
			if f := m.parseDay(w); f != timeFine {
				return m, f
			}
		case digits(w) && (len(w) == 8 || len(w) == 6) && !m.hasDate && m.month == 0:
			cut := len(w) - 4
			m.year, m.month, m.day = number(w[:cut]), number(w[cut:cut+2]), number(w[cut+2:])
			if len(w) == 6 {
				m.year = century(m.year)
			}
			m.hasDate = true
		case digits(w) && m.hasDate && !m.hasClock && (len(w) == 4 || len(w) == 6): // 20200102T030405
			if f := m.parseClock(w[:2] + ":" + w[2:4] + strings.TrimSuffix(":"+w[4:], ":")); f != timeFine {
				return m, f
			}
		case digits(strings.TrimSuffix(w, ",")) && len(w) <= 6:
			numbers = append(numbers, number(strings.TrimSuffix(w, ",")))
		case isZoneWord(w):
			zone, err := time.LoadLocation(zoneName(text, w))
			if err != nil {
				return m, timeUnread
			}
			m.zone, m.hasZone = zone, true
		case isWeekday(w) && i == 0:
		default:
			return m, timeUnread
		}
	}
	if m.month > 0 && !m.hasDate {
		if len(numbers) != 2 {
			return m, timeUnread
		}
		m.day, m.year = numbers[0], numbers[1]
		if m.day > 31 {
			m.day, m.year = m.year, m.day
		}
		m.hasDate = true
	} else if len(numbers) > 0 {
		return m, timeUnread
	}
	if bc && m.hasDate {
		m.year = 1 - m.year
	}
	if m.hasDate && (m.month > 12 || m.day > 31) {
		return m, timeOtherOrder
	}
	if m.hasDate && !m.exists(bc) {
		return m, timeOutOfRange
	}
	return m, timeFine
}

// splitMoment cuts a text where its parts meet: at spaces, at the T between date and time, before a zone.
func splitMoment(s string) ([]string, bool) {
	var words []string
	for field := range strings.FieldsSeq(s) {
		if i := strings.IndexByte(field, 't'); i > 0 && field[i-1] >= '0' && field[i-1] <= '9' && i+1 < len(field) && field[i+1] >= '0' && field[i+1] <= '9' {
			words = append(words, field[:i])
			field = field[i+1:]
		}
		colon := strings.IndexByte(field, ':')
		cut := -1
		if colon > 0 || len(words) > 0 && digits(field[:min(2, len(field))]) {
			if i := strings.IndexAny(field[1:], "+-"); i >= 0 && field[0] >= '0' && field[0] <= '9' && (colon >= 0 && i+1 > colon || colon < 0 && len(words) > 0) {
				cut = i + 1
			}
			if i := strings.IndexFunc(field, func(r rune) bool { return r >= 'a' && r <= 'z' }); i > 0 && cut < 0 && field[i-1] >= '0' && field[i-1] <= '9' {
				cut = i
			}
		}
		if cut > 0 {
			words = append(words, field[:cut], field[cut:])
			continue
		}
		words = append(words, strings.TrimSuffix(field, ","))
	}
	if slices.Contains(words, "") {
		return nil, false
	}
	return words, true
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

func century(year int) int {
	if year < 70 {
		return year + 2000
	}
	return year + 1900
}

func isZoneWord(w string) bool {
	return strings.Contains(w, "/") && w[0] >= 'a' && w[0] <= 'z' || w == "est" || w == "mst" || w == "hst" || w == "cet" || w == "eet" || w == "wet" || w == "met"
}

// zoneName gives a zone's name with the capitals that the text has.
func zoneName(text, lower string) string {
	if i := strings.Index(strings.ToLower(text), lower); i >= 0 && strings.Contains(lower, "/") {
		return text[i : i+len(lower)]
	}
	return strings.ToUpper(lower)
}

func isWeekday(w string) bool {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if name := strings.ToLower(d.String()); len(w) >= 3 && strings.HasPrefix(name, strings.TrimSuffix(w, ",")) {
			return true
		}
	}
	return false
}

func (m *moment) parseDay(w string) timeFault {
	separator := "-"
	switch {
	case strings.Contains(w, "/"):
		separator = "/"
	case strings.Contains(w, "."):
		separator = "."
	}
	parts := strings.Split(w, separator)
	if m.hasDate || len(parts) != 3 {
		return timeUnread
	}
	m.hasDate = true
	if n := monthNumber(parts[1]); n > 0 && digits(parts[0]) && digits(parts[2]) { // 08-Jan-1999
		m.day, m.month, m.year = number(parts[0]), n, number(parts[2])
		if len(parts[0]) > 2 {
			m.year, m.day = m.day, m.year
		}
		return timeFine
	}
	for _, p := range parts {
		if !digits(p) || len(p) > 6 {
			return timeUnread
		}
	}
	switch {
	case len(parts[0]) > 2: // year first
		m.year, m.month, m.day = number(parts[0]), number(parts[1]), number(parts[2])
	default:
		m.month, m.day, m.year = number(parts[0]), number(parts[1]), number(parts[2])
		if len(parts[2]) == 2 {
			m.year = century(m.year)
		}
	}
	return timeFine
}

func (m *moment) parseClock(w string) timeFault {
	if m.hasClock {
		return timeUnread
	}
	parts := strings.Split(w, ":")
	if len(parts) > 3 || !digits(parts[0]) || !digits(strings.Replace(parts[1], ".", "", 1)) {
		return timeUnread
	}
	h, mi := number(parts[0]), 0
	var seconds int64
	if len(parts) == 3 {
		if !digits(parts[1]) {
			return timeUnread
		}
		mi = number(parts[1])
		whole, frac, _ := strings.Cut(parts[2], ".")
		if !digits(whole) || frac != "" && !digits(frac) {
			return timeUnread
		}
		if number(whole) > 60 {
			return timeOutOfRange
		}
		seconds = int64(number(whole))*microsPerSecond + roundMicros(frac)
	} else {
		if !digits(parts[1]) {
			return timeUnread
		}
		mi = number(parts[1])
	}
	if h > 24 || mi > 59 || len(parts[0]) > 2 || len(parts[1]) > 2 {
		return timeOutOfRange
	}
	m.micros = (int64(h)*3600+int64(mi)*60)*microsPerSecond + seconds
	if m.micros > microsPerDay {
		return timeOutOfRange
	}
	m.hasClock = true
	return timeFine
}

// roundMicros reads the digits after a second's point.
func roundMicros(frac string) int64 {
	if frac == "" {
		return 0
	}
	f, _ := strconv.ParseFloat("0."+frac, 64)
	return int64(math.RoundToEven(f * 1e6))
}

func (m *moment) parseOffset(w string) timeFault {
	body := strings.ReplaceAll(w[1:], ":", "")
	if m.hasZone || !digits(body) || len(body) > 6 {
		return timeUnread
	}
	if len(body)%2 == 1 {
		body = "0" + body
	}
	h := number(body[:2])
	mi, s := 0, 0
	if len(body) >= 4 {
		mi = number(body[2:4])
	}
	if len(body) == 6 {
		s = number(body[4:])
	}
	if h > 15 || mi > 59 || s > 59 {
		return timeOutOfRange
	}
	m.offset = h*3600 + mi*60 + s
	if w[0] == '-' {
		m.offset = -m.offset
	}
	m.hasZone = true
	return timeFine
}

// exists reports whether the date is in the calendar.
func (m *moment) exists(bc bool) bool {
	if m.month < 1 || m.month > 12 || m.day < 1 || m.year == 0 && !bc || m.year > maxYear*20 {
		return false
	}
	t := time.Date(m.year, time.Month(m.month), m.day, 0, 0, 0, 0, time.UTC)
	return t.Day() == m.day
}

func timeError(f timeFault, t *typ, text string) *Error {
	switch f {
	case timeOutOfRange:
		return fault("22008", "date/time field value out of range: \"%s\"", text)
	case timeOtherOrder:
		return fault("22008", "date/time field value out of range: \"%s\"", text).
			hinted("Perhaps you need a different \"datestyle\" setting.")
	}
	return fault("22007", "invalid input syntax for type %s: \"%s\"", t, text)
}

// parseDate reads a date.
func parseDate(text string, now time.Time, zone *time.Location) (dateValue, *Error) {
	m, f := parseMoment(text)
	if f == timeFine && m.special == "" && !m.hasDate {
		f = timeUnread
	}
	if f != timeFine {
		return 0, timeError(f, typDate, text)
	}
	if m.special != "" {
		return m.specialStamp(now, zone).date(), nil
	}
	day := dayNumber(m.year, m.month, m.day)
	if day < minDateInDays || m.year > 5874897 {
		return 0, fault("22008", "date out of range: \"%s\"", text)
	}
	return dateValue(day), nil
}

func (m *moment) specialStamp(now time.Time, zone *time.Location) stampValue {
	switch m.special {
	case "infinity":
		return stampForever
	case "-infinity":
		return stampBefore
	case "epoch":
		return 0
	case "now":
		return stampOf(now)
	}
	day := now.In(zone)
	shift := map[string]int{"tomorrow": 1, "yesterday": -1}[m.special]
	return stampOf(time.Date(day.Year(), day.Month(), day.Day()+shift, 0, 0, 0, 0, zone))
}

// parseStamp reads a timestamp, or with zoned one with a zone: the text's own, else the session's.
func parseStamp(text string, t *typ, now time.Time, zone *time.Location) (stampValue, *Error) {
	m, f := parseMoment(text)
	if f == timeFine && m.special == "" && !m.hasDate {
		f = timeUnread
	}
	if f != timeFine {
		return 0, timeError(f, t, text)
	}
	zoned := t.kind == kindTimestamptz
	if m.special != "" {
		s := m.specialStamp(now, zone)
		if !zoned && s.finite() && m.special != "epoch" {
			s = toLocal(s, zone)
		}
		return roundStamp(s, t), nil
	}
	if m.year > maxYear || m.year < minYear {
		return 0, fault("22008", "timestamp out of range: \"%s\"", text)
	}
	s := stampValue(dayNumber(m.year, m.month, m.day)*microsPerDay + m.micros)
	if zoned {
		switch {
		case m.zone != nil:
			s = fromLocal(s, m.zone)
		case m.hasZone:
			s -= stampValue(int64(m.offset) * microsPerSecond)
		default:
			s = fromLocal(s, zone)
		}
	}
	return roundStamp(s, t), nil
}

func roundStamp(s stampValue, t *typ) stampValue {
	if t.size < 0 || t.size >= 6 || !s.finite() {
		return s
	}
	return stampValue(roundTo(int64(s), t.size))
}

// roundTo rounds microseconds to so many digits of a second.
func roundTo(micros int64, places int) int64 {
	unit := int64(math.Pow10(6 - places))
	half := unit / 2
	if micros < 0 {
		return -((-micros + half) / unit * unit)
	}
	return (micros + half) / unit * unit
}

// toLocal is what the clocks of a zone show at a moment.
func toLocal(s stampValue, zone *time.Location) stampValue {
	if !s.finite() {
		return s
	}
	_, offset := s.time().In(zone).Zone()
	return s + stampValue(int64(offset)*microsPerSecond)
}

// fromLocal is the moment at which the clocks of a zone show s.
func fromLocal(s stampValue, zone *time.Location) stampValue {
	if !s.finite() {
		return s
	}
	t := s.time()
	local := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone)
	return stampOf(local)
}

func parseClockValue(text string, t *typ) (clockValue, *Error) {
	m, f := parseMoment(text)
	if f == timeFine && (!m.hasClock || m.special != "") {
		f = timeUnread
	}
	if f != timeFine {
		return 0, timeError(f, &typ{kind: kindEnum, name: "time"}, text)
	}
	if t.size >= 0 && t.size < 6 {
		m.micros = roundTo(m.micros, t.size)
	}
	return clockValue(m.micros), nil
}

// unitOf gives the parts of one unit of an interval.
func unitOf(word string) (intervalValue, bool) {
	w := strings.ToLower(word)
	if len(w) > 3 {
		w = strings.TrimSuffix(w, "s")
	}
	sec := microsPerSecond
	switch w {
	case "microsecond", "us", "usec":
		return intervalValue{micros: 1}, true
	case "millisecond", "ms", "msec":
		return intervalValue{micros: 1000}, true
	case "second", "sec", "s":
		return intervalValue{micros: sec}, true
	case "minute", "min", "m":
		return intervalValue{micros: 60 * sec}, true
	case "hour", "hr", "h":
		return intervalValue{micros: 3600 * sec}, true
	case "day", "d":
		return intervalValue{days: 1}, true
	case "week", "w":
		return intervalValue{days: 7}, true
	case "month", "mon":
		return intervalValue{months: 1}, true
	case "year", "yr", "y":
		return intervalValue{months: 12}, true
	case "decade", "dec":
		return intervalValue{months: 120}, true
	case "century", "centurie", "c":
		return intervalValue{months: 1200}, true
	case "millennium", "millennia", "mil":
		return intervalValue{months: 12000}, true
	}
	return intervalValue{}, false
}

// add adds n units, whose fraction goes to the smaller parts.
func (v *intervalValue) add(n float64, unit intervalValue) {
	months := n * float64(unit.months)
	whole := math.Trunc(months)
	v.months += saturated(whole)
	days := n*float64(unit.days) + (months-whole)*30
	whole = math.Trunc(days)
	v.days += saturated(whole)
	v.micros += saturated(math.RoundToEven(n*float64(unit.micros) + (days-whole)*float64(microsPerDay)))
}

// bounded reports whether an interval has room in Postgres' form of one.
func (v intervalValue) bounded() bool {
	fits := func(n int64) bool { return n >= math.MinInt32 && n <= math.MaxInt32 }
	return fits(v.months) && fits(v.days) && v.micros > -maxMicros && v.micros < maxMicros
}

// maxMicros is the length that the part of an interval below days can have.
const maxMicros = int64(9e18)

// intervalOf reads an interval, and checks that it has room.
func intervalOf(text string) (intervalValue, *Error) {
	v, err := parseInterval(text)
	if err == nil && !v.bounded() {
		return v, fault("22015", "interval field value out of range: \"%s\"", text)
	}
	return v, err
}

// saturated is a float as an integer, at most so large that it is out of every bound.
func saturated(f float64) int64 { return int64(max(min(f, 9.1e18), -9.1e18)) }

// parseInterval reads "1 day 02:03:04", "1 year 2 mons", "-3 hours ago", "P1DT2H".
func parseInterval(text string) (intervalValue, *Error) {
	var v intervalValue
	bad := fault("22007", "invalid input syntax for type interval: \"%s\"", text)
	s := strings.ToLower(strings.TrimSpace(text))
	s = strings.TrimPrefix(s, "@")
	if strings.HasPrefix(s, "p") {
		return parseISOInterval(s, bad)
	}
	// 1day, 2h30m: a unit may stand right after its number
	var spaced strings.Builder
	for i := range len(s) {
		if i > 0 && s[i] >= 'a' && s[i] <= 'z' && (s[i-1] >= '0' && s[i-1] <= '9') || i > 0 && s[i] >= '0' && s[i] <= '9' && s[i-1] >= 'a' && s[i-1] <= 'z' {
			spaced.WriteByte(' ')
		}
		spaced.WriteByte(s[i])
	}
	words := strings.Fields(spaced.String())
	if len(words) == 0 {
		return v, bad
	}
	negate := false
	if words[len(words)-1] == "ago" {
		negate = true
		words = words[:len(words)-1]
	}
	for i := 0; i < len(words); i++ {
		w := words[i]
		if strings.Contains(w, ":") {
			sign := int64(1)
			body := strings.TrimPrefix(w, "+")
			if cut, ok := strings.CutPrefix(body, "-"); ok {
				body, sign = cut, -1
			}
			micros, ok := intervalClock(body)
			if !ok {
				return v, bad
			}
			v.micros += sign * micros
			if !v.bounded() {
				return v, nil
			}
			continue
		}
		n, err := strconv.ParseFloat(w, 64)
		if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
			return v, bad
		}
		unit := intervalValue{micros: microsPerSecond}
		if i+1 < len(words) {
			var ok bool
			if strings.Contains(words[i+1], ":") { // days before a clock
				unit = intervalValue{days: 1}
			} else {
				if unit, ok = unitOf(words[i+1]); !ok {
					return v, bad
				}
				i++
			}
		}
		if v.add(n, unit); !v.bounded() {
			return v, nil
		}
	}
	if negate {
		v = intervalValue{months: -v.months, days: -v.days, micros: -v.micros}
	}
	return v, nil
}

// intervalClock reads hours, minutes and seconds; hours may be many.
func intervalClock(s string) (int64, bool) {
	parts := strings.Split(s, ":")
	if len(parts) > 3 || !digits(parts[0]) || !digits(parts[1]) || len(parts[0]) > 10 || number(parts[0]) > 2500000000 {
		return 0, false
	}
	micros := (int64(number(parts[0]))*3600 + int64(number(parts[1]))*60) * microsPerSecond
	if len(parts) == 3 {
		whole, frac, _ := strings.Cut(parts[2], ".")
		if !digits(whole) || frac != "" && !digits(frac) {
			return 0, false
		}
		micros += int64(number(whole))*microsPerSecond + roundMicros(frac)
	}
	return micros, true
}

func parseISOInterval(s string, bad *Error) (intervalValue, *Error) {
	var v intervalValue
	date, clock, _ := strings.Cut(s[1:], "t")
	for _, part := range []struct {
		text  string
		units map[byte]intervalValue
	}{
		{date, map[byte]intervalValue{'y': {months: 12}, 'm': {months: 1}, 'w': {days: 7}, 'd': {days: 1}}},
		{clock, map[byte]intervalValue{'h': {micros: 3600 * microsPerSecond}, 'm': {micros: 60 * microsPerSecond}, 's': {micros: microsPerSecond}}},
	} {
		rest := part.text
		for rest != "" {
			i := strings.IndexFunc(rest, func(r rune) bool { return r >= 'a' && r <= 'z' })
			if i <= 0 {
				return v, bad
			}
			n, err := strconv.ParseFloat(rest[:i], 64)
			unit, ok := part.units[rest[i]]
			if err != nil || !ok {
				return v, bad
			}
			if v.add(n, unit); !v.bounded() {
				return v, nil
			}
			rest = rest[i+1:]
		}
	}
	return v, nil
}

func formatInterval(v intervalValue) string {
	var parts []string
	unit := func(n int64, name string) {
		if n == 0 {
			return
		}
		if n != 1 {
			name += "s"
		}
		sign := ""
		if n > 0 && len(parts) > 0 && strings.HasPrefix(parts[len(parts)-1], "-") {
			sign = "+"
		}
		parts = append(parts, sign+strconv.FormatInt(n, 10)+" "+name)
	}
	unit(v.months/12, "year")
	unit(v.months%12, "mon")
	unit(v.days, "day")
	if v.micros != 0 || len(parts) == 0 {
		sign, n := "", v.micros
		if n < 0 {
			sign, n = "-", -n
		} else if len(parts) > 0 && strings.HasPrefix(parts[len(parts)-1], "-") {
			sign = "+"
		}
		parts = append(parts, sign+formatClock(n))
	}
	return strings.Join(parts, " ")
}

// span is an interval's length for comparing: months of 30 days, days of 24 hours.
func (v intervalValue) span() int64 { return (v.months*30+v.days)*microsPerDay + v.micros }

// shift adds an interval to a timestamp: months first, to the last day of a shorter month; days by
// the calendar of the zone.
func (s stampValue) shift(v intervalValue, zone *time.Location) stampValue {
	if !s.finite() {
		return s
	}
	if v.months != 0 || v.days != 0 {
		t := s.time().In(zone)
		year, month, day := t.Date()
		total := int64(year)*12 + int64(month-1) + v.months
		year, month = int(floorDiv(total, 12)), time.Month(total-floorDiv(total, 12)*12+1)
		if last := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day(); v.months != 0 && day > last {
			day = last
		}
		s = stampOf(time.Date(year, month, day+int(v.days), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone))
	}
	return s + stampValue(v.micros)
}
