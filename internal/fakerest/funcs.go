package fakerest

import (
	"crypto/md5" //nolint:gosec // md5() is a function of SQL
	"crypto/rand"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// builtin is a function of SQL that is built in.
type builtin struct {
	args    []*typ // nil: any type
	rest    bool   // the last may come more than once
	least   int    // how many must be given; 0: all
	returns *typ   // nil: that of the first argument
	lax     bool   // called with NULLs too
	call    func(e *env, args []value, types []*typ) (value, *Error)
}

// anything stands for an argument of any type.
var anything *typ

func text1(f func(s string) value) builtin {
	return builtin{args: []*typ{typText}, returns: typText, call: func(_ *env, a []value, _ []*typ) (value, *Error) { return f(a[0].(string)), nil }}
}

func nowAs(t *typ) builtin {
	return builtin{returns: t, call: func(e *env, _ []value, _ []*typ) (value, *Error) {
		return castValue(typTimestamptz, t, stampOf(e.tx.now), true, e.tx.locale())
	}}
}

func claim(t *typ, f func(tx *txn) (value, *Error)) builtin {
	return builtin{returns: t, call: func(e *env, _ []value, _ []*typ) (value, *Error) { return f(e.tx) }}
}

func length1() builtin {
	return builtin{args: []*typ{typText}, returns: typInt4, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
		return int64(utf8.RuneCountInString(a[0].(string))), nil
	}}
}

func trimmed(cut func(s, chars string) string) builtin {
	return builtin{args: []*typ{typText, typText}, least: 1, returns: typText, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
		chars := " "
		if len(a) > 1 {
			chars = a[1].(string)
		}
		return cut(a[0].(string), chars), nil
	}}
}

func rounded(decimals func(d *decimal) *decimal, floats func(float64) float64) []builtin {
	return []builtin{
		{args: []*typ{typNumeric}, returns: typNumeric, call: func(_ *env, a []value, _ []*typ) (value, *Error) { return decimals(a[0].(*decimal)), nil }},
		{args: []*typ{typFloat8}, returns: typFloat8, call: func(_ *env, a []value, _ []*typ) (value, *Error) { return floats(a[0].(float64)), nil }},
	}
}

// builtins lists the functions of SQL that expressions can call, by name.
func builtins(name string) []builtin {
	switch name {
	case "now", "current_timestamp", "transaction_timestamp", "statement_timestamp", "clock_timestamp":
		return []builtin{nowAs(typTimestamptz)}
	case "current_date":
		return []builtin{nowAs(typDate)}
	case "localtimestamp":
		return []builtin{nowAs(typTimestamp)}
	case "current_time":
		return []builtin{nowAs(typTime)}
	case "gen_random_uuid", "uuid_generate_v4":
		return []builtin{{returns: typUUID, call: func(*env, []value, []*typ) (value, *Error) { return randomUUID(), nil }}}
	case "random":
		return []builtin{{returns: typFloat8, call: func(*env, []value, []*typ) (value, *Error) {
			u := randomUUID()
			var n uint64
			for _, b := range u[:6] {
				n = n<<8 | uint64(b)
			}
			return float64(n) / (1 << 48), nil
		}}}
	case "auth.uid":
		return []builtin{claim(typUUID, func(tx *txn) (value, *Error) {
			if sub, _ := tx.claims["sub"].(string); sub != "" {
				return parseUUID(sub)
			}
			return nil, nil
		})}
	case "auth.role", "auth.email":
		key := strings.TrimPrefix(name, "auth.")
		return []builtin{claim(typText, func(tx *txn) (value, *Error) {
			if s, ok := tx.claims[key].(string); ok {
				return s, nil
			}
			return nil, nil
		})}
	case "auth.jwt":
		return []builtin{claim(typJSONB, func(tx *txn) (value, *Error) { return fails(parseJSON(tx.claimsText())) })}
	case "current_user", "current_role", "session_user", "user":
		return []builtin{claim(typText, func(tx *txn) (value, *Error) { return tx.role.name, nil })}
	case "current_setting":
		return []builtin{{args: []*typ{typText, typBool}, least: 1, returns: typText, call: func(e *env, a []value, _ []*typ) (value, *Error) {
			return e.tx.setting(a[0].(string), len(a) > 1 && a[1].(bool))
		}}}
	}
	if list := textFunctions(name); list != nil {
		return list
	}
	if list := numberFunctions(name); list != nil {
		return list
	}
	if list := timeFunctions(name); list != nil {
		return list
	}
	if list := jsonFunctions(name); list != nil {
		return list
	}
	return moreFunctions(name)
}

func randomUUID() uuidValue {
	var u uuidValue
	_, _ = rand.Read(u[:]) // never fails
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u
}

func textFunctions(name string) []builtin {
	switch name {
	case "length", "char_length", "character_length":
		return []builtin{length1()}
	case "octet_length":
		return []builtin{{args: []*typ{typText}, returns: typInt4, call: func(_ *env, a []value, _ []*typ) (value, *Error) { return int64(len(a[0].(string))), nil }}}
	case "lower":
		return []builtin{text1(func(s string) value { return strings.ToLower(s) })}
	case "upper":
		return []builtin{text1(func(s string) value { return strings.ToUpper(s) })}
	case "reverse":
		return []builtin{text1(func(s string) value {
			r := []rune(s)
			slices.Reverse(r)
			return string(r)
		})}
	case "md5":
		return []builtin{text1(func(s string) value {
			sum := md5.Sum([]byte(s)) //nolint:gosec // as asked for
			return hex.EncodeToString(sum[:])
		})}
	case "btrim", "trim":
		return []builtin{trimmed(strings.Trim)}
	case "ltrim":
		return []builtin{trimmed(strings.TrimLeft)}
	case "rtrim":
		return []builtin{trimmed(strings.TrimRight)}
	case "substr", "substring":
		return []builtin{{args: []*typ{typText, typInt4, typInt4}, least: 2, returns: typText, call: substring}}
	case "left":
		return []builtin{{args: []*typ{typText, typInt4}, returns: typText, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
			r, n := []rune(a[0].(string)), int(a[1].(int64))
			if n < 0 {
				n = max(len(r)+n, 0)
			}
			return string(r[:min(n, len(r))]), nil
		}}}
	case "right":
		return []builtin{{args: []*typ{typText, typInt4}, returns: typText, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
			r, n := []rune(a[0].(string)), int(a[1].(int64))
			if n < 0 {
				n = max(len(r)+n, 0)
			}
			return string(r[len(r)-min(n, len(r)):]), nil
		}}}
	case "replace":
		return []builtin{{args: []*typ{typText, typText, typText}, returns: typText, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
			if a[1] == "" {
				return a[0], nil
			}
			return strings.ReplaceAll(a[0].(string), a[1].(string), a[2].(string)), nil
		}}}
	case "strpos":
		return []builtin{{args: []*typ{typText, typText}, returns: typInt4, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
			s := a[0].(string)
			i := strings.Index(s, a[1].(string))
			if i < 0 {
				return int64(0), nil
			}
			return int64(utf8.RuneCountInString(s[:i]) + 1), nil
		}}}
	case "starts_with":
		return []builtin{{args: []*typ{typText, typText}, returns: typBool, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
			return strings.HasPrefix(a[0].(string), a[1].(string)), nil
		}}}
	case "split_part":
		return []builtin{{args: []*typ{typText, typText, typInt4}, returns: typText, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
			parts, i := strings.Split(a[0].(string), a[1].(string)), int(a[2].(int64))
			if i == 0 {
				return nil, fault("22023", "field position must not be zero")
			}
			if i < 0 {
				i += len(parts) + 1
			}
			if i < 1 || i > len(parts) {
				return "", nil
			}
			return parts[i-1], nil
		}}}
	case "concat", "concat_ws":
		return []builtin{{args: []*typ{anything}, rest: true, returns: typText, lax: true, call: func(e *env, a []value, t []*typ) (value, *Error) {
			separator, from := "", 0
			if name == "concat_ws" {
				if a[0] == nil {
					return nil, nil
				}
				separator, from = formatValue(t[0], a[0], e.tx.locale()), 1
			}
			var parts []string
			for i := from; i < len(a); i++ {
				if a[i] != nil {
					parts = append(parts, formatValue(t[i], a[i], e.tx.locale()))
				}
			}
			return strings.Join(parts, separator), nil
		}}}
	case "regexp_replace":
		return []builtin{{args: []*typ{typText, typText, typText, typText}, least: 3, returns: typText, call: regexpReplace}}
	case "encode":
		return []builtin{{args: []*typ{typBytea, typText}, returns: typText, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
			switch a[1] {
			case "hex":
				return hex.EncodeToString(a[0].([]byte)), nil
			case "base64":
				return encodeBase64(a[0].([]byte)), nil
			}
			return nil, fault("22023", "unrecognized encoding: \"%s\"", a[1])
		}}}
	}
	return nil
}

func substring(_ *env, a []value, _ []*typ) (value, *Error) {
	r := []rune(a[0].(string))
	from := a[1].(int64)
	to := int64(len(r)) + 1
	if len(a) > 2 {
		if a[2].(int64) < 0 {
			return nil, fault("22011", "negative substring length not allowed")
		}
		to = min(to, from+a[2].(int64))
	}
	from = max(from, 1)
	if from >= to {
		return "", nil
	}
	return string(r[from-1 : to-1]), nil
}

func regexpReplace(_ *env, a []value, _ []*typ) (value, *Error) {
	flags := ""
	if len(a) > 3 {
		flags = a[3].(string)
	}
	re, err := compileRegexp(a[1].(string), strings.Contains(flags, "i"))
	if err != nil {
		return nil, err
	}
	with := strings.ReplaceAll(a[2].(string), "$", "$$")
	for i := range 10 {
		with = strings.ReplaceAll(with, `\`+strconv.Itoa(i), "${"+strconv.Itoa(i)+"}")
	}
	with = strings.ReplaceAll(with, `\&`, "${0}")
	s := a[0].(string)
	if strings.Contains(flags, "g") {
		return re.ReplaceAllString(s, with), nil
	}
	if m := re.FindStringSubmatchIndex(s); m != nil {
		return s[:m[0]] + string(re.ExpandString(nil, with, s, m)) + s[m[1]:], nil
	}
	return s, nil
}

func numberFunctions(name string) []builtin {
	switch name {
	case "abs":
		return []builtin{{args: []*typ{anything}, call: func(_ *env, a []value, t []*typ) (value, *Error) {
			switch v := a[0].(type) {
			case int64:
				if low, _ := intRange(t[0]); v == low {
					return nil, outOfRange(t[0])
				}
				return max(v, -v), nil
			case *decimal:
				if v.coef.Sign() < 0 {
					return v.neg(), nil
				}
				return v, nil
			case float64:
				return math.Abs(v), nil
			}
			return nil, fault("42883", "function abs(%s) does not exist", t[0])
		}}}
	case "round":
		return append(rounded(func(d *decimal) *decimal { return d.round(0) }, math.RoundToEven),
			builtin{args: []*typ{typNumeric, typInt4}, returns: typNumeric, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
				return a[0].(*decimal).round(int(max(min(a[1].(int64), 2000), -2000))), nil
			}})
	case "trunc":
		return append(rounded(func(d *decimal) *decimal { return d.trunc(0) }, math.Trunc),
			builtin{args: []*typ{typNumeric, typInt4}, returns: typNumeric, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
				return a[0].(*decimal).trunc(int(max(min(a[1].(int64), 2000), -2000))), nil
			}})
	case "floor":
		return rounded((*decimal).floor, math.Floor)
	case "ceil", "ceiling":
		return rounded(func(d *decimal) *decimal { return d.neg().floor().neg() }, math.Ceil)
	case "sqrt":
		return []builtin{{args: []*typ{typFloat8}, returns: typFloat8, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
			if a[0].(float64) < 0 {
				return nil, fault("2201F", "cannot take square root of a negative number")
			}
			return math.Sqrt(a[0].(float64)), nil
		}}}
	case "power", "pow":
		var list []builtin
		for _, t := range []*typ{typFloat8, typNumeric} {
			list = append(list, builtin{args: []*typ{t, t}, returns: t, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
				return calculate("^", t, a[0], a[1])
			}})
		}
		return list
	case "sign":
		return []builtin{{args: []*typ{typNumeric}, returns: typNumeric, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
			return decimalOf(int64(a[0].(*decimal).coef.Sign())), nil
		}}}
	case "mod":
		var list []builtin
		for _, t := range []*typ{typInt4, typInt8, typNumeric} {
			list = append(list, builtin{args: []*typ{t, t}, returns: t, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
				return calculate("%", t, a[0], a[1])
			}})
		}
		return list
	}
	return nil
}

func timeFunctions(name string) []builtin {
	switch name {
	case "date_trunc":
		return []builtin{
			{args: []*typ{typText, typTimestamptz}, returns: typTimestamptz, call: func(e *env, a []value, _ []*typ) (value, *Error) {
				zone := e.tx.zone
				s, err := truncateStamp(a[0].(string), toLocal(a[1].(stampValue), zone))
				return fromLocal(s, zone), err
			}},
			{args: []*typ{typText, typTimestamp}, returns: typTimestamp, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
				return fails(truncateStamp(a[0].(string), a[1].(stampValue)))
			}},
		}
	case "extract", "date_part":
		t := typNumeric
		if name == "date_part" {
			t = typFloat8
		}
		part := func(f string, s, epoch stampValue) (value, *Error) {
			d, err := extractField(f, s, epoch)
			if err != nil || t == typNumeric {
				return d, err
			}
			return d.float(), nil
		}
		return []builtin{
			{args: []*typ{typText, typTimestamptz}, returns: t, call: func(e *env, a []value, _ []*typ) (value, *Error) {
				return part(a[0].(string), toLocal(a[1].(stampValue), e.tx.zone), a[1].(stampValue))
			}},
			{args: []*typ{typText, typTimestamp}, returns: t, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
				return part(a[0].(string), a[1].(stampValue), a[1].(stampValue))
			}},
			{args: []*typ{typText, typInterval}, returns: t, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
				v := a[1].(intervalValue)
				var n int64
				switch strings.ToLower(a[0].(string)) {
				case "epoch":
					return part("epoch", 0, stampValue(v.months/12*31557600*microsPerSecond+v.months%12*30*microsPerDay+v.days*microsPerDay+v.micros))
				case "day":
					n = v.days
				case "month":
					n = v.months % 12
				case "year":
					n = v.months / 12
				case "hour":
					n = v.micros / (3600 * microsPerSecond)
				case "minute":
					n = v.micros / (60 * microsPerSecond) % 60
				default:
					return nil, fault("0A000", "unit \"%s\" not supported for type interval", a[0])
				}
				if t == typFloat8 {
					return float64(n), nil
				}
				return decimalOf(n), nil
			}},
		}
	case "timezone":
		return []builtin{
			{args: []*typ{typText, typTimestamptz}, returns: typTimestamp, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
				zone, err := zoneOf(a[0].(string))
				if err != nil {
					return nil, err
				}
				return toLocal(a[1].(stampValue), zone), nil
			}},
			{args: []*typ{typText, typTimestamp}, returns: typTimestamptz, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
				zone, err := zoneOf(a[0].(string))
				if err != nil {
					return nil, err
				}
				return fromLocal(a[1].(stampValue), zone), nil
			}},
		}
	case "make_date":
		return []builtin{{args: []*typ{typInt4, typInt4, typInt4}, returns: typDate, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
			m := moment{year: int(a[0].(int64)), month: int(a[1].(int64)), day: int(a[2].(int64))}
			if !m.exists(false) {
				return nil, fault("22008", "date field value out of range: %d-%02d-%02d", m.year, m.month, m.day)
			}
			return dateValue(dayNumber(m.year, m.month, m.day)), nil
		}}}
	case "to_timestamp":
		return []builtin{{args: []*typ{typFloat8}, returns: typTimestamptz, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
			return stampValue(math.RoundToEven(a[0].(float64) * 1e6)), nil
		}}}
	}
	return nil
}

// truncateStamp cuts a timestamp to a unit.
func truncateStamp(unit string, s stampValue) (stampValue, *Error) {
	if !s.finite() {
		return s, nil
	}
	t := s.time()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	switch strings.ToLower(unit) {
	case "microseconds":
		return s, nil
	case "milliseconds":
		return stampValue(floorDiv(int64(s), 1000) * 1000), nil
	case "second":
	case "minute":
		second = 0
	case "hour":
		minute, second = 0, 0
	case "day":
		hour, minute, second = 0, 0, 0
	case "week":
		hour, minute, second = 0, 0, 0
		day -= (int(t.Weekday()) + 6) % 7
	case "month":
		day, hour, minute, second = 1, 0, 0, 0
	case "quarter":
		month, day, hour, minute, second = (month-1)/3*3+1, 1, 0, 0, 0
	case "year":
		month, day, hour, minute, second = 1, 1, 0, 0, 0
	default:
		return 0, fault("22023", "unit \"%s\" not recognized for type timestamp with time zone", unit)
	}
	return stampOf(time.Date(year, month, day, hour, minute, second, 0, time.UTC)), nil
}

func extractField(field string, s, epoch stampValue) (*decimal, *Error) {
	t := s.time()
	whole := func(n int) (*decimal, *Error) { return decimalOf(int64(n)), nil }
	switch strings.ToLower(field) {
	case "epoch":
		return (&decimal{coef: decimalOf(int64(epoch)).coef, scale: 6}), nil
	case "year":
		return whole(t.Year())
	case "month":
		return whole(int(t.Month()))
	case "day":
		return whole(t.Day())
	case "hour":
		return whole(t.Hour())
	case "minute":
		return whole(t.Minute())
	case "second":
		return &decimal{coef: decimalOf(int64(t.Second())*microsPerSecond + int64(t.Nanosecond()/1000)).coef, scale: 6}, nil
	case "dow":
		return whole(int(t.Weekday()))
	case "isodow":
		return whole((int(t.Weekday())+6)%7 + 1)
	case "doy":
		return whole(t.YearDay())
	case "quarter":
		return whole((int(t.Month()) + 2) / 3)
	case "week":
		_, w := t.ISOWeek()
		return whole(w)
	}
	return nil, fault("22023", "unit \"%s\" not recognized for type timestamp with time zone", field)
}

func jsonFunctions(name string) []builtin {
	switch name {
	case "to_jsonb", "to_json":
		t := typJSONB
		if name == "to_json" {
			t = typJSON
		}
		return []builtin{{args: []*typ{anything}, returns: t, call: func(e *env, a []value, types []*typ) (value, *Error) {
			if t == typJSON {
				return jsonText(appendJSON(nil, types[0], a[0], e.tx.locale())), nil
			}
			return fails(toNode(types[0], a[0], e.tx.locale()))
		}}}
	case "jsonb_build_object", "json_build_object":
		jsonb := name == "jsonb_build_object"
		t := map[bool]*typ{true: typJSONB, false: typJSON}[jsonb]
		return []builtin{{args: []*typ{anything}, rest: true, least: -1, returns: t, lax: true, call: func(e *env, a []value, types []*typ) (value, *Error) {
			if len(a)%2 != 0 {
				return nil, fault("22023", "argument list must have even number of elements")
			}
			var b []byte
			b = append(b, '{')
			for i := 0; i < len(a); i += 2 {
				if a[i] == nil {
					return nil, fault("22023", "argument %d: key must not be null", i+1)
				}
				if i > 0 {
					b = append(b, ", "...)
				}
				b = append(appendJSONString(b, formatValue(types[i], a[i], e.tx.locale())), " : "...)
				b = appendJSON(b, types[i+1], a[i+1], e.tx.locale())
			}
			b = append(b, '}')
			if jsonb {
				return fails(parseJSON(string(b)))
			}
			return jsonText(b), nil
		}}}
	case "jsonb_build_array", "json_build_array":
		t := map[bool]*typ{true: typJSONB, false: typJSON}[name == "jsonb_build_array"]
		return []builtin{{args: []*typ{anything}, rest: true, least: -1, returns: t, lax: true, call: func(e *env, a []value, types []*typ) (value, *Error) {
			b := []byte{'['}
			for i := range a {
				if i > 0 {
					b = append(b, ", "...)
				}
				b = appendJSON(b, types[i], a[i], e.tx.locale())
			}
			return castText(t, string(append(b, ']')), false, e.tx.locale())
		}}}
	case "jsonb_typeof", "json_typeof":
		return []builtin{{args: []*typ{jsonArgument(name)}, returns: typText, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
			n, err := nodeOf(a[0])
			if err != nil {
				return nil, err
			}
			return [...]string{"null", "string", "number", "boolean", "array", "object"}[n.form], nil
		}}}
	case "jsonb_array_length", "json_array_length":
		return []builtin{{args: []*typ{jsonArgument(name)}, returns: typInt4, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
			n, err := nodeOf(a[0])
			if err != nil {
				return nil, err
			}
			if n.form != jsonArray {
				return nil, fault("22023", "cannot get array length of a non-array")
			}
			return int64(len(n.items)), nil
		}}}
	case "jsonb_exists":
		return []builtin{{args: []*typ{typJSONB, typText}, returns: typBool, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
			return a[0].(*jsonNode).get(a[1].(string)) != nil, nil
		}}}
	case "jsonb_strip_nulls":
		return []builtin{{args: []*typ{typJSONB}, returns: typJSONB, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
			return a[0].(*jsonNode).stripNulls(), nil
		}}}
	}
	return nil
}

func jsonArgument(name string) *typ {
	if strings.HasPrefix(name, "jsonb") {
		return typJSONB
	}
	return typJSON
}

func moreFunctions(name string) []builtin {
	switch name {
	case "array_length":
		return []builtin{{args: []*typ{anything, typInt4}, returns: typInt4, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
			list, ok := a[0].(*arrayValue)
			i := a[1].(int64)
			if !ok || i < 1 || i > int64(len(list.dims)) {
				return nil, nil
			}
			return int64(list.dims[i-1]), nil
		}}}
	case "cardinality":
		return []builtin{{args: []*typ{anything}, returns: typInt4, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
			list, ok := a[0].(*arrayValue)
			if !ok {
				return nil, fault("42883", "function cardinality does not exist for this type")
			}
			return int64(len(list.items)), nil
		}}}
	case "array_to_string":
		return []builtin{{args: []*typ{anything, typText}, returns: typText, call: func(e *env, a []value, t []*typ) (value, *Error) {
			list, ok := a[0].(*arrayValue)
			if !ok {
				return nil, fault("42883", "function array_to_string does not exist for this type")
			}
			var parts []string
			for _, v := range list.items {
				if v != nil {
					parts = append(parts, formatValue(t[0].elem, v, e.tx.locale()))
				}
			}
			return strings.Join(parts, a[1].(string)), nil
		}}}
	case "string_to_array":
		return []builtin{{args: []*typ{typText, typText}, returns: arrayOf(typText), call: func(_ *env, a []value, _ []*typ) (value, *Error) {
			var items []value
			if a[0] == "" {
				return listOf(), nil
			}
			for part := range strings.SplitSeq(a[0].(string), a[1].(string)) {
				items = append(items, part)
			}
			return listOf(items...), nil
		}}}
	case "num_nonnulls", "num_nulls":
		return []builtin{{args: []*typ{anything}, rest: true, returns: typInt4, lax: true, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
			n := int64(0)
			for _, v := range a {
				n += int64(boolInt((v == nil) == (name == "num_nulls")))
			}
			return n, nil
		}}}
	case "pg_get_serial_sequence":
		return []builtin{{args: []*typ{typText, typText}, returns: typText, call: func(e *env, a []value, _ []*typ) (value, *Error) {
			t, ok := lookup(e.tx.db, e.tx.db.tables, splitName(a[0].(string)))
			if !ok {
				return nil, fault("42P01", "relation \"%s\" does not exist", a[0])
			}
			i := t.column(a[1].(string))
			if i < 0 {
				return nil, fault("42703", "column \"%s\" of relation \"%s\" does not exist", a[1], t.name)
			}
			if q := t.columns[i].sequence; q != nil {
				return q.schema + "." + quoteIdent(q.name), nil
			}
			return nil, nil
		}}}
	case "nextval", "currval", "setval":
		return sequenceFunctions(name)
	case "to_tsvector", "to_tsquery", "plainto_tsquery", "phraseto_tsquery", "websearch_to_tsquery":
		return searchFunctions(name)
	case "set_config":
		return []builtin{{args: []*typ{typText, typText, typBool}, returns: typText, call: func(_ *env, a []value, _ []*typ) (value, *Error) { return a[1], nil }}}
	}
	return nil
}

func splitName(s string) qualified {
	first, rest, ok := strings.Cut(strings.ReplaceAll(s, `"`, ""), ".")
	if !ok {
		return qualified{name: first}
	}
	return qualified{first, rest}
}

func sequenceFunctions(name string) []builtin {
	find := func(e *env, v value) (*sequence, *Error) {
		q, ok := lookup(e.tx.db, e.tx.db.sequences, splitName(v.(string)))
		if !ok {
			return nil, fault("42P01", "relation \"%s\" does not exist", v)
		}
		if e.tx.readOnly {
			return nil, fault("25006", "cannot execute %s() in a read-only transaction", name)
		}
		return q, nil
	}
	switch name {
	case "nextval":
		return []builtin{{args: []*typ{typText}, returns: typInt8, call: func(e *env, a []value, _ []*typ) (value, *Error) {
			q, err := find(e, a[0])
			if err != nil {
				return nil, err
			}
			return q.take(), nil
		}}}
	case "currval":
		return []builtin{{args: []*typ{typText}, returns: typInt8, call: func(e *env, a []value, _ []*typ) (value, *Error) {
			q, err := find(e, a[0])
			if err != nil {
				return nil, err
			}
			if !q.called {
				return nil, fault("55000", "currval of sequence \"%s\" is not yet defined in this session", q.name)
			}
			return q.last, nil
		}}}
	}
	return []builtin{{args: []*typ{typText, typInt8, typBool}, least: 2, returns: typInt8, call: func(e *env, a []value, _ []*typ) (value, *Error) {
		q, err := find(e, a[0])
		if err != nil {
			return nil, err
		}
		n := a[1].(int64)
		q.next, q.last, q.called = n+q.step, n, true
		if len(a) > 2 && !a[2].(bool) {
			q.next = n
		}
		return n, nil
	}}}
}

// call compiles the call of a function.
func (s *scope) call(n *node) (*compiled, *Error) {
	name := n.names[len(n.names)-1]
	schema := ""
	if len(n.names) > 1 {
		schema = n.names[len(n.names)-2]
	}
	if schema == "pg_catalog" || schema == "extensions" {
		schema = ""
	}
	if schema == "" && isAggregate(name) {
		return s.aggregate(n)
	}
	if n.star || n.distinct || n.filter != nil {
		return nil, fault("42809", "%s is not an aggregate function", name)
	}
	args, err := s.compileAll(n.kids)
	if err != nil {
		return nil, err
	}
	if schema == "" {
		switch name {
		case "coalesce", "greatest", "least":
			return s.choice(name, args)
		case "nullif":
			return s.nullIf(args)
		}
	}
	full := name
	if schema != "" {
		full = schema + "." + name
	}
	for _, exact := range []bool{true, false} { // what needs no casts comes first
		for _, b := range builtins(full) {
			c, ok, err := s.fit(name, b, args, exact)
			if err != nil {
				return nil, err
			}
			if ok {
				return c, nil
			}
		}
	}
	if c, err := s.callDeclared(qualified{schema, name}, args); c != nil || err != nil {
		return c, err
	}
	types := make([]string, len(args))
	for i, a := range args {
		types[i] = a.typ.String()
	}
	return nil, fault("42883", "function %s(%s) does not exist", full, strings.Join(types, ", ")).
		hinted("No function matches the given name and argument types. You might need to add explicit type casts.")
}

// fit coerces the arguments to what a function takes, if they can be.
func (s *scope) fit(name string, b builtin, args []*compiled, exact bool) (*compiled, bool, *Error) {
	least := b.least
	if least == 0 {
		least = len(b.args)
	}
	if len(args) < least || len(args) > len(b.args) && !b.rest {
		return nil, false, nil
	}
	out := make([]*compiled, len(args))
	types := make([]*typ, len(args))
	for i, a := range args {
		want := b.args[min(i, len(b.args)-1)]
		switch {
		case want == nil && a.typ.kind == kindUnknown:
			want = typText
		case want == nil:
			want = a.typ
		}
		if !castable(a.typ, want, implicit) || exact && a.typ.kind != kindUnknown && !a.typ.same(want) {
			return nil, false, nil
		}
		c, err := s.coerce(a, want, implicit)
		if err != nil {
			return nil, false, err
		}
		out[i], types[i] = c, want
	}
	t := b.returns
	if t == nil {
		t = out[0].typ
	}
	c := &compiled{typ: t, name: name}
	if b.lax {
		c.eval = func(e *env) (value, *Error) {
			values := make([]value, len(out))
			for i, a := range out {
				var err *Error
				if values[i], err = a.eval(e); err != nil {
					return nil, err
				}
			}
			return b.call(e, values, types)
		}
		return c, true, nil
	}
	c.eval = strictly(t, out, func(e *env, values []value) (value, *Error) { return b.call(e, values, types) }).eval
	return c, true, nil
}

// choice compiles COALESCE, GREATEST and LEAST.
func (s *scope) choice(name string, args []*compiled) (*compiled, *Error) {
	if len(args) == 0 {
		return nil, fault("42601", "%s needs an argument", name)
	}
	args, t, err := s.common(args, strings.ToUpper(name))
	if err != nil {
		return nil, err
	}
	return &compiled{typ: t, name: name, eval: func(e *env) (value, *Error) {
		var best value
		for _, a := range args {
			v, err := a.eval(e)
			switch {
			case err != nil:
				return nil, err
			case v == nil:
			case name == "coalesce":
				return v, nil
			case best == nil, name == "greatest" && compareValues(t, v, best) > 0, name == "least" && compareValues(t, v, best) < 0:
				best = v
			}
		}
		return best, nil
	}}, nil
}

func (s *scope) nullIf(args []*compiled) (*compiled, *Error) {
	if len(args) != 2 {
		return nil, fault("42601", "nullif takes two arguments")
	}
	test, err := s.binary("=", args[0], args[1])
	if err != nil {
		return nil, err
	}
	first := args[0]
	if first.typ.kind == kindUnknown {
		if first, err = s.coerce(first, typText, implicit); err != nil {
			return nil, err
		}
	}
	return &compiled{typ: first.typ, name: "nullif", eval: func(e *env) (value, *Error) {
		if same, err := test.truth(e); same || err != nil {
			return nil, err
		}
		return first.eval(e)
	}}, nil
}

// atZone compiles AT TIME ZONE, which is the function timezone.
func (s *scope) atZone(n *node) (*compiled, *Error) {
	return s.call(&node{op: nodeCall, names: []string{"timezone"}, kids: []*node{n.kids[1], n.kids[0]}, line: n.line})
}

func zoneOf(name string) (*time.Location, *Error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" {
		if zone, err = time.LoadLocation(strings.ToUpper(name)); err != nil || name == "" {
			return nil, fault("22023", "time zone \"%s\" not recognized", name)
		}
	}
	return zone, nil
}
