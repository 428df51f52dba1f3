package fakerest

import (
	"slices"
	"strings"
)

func isAggregate(name string) bool {
	switch name {
	case "count", "sum", "avg", "min", "max", "bool_and", "bool_or", "every", "array_agg", "string_agg", "json_agg", "jsonb_agg":
		return true
	}
	return false
}

func hasAggregate(stmt *selectStmt) bool {
	var in func(n *node) bool
	in = func(n *node) bool {
		if n == nil {
			return false
		}
		if n.op == nodeCall && len(n.names) == 1 && isAggregate(n.names[0]) {
			return true
		}
		return slices.ContainsFunc(n.kids, in)
	}
	return slices.ContainsFunc(stmt.targets, func(t target) bool { return in(t.expr) }) ||
		slices.ContainsFunc(stmt.order, func(o sortItem) bool { return in(o.expr) }) || in(stmt.having)
}

// aggregate compiles a function over the rows of a group.
func (s *scope) aggregate(n *node) (*compiled, *Error) {
	name := n.names[0]
	if !s.grouped {
		return nil, fault("42803", "aggregate functions are not allowed here")
	}
	inner := *s
	inner.grouped = false
	args, err := inner.compileAll(n.kids)
	if err != nil {
		return nil, err
	}
	var filter *compiled
	if n.filter != nil {
		if filter, err = inner.condition(n.filter, "FILTER"); err != nil {
			return nil, err
		}
	}
	if n.star {
		args = []*compiled{constant(typBool, true)}
		if name != "count" {
			return nil, fault("42883", "function %s(*) does not exist", name)
		}
	}
	if len(args) == 0 || len(args) > 1 && name != "string_agg" {
		return nil, fault("42883", "function %s does not exist with these arguments", name)
	}
	if args[0].typ.kind == kindUnknown {
		if args[0], err = s.coerce(args[0], typText, implicit); err != nil {
			return nil, err
		}
	}
	agg, err := aggregateOf(name, args[0].typ)
	if err != nil {
		return nil, err
	}
	separator := ""
	if len(args) > 1 {
		if args[1].literal == nil {
			return nil, fault("0A000", "string_agg with a delimiter that is no literal is not supported")
		}
		separator = *args[1].literal
	}
	arg := args[0]
	return &compiled{typ: agg.typ, name: name, eval: func(e *env) (value, *Error) {
		var values []value
		seen := map[string]bool{}
		for _, rows := range e.joined {
			re := *e
			re.rows, re.joined = rows, nil
			if filter != nil {
				if ok, err := filter.truth(&re); err != nil {
					return nil, err
				} else if !ok {
					continue
				}
			}
			v, err := arg.eval(&re)
			if err != nil {
				return nil, err
			}
			if v == nil && !agg.nulls {
				continue
			}
			if n.distinct {
				key := string(appendKey(nil, arg.typ, v))
				if seen[key] {
					continue
				}
				seen[key] = true
			}
			values = append(values, v)
		}
		return agg.of(values, separator, e.tx.locale())
	}}, nil
}

// aggregator makes one value of many.
type aggregator struct {
	typ   *typ
	nulls bool // takes NULLs too
	of    func(values []value, separator string, loc locale) (value, *Error)
}

func aggregateOf(name string, t *typ) (aggregator, *Error) {
	missing := fault("42883", "function %s(%s) does not exist", name, t).
		hinted("No function matches the given name and argument types. You might need to add explicit type casts.")
	switch name {
	case "count":
		return aggregator{typ: typInt8, of: func(v []value, _ string, _ locale) (value, *Error) { return int64(len(v)), nil }}, nil
	case "min", "max":
		if !t.ordered() || t.kind == kindBool || t.isJSON() || t.kind == kindUUID {
			return aggregator{}, missing
		}
		sign := map[string]int{"min": 1, "max": -1}[name]
		return aggregator{typ: t, of: func(v []value, _ string, _ locale) (value, *Error) {
			if len(v) == 0 {
				return nil, nil
			}
			return slices.MinFunc(v, func(a, b value) int { return sign * compareValues(t, a, b) }), nil
		}}, nil
	case "sum", "avg":
		if !t.isNumber() && t.kind != kindInterval {
			return aggregator{}, missing
		}
		return numberAggregate(name, t), nil
	case "bool_and", "every", "bool_or":
		if t.kind != kindBool {
			return aggregator{}, missing
		}
		return aggregator{typ: typBool, of: func(v []value, _ string, _ locale) (value, *Error) {
			if len(v) == 0 {
				return nil, nil
			}
			if name == "bool_or" {
				return slices.Contains(v, value(true)), nil
			}
			return !slices.Contains(v, value(false)), nil
		}}, nil
	case "string_agg":
		if !t.isText() {
			return aggregator{}, missing
		}
		return aggregator{typ: typText, of: func(v []value, separator string, _ locale) (value, *Error) {
			if len(v) == 0 {
				return nil, nil
			}
			parts := make([]string, len(v))
			for i := range v {
				parts[i] = v[i].(string)
			}
			return strings.Join(parts, separator), nil
		}}, nil
	case "array_agg":
		return aggregator{typ: arrayOf(t), nulls: true, of: func(v []value, _ string, _ locale) (value, *Error) {
			if len(v) == 0 {
				return nil, nil
			}
			return listOf(v...), nil
		}}, nil
	}
	out := map[string]*typ{"json_agg": typJSON, "jsonb_agg": typJSONB}[name]
	return aggregator{typ: out, nulls: true, of: func(v []value, _ string, loc locale) (value, *Error) {
		if len(v) == 0 {
			return nil, nil
		}
		return castText(out, string(appendArrayJSON(nil, arrayOf(t), listOf(v...), loc)), false, loc)
	}}, nil
}

func numberAggregate(name string, t *typ) aggregator {
	out := typNumeric
	switch {
	case t.kind == kindInterval:
		out = typInterval
	case t.isFloat():
		out = typFloat8
		if t.kind == kindFloat4 && name == "sum" {
			out = typFloat4
		}
	case name == "sum" && (t.kind == kindInt2 || t.kind == kindInt4):
		out = typInt8
	}
	return aggregator{typ: out, of: func(v []value, _ string, _ locale) (value, *Error) {
		if len(v) == 0 {
			return nil, nil
		}
		switch v[0].(type) {
		case intervalValue:
			var sum intervalValue
			for _, x := range v {
				i := x.(intervalValue)
				sum = intervalValue{sum.months + i.months, sum.days + i.days, sum.micros + i.micros}
			}
			if name == "avg" {
				var mean intervalValue
				mean.add(1/float64(len(v)), sum)
				return mean, nil
			}
			return sum, nil
		case float64:
			sum := 0.0
			for _, x := range v {
				sum += x.(float64)
			}
			if name == "avg" {
				sum /= float64(len(v))
			}
			if out.kind == kindFloat4 {
				sum = float64(float32(sum))
			}
			return sum, nil
		}
		sum := decimalOf(0)
		for _, x := range v {
			switch x := x.(type) {
			case int64:
				sum = sum.add(decimalOf(x))
			case *decimal:
				sum = sum.add(x)
			}
		}
		if name == "avg" {
			return sum.div(decimalOf(int64(len(v)))), nil
		}
		if out.kind == kindInt8 {
			n, ok := sum.int64()
			if !ok {
				return nil, outOfRange(typInt8)
			}
			return n, nil
		}
		return sum, nil
	}}
}
