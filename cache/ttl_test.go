package cache

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestParseTTL(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "15m": 15 * time.Minute, "1h": time.Hour, "1d": 86400 * time.Second, "1w": 7 * day,
		"1d12h": 36 * time.Hour, "1d23h": 169200 * time.Second, "1 day 23hr 45minutes": 171900 * time.Second,
		"1.5d23.5h": 214200 * time.Second, "2 days": 2 * day, "1D2H34M5S": 0, "1d2h34min": day + 154*time.Minute,
		"1 Week, 1 DAY + 1 Hour": 8*day + time.Hour, "3hrs2mins1secs": 3*time.Hour + 2*time.Minute + time.Second,
		"5ms": 5 * time.Millisecond, "5 milliseconds": 5 * time.Millisecond, "5us": 5 * time.Microsecond, "5µs": 5 * time.Microsecond,
		"5μs": 5 * time.Microsecond, "5 micros": 5 * time.Microsecond, "5ns": 5, "5 nanoseconds": 5,
		".5s": 500 * time.Millisecond, "5.s": 5 * time.Second, "0.000000001s": 1, "0.0000000019s": 1, "1.000000000000000000000001s": time.Second,
		"01:30:00": 90 * time.Minute, "1:2:3.5": time.Hour + 2*time.Minute + 3500*time.Millisecond, "1 day 01:00:00": 25 * time.Hour, "100:00:00": 100 * time.Hour,
		"P1DT2H": 26 * time.Hour, "p1w": 7 * day, "PT1H30M1.5S": 90*time.Minute + 1500*time.Millisecond, "PT0S": 0, "P1W2DT3H4M5S": 9*day + 3*time.Hour + 4*time.Minute + 5*time.Second,
		"0": 0, "0s": 0, "0.0": 0, "00": 0, "-0": 0, "-1d": -day, "- 1h30m": -90 * time.Minute, "-PT1H": -time.Hour,
		"forever": Forever, "Forever": Forever, " FOREVER ": Forever, "  15m\t": 15 * time.Minute,
		"9223372036854775807ns": math.MaxInt64, "106751d": 106751 * day, "-9223372036854775807ns": -math.MaxInt64,
	} {
		got, err := ParseTTL(s)
		if want == 0 && strings.Contains(s, "M5S") { // a capital M is refused, see below
			if err == nil {
				t.Errorf("%q is taken for %v", s, got)
			}
			continue
		}
		if got != want || err != nil {
			t.Errorf("%q is %v, %v; want %v", s, got, err, want)
		}
	}
}

func TestDefect13_NumberWithoutUnitIsAnError(t *testing.T) {
	t.Parallel()
	for s, hint := range map[string]string{
		"10": "write 10s", "1.5": "write 1.5s", "1d 10": "write 10s", " 7 ": "write 7s",
		"": "empty", "  ": "empty", "-": "empty", "1 flecond": `unknown unit "flecond"`, "abc": `no number where "abc" begins`, "d": "no number",
		"5M": "could be months", "1Y": "write days", "1y": "write days", "1d-2h": "no number", "--1d": "no number", "1..5s": "no unit",
		"1:30": "hours:minutes:seconds", "1:60:00": "hours:minutes:seconds", "1:00:60": "hours:minutes:seconds", "1.5:00:00": "hours:minutes:seconds",
		"1:2:3:4": "hours:minutes:seconds", "1::2": "hours:minutes:seconds",
		"P": "ISO 8601", "PT": "ISO 8601", "P1Y": "ISO 8601", "P1M": "ISO 8601", "P1H": "ISO 8601", "PT1D": "ISO 8601", "PT1M1H": "ISO 8601", "P1DT": "ISO 8601", "P1": "ISO 8601", "P1D2W": "ISO 8601",
		"106752d": "292 years", "9223372036854775808ns": "292 years", "99999999999999999999999999s": "292 years", "106751d 24h": "292 years", "999999:00:00:": "hours:minutes:seconds",
		"9999999:00:00": "292 years", "NaT": "no number", "inf": "no number", "1e3s": `unknown unit "e"`, "nan": "no number",
		strings.Repeat("x", 100): "…",
	} {
		d, err := ParseTTL(s)
		if err == nil || d != 0 || !strings.Contains(err.Error(), hint) {
			t.Errorf("%q is %v, %v; want an error with %q", s, d, err, hint)
		}
		if err != nil && !strings.Contains(err.Error(), "write it like 90s, 15m, 1d12h or 2 days") {
			t.Errorf("%q: %v does not say what to write", s, err)
		}
	}
}

func TestTTLOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		v    any
		want time.Duration
	}{
		{"15m", 15 * time.Minute},
		{int64(90), 90 * time.Second},
		{90, 90 * time.Second},
		{int32(-1), -time.Second},
		{uint32(5), 5 * time.Second},
		{0, 0},
		{0.0, 0},
		{1.5, 1500 * time.Millisecond},
		{float32(0.5), 500 * time.Millisecond},
		{0.1, 100 * time.Millisecond},
		{time.Minute, time.Minute},
		{Forever, Forever},
		{Default, Default},
		{"forever", Forever},
	} {
		if got, err := TTLOf(c.v); got != c.want || err != nil {
			t.Errorf("%T %v is %v, %v; want %v", c.v, c.v, got, err, c.want)
		}
	}
	for _, v := range []any{nil, true, "10", int64(math.MaxInt64), int64(math.MinInt64), math.MaxInt64 / 1000, 1e300, -1e300, math.NaN(), math.Inf(1), []int{1}, uint64(1)} {
		if got, err := TTLOf(v); err == nil || got != 0 {
			t.Errorf("%T %v is taken for %v", v, v, got)
		}
	}
}
