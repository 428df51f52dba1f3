package fakerest

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
)

// callFunction answers a call of a function.
func (s *Server) callFunction(tx *txn, q *request) (*answer, *Error) {
	given, raw, err := q.argumentsOf()
	if err != nil {
		return nil, err
	}
	f, err := s.db.choose(q, given)
	if err == nil {
		err = q.params.place(false)
	}
	if err != nil {
		return nil, err
	}
	if q.unacceptable != nil {
		return nil, q.unacceptable
	}
	if f.undeclared {
		return s.callUndeclared(tx, q, f, raw)
	}
	p, err := s.resultPlan(q, f)
	if err != nil {
		return nil, err
	}
	if !s.db.mayUse(tx.role, f.schema) {
		return nil, fault("42501", "permission denied for schema %s", f.schema)
	}
	if !s.db.mayExecute(tx.role, f) {
		return nil, fault("42501", "permission denied for function %s", f.name)
	}
	values, err := tx.argumentValues(f, given, raw, q.reads())
	if err != nil {
		return nil, err
	}
	if f.impl == nil {
		return nil, withoutBody(f)
	}
	rows, err := tx.invoke(f, values)
	if err != nil {
		return nil, err
	}
	if f.returns.kind == kindVoid {
		a := newAnswer(http.StatusNoContent)
		n := 1
		var total *int
		if q.prefer.count != "" {
			total = &n
		}
		a.header.Set("Content-Range", contentRange(0, 0, total))
		q.applied(a, false)
		a.header.Del("Content-Profile") // there is no content
		return a, nil
	}
	if f.returns.kind != kindRecord {
		return s.scalars(tx, q, f, rows)
	}
	p.source = func(*txn) ([][]value, *Error) { return rows, nil }
	q.bound(p)
	if s.cfg.MaxRows > 0 {
		p.restrict(s.cfg.MaxRows)
	}
	if !f.set {
		return s.oneRow(tx, q, p)
	}
	return s.page(tx, q, p)
}

// oneRow answers with the object that a function returns.
func (s *Server) oneRow(tx *txn, q *request, p *plan) (*answer, *Error) {
	if q.media.kind != "json" {
		return s.page(tx, q, p)
	}
	r, f, err := tx.read(p)
	if err != nil {
		return nil, err
	}
	a := newAnswer(200)
	one := 1
	var total *int
	if q.prefer.count != "" {
		total = &one
	}
	a.header.Set("Content-Range", contentRange(0, 0, total))
	q.applied(a, false)
	body := []byte("null")
	if len(f.records) > 0 {
		body, err = r.appendRow(nil, p, f.records[0])
		if err == nil && q.media.strip {
			body, err = stripped(body)
		}
		if err != nil {
			return nil, err
		}
	}
	return a.typed(q.media.name, body), nil
}

// resultPlan resolves what a call says about the rows that it gets. Columns that select= does not
// name cannot be filtered or sorted by, as in PostgREST 12.
func (s *Server) resultPlan(q *request, f *function) (*plan, *Error) {
	if f.returns.kind != kindRecord {
		return nil, q.noColumns(f)
	}
	rel := f.returns.table
	p, err := newPlan(s.db, q.schema, rel, q.params, !s.cfg.NoAggregates)
	if err != nil {
		return nil, err
	}
	for _, item := range q.params.selected {
		if name := item.field.name; !item.embed && name != "*" && name != "count" && rel.column(name) < 0 {
			return nil, fault("42703", "column pgrst_call.%s does not exist", name)
		}
	}
	if err := p.joins(); err != nil {
		return nil, err
	}
	if err := p.targets(); err != nil {
		return nil, err
	}
	available := p.shownColumns()
	if err := available.check(p.filters, p.terms); err != nil {
		return nil, err
	}
	if err := p.conditions(p.filters); err != nil {
		return nil, err
	}
	if err := p.sort(p.terms); err != nil {
		return nil, err
	}
	return p, p.binds.err
}

// noColumns refuses columns of a result that has none.
func (q *request) noColumns(f *function) *Error {
	missing := func(name string) *Error { return fault("42703", "column %s.%s does not exist", f.name, name) }
	for _, item := range q.params.selected {
		if !item.embed && item.field.name != "*" && item.field.name != "count" {
			return missing(item.field.name)
		}
	}
	for _, p := range q.params.filters {
		if p.cond.op == "" {
			return missing(p.cond.field.name)
		}
	}
	for _, o := range q.params.orders {
		return missing(o.terms[0].field.name)
	}
	return nil
}

// scalars answers with a value, or a list of them.
func (s *Server) scalars(tx *txn, q *request, f *function, rows [][]value) (*answer, *Error) {
	a := newAnswer(200)
	total := len(rows)
	offset, limit := q.params.offsets[""], unlimited
	if n, ok := q.params.limits[""]; ok {
		limit = n
	}
	if s.cfg.MaxRows > 0 {
		limit = min(limit, s.cfg.MaxRows)
	}
	rows = rows[min(offset, len(rows)):]
	rows = rows[:min(limit, len(rows))]
	var counted *int
	if q.prefer.count != "" {
		counted = &total
		if total > len(rows) {
			a.status = http.StatusPartialContent
		}
	}
	a.header.Set("Content-Range", contentRange(offset, offset+len(rows)-1, counted))
	q.applied(a, false)
	if q.media.kind == "csv" {
		var b strings.Builder
		b.WriteString("pgrst_scalar")
		for _, r := range rows {
			b.WriteString("\n")
			if r[0] != nil {
				b.WriteString(csvCell(formatValue(f.returns, r[0], tx.locale())))
			}
		}
		return a.typed("text/csv", []byte(b.String())), nil
	}
	var body []byte
	switch {
	case !f.set && len(rows) > 0:
		body = appendJSON(nil, f.returns, rows[0][0], tx.locale())
	case q.media.kind == "object" && f.set:
		if len(rows) != 1 {
			return singular(len(rows), q.media)
		}
		body = appendJSON(nil, f.returns, rows[0][0], tx.locale())
	default:
		body = append(body, '[')
		for i, r := range rows {
			if i > 0 {
				body = append(body, ", "...)
			}
			body = appendJSON(body, f.returns, r[0], tx.locale())
		}
		body = append(body, ']')
	}
	return a.typed(q.media.name, body), nil
}

// callUndeclared calls a Go function that the schema knows nothing of.
func (s *Server) callUndeclared(tx *txn, q *request, f *function, raw *jsonNode) (*answer, *Error) {
	args := Args{}
	if raw != nil {
		if m, ok := nodeToGo(raw).(map[string]any); ok {
			args = m
		}
	}
	out, err := tx.callGo(f, args)
	if err != nil {
		return nil, err
	}
	v, err := fromGo(typJSON, out, tx.locale())
	if err != nil {
		return nil, err
	}
	return s.scalars(tx, q, f, [][]value{{v}})
}

// argumentsOf gives the arguments of a call by name, and the body as a whole.
func (q *request) argumentsOf() (map[string]*jsonNode, *jsonNode, *Error) {
	given := map[string]*jsonNode{}
	if q.reads() {
		whole := &jsonNode{form: jsonObject}
		for _, p := range q.params.arguments {
			v := &jsonNode{form: jsonString, text: p.value}
			if had := given[p.key]; had != nil { // of a variadic argument
				if had.form != jsonArray {
					had = &jsonNode{form: jsonArray, items: []*jsonNode{had}}
				}
				v = &jsonNode{form: jsonArray, items: append(slices.Clone(had.items), v)}
			}
			given[p.key] = v
		}
		for k, v := range given {
			whole.members = append(whole.members, jsonMember{k, v})
		}
		return given, whole, nil
	}
	body, err := q.payloadOf()
	if err != nil {
		return nil, nil, err
	}
	args := body.raw
	if args != nil && args.form == jsonArray && len(args.items) > 0 {
		args = args.items[0]
	}
	if args != nil && args.form == jsonObject {
		for _, m := range args.members {
			if q.params.columns == nil || slices.Contains(q.params.columns, m.key) {
				given[m.key] = m.value
			}
		}
	}
	raw := body.raw
	switch {
	case len(bytes.TrimSpace(q.body)) == 0 && q.content == "application/json":
		raw = nil
	case raw != nil && raw.form != jsonObject && raw.form != jsonArray:
		raw = &jsonNode{form: jsonArray}
	}
	return given, raw, nil
}

// choose finds the one function that takes the arguments.
func (db *database) choose(q *request, given map[string]*jsonNode) (*function, *Error) {
	list := db.functions[qualified{q.schema, q.name}]
	var fits, whole []*function
	if q.prefer.single {
		return nil, unsupported("params=single-object")
	}
	for _, f := range list {
		if f.undeclared {
			return f, nil
		}
		if !q.reads() && len(f.args) == 1 && f.args[0].name == "" && f.args[0].typ.isJSON() {
			whole = append(whole, f)
			continue
		}
		ok := true
		for name := range given {
			ok = ok && slices.ContainsFunc(f.args, func(a argument) bool { return a.name == name })
		}
		for _, a := range f.args {
			ok = ok && (a.optional || a.variadic || given[a.name] != nil)
		}
		if ok {
			fits = append(fits, f)
		}
	}
	if len(fits) == 0 {
		fits = whole
	}
	switch len(fits) {
	case 1:
		return fits[0], nil
	case 0:
		return nil, db.noFunction(q, given, list)
	}
	signatures := make([]string, len(fits))
	for i, f := range fits {
		args := make([]string, len(f.args))
		for j, a := range f.args {
			args[j] = a.name + " => " + a.typ.String()
		}
		signatures[i] = f.schema + "." + f.name + "(" + strings.Join(args, ", ") + ")"
	}
	return nil, refusal(300, "PGRST203", "Could not choose the best candidate function between: %s", strings.Join(signatures, ", ")).
		hinted("Try renaming the parameters or the function itself in the database so function overloading can be resolved")
}

func (db *database) noFunction(q *request, given map[string]*jsonNode, list []*function) *Error {
	names := make([]string, 0, len(given))
	for n := range given {
		names = append(names, n)
	}
	slices.Sort(names)
	function := q.schema + "." + q.name
	what := function + " without parameters"
	searched := what
	if len(names) > 0 {
		what = function + "(" + strings.Join(names, ", ") + ")"
		plural := "s "
		if len(names) == 1 {
			plural = " "
		}
		searched = function + " with parameter" + plural + strings.Join(names, ", ")
	}
	or := ""
	if !q.reads() {
		or = " or with a single unnamed json/jsonb parameter"
	}
	e := refusal(404, "PGRST202", "Could not find the function %s in the schema cache", what).
		with("Searched for the function %s%s, but no matches were found in the schema cache.", searched, or)
	if near := db.nearestFunction(q, names, list); near != "" {
		e.Hint = "Perhaps you meant to call the function " + near
	}
	return e
}

// argumentValues makes values of the arguments that are given, and of defaults.
func (tx *txn) argumentValues(f *function, given map[string]*jsonNode, raw *jsonNode, reads bool) ([]value, *Error) {
	values := make([]value, len(f.args))
	if len(f.args) == 1 && f.args[0].name == "" {
		text := ""
		if raw != nil {
			text = raw.spelling()
		}
		v, err := parseValue(f.args[0].typ, text, tx.locale())
		return []value{v}, err
	}
	for i, a := range f.args {
		n := given[a.name]
		var err *Error
		switch {
		case n == nil && a.value != nil:
			values[i], err = a.value.eval(&env{tx: tx})
		case n != nil && a.variadic && n.form == jsonString && reads:
			values[i], err = jsonToValue(a.typ, &jsonNode{form: jsonArray, items: []*jsonNode{n}}, tx.locale())
		default:
			values[i], err = jsonToValue(a.typ, n, tx.locale())
		}
		if err != nil {
			return nil, err
		}
	}
	return values, nil
}
