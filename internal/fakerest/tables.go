package fakerest

import (
	"net/http"
	"slices"
	"strings"
)

// relationOf finds the table or the view of a request.
func (s *Server) relationOf(q *request) (*table, *Error) {
	t := s.db.tables[qualified{q.schema, q.name}]
	if t == nil {
		return nil, fault("42P01", "relation \"%s.%s\" does not exist", q.schema, q.name)
	}
	return t, nil
}

// readTable answers GET and HEAD.
func (s *Server) readTable(tx *txn, q *request) (*answer, *Error) {
	rel := s.db.tables[qualified{q.schema, q.name}]
	if rel == nil {
		// embedding is looked for first, and finds nothing
		for _, item := range q.params.selected {
			if item.embed {
				return nil, s.db.unrelated(q.schema, &table{schema: q.schema, name: q.name}, item.target, item.hint)
			}
		}
		return nil, fault("42P01", "relation \"%s.%s\" does not exist", q.schema, q.name)
	}
	p, err := newPlan(s.db, q.schema, rel, q.params, !s.cfg.NoAggregates)
	if err != nil {
		return nil, err
	}
	q.bound(p)
	if s.cfg.MaxRows > 0 {
		p.restrict(s.cfg.MaxRows)
	}
	a, err := s.page(tx, q, p)
	if a != nil && err == nil || err != nil && err.Code == "PGRST103" {
		location := "/" + q.name
		if c := canonical(q.raw); c != "" {
			location += "?" + c
		}
		a.header.Set("Content-Location", location)
	}
	return a, err
}

// page reads a plan and answers with what it gives.
func (s *Server) page(tx *txn, q *request, p *plan) (*answer, *Error) {
	r, f, err := tx.read(p)
	if err != nil {
		return nil, err
	}
	a := newAnswer(200)
	shown := len(f.records)
	var total *int
	if q.prefer.count != "" {
		total = &f.total
		if f.total > shown {
			a.status = http.StatusPartialContent
		}
	}
	a.header.Set("Content-Range", contentRange(p.offset, p.offset+shown-1, total))
	q.applied(a, false)
	if total != nil && p.offset > f.total {
		a.header.Set("Content-Range", contentRange(1, 0, total))
		return a, refusal(416, "PGRST103", notSatisfiable).with("An offset of %d was requested, but there are only %d rows.", p.offset, f.total)
	}
	return s.render(q, a, r, p, f.records)
}

func (q *request) applied(a *answer, write bool) {
	if text := q.prefer.applied(write); text != "" {
		a.header.Set("Preference-Applied", text)
	}
	if q.profiled && (!write || q.prefer.returning == "representation") {
		a.header.Set("Content-Profile", q.schema)
	}
}

// render writes rows in the form that was asked for.
func (s *Server) render(q *request, a *answer, r *run, p *plan, records []*record) (*answer, *Error) {
	switch q.media.kind {
	case "csv":
		body, err := r.csv(p, records)
		if err != nil {
			return nil, err
		}
		return a.typed("text/csv", body), nil
	case "object":
		if len(records) != 1 {
			return singular(len(records), q.media)
		}
		body, err := r.appendRow(nil, p, records[0])
		if err == nil && q.media.strip {
			body, err = stripped(body)
		}
		if err != nil {
			return nil, err
		}
		return a.typed(q.media.name, body), nil
	}
	body, err := r.array(p, records)
	if err == nil && q.media.strip {
		body, err = stripped(body)
	}
	if err != nil {
		return nil, err
	}
	return a.typed(q.media.name, body), nil
}

// singular refuses a number of rows other than one. The answer has two media types, as PostgREST's has.
func singular(n int, m media) (*answer, *Error) {
	a := newAnswer(406)
	a.header.Add("Content-Type", m.name+"; charset=utf-8")
	return a, refusal(406, "PGRST116", "JSON object requested, multiple (or no) rows returned").with("The result contains %d rows", n)
}

// array writes rows as json_agg does.
func (r *run) array(p *plan, records []*record) ([]byte, *Error) {
	dst := []byte{'['}
	for i, rec := range records {
		if i > 0 {
			dst = append(dst, ", \n "...)
		}
		var err *Error
		if dst, err = r.appendRow(dst, p, rec); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

// csv writes rows, below the names of the columns. Without a row there are no names either.
func (r *run) csv(p *plan, records []*record) ([]byte, *Error) {
	if len(records) == 0 {
		return []byte("\n"), nil
	}
	var b strings.Builder
	for i, rec := range records {
		columns, err := r.show(p, rec)
		if err != nil {
			return nil, err
		}
		cells := make([]string, len(columns))
		if i == 0 {
			for j, c := range columns {
				cells[j] = c.name
			}
			b.WriteString(strings.Join(cells, ","))
		}
		for j, c := range columns {
			cells[j] = ""
			if c.v != nil {
				cells[j] = csvCell(formatValue(c.typ, c.v, r.tx.locale()))
			}
		}
		b.WriteString("\n" + strings.Join(cells, ","))
	}
	return []byte(b.String()), nil
}

// csvCell quotes as the text of a row does.
func csvCell(s string) string {
	if s == "" || strings.ContainsAny(s, "\"\\(), \t\n\r\v\f") {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `""`).Replace(s) + `"`
	}
	return s
}

// options tells what can be done with a table.
func (s *Server) options(q *request) (*answer, *Error) {
	a := newAnswer(200)
	a.header.Set("Access-Control-Allow-Origin", "*")
	if q.call {
		asked := *q
		asked.method = http.MethodGet
		if _, err := s.db.choose(&asked, nil); err != nil {
			return nil, err
		}
		a.header.Set("Allow", "OPTIONS,GET,HEAD,POST")
		return a, nil
	}
	rel := s.db.tables[qualified{q.schema, q.name}]
	if rel == nil {
		return newAnswer(404).typed("application/json", []byte("{}")), nil
	}
	allow := "OPTIONS,GET,HEAD"
	base := rel
	for base != nil && base.view != nil {
		base = base.view.base
	}
	if base != nil {
		allow += ",POST"
		if base.primary != nil {
			allow += ",PUT"
		}
		allow += ",PATCH,DELETE"
	}
	a.header.Set("Allow", allow)
	return a, nil
}

// writeTable answers POST, PATCH, PUT and DELETE.
func (s *Server) writeTable(tx *txn, q *request) (*answer, *Error) {
	rel, err := s.relationOf(q)
	if err != nil {
		return nil, err
	}
	if q.prefer.returning != "representation" { // what is embedded must be there all the same
		q.params.selected = slices.DeleteFunc(slices.Clone(q.params.selected), func(item selectItem) bool { return !item.embed })
	}
	if q.method == http.MethodPost {
		q.params.filters = slices.DeleteFunc(slices.Clone(q.params.filters), func(f filterParam) bool { return len(f.path) == 0 })
	}
	p, err := newPlan(s.db, q.schema, rel, q.params, !s.cfg.NoAggregates)
	if err != nil {
		return nil, err
	}
	w := &writer{Server: s, tx: tx, q: q, rel: rel, plan: p}
	switch q.method {
	case http.MethodPost:
		return w.insert()
	case http.MethodPatch:
		return w.update()
	case http.MethodPut:
		return w.put()
	}
	return w.remove()
}

// writer is one write.
type writer struct {
	*Server
	tx   *txn
	q    *request
	rel  *table
	plan *plan
	body *payload
}

// columns finds the columns that a body writes to.
func (w *writer) columns() ([]int, *Error) {
	names := w.body.keys
	if w.q.params.columns != nil {
		names = w.q.params.columns
	}
	var list []int
	for _, n := range names {
		i := w.rel.column(n)
		if i < 0 {
			return nil, refusal(400, "PGRST204", "Column '%s' of relation '%s' does not exist", n, w.rel.name)
		}
		if !slices.Contains(list, i) {
			list = append(list, i)
		}
	}
	slices.SortFunc(list, func(a, b int) int { return strings.Compare(w.rel.columns[a].name, w.rel.columns[b].name) })
	return list, nil
}

// rows makes values of a body's objects.
func (w *writer) rows(columns []int) ([][]value, *Error) {
	var rows [][]value
	for _, o := range w.body.objects {
		if o.form != jsonObject {
			return nil, fault("22023", "argument of json_to_recordset must be an array of objects")
		}
		row := make([]value, len(columns))
		for i, c := range columns {
			col := w.rel.columns[c]
			if w.q.prefer.missing == "default" && o.raw != "" { // such a body is read as jsonb
				n, err := parseJSON(o.raw)
				if err != nil {
					return nil, err
				}
				o = n
			}
			m := o.get(col.name)
			if m == nil && w.q.prefer.missing == "default" {
				row[i] = makeDefault{}
				continue
			}
			var err *Error
			if row[i], err = jsonToValue(col.typ, m, w.tx.locale()); err != nil {
				if err.Message == "expected JSON array" && err.Hint == "" {
					return nil, err.hinted("See the value of key \"%s\".", col.name)
				}
				return nil, err
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (w *writer) allow(privilege string, columns []int) *Error {
	if privilege == "delete" {
		return w.tx.allow(w.rel, privilege, nil)
	}
	if len(columns) == 0 {
		if w.tx.db.mayAny(w.tx.role, w.rel, privilege) {
			return nil
		}
		return w.tx.allow(w.rel, privilege, nil)
	}
	return w.tx.allow(w.rel, privilege, w.rel.names(columns))
}

// needs tells whether the write reads, too: by filters or by what it gives back.
func (w *writer) needs() bool {
	return len(w.plan.where) > 0 || w.q.prefer.returning == "representation" || w.q.prefer.returning == "headers-only"
}

func (w *writer) insert() (*answer, *Error) {
	var err *Error
	if w.body, err = w.q.payloadOf(); err != nil {
		return nil, err
	}
	columns, err := w.columns()
	if err != nil {
		return nil, err
	}
	if len(w.body.objects) == 0 && w.q.params.columns == nil {
		status := http.StatusCreated
		if w.q.prefer.resolution == "merge-duplicates" {
			status = http.StatusOK
		}
		return w.nothing(status)
	}
	s, err := w.tx.sinkOf(w.rel, "insert")
	if err != nil {
		return nil, err
	}
	on, err := w.conflict(s, columns)
	if err != nil {
		return nil, err
	}
	if err := w.allow("insert", columns); err != nil {
		return nil, err
	}
	if on != nil && on.update {
		if err := w.allow("update", columns); err != nil {
			return nil, err
		}
	}
	if w.needs() {
		if err := w.plan.allow(w.tx); err != nil {
			return nil, err
		}
	}
	rows, err := w.rows(columns)
	if err != nil {
		return nil, err
	}
	out, err := w.tx.insertRows(s, columns, rows, false, on, w.needs())
	if err != nil {
		return nil, err
	}
	status := http.StatusCreated
	if w.q.prefer.resolution == "merge-duplicates" && on != nil && len(rows)-out.updated <= 0 {
		status = http.StatusOK
	}
	return w.done(status, out, 1, 0)
}

// conflict resolves on_conflict= and the resolution that is preferred.
func (w *writer) conflict(s *sink, columns []int) (*conflict, *Error) {
	if w.q.prefer.resolution == "" {
		return nil, nil
	}
	names := w.q.params.onConflict
	if names == nil {
		if s.base.primary == nil {
			return nil, nil
		}
		names = s.base.names(s.base.primary.columns)
	}
	on := &conflict{update: w.q.prefer.resolution == "merge-duplicates" && len(columns) > 0}
	for _, n := range names {
		i := w.rel.column(n)
		if i < 0 {
			return nil, fault("42703", "column \"%s\" does not exist", n)
		}
		on.columns = append(on.columns, s.columns[i])
	}
	if on.index = s.base.uniqueOn(on.columns); on.index == nil {
		return nil, fault("42P10", "there is no unique or exclusion constraint matching the ON CONFLICT specification")
	}
	on.set = func(_ *env, existing, excluded []value) ([]value, bool, *Error) {
		values := slices.Clone(existing)
		for _, c := range columns {
			values[s.columns[c]] = excluded[s.columns[c]]
		}
		return values, true, nil
	}
	return on, nil
}

func (w *writer) match(run *run) func([]value) (bool, *Error) {
	return func(values []value) (bool, *Error) {
		rec := &record{values: values, embedded: make([][]*record, len(w.plan.embeds)), known: make([]bool, len(w.plan.embeds))}
		for _, t := range w.plan.where {
			v, err := t(run, rec)
			if err != nil || v != true {
				return false, err
			}
		}
		return true, nil
	}
}

func (w *writer) update() (*answer, *Error) {
	var err *Error
	if w.body, err = w.q.payloadOf(); err != nil {
		return nil, err
	}
	columns, err := w.columns()
	if err != nil {
		return nil, err
	}
	if len(columns) == 0 || len(w.body.objects) == 0 {
		return w.nothing(http.StatusNoContent)
	}
	s, err := w.tx.sinkOf(w.rel, "update")
	if err != nil {
		return nil, err
	}
	if err := w.allow("update", columns); err != nil {
		return nil, err
	}
	if w.needs() {
		if err := w.plan.allow(w.tx); err != nil {
			return nil, err
		}
	}
	w.body.objects = w.body.objects[:1]
	rows, err := w.rows(columns)
	if err != nil {
		return nil, err
	}
	match, err := w.limited()
	if err != nil {
		return nil, err
	}
	out, err := w.tx.updateRows(s, columns, match, func([]value) ([]value, *Error) { return rows[0], nil }, w.needs())
	if err != nil {
		return nil, err
	}
	return w.done(http.StatusNoContent, out, 0, len(out.rows)-1)
}

// limited gives the condition on the rows that are meant, with limit= those of the page alone.
func (w *writer) limited() (func([]value) (bool, *Error), *Error) {
	match := w.match(&run{tx: w.tx, found: map[*embed]*children{}})
	_, limited := w.q.params.limits[""]
	_, shifted := w.q.params.offsets[""]
	if !limited && !shifted {
		return match, nil
	}
	if len(w.plan.order) == 0 {
		return nil, refusal(400, "PGRST109", "A 'limit' was applied without an explicit 'order'").
			hinted("Apply an 'order' using unique column(s)")
	}
	r := &run{tx: w.tx, found: map[*embed]*children{}}
	records, err := r.records(w.plan)
	if err != nil {
		return nil, err
	}
	meant := map[*value]bool{}
	for _, rec := range page(records, w.plan.offset, w.plan.limit) {
		meant[&rec.values[0]] = true
	}
	return func(values []value) (bool, *Error) { return meant[&values[0]], nil }, nil
}

func (w *writer) remove() (*answer, *Error) {
	s, err := w.tx.sinkOf(w.rel, "delete")
	if err != nil {
		return nil, err
	}
	if err := w.allow("delete", nil); err != nil {
		return nil, err
	}
	if w.needs() {
		if err := w.plan.allow(w.tx); err != nil {
			return nil, err
		}
	}
	match, err := w.limited()
	if err != nil {
		return nil, err
	}
	out, err := w.tx.deleteRows(s, match, w.needs())
	if err != nil {
		return nil, err
	}
	return w.done(http.StatusNoContent, out, 1, 0)
}

// put stores the one row of an address.
func (w *writer) put() (*answer, *Error) {
	var err *Error
	if w.body, err = w.q.payloadOf(); err != nil {
		return nil, err
	}
	if len(w.q.params.limits)+len(w.q.params.offsets) > 0 {
		return nil, refusal(400, "PGRST114", "limit/offset querystring parameters are not allowed for PUT")
	}
	columns, err := w.columns()
	if err != nil {
		return nil, err
	}
	s, err := w.tx.sinkOf(w.rel, "insert")
	if err != nil {
		return nil, err
	}
	var keys []int
	if s.base.primary != nil {
		keys = s.base.primary.columns
	}
	var filtered []int
	for _, f := range w.q.params.filters {
		c := f.cond
		if len(f.path) > 0 || c.op != "" || c.negate || c.test.op != "eq" || c.test.quant != "" || len(c.field.path) > 0 {
			filtered = nil
			break
		}
		if i := w.rel.column(c.field.name); i >= 0 {
			filtered = append(filtered, s.columns[i])
		}
	}
	if len(keys) == 0 || !sameSet(keys, filtered) {
		return nil, refusal(405, "PGRST105", "Filters must include all and only primary key columns with 'eq' operators")
	}
	rows, err := w.rows(columns)
	if err != nil {
		return nil, err
	}
	match := w.match(&run{tx: w.tx, found: map[*embed]*children{}})
	for _, row := range rows {
		full := make([]value, len(w.rel.columns))
		for i, c := range columns {
			full[c] = row[i]
		}
		if ok, err := match(full); err != nil || !ok || len(rows) > 1 {
			if err == nil {
				err = refusal(400, "PGRST115", "Payload values do not match URL in primary key column(s)")
			}
			return nil, err
		}
	}
	w.q.prefer.resolution = "merge-duplicates"
	on, err := w.conflict(s, columns)
	w.q.prefer.resolution = ""
	if err != nil {
		return nil, err
	}
	for _, privilege := range []string{"insert", "update"} {
		if err := w.allow(privilege, columns); err != nil {
			return nil, err
		}
	}
	out, err := w.tx.insertRows(s, columns, rows, false, on, w.needs())
	if err != nil {
		return nil, err
	}
	a, err := w.done(http.StatusNoContent, out, 0, 0)
	if a != nil {
		a.header.Del("Content-Range")
	}
	return a, err
}

// nothing answers a write that has nothing to write.
func (w *writer) nothing(status int) (*answer, *Error) {
	return w.done(status, &written{}, 1, 0)
}

// done answers a write.
func (w *writer) done(status int, out *written, lower, upper int) (*answer, *Error) {
	a := newAnswer(status)
	var total *int
	if w.q.prefer.count != "" {
		n := len(out.rows)
		total = &n
	}
	a.header.Set("Content-Range", contentRange(lower, upper, total))
	w.q.applied(a, true)
	if w.q.prefer.returning != "representation" {
		if w.q.prefer.returning == "headers-only" && w.q.method == http.MethodPost && len(out.rows) == 1 {
			w.location(a, out.rows[0])
		}
		if w.q.media.kind == "object" && w.q.prefer.returning == "" && len(out.rows) != 1 {
			return singular(len(out.rows), w.q.media)
		}
		return a, nil
	}
	if status == http.StatusNoContent {
		a.status = http.StatusOK
	}
	p := *w.plan
	p.where, p.order, p.offset, p.limit = nil, nil, 0, unlimited // what was written is shown, whatever it has become
	p.source = func(*txn) ([][]value, *Error) { return out.rows, nil }
	r, f, err := w.tx.read(&p)
	if err != nil {
		return nil, err
	}
	return w.render(w.q, a, r, &p, f.records)
}

// location is the address of the row that was stored.
func (w *writer) location(a *answer, values []value) {
	s, err := w.tx.sinkOf(w.rel, "insert")
	if err != nil || s.base.primary == nil {
		return
	}
	var parts []string
	for _, c := range s.base.primary.columns {
		i := slices.Index(s.columns, c)
		if i < 0 {
			return
		}
		test := "is.null"
		if values[i] != nil {
			test = "eq." + formatValue(w.rel.columns[i].typ, values[i], w.tx.locale())
		}
		parts = append(parts, percent(w.rel.columns[i].name)+"="+percent(test))
	}
	a.header.Set("Location", "/"+w.rel.name+"?"+strings.Join(parts, "&"))
}
