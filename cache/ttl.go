package cache

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strings"
	"time"
)

// ParseTTL reads a length of time as people write it in configuration files:
//
//	90s  15m  1d  1d12h  2 days  1 day 23hr 45minutes  1.5d23.5h  01:30:00  P1DT2H  forever
//
// The units are w, d, h, m, s, ms, us or µs, ns and their English names, in any case; but a
// capital M or Y alone is refused, since it could be months or years. Fractions are allowed;
// spaces, commas and plus signs are ignored; one leading minus makes the whole negative. Clock
// times are hours:minutes:seconds, and ISO 8601 durations go from weeks to seconds. "0" is 0, and
// "forever" is [Forever].
//
// A number without a unit is an error, and so is what does not fit into a [time.Duration].
func ParseTTL(s string) (time.Duration, error) {
	text := strings.TrimSpace(s)
	if strings.EqualFold(text, "forever") {
		return Forever, nil
	}
	negative := false
	if rest, ok := strings.CutPrefix(text, "-"); ok {
		negative, text = true, strings.TrimSpace(rest)
	}
	p := ttlParser{rest: text}
	var err error
	switch {
	case text == "":
		err = errors.New("it is empty")
	case text[0] == 'P' || text[0] == 'p':
		err = p.iso()
	default:
		err = p.units()
	}
	if err != nil {
		return 0, fmt.Errorf("cache: %s is no length of time: %w; write it like 90s, 15m, 1d12h or 2 days",
			quoteTTL(s), err)
	}
	if negative {
		return -p.total, nil
	}
	return p.total, nil
}

// TTLOf is the TTL that a configuration file or a program gives: a text as [ParseTTL] reads it, a
// number of seconds, or a [time.Duration].
func TTLOf(v any) (time.Duration, error) {
	switch v := v.(type) {
	case time.Duration:
		return v, nil
	case string:
		return ParseTTL(v)
	case int:
		return seconds(int64(v))
	case int64:
		return seconds(v)
	case int32:
		return seconds(int64(v))
	case uint32:
		return seconds(int64(v))
	case float64:
		ns := v * float64(time.Second)
		// MaxInt64 itself is no float64: the next one is one too many.
		if math.IsNaN(ns) || ns >= math.MaxInt64 || ns <= math.MinInt64 {
			return 0, errTTLRange
		}
		return time.Duration(math.Round(ns)), nil
	case float32:
		return TTLOf(float64(v))
	default:
		return 0, fmt.Errorf("cache: %T is no length of time; write a text such as 15m, or a number of seconds", v)
	}
}

var errTTLRange = errors.New("cache: the number of seconds does not fit into a length of time of at most 292 years")

func seconds(n int64) (time.Duration, error) {
	const most = math.MaxInt64 / int64(time.Second)
	if n > most || n < -most {
		return 0, errTTLRange
	}
	return time.Duration(n) * time.Second, nil
}

// quoteTTL keeps a text of any length from filling the log.
func quoteTTL(s string) string {
	const most = 32
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}

type ttlParser struct {
	rest  string
	total time.Duration
}

var errTTLTooLong = errors.New("it is longer than 292 years")

// units reads what is not ISO 8601: numbers with units, and clock times.
func (p *ttlParser) units() error {
	for p.skip(" \t,+"); p.rest != ""; p.skip(" \t,+") {
		n, ok := p.number()
		if !ok {
			return fmt.Errorf("there is no number where %s begins", quoteTTL(p.rest))
		}
		if strings.HasPrefix(p.rest, ":") {
			if err := p.clock(n); err != nil {
				return err
			}
			continue
		}
		p.skip(" \t")
		name := p.word()
		if name == "" {
			if n.isZero() && p.rest == "" {
				return nil
			}
			return fmt.Errorf("%s has no unit: for seconds write %ss", n.text, n.text)
		}
		unit, ok := unitOf(name)
		if !ok {
			switch name {
			case "M":
				return errors.New("a capital M could be months: write m or minutes")
			case "Y", "y":
				return errors.New("years differ in length: write days")
			}
			return fmt.Errorf("unknown unit %s", quoteTTL(name))
		}
		if err := p.add(n, unit); err != nil {
			return err
		}
	}
	return nil
}

// clock reads the rest of hours:minutes:seconds.
func (p *ttlParser) clock(hours number) error {
	minutes, ok1 := p.colonNumber()
	seconds, ok2 := p.colonNumber()
	if !ok1 || !ok2 || hours.frac != "" || minutes.frac != "" || minutes.tooMany(59) || seconds.tooMany(59) ||
		strings.HasPrefix(p.rest, ":") {
		return errors.New("a time of a clock is hours:minutes:seconds, such as 01:30:00")
	}
	return errors.Join(p.add(hours, time.Hour), p.add(minutes, time.Minute), p.add(seconds, time.Second))
}

func (p *ttlParser) colonNumber() (number, bool) {
	rest, ok := strings.CutPrefix(p.rest, ":")
	if !ok {
		return number{}, false
	}
	p.rest = rest
	return p.number()
}

// iso reads P[nW][nD][T[nH][nM][nS]].
func (p *ttlParser) iso() error {
	p.rest = strings.ToUpper(p.rest[1:])
	steps := []struct {
		letter byte
		unit   time.Duration
		inTime bool
	}{
		{'W', 7 * day, false},
		{'D', day, false},
		{'H', time.Hour, true},
		{'M', time.Minute, true},
		{'S', time.Second, true},
	}
	inTime, next, found := false, 0, false
	for p.rest != "" {
		if !inTime && p.rest[0] == 'T' {
			inTime, p.rest, found = true, p.rest[1:], false
			continue
		}
		n, ok := p.number()
		if !ok || p.rest == "" {
			return errISO
		}
		for next < len(steps) && (steps[next].letter != p.rest[0] || steps[next].inTime != inTime) {
			next++
		}
		if next == len(steps) {
			return errISO
		}
		if err := p.add(n, steps[next].unit); err != nil {
			return err
		}
		p.rest, found = p.rest[1:], true
		next++
	}
	if !found {
		return errISO
	}
	return nil
}

var errISO = errors.New("an ISO 8601 length of time is like P1DT2H30M, without years and months")

const day = 24 * time.Hour

func unitOf(name string) (time.Duration, bool) {
	if name == "M" || name == "Y" {
		return 0, false
	}
	switch strings.ToLower(name) {
	case "w", "week", "weeks":
		return 7 * day, true
	case "d", "day", "days":
		return day, true
	case "h", "hr", "hrs", "hour", "hours":
		return time.Hour, true
	case "m", "min", "mins", "minute", "minutes":
		return time.Minute, true
	case "s", "sec", "secs", "second", "seconds":
		return time.Second, true
	case "ms", "milli", "millis", "millisecond", "milliseconds":
		return time.Millisecond, true
	case "us", "µs", "μs", "micro", "micros", "microsecond", "microseconds":
		return time.Microsecond, true
	case "ns", "nano", "nanos", "nanosecond", "nanoseconds":
		return time.Nanosecond, true
	default:
		return 0, false
	}
}

func (p *ttlParser) skip(chars string) { p.rest = strings.TrimLeft(p.rest, chars) }

// word takes the letters at the front.
func (p *ttlParser) word() string {
	end := strings.IndexFunc(p.rest, func(r rune) bool {
		return r < 'A' || r > 'Z' && r < 'a' || r > 'z' && r < 0x80
	})
	if end < 0 {
		end = len(p.rest)
	}
	w := p.rest[:end]
	p.rest = p.rest[end:]
	return w
}

// number is a decimal number: digits, a point, digits; one side of the point may be missing.
type number struct{ text, whole, frac string }

func (p *ttlParser) number() (number, bool) {
	digits := func() string {
		end := 0
		for end < len(p.rest) && '0' <= p.rest[end] && p.rest[end] <= '9' {
			end++
		}
		d := p.rest[:end]
		p.rest = p.rest[end:]
		return d
	}
	all := p.rest
	n := number{whole: digits()}
	if strings.HasPrefix(p.rest, ".") {
		p.rest = p.rest[1:]
		n.frac = digits()
	}
	n.text = all[:len(all)-len(p.rest)]
	return n, n.whole != "" || n.frac != ""
}

func (n number) isZero() bool { return strings.Trim(n.whole+n.frac, "0") == "" }

func (n number) tooMany(most uint64) bool {
	v, ok := parseDigits(n.whole)
	return !ok || v > most
}

// add adds n units, to the nanosecond: what is smaller is cut off.
func (p *ttlParser) add(n number, unit time.Duration) error {
	whole, ok := parseDigits(n.whole)
	if !ok {
		return errTTLTooLong
	}
	high, ns := bits.Mul64(whole, uint64(unit))
	if high != 0 || ns > math.MaxInt64 {
		return errTTLTooLong
	}
	// No unit has more than 10^15 nanoseconds, so that later digits cannot matter.
	frac := n.frac[:min(len(n.frac), 16)]
	if f, _ := parseDigits(frac); f != 0 {
		scale := uint64(1)
		for range len(frac) {
			scale *= 10
		}
		high, low := bits.Mul64(f, uint64(unit))
		quotient, _ := bits.Div64(high, low, scale) // f < scale, so that the quotient is less than the unit
		ns += quotient
	}
	if ns > math.MaxInt64 || uint64(p.total)+ns > math.MaxInt64 {
		return errTTLTooLong
	}
	p.total += time.Duration(ns)
	return nil
}

func parseDigits(s string) (n uint64, ok bool) {
	for i := range len(s) {
		high, low := bits.Mul64(n, 10)
		next, carry := bits.Add64(low, uint64(s[i]-'0'), 0)
		if high != 0 || carry != 0 {
			return 0, false
		}
		n = next
	}
	return n, true
}
