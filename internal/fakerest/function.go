package fakerest

import (
	"slices"
	"strings"
)

// createFunction takes CREATE FUNCTION. The body is not run: see [Func].
func (l *loader) createFunction(replace bool) {
	line := l.peek().line
	q := l.place(l.qualified())
	f := &function{schema: q.schema, name: q.name, volatility: 'v', returns: typVoid, granted: map[string]bool{}}
	l.expect("(")
	for !l.accept(")") {
		l.argument(f)
		if !l.is(")") {
			l.expect(",")
		}
	}
	returned := l.accept("returns")
	if returned {
		l.returns(f)
	} else if len(f.columns) > 0 {
		l.outReturns(f)
	}
	l.functionOptions(f)
	list := l.db.functions[q]
	if i := slices.IndexFunc(list, func(o *function) bool { return sameArguments(o, f) }); i >= 0 {
		if !replace {
			l.must(fault("42723", "function \"%s\" already exists with same argument types", q.name), line)
		}
		list[i] = f
		return
	}
	l.db.functions[q] = append(list, f)
}

func sameArguments(a, b *function) bool {
	return slices.EqualFunc(a.args, b.args, func(x, y argument) bool { return x.typ.same(y.typ) })
}

func (l *loader) argument(f *function) {
	mode := l.oneOf("in", "out", "inout", "variadic")
	a := argument{variadic: mode == "variadic"}
	// a name, unless what comes is the type alone
	if next := l.peekAt(1); next.text != "," && next.text != ")" && next.text != "." && next.text != "(" && next.text != "[" &&
		next.text != "default" && next.text != "=" && !(l.is("double") && next.text == "precision") && !(l.is("character") && next.text == "varying") &&
		!(l.is("timestamp") && (next.text == "with" || next.text == "without")) {
		a.name = l.label()
		if mode == "" {
			mode = l.oneOf("in", "out", "inout", "variadic")
		}
	}
	ref := l.typeRef()
	var err *Error
	a.typ, err = l.db.resolveType(ref)
	l.must(err, ref.line)
	if l.accept("default") || l.accept("=") {
		a.optional = true
		n := l.expr()
		s := &scope{db: l.db}
		c, err := s.compile(n)
		l.must(err, n.line)
		a.value, err = s.coerce(c, a.typ, assignment)
		l.must(err, n.line)
	}
	if mode == "out" || mode == "inout" {
		f.columns = append(f.columns, &column{name: a.name, typ: a.typ})
	}
	if mode != "out" {
		f.args = append(f.args, a)
	}
}

// returns takes what follows RETURNS.
func (l *loader) returns(f *function) {
	if l.accept("table") {
		f.set = true
		l.expect("(")
		for {
			name := l.name()
			ref := l.typeRef()
			t, err := l.db.resolveType(ref)
			l.must(err, ref.line)
			f.columns = append(f.columns, &column{name: name, typ: t})
			if !l.accept(",") {
				break
			}
		}
		l.expect(")")
		l.outReturns(f)
		return
	}
	f.set = l.accept("setof")
	if l.is("record") {
		l.take()
		if len(f.columns) == 0 {
			l.fail("a function that returns a record of unknown columns is not supported")
		}
		l.outReturns(f)
		return
	}
	ref := l.typeRef()
	var err *Error
	f.returns, err = l.db.resolveType(ref)
	l.must(err, ref.line)
}

// outReturns makes a row of a function's columns its result.
func (l *loader) outReturns(f *function) {
	if len(f.columns) == 1 && !f.set {
		f.returns = f.columns[0].typ
		f.columns = nil
		return
	}
	f.returns = recordOf(&table{name: f.name, columns: f.columns})
}

func (l *loader) functionOptions(f *function) {
	for {
		t := l.peek()
		switch {
		case l.accept("language"):
			f.language = l.take().text
		case l.accept("immutable"):
			f.volatility = 'i'
		case l.accept("stable"):
			f.volatility = 's'
		case l.accept("volatile"):
			f.volatility = 'v'
		case l.accept("strict"), l.accept("returns", "null", "on", "null", "input"):
			f.strict = true
		case l.accept("called", "on", "null", "input"), l.accept("leakproof"), l.accept("not", "leakproof"), l.accept("window"):
		case l.accept("security", "definer"), l.accept("external", "security", "definer"):
			f.definer = true
		case l.accept("security", "invoker"):
		case l.accept("parallel"):
			l.take()
		case l.accept("cost"), l.accept("rows"):
			l.take()
		case l.accept("set"):
			l.label()
			if !l.accept("to") {
				l.expect("=")
			}
			l.take()
			for l.accept(",") {
				l.take()
			}
		case l.accept("as"):
			l.text()
			if l.accept(",") {
				l.text()
			}
		case l.is("begin", "atomic"):
			for depth := 0; ; {
				switch w := l.take(); {
				case w.kind == tokEnd:
					l.unexpected()
				case w.kind == tokWord && (w.text == "begin" || w.text == "case"):
					depth++
				case w.kind == tokWord && w.text == "end":
					depth--
				}
				if depth == 0 {
					break
				}
			}
		case l.accept("return"):
			l.expr()
		default:
			if t.kind != tokEnd && t.text != ";" {
				l.unexpected()
			}
			return
		}
	}
}

// callDeclared compiles the call of a function that a Go function stands for.
func (s *scope) callDeclared(q qualified, args []*compiled) (*compiled, *Error) {
	list, ok := lookup(s.db, s.db.functions, q)
	if !ok {
		return nil, nil
	}
	for _, f := range list {
		if f.undeclared || len(args) > len(f.args) || f.set {
			continue
		}
		out := make([]*compiled, len(f.args))
		fits := true
		for i, a := range f.args {
			switch {
			case i >= len(args) && !a.optional:
				fits = false
			case i >= len(args):
				out[i] = a.value
			case !castable(args[i].typ, a.typ, implicit):
				fits = false
			default:
				var err *Error
				if out[i], err = s.coerce(args[i], a.typ, implicit); err != nil {
					return nil, err
				}
			}
		}
		if !fits {
			continue
		}
		return &compiled{typ: f.returns, name: f.name, eval: func(e *env) (value, *Error) {
			values := make([]value, len(out))
			for i, a := range out {
				var err *Error
				if values[i], err = a.eval(e); err != nil {
					return nil, err
				}
				if values[i] == nil && f.strict {
					return nil, nil
				}
			}
			rows, err := e.tx.invoke(f, values)
			if err != nil || len(rows) == 0 {
				return nil, err
			}
			if f.returns.kind == kindRecord {
				return rows[0], nil
			}
			return rows[0][0], nil
		}}, nil
	}
	return nil, nil
}

// signature is a function's name and the names of its arguments.
func (f *function) signature() string {
	names := make([]string, len(f.args))
	for i, a := range f.args {
		names[i] = a.name
	}
	return f.schema + "." + f.name + "(" + strings.Join(names, ", ") + ")"
}
