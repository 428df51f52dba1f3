package fakerest

import (
	"slices"
)

// sink is a table or a view that rows are written to.
type sink struct {
	rel     *table // as it is asked for
	base    *table // where the rows are
	columns []int  // of base, for each of rel's; -1: computed
}

// makeDefault stands in a row to be inserted for the column's default.
type makeDefault struct{}

// sinkOf gives the way to the rows of a table, or of a view that is simple enough.
func (tx *txn) sinkOf(rel *table, command string) (*sink, *Error) {
	s := &sink{rel: rel, base: rel}
	if rel.view == nil {
		for i := range rel.columns {
			s.columns = append(s.columns, i)
		}
		return s, nil
	}
	if rel.view.base == nil {
		return nil, fault("55000", "cannot %s view \"%s\"", map[string]string{"insert": "insert into", "update": "update", "delete": "delete from"}[command], rel.name).
			with("%s", rel.view.fixed).
			hinted("%s", map[string]string{
				"insert": "To enable inserting into the view, provide an INSTEAD OF INSERT trigger or an unconditional ON INSERT DO INSTEAD rule.",
				"update": "To enable updating the view, provide an INSTEAD OF UPDATE trigger or an unconditional ON UPDATE DO INSTEAD rule.",
				"delete": "To enable deleting from the view, provide an INSTEAD OF DELETE trigger or an unconditional ON DELETE DO INSTEAD rule.",
			}[command])
	}
	inner, err := tx.sinkOf(rel.view.base, command)
	if err != nil {
		return nil, err
	}
	s.base = inner.base
	for _, c := range rel.view.columns {
		if c >= 0 {
			c = inner.columns[c]
		}
		s.columns = append(s.columns, c)
	}
	return s, nil
}

// writes checks that columns of rel can be written to: that they are no expressions of a view, and
// none that the database itself fills.
func (s *sink) writes(columns []int, command string, overriding bool) *Error {
	for _, i := range columns {
		if s.columns[i] >= 0 {
			continue
		}
		verb := map[string]string{"insert": "insert into", "update": "update"}[command]
		return fault("0A000", "cannot %s column \"%s\" of view \"%s\"", verb, s.rel.columns[i].name, s.rel.name).
			with("View columns that are not columns of their base relation are not updatable.")
	}
	for _, i := range columns {
		c := s.base.columns[s.columns[i]]
		var what string
		switch {
		case c.generated != nil:
			what = "a generated column"
		case c.identity == 'a' && !overriding:
			what = "an identity column defined as GENERATED ALWAYS"
		default:
			continue
		}
		e := fault("428C9", "column \"%s\" can only be updated to DEFAULT", c.name)
		if command == "insert" {
			e = fault("428C9", "cannot insert a non-DEFAULT value into column \"%s\"", c.name)
			if c.generated == nil {
				e.Hint = "Use OVERRIDING SYSTEM VALUE to override."
			}
		}
		return e.with("Column \"%s\" is %s.", c.name, what)
	}
	return nil
}

// places gives the columns of base for some of rel's.
func (s *sink) places(columns []int) []int {
	list := make([]int, len(columns))
	for i, c := range columns {
		list[i] = s.columns[c]
	}
	return list
}

// show gives a row of base as rel has it; false if rel does not have it.
func (s *sink) show(tx *txn, values []value) ([]value, bool, *Error) {
	return showRow(tx, s.rel, values, false)
}

// shown is a row that was written as rel would have it, whether it has it or not.
func (s *sink) shown(tx *txn, values []value) ([]value, *Error) {
	out, _, err := showRow(tx, s.rel, values, true)
	return out, err
}

func showRow(tx *txn, rel *table, values []value, all bool) ([]value, bool, *Error) {
	if rel.view == nil {
		return values, true, nil
	}
	values, ok, err := showRow(tx, rel.view.base, values, all)
	if err != nil || !ok {
		return nil, false, err
	}
	e := &env{tx: tx, rows: [][]value{values}}
	q := rel.view.query
	if q.where != nil && !all {
		if ok, err := q.where.truth(e); err != nil || !ok {
			return nil, false, err
		}
	}
	out := make([]value, len(q.targets))
	for i, t := range q.targets {
		if out[i], err = t.eval(e); err != nil {
			return nil, false, err
		}
	}
	return out, true, nil
}

// acting runs f with the rights that a view's rows are written with.
func (s *sink) acting(tx *txn, f func() *Error) *Error {
	for rel := s.rel; rel.view != nil; rel = rel.view.base {
		if !rel.view.invoker {
			return tx.as(tx.db.owner(), f)
		}
	}
	return f()
}

// conflict says what an insert does where a row is there already.
type conflict struct {
	columns []int // of base; none: any unique index
	index   *index
	update  bool
	set     func(e *env, existing, excluded []value) ([]value, bool, *Error) // false: leave the row
}

// written is what a write has done.
type written struct {
	rows    [][]value // as rel shows them
	updated int       // of an insert: rows that were there already
}

// insertRows inserts rows whose values belong to the given columns of rel, which can be written: see
// [sink.writes].
func (tx *txn) insertRows(s *sink, columns []int, rows [][]value, on *conflict, returning bool) (*written, *Error) {
	out := &written{}
	if err := tx.writable("insert"); err != nil {
		return nil, err
	}
	places := s.places(columns)
	if on != nil && on.index == nil && len(on.columns) > 0 {
		if on.index = s.base.uniqueOn(on.columns); on.index == nil {
			return nil, fault("42P10", "there is no unique or exclusion constraint matching the ON CONFLICT specification")
		}
	}
	touched := map[*row]bool{}
	return out, tx.statement(func() *Error {
		return s.acting(tx, func() *Error {
			for _, given := range rows {
				values, err := tx.newRow(s.base, places, given)
				if err != nil {
					return err
				}
				if on != nil {
					done, err := tx.onConflict(s, values, on, touched, returning, out)
					if err != nil {
						return err
					}
					if done {
						continue
					}
				}
				if err := tx.insert(s.base, values, returning); err != nil {
					return err
				}
				touched[s.base.rows[len(s.base.rows)-1]] = true
				shown, err := s.shown(tx, values)
				if err != nil {
					return err
				}
				out.rows = append(out.rows, shown)
			}
			return nil
		})
	})
}

// newRow makes a row of what was given and of defaults.
func (tx *txn) newRow(t *table, places []int, given []value) ([]value, *Error) {
	values := make([]value, len(t.columns))
	has := make([]bool, len(t.columns))
	for i, p := range places {
		if _, ok := given[i].(makeDefault); ok {
			continue
		}
		values[p], has[p] = given[i], true
	}
	return values, tx.complete(t, values, has)
}

// onConflict looks for a row that is there already, and does what was asked; done tells whether
// the new row is dealt with.
func (tx *txn) onConflict(s *sink, values []value, on *conflict, touched map[*row]bool, returning bool, out *written) (done bool, err *Error) {
	t := s.base
	if err := tx.generate(t, values); err != nil {
		return false, err
	}
	indexes := t.indexes
	if on.index != nil {
		indexes = []*index{on.index}
	}
	var existing *row
	for _, x := range indexes {
		key, indexed, err := x.key(tx, t, values)
		if err != nil {
			return false, err
		}
		if indexed && x.entries[key] != nil {
			existing = x.entries[key]
			break
		}
	}
	if existing == nil {
		return false, nil
	}
	if err := tx.guard(t, "insert", values); err != nil {
		return false, err
	}
	if err := tx.verify(t, values); err != nil {
		return false, err
	}
	if !on.update {
		return true, nil
	}
	if touched[existing] {
		return false, fault("21000", "ON CONFLICT DO UPDATE command cannot affect row a second time").
			hinted("Ensure that no rows proposed for insertion within the same command have duplicate constrained values.")
	}
	if tx.guarded(t) {
		for _, command := range []string{"update", "select"} {
			ok, err := tx.permitted(t, command, existing.values, false)
			if err != nil {
				return false, err
			}
			if !ok {
				return false, rowSecurityFault(t, " (USING expression)")
			}
		}
	}
	changed, ok, err := on.set(&env{tx: tx}, existing.values, values)
	if err != nil || !ok {
		return true, err
	}
	if err := tx.update(t, existing, changed, returning || tx.guarded(t)); err != nil {
		return false, err
	}
	touched[t.rows[len(t.rows)-1]] = true
	out.updated++
	shown, err := s.shown(tx, changed)
	if err == nil {
		out.rows = append(out.rows, shown)
	}
	return true, err
}

// matching gives the rows of base that a write means, as they were before it. Needing tells that
// the rows are also read, so that policies on reading count.
func (tx *txn) matching(s *sink, command string, match func(shown []value) (bool, *Error), needing bool) ([]*row, *Error) {
	var found []*row
	for _, r := range slices.Clone(s.base.rows) {
		if r == nil {
			continue
		}
		if tx.guarded(s.base) {
			ok, err := tx.permitted(s.base, command, r.values, false)
			if err == nil && ok && needing {
				ok, err = tx.permitted(s.base, "select", r.values, false)
			}
			if err != nil {
				return nil, err
			}
			if !ok {
				continue
			}
		}
		shown, ok, err := s.show(tx, r.values)
		if err == nil && ok {
			ok, err = match(shown)
		}
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, r)
		}
	}
	return found, nil
}

// updateRows changes the rows that match. Set gives the new values of some of rel's columns.
func (tx *txn) updateRows(s *sink, columns []int, match func([]value) (bool, *Error), set func(shown []value) ([]value, *Error), needing bool) (*written, *Error) {
	out := &written{}
	if err := tx.writable("update"); err != nil {
		return nil, err
	}
	places := s.places(columns)
	return out, tx.statement(func() *Error {
		return s.acting(tx, func() *Error {
			rows, err := tx.matching(s, "update", match, needing)
			if err != nil {
				return err
			}
			for _, r := range rows {
				if s.base.rows[r.at] != r {
					continue // a trigger of an earlier row's foreign key took it
				}
				shown, _, err := s.show(tx, r.values)
				if err != nil {
					return err
				}
				given, err := set(shown)
				if err != nil {
					return err
				}
				values := slices.Clone(r.values)
				for i, p := range places {
					values[p] = given[i]
					if _, ok := given[i].(makeDefault); ok {
						fresh := make([]value, len(values))
						if err := tx.complete(s.base, fresh, make([]bool, len(values))); err != nil {
							return err
						}
						values[p] = fresh[p]
					}
				}
				if err := tx.update(s.base, r, values, needing); err != nil {
					return err
				}
				after, err := s.shown(tx, values)
				if err != nil {
					return err
				}
				out.rows = append(out.rows, after)
			}
			return nil
		})
	})
}

// deleteRows removes the rows that match.
func (tx *txn) deleteRows(s *sink, match func([]value) (bool, *Error), needing bool) (*written, *Error) {
	out := &written{}
	if err := tx.writable("delete"); err != nil {
		return nil, err
	}
	return out, tx.statement(func() *Error {
		return s.acting(tx, func() *Error {
			rows, err := tx.matching(s, "delete", match, needing)
			if err != nil {
				return err
			}
			for _, r := range rows {
				if s.base.rows[r.at] != r {
					continue
				}
				shown, _, err := s.show(tx, r.values)
				if err != nil {
					return err
				}
				tx.remove(s.base, r)
				out.rows = append(out.rows, shown)
			}
			return nil
		})
	})
}
