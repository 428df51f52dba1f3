package fakerest

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// decimal is a numeric: an exact number of any size that keeps the digits after its point, as 8.50
// does. It never changes.
type decimal struct {
	coef  *big.Int // the digits
	scale int      // how many of them are after the point
	odd   oddity
}

// oddity is what is no number.
type oddity int8

const (
	finite oddity = iota
	notANumber
	plusInfinity
	minusInfinity
)

var bigTen = big.NewInt(10)

func pow10(n int) *big.Int { return new(big.Int).Exp(bigTen, big.NewInt(int64(n)), nil) }

func decimalOf(n int64) *decimal { return &decimal{coef: big.NewInt(n)} }

// maxDigits bounds the digits on either side of the point, as numeric's format does.
const (
	maxWholeDigits = 131072
	maxScale       = 16383
)

// parseDecimal reads a number as numeric does: 1, -1.50, 1e-3, NaN, Infinity. The flag tells
// whether the text is one; a number that is too large is nil.
func parseDecimal(s string) (*decimal, bool) {
	s = strings.TrimSpace(s)
	body, neg := s, false
	if body != "" && (body[0] == '-' || body[0] == '+') {
		neg = body[0] == '-'
		body = body[1:]
	}
	switch strings.ToLower(body) {
	case "nan":
		return &decimal{coef: new(big.Int), odd: notANumber}, body == s
	case "infinity", "inf":
		if neg {
			return &decimal{coef: new(big.Int), odd: minusInfinity}, true
		}
		return &decimal{coef: new(big.Int), odd: plusInfinity}, true
	}
	mantissa, exp := body, 0
	if i := strings.IndexAny(body, "eE"); i >= 0 {
		mantissa = body[:i]
		text := body[i+1:]
		digits := strings.TrimLeft(text, "+-")
		if digits == "" || len(text)-len(digits) > 1 || strings.Trim(digits, "0123456789") != "" {
			return nil, false
		}
		n, err := strconv.Atoi(text)
		if err != nil || n > maxWholeDigits*2 || n < -maxWholeDigits*2 {
			return nil, true
		}
		exp = n
	}
	whole, frac, point := strings.Cut(mantissa, ".")
	if whole == "" && frac == "" || point && whole == "" && frac == "" {
		return nil, false
	}
	digits := whole + frac
	if strings.Trim(digits, "0123456789") != "" {
		return nil, false
	}
	scale := len(frac) - exp
	if len(digits) > maxWholeDigits+maxScale {
		return nil, true
	}
	coef, ok := new(big.Int).SetString(digits, 10)
	if !ok {
		return nil, false
	}
	if scale < 0 {
		if coef.Sign() != 0 && len(digits)-scale > maxWholeDigits {
			return nil, true
		}
		if coef.Sign() != 0 {
			coef.Mul(coef, pow10(-scale))
		}
		scale = 0
	}
	if neg {
		coef.Neg(coef)
	}
	d := &decimal{coef: coef, scale: scale}
	if scale > maxScale {
		d = d.round(maxScale)
	}
	if len(coef.Text(10))-scale > maxWholeDigits {
		return nil, true
	}
	return d, true
}

// decimalFromFloat is the numeric of a float8 or a float4: as many digits as it surely has.
func decimalFromFloat(f float64, single bool) *decimal {
	switch {
	case math.IsNaN(f):
		return &decimal{coef: new(big.Int), odd: notANumber}
	case math.IsInf(f, 1):
		return &decimal{coef: new(big.Int), odd: plusInfinity}
	case math.IsInf(f, -1):
		return &decimal{coef: new(big.Int), odd: minusInfinity}
	}
	digits := 15
	if single {
		digits = 6
	}
	d, _ := parseDecimal(strconv.FormatFloat(f, 'g', digits, 64))
	return d
}

func (d *decimal) String() string {
	switch d.odd {
	case notANumber:
		return "NaN"
	case plusInfinity:
		return "Infinity"
	case minusInfinity:
		return "-Infinity"
	}
	if d.scale == 0 {
		return d.coef.String()
	}
	digits := new(big.Int).Abs(d.coef).String()
	if pad := d.scale + 1 - len(digits); pad > 0 {
		digits = strings.Repeat("0", pad) + digits
	}
	sign := ""
	if d.coef.Sign() < 0 {
		sign = "-"
	}
	i := len(digits) - d.scale
	return sign + digits[:i] + "." + digits[i:]
}

func (d *decimal) float() float64 {
	switch d.odd {
	case notANumber:
		return math.NaN()
	case plusInfinity:
		return math.Inf(1)
	case minusInfinity:
		return math.Inf(-1)
	}
	f, _ := strconv.ParseFloat(d.String(), 64) // out of range: an infinity, as it should be
	return f
}

// int64 gives the number, rounded, if it fits.
func (d *decimal) int64() (int64, bool) {
	if d.odd != finite {
		return 0, false
	}
	r := d.round(0)
	return r.coef.Int64(), r.coef.IsInt64()
}

// round gives the number with that many digits after the point; halves go away from zero.
func (d *decimal) round(scale int) *decimal {
	if d.odd != finite || scale == d.scale {
		return d
	}
	if scale > d.scale {
		return &decimal{coef: new(big.Int).Mul(d.coef, pow10(scale-d.scale)), scale: scale}
	}
	q, r := new(big.Int).QuoRem(d.coef, pow10(d.scale-scale), new(big.Int))
	twice := r.Abs(r)
	twice.Lsh(twice, 1)
	if twice.Cmp(pow10(d.scale-scale)) >= 0 {
		q.Add(q, big.NewInt(int64(d.coef.Sign())))
	}
	if scale < 0 {
		q.Mul(q, pow10(-scale))
		scale = 0
	}
	return &decimal{coef: q, scale: scale}
}

// trunc drops digits after the point.
func (d *decimal) trunc(scale int) *decimal {
	if d.odd != finite || scale >= d.scale {
		return d.round(scale)
	}
	q := new(big.Int).Quo(d.coef, pow10(d.scale-scale))
	if scale < 0 {
		q.Mul(q, pow10(-scale))
		scale = 0
	}
	return &decimal{coef: q, scale: scale}
}

// floor is the largest whole number that is not greater.
func (d *decimal) floor() *decimal {
	if d.odd != finite {
		return d
	}
	q, m := new(big.Int).DivMod(d.coef, pow10(d.scale), new(big.Int))
	_ = m // DivMod rounds towards minus infinity for a positive divisor
	return &decimal{coef: q}
}

func (d *decimal) neg() *decimal {
	switch d.odd {
	case plusInfinity:
		return &decimal{coef: d.coef, odd: minusInfinity}
	case minusInfinity:
		return &decimal{coef: d.coef, odd: plusInfinity}
	}
	return &decimal{coef: new(big.Int).Neg(d.coef), scale: d.scale, odd: d.odd}
}

// align gives both digits at one scale.
func align(a, b *decimal) (x, y *big.Int, scale int) {
	x, y, scale = a.coef, b.coef, max(a.scale, b.scale)
	if a.scale < scale {
		x = new(big.Int).Mul(x, pow10(scale-a.scale))
	}
	if b.scale < scale {
		y = new(big.Int).Mul(y, pow10(scale-b.scale))
	}
	return x, y, scale
}

// rank orders what is no number: -Infinity, numbers, Infinity, NaN.
func (d *decimal) rank() int {
	return [...]int{finite: 1, notANumber: 3, plusInfinity: 2, minusInfinity: 0}[d.odd]
}

func (d *decimal) cmp(e *decimal) int {
	if d.odd != finite || e.odd != finite {
		return d.rank() - e.rank()
	}
	x, y, _ := align(d, e)
	return x.Cmp(y)
}

// exotic adds, subtracts and multiplies through floats, which know what is no number.
func exotic(f float64) *decimal { return decimalFromFloat(f, false) }

func (d *decimal) sign() float64 {
	switch d.odd {
	case notANumber:
		return math.NaN()
	case plusInfinity:
		return math.Inf(1)
	case minusInfinity:
		return math.Inf(-1)
	}
	return float64(d.coef.Sign())
}

func (d *decimal) add(e *decimal) *decimal {
	if d.odd != finite || e.odd != finite {
		return exotic(d.sign() + e.sign())
	}
	x, y, scale := align(d, e)
	return &decimal{coef: new(big.Int).Add(x, y), scale: scale}
}

func (d *decimal) sub(e *decimal) *decimal { return d.add(e.neg()) }

func (d *decimal) mul(e *decimal) *decimal {
	if d.odd != finite || e.odd != finite {
		return exotic(d.sign() * e.sign())
	}
	return &decimal{coef: new(big.Int).Mul(d.coef, e.coef), scale: d.scale + e.scale}
}

// weight is how many groups of four digits are before the first one, and that one's value:
// what numeric's division takes its precision from.
func (d *decimal) weight() (w, first int) {
	if d.coef.Sign() == 0 {
		return 0, 0
	}
	digits := new(big.Int).Abs(d.coef).String()
	lead := len(digits) - d.scale // digits before the point; may be negative
	w = int(math.Floor(float64(lead-1) / 4))
	n := lead - w*4 // how many digits are in the first group
	for len(digits) < n {
		digits += "0"
	}
	first, _ = strconv.Atoi(digits[:n])
	return w, first
}

// div divides to at least 16 significant digits, as numeric does; nil for a division by zero.
func (d *decimal) div(e *decimal) *decimal {
	if d.odd != finite || e.odd != finite {
		if e.odd == finite && e.coef.Sign() == 0 && d.odd != notANumber {
			return nil
		}
		if d.odd == finite && (e.odd == plusInfinity || e.odd == minusInfinity) {
			return decimalOf(0)
		}
		return exotic(d.sign() / e.sign())
	}
	if e.coef.Sign() == 0 {
		return nil
	}
	w1, f1 := d.weight()
	w2, f2 := e.weight()
	w := w1 - w2
	if f1 <= f2 {
		w--
	}
	scale := min(max(16-w*4, d.scale, e.scale, 0), 1000)
	// one digit more, and round
	num := new(big.Int).Mul(d.coef, pow10(scale+1+e.scale))
	den := new(big.Int).Mul(e.coef, pow10(d.scale))
	q := num.Quo(num, den)
	return (&decimal{coef: q, scale: scale + 1}).round(scale)
}

// mod is the remainder of a truncating division; nil for a division by zero.
func (d *decimal) mod(e *decimal) *decimal {
	if d.odd != finite || e.odd != finite {
		return exotic(math.NaN())
	}
	if e.coef.Sign() == 0 {
		return nil
	}
	x, y, scale := align(d, e)
	return &decimal{coef: new(big.Int).Rem(x, y), scale: scale}
}

// fit rounds the number to a column's scale and reports whether it has room there.
func (d *decimal) fit(precision, scale int) (*decimal, bool) {
	if d.odd == notANumber {
		return d, true
	}
	if d.odd != finite {
		return nil, false
	}
	r := d.round(scale)
	limit := max(precision-scale, 0)
	return r, new(big.Int).Abs(r.coef).Cmp(pow10(limit+r.scale)) < 0
}

// reduced is the number without zeros at its end: equal numbers have one form.
func (d *decimal) reduced() string {
	s := d.String()
	if d.odd == finite && d.scale > 0 {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
		if s == "-0" || s == "" {
			s = "0"
		}
	}
	return s
}
