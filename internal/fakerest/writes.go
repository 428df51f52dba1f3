package fakerest

import (
	"net/http"
	"slices"
	"strings"
)

// writeTable answers POST, PATCH, PUT and DELETE.
func (s *Server) writeTable(tx *txn, q *request) (*answer, *Error) {
	w := &writer{Server: s, tx: tx, q: q, body: &payload{}}
	var err *Error
	if q.method != http.MethodDelete {
		if w.body, err = q.payloadOf(); err != nil {
			return nil, err
		}
	}
	if err := q.params.place(true); err != nil {
		return nil, err
	}
	var missing *Error
	w.rel, missing = s.relationOf(q)
	if w.plan, err = newPlan(s.db, q.schema, w.rel, q.params, !s.cfg.NoAggregates); err != nil {
		return nil, err
	}
	if missing != nil && (len(w.body.keys) > 0 || q.params.columns != nil) {
		return newAnswer(404).typed("application/json", []byte("{}")), nil
	}
	if missing == nil {
		w.columns, err = w.written()
	}
	if err == nil {
		err = q.unacceptable
	}
	if err == nil {
		err = missing
	}
	if err != nil {
		return nil, err
	}
	if q.method != http.MethodPost && q.method != http.MethodPut && len(q.params.limits)+len(q.params.offsets) > 0 && len(q.params.orders) == 0 {
		return nil, refusal(400, "PGRST109", "A 'limit' was applied without an explicit 'order'").
			hinted("Apply an 'order' using unique column(s)")
	}
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
	tx      *txn
	q       *request
	rel     *table
	plan    *plan
	body    *payload
	columns []int  // that are written to
	means   []test // of the rows that are meant
	sink    *sink
	run     *run
}

// showing tells whether the rows are the answer.
func (w *writer) showing() bool { return w.q.prefer.returning == "representation" }

// returning tells whether columns of the rows come back from the statement.
func (w *writer) returning() bool { return w.showing() || w.q.prefer.returning == "headers-only" }

// analyse resolves what the request says of columns, as Postgres does for the one statement that
// PostgREST makes of it: the rows that are meant, what is written, what is shown.
func (w *writer) analyse(command string, filtered bool) *Error {
	p := w.plan
	if filtered {
		p.alone = true
		var list, trees []condition
		for _, f := range w.q.params.filters { // trees on what is embedded are taken for the table's, too
			switch {
			case f.cond.op != "":
				trees = append(trees, f.cond)
			case len(f.path) == 0:
				list = append(list, f.cond)
			}
		}
		list = append(list, trees...)
		err := p.conditions(list)
		p.alone = false
		if err != nil {
			return err
		}
		w.means, p.where = p.where, nil
	}
	if err := w.analyseReturned(); err != nil {
		return err
	}
	var err *Error
	w.sink, err = w.tx.sinkOf(w.rel, command)
	if w.showing() {
		if err := w.analyseShown(); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	return w.sink.writes(w.columns, command, false)
}

// analyseReturned resolves the columns that come back from the statement.
func (w *writer) analyseReturned() *Error {
	if !w.returning() {
		return nil
	}
	set := w.returned()
	for _, name := range set.names {
		switch {
		case name == "*" || w.rel.column(name) >= 0:
		case name == "count":
			return fault("42803", "aggregate functions are not allowed in RETURNING")
		default:
			return fault("42703", "column %s.%s does not exist", w.rel.name, name)
		}
	}
	if !set.all {
		w.plan.used = append(w.plan.used, set.names...)
		return nil
	}
	for _, c := range w.rel.columns {
		w.plan.used = append(w.plan.used, c.name)
	}
	return nil
}

// returned are the columns that are shown, those by which others are embedded, and the key.
func (w *writer) returned() columnSet {
	set := w.plan.shownColumns()
	set.names = append(set.names, w.rel.names(w.tx.db.keyOf(w.rel))...)
	return set
}

// analyseShown resolves what is shown of the rows once they are written.
func (w *writer) analyseShown() *Error {
	p := w.plan
	if err := p.joins(); err != nil {
		return err
	}
	if err := p.targets(); err != nil {
		return err
	}
	// trees of conditions are applied to what was written, too; single conditions are not
	var trees []condition
	for _, c := range p.filters {
		if c.op != "" {
			trees = append(trees, c)
		}
	}
	if err := w.returned().check(trees, nil); err != nil {
		return err
	}
	return p.conditions(trees)
}

// written finds the columns that a body writes to.
func (w *writer) written() ([]int, *Error) {
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
	defaults, err := w.defaults(columns)
	if err != nil {
		return nil, err
	}
	rows := make([][]value, len(w.body.objects))
	for n, o := range w.body.objects {
		if o.form != jsonObject {
			return nil, fault("22023", "argument of json_to_recordset must be an array of objects")
		}
		if defaults != nil && o.raw != "" { // such a body is read as jsonb
			if o, err = parseJSON(o.raw); err != nil {
				return nil, err
			}
		}
		rows[n] = make([]value, len(columns))
		for i, c := range columns {
			col := w.rel.columns[c]
			m := o.get(col.name)
			if m == nil && defaults != nil {
				rows[n][i] = defaults[n][i]
				continue
			}
			if rows[n][i], err = jsonToValue(col.typ, m, w.tx.locale()); err != nil {
				if err.Message == "expected JSON array" && err.Hint == "" {
					return nil, err.hinted("See the value of key \"%s\".", col.name)
				}
				return nil, err
			}
		}
	}
	return rows, nil
}

// defaults makes those of every row, whether they are needed or not, if missing=default is preferred:
// that is how PostgREST goes about it. A view's columns have none.
func (w *writer) defaults(columns []int) ([][]value, *Error) {
	if w.q.prefer.missing != "default" {
		return nil, nil
	}
	all := make([][]value, len(w.body.objects))
	for n := range all {
		all[n] = make([]value, len(columns))
		if w.rel.view != nil {
			continue
		}
		for i, c := range columns {
			var err *Error
			if all[n][i], err = w.tx.defaultOf(w.rel.columns[c]); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

func (w *writer) allow(privilege string, columns []int) *Error {
	if privilege == "delete" {
		return w.tx.allow(w.rel, privilege, nil)
	}
	if len(columns) == 0 {
		if w.tx.db.mayUse(w.tx.role, w.rel.schema) && w.tx.db.mayAny(w.tx.role, w.rel, privilege) {
			return nil
		}
		return w.tx.allow(w.rel, privilege, nil)
	}
	return w.tx.allow(w.rel, privilege, w.rel.names(columns))
}

// needs tells whether the write reads, too: by filters or by what it gives back.
func (w *writer) needs() bool { return len(w.means) > 0 || w.returning() }

// permit checks privileges.
func (w *writer) permit(privileges ...string) *Error {
	if w.showing() {
		if err := w.plan.allowEmbedded(w.tx); err != nil {
			return err
		}
	}
	for _, p := range privileges {
		if err := w.allow(p, w.columns); err != nil {
			return err
		}
	}
	if !w.needs() {
		return nil
	}
	if err := w.plan.allowOwn(w.tx); err != nil {
		return err
	}
	// what is embedded is as it was before the statement
	w.run = &run{tx: w.tx, found: map[*embed]*children{}}
	return w.run.prepare(w.plan)
}

func (w *writer) insert() (*answer, *Error) {
	if len(w.body.objects) == 0 && w.q.params.columns == nil {
		status := http.StatusCreated
		if w.q.prefer.resolution == "merge-duplicates" {
			status = http.StatusOK
		}
		return w.nothing(status)
	}
	names, err := w.conflicting()
	if err != nil {
		return nil, err
	}
	if err := w.analyse("insert", false); err != nil {
		return nil, err
	}
	if err := w.plan.binds.err; err != nil {
		return nil, err
	}
	on, err := w.conflict(names)
	if err != nil {
		return nil, err
	}
	privileges := []string{"insert"}
	if on != nil && on.update {
		privileges = append(privileges, "update")
	}
	if err := w.permit(privileges...); err != nil {
		return nil, err
	}
	if on != nil { // what is compared, and what is taken from the rows that are proposed, is read
		read := names
		if on.update {
			read = slices.Concat(names, w.columns)
		}
		if err := w.tx.allow(w.rel, "select", w.rel.names(read)); err != nil {
			return nil, err
		}
	}
	rows, err := w.rows(w.columns)
	if err != nil {
		return nil, err
	}
	out, err := w.tx.insertRows(w.sink, w.columns, rows, on, w.needs())
	if err != nil {
		return nil, err
	}
	status := http.StatusCreated
	if w.q.prefer.resolution == "merge-duplicates" && on != nil && len(rows)-out.updated <= 0 {
		status = http.StatusOK
	}
	return w.done(status, out)
}

// conflicting gives the columns of on_conflict=, or those of the primary key.
func (w *writer) conflicting() ([]int, *Error) {
	if w.q.prefer.resolution == "" {
		return nil, nil
	}
	names := w.q.params.onConflict
	if names == nil {
		if !w.hasKey() {
			return nil, nil
		}
		base := w.rel.stored()
		names = base.names(base.primary.columns)
	}
	var columns []int
	for _, n := range names {
		i := w.rel.column(n)
		if i < 0 {
			return nil, fault("42703", "column \"%s\" does not exist", n)
		}
		columns = append(columns, i)
	}
	return columns, nil
}

// hasKey tells whether there is a primary key.
func (w *writer) hasKey() bool {
	base := w.rel.stored()
	return base != nil && base.primary != nil
}

// conflict resolves what happens to rows that are there already.
func (w *writer) conflict(keys []int) (*conflict, *Error) {
	if keys == nil {
		return nil, nil
	}
	s := w.sink
	on := &conflict{update: w.q.prefer.resolution == "merge-duplicates" && len(w.columns) > 0}
	for _, i := range keys {
		on.columns = append(on.columns, s.columns[i])
	}
	if on.index = s.base.uniqueOn(on.columns); on.index == nil {
		return nil, fault("42P10", "there is no unique or exclusion constraint matching the ON CONFLICT specification")
	}
	on.set = func(_ *env, existing, excluded []value) ([]value, bool, *Error) {
		values := slices.Clone(existing)
		for _, c := range w.columns {
			values[s.columns[c]] = excluded[s.columns[c]]
		}
		return values, true, nil
	}
	return on, nil
}

// match tells whether a row is meant.
func (w *writer) match() func([]value) (bool, *Error) {
	r := &run{tx: w.tx, found: map[*embed]*children{}}
	return func(values []value) (bool, *Error) {
		rec := &record{values: values, embedded: make([][]*record, len(w.plan.embeds)), known: make([]bool, len(w.plan.embeds))}
		for _, t := range w.means {
			v, err := t(r, rec)
			if err != nil || v != true {
				return false, err
			}
		}
		return true, nil
	}
}

func (w *writer) update() (*answer, *Error) {
	if len(w.columns) == 0 || len(w.body.objects) == 0 {
		return w.nothing(http.StatusNoContent)
	}
	if err := w.analyse("update", true); err != nil {
		return nil, err
	}
	match, err := w.limited()
	if err != nil {
		return nil, err
	}
	if err := w.permit("update"); err != nil {
		return nil, err
	}
	w.body.objects = w.body.objects[:1]
	rows, err := w.rows(w.columns)
	if err != nil {
		return nil, err
	}
	out, err := w.tx.updateRows(w.sink, w.columns, match, func([]value) ([]value, *Error) { return rows[0], nil }, w.needs())
	if err != nil {
		return nil, err
	}
	return w.done(http.StatusNoContent, out)
}

// limited gives the condition on the rows that are meant, with limit= those of the page alone.
func (w *writer) limited() (func([]value) (bool, *Error), *Error) {
	match := w.match()
	n, limited := w.q.params.limits[""]
	offset, shifted := w.q.params.offsets[""]
	if !limited && !shifted {
		return match, w.plan.binds.err
	}
	p := *w.plan
	p.where, p.embeds, p.offset, p.limit = w.means, nil, offset, unlimited
	if limited {
		p.limit = n
	}
	if err := p.sort(p.terms); err != nil {
		return nil, err
	}
	if err := w.plan.binds.err; err != nil {
		return nil, err
	}
	r := &run{tx: w.tx, found: map[*embed]*children{}}
	records, err := r.records(&p)
	if err != nil {
		return nil, err
	}
	meant := map[*value]bool{}
	for _, rec := range page(records, p.offset, p.limit) {
		meant[&rec.values[0]] = true
	}
	return func(values []value) (bool, *Error) { return meant[&values[0]], nil }, nil
}

func (w *writer) remove() (*answer, *Error) {
	if err := w.analyse("delete", true); err != nil {
		return nil, err
	}
	match, err := w.limited()
	if err != nil {
		return nil, err
	}
	if err := w.permit("delete"); err != nil {
		return nil, err
	}
	out, err := w.tx.deleteRows(w.sink, match, w.needs())
	if err != nil {
		return nil, err
	}
	return w.done(http.StatusNoContent, out)
}

// put stores the one row of an address.
func (w *writer) put() (*answer, *Error) {
	if len(w.q.params.limits)+len(w.q.params.offsets) > 0 {
		return nil, refusal(400, "PGRST114", "limit/offset querystring parameters are not allowed for PUT")
	}
	if err := w.keyed(); err != nil {
		return nil, err
	}
	if err := w.analyse("insert", true); err != nil {
		return nil, err
	}
	if err := w.plan.binds.err; err != nil {
		return nil, err
	}
	rows, err := w.rows(w.columns)
	if err != nil {
		return nil, err
	}
	match := w.match()
	for _, row := range rows {
		full := make([]value, len(w.rel.columns))
		for i, c := range w.columns {
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
	keys, err := w.conflicting()
	if err != nil {
		return nil, err
	}
	on, err := w.conflict(keys)
	w.q.prefer.resolution = ""
	if err != nil {
		return nil, err
	}
	if err := w.permit("insert", "update"); err != nil {
		return nil, err
	}
	out, err := w.tx.insertRows(w.sink, w.columns, rows, on, w.needs())
	if err != nil {
		return nil, err
	}
	a, err := w.done(http.StatusNoContent, out)
	if a != nil {
		a.header.Del("Content-Range")
	}
	return a, err
}

// keyed checks that the address of a PUT is that of one row.
func (w *writer) keyed() *Error {
	bad := refusal(405, "PGRST105", "Filters must include all and only primary key columns with 'eq' operators")
	base := w.rel.stored()
	if base == nil || base.primary == nil {
		return bad
	}
	keys := base.names(base.primary.columns)
	for _, f := range w.q.params.filters {
		c := f.cond
		i := slices.Index(keys, c.field.name)
		if len(f.path) > 0 || c.op != "" || c.negate || c.test.op != "eq" || c.test.quant != "" || len(c.field.path) > 0 || i < 0 {
			return bad
		}
		keys = slices.Delete(keys, i, i+1)
	}
	if len(keys) > 0 {
		return bad
	}
	return nil
}

// nothing answers a write that has nothing to write.
func (w *writer) nothing(status int) (*answer, *Error) {
	if err := w.analyseReturned(); err != nil {
		return nil, err
	}
	if w.showing() {
		if err := w.analyseShown(); err != nil {
			return nil, err
		}
		if err := w.plan.binds.err; err != nil {
			return nil, err
		}
		if err := w.plan.allowEmbedded(w.tx); err != nil {
			return nil, err
		}
	}
	if w.returning() {
		if err := w.plan.allowOwn(w.tx); err != nil {
			return nil, err
		}
	}
	return w.done(status, &written{})
}

// done answers a write.
func (w *writer) done(status int, out *written) (*answer, *Error) {
	a := newAnswer(status)
	p := *w.plan
	var r *run
	shown := len(out.rows)
	var records []*record
	if w.showing() { // whatever the rows have become
		p.order, p.offset, p.limit = nil, 0, unlimited
		p.source = func(*txn) ([][]value, *Error) { return out.rows, nil }
		if r = w.run; r == nil {
			r = &run{tx: w.tx, found: map[*embed]*children{}}
		}
		f, err := r.read(&p)
		if err != nil {
			return nil, err
		}
		records, shown = f.records, len(f.records)
	}
	var total *int
	if w.q.prefer.count != "" {
		total = &shown
	}
	lower, upper := 1, 0
	if w.q.method == http.MethodPatch {
		lower, upper = 0, shown-1
	}
	a.header.Set("Content-Range", contentRange(lower, upper, total))
	if w.q.method == http.MethodPost && w.q.params.onConflict == nil && !w.hasKey() {
		w.q.prefer.resolution = "" // there is nothing that could be there already
	}
	w.q.applied(a, true)
	if w.q.prefer.returning == "representation" {
		if status == http.StatusNoContent {
			a.status = http.StatusOK
		}
		return w.render(w.q, a, r, &p, records)
	}
	if w.returning() && w.q.method == http.MethodPost && len(out.rows) == 1 {
		w.location(a, out.rows[0])
	}
	if w.q.media.kind == "object" && w.q.prefer.returning == "" && shown != 1 {
		return singular(shown, w.q.media)
	}
	return a, nil
}

// location is the address of the row that was stored.
func (w *writer) location(a *answer, values []value) {
	s := w.sink
	if s.base.primary == nil {
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
