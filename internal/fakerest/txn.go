package fakerest

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// txn is what one request does: all of it or nothing. The lock of the database is held while it
// runs. What sequences have given is not taken back, as in Postgres.
type txn struct {
	db       *database
	role     *role
	claims   map[string]any
	now      time.Time
	zone     *time.Location
	readOnly bool
	headers  map[string]string // request.headers
	method   string
	path     string

	undo     []func()
	pending  []func() *Error // checks at the end of the statement
	deferred []func() *Error // checks at the end of the transaction
	depth    int             // of policies and views within each other
	nesting  int             // of statements within each other
}

func (tx *txn) locale() locale { return locale{now: tx.now, zone: tx.zone} }

// owned runs f with the rights of the schema's owner.
func (tx *txn) as(r *role, f func() *Error) *Error {
	before := tx.role
	tx.role = r
	defer func() { tx.role = before }()
	return f()
}

// owner is the role that owns everything.
func (db *database) owner() *role { return db.roles["postgres"] }

func (tx *txn) claimsText() string {
	if tx.claims == nil {
		return "{}"
	}
	b, err := json.Marshal(tx.claims)
	if err != nil {
		return "{}"
	}
	return string(b)
}

// setting is current_setting.
func (tx *txn) setting(name string, missingFine bool) (value, *Error) {
	switch {
	case name == "request.jwt.claims":
		if tx.claims == nil {
			return "", nil
		}
		return tx.claimsText(), nil
	case strings.HasPrefix(name, "request.jwt.claim."):
		v := tx.claims[strings.TrimPrefix(name, "request.jwt.claim.")]
		if s, ok := v.(string); ok {
			return s, nil
		}
		return "", nil
	case name == "request.method":
		return tx.method, nil
	case name == "request.path":
		return tx.path, nil
	case name == "request.headers":
		b, _ := json.Marshal(tx.headers) // strings alone
		return string(b), nil
	case name == "role":
		return tx.role.name, nil
	case strings.EqualFold(name, "timezone"):
		return tx.zone.String(), nil
	case missingFine:
		return nil, nil
	}
	return nil, fault("42704", "unrecognized configuration parameter \"%s\"", name)
}

// statement runs f and the checks that come after it. If it fails, nothing of it stays.
func (tx *txn) statement(f func() *Error) *Error {
	mark := len(tx.undo)
	tx.nesting++
	err := f()
	tx.nesting--
	if tx.nesting == 0 {
		for err == nil && len(tx.pending) > 0 {
			next := tx.pending[0]
			tx.pending = tx.pending[1:]
			tx.nesting++
			err = next()
			tx.nesting--
		}
	}
	if err != nil {
		tx.pending = nil
		tx.rollbackTo(mark)
	}
	return err
}

func (tx *txn) rollbackTo(mark int) {
	for len(tx.undo) > mark {
		tx.undo[len(tx.undo)-1]()
		tx.undo = tx.undo[:len(tx.undo)-1]
	}
}

// commit runs the checks that were put off, and keeps what was done; or undoes it all.
func (tx *txn) commit() *Error {
	for _, check := range tx.deferred {
		if err := check(); err != nil {
			tx.rollbackTo(0)
			return err
		}
	}
	tx.deferred = nil
	tx.undo = nil
	tx.db.compact()
	return nil
}

func (tx *txn) rollback() { tx.rollbackTo(0) }

// compact forgets the places of rows that are gone, once they are many.
func (db *database) compact() {
	for _, t := range db.tableOrder {
		if t.dead < 64 || t.dead < len(t.rows)/2 {
			continue
		}
		t.rows = t.live()
		t.dead = 0
		for i, r := range t.rows {
			r.at = i
		}
	}
}

// allow checks a privilege on a table, or on its columns.
func (tx *txn) allow(t *table, privilege string, columns []string) *Error {
	if !tx.db.mayUse(tx.role, t.schema) {
		return fault("42501", "permission denied for schema %s", t.schema)
	}
	if tx.db.may(tx.role, t, privilege, columns) {
		return nil
	}
	what := "table"
	if t.view != nil {
		what = "view"
	}
	return fault("42501", "permission denied for %s %s", what, t.name)
}

// guarded reports whether row security holds for the role on a table.
func (tx *txn) guarded(t *table) bool {
	return t.rowSecurity && !tx.role.super && !tx.role.bypassRLS
}

// maxPolicyDepth bounds policies that read tables with policies.
const maxPolicyDepth = 12

// permitted reports whether policies let a row through. With check the new row is meant, else the
// one that is there.
func (tx *txn) permitted(t *table, command string, values []value, check bool) (bool, *Error) {
	tx.depth++
	defer func() { tx.depth-- }()
	if tx.depth > maxPolicyDepth {
		return false, fault("42P17", "infinite recursion detected in policy for relation \"%s\"", t.name)
	}
	granted := false
	for _, p := range t.policies {
		if p.command != "all" && p.command != command || !slices.ContainsFunc(p.roles, func(r string) bool { return tx.db.has(tx.role, r) }) {
			continue
		}
		if granted && !p.restrictive {
			continue
		}
		test := p.using
		if check && p.check != nil {
			test = p.check
		}
		ok := true
		if test != nil {
			var err *Error
			if ok, err = test(tx, values); err != nil {
				return false, err
			}
		}
		if p.restrictive && !ok {
			return false, nil
		}
		if !p.restrictive {
			granted = granted || ok
		}
	}
	return granted, nil
}

// scan gives the rows of a table or a view that the role may see.
func (tx *txn) scan(t *table) ([][]value, *Error) {
	if t.view != nil {
		return tx.scanView(t)
	}
	live := t.live()
	rows := make([][]value, 0, len(live))
	guarded := tx.guarded(t)
	for _, r := range live {
		if guarded {
			ok, err := tx.permitted(t, "select", r.values, false)
			if err != nil {
				return nil, err
			}
			if !ok {
				continue
			}
		}
		rows = append(rows, r.values)
	}
	return rows, nil
}

func (tx *txn) scanView(t *table) ([][]value, *Error) {
	tx.depth++
	defer func() { tx.depth-- }()
	if tx.depth > maxPolicyDepth {
		return nil, fault("42P17", "infinite recursion detected in rules for relation \"%s\"", t.name)
	}
	as := tx.db.owner()
	if t.view.invoker {
		as = tx.role
	}
	var rows [][]value
	err := tx.as(as, func() *Error {
		var err *Error
		rows, err = t.view.query.run(&env{tx: tx})
		return err
	})
	return rows, err
}

// key gives what a row is found by in an index; false for a row that is not in it.
func (x *index) key(tx *txn, t *table, values []value) (string, bool, *Error) {
	if x.where != nil {
		ok, err := x.where.truth(&env{tx: tx, rows: [][]value{values}})
		if err != nil || !ok {
			return "", false, err
		}
	}
	var key []byte
	if len(x.keys) > 0 {
		for _, k := range x.keys {
			v, err := k.eval(&env{tx: tx, rows: [][]value{values}})
			if err != nil {
				return "", false, err
			}
			if v == nil && !x.nullsSame {
				return "", false, nil
			}
			key = appendKey(key, k.typ, v)
		}
		return string(key), true, nil
	}
	for _, c := range x.columns {
		if values[c] == nil && !x.nullsSame {
			return "", false, nil
		}
		key = appendKey(key, t.columns[c].typ, values[c])
	}
	return string(key), true, nil
}

// store puts a row into a table, behind the others, after its indexes have accepted it.
func (tx *txn) store(t *table, values []value) *Error {
	r := &row{values: values, at: len(t.rows)}
	for i, x := range t.indexes {
		key, indexed, err := x.key(tx, t, values)
		if err == nil && indexed && x.entries[key] != nil {
			err = tx.duplicate(t, x, values)
		}
		if err != nil {
			tx.unindex(t, t.indexes[:i], r)
			return err
		}
		if indexed {
			x.entries[key] = r
		}
	}
	t.rows = append(t.rows, r)
	tx.undo = append(tx.undo, func() {
		tx.unindex(t, t.indexes, r)
		t.rows[r.at] = nil
		if r.at == len(t.rows)-1 {
			t.rows = t.rows[:r.at]
		} else {
			t.dead++
		}
	})
	return nil
}

func (tx *txn) unindex(t *table, indexes []*index, r *row) {
	for _, x := range indexes {
		if key, indexed, err := x.key(tx, t, r.values); err == nil && indexed && x.entries[key] == r {
			delete(x.entries, key)
		}
	}
}

// take takes a row out of a table.
func (tx *txn) take(t *table, r *row) {
	tx.unindex(t, t.indexes, r)
	t.rows[r.at] = nil
	t.dead++
	tx.undo = append(tx.undo, func() {
		for _, x := range t.indexes {
			if key, indexed, err := x.key(tx, t, r.values); err == nil && indexed {
				x.entries[key] = r
			}
		}
		t.rows[r.at] = r
		t.dead--
	})
}

func (tx *txn) duplicate(t *table, x *index, values []value) *Error {
	err := fault("23505", "duplicate key value violates unique constraint \"%s\"", x.name)
	if tx.guarded(t) {
		return err
	}
	if len(x.keys) > 0 {
		return err.with("Key (%s) already exists.", x.name)
	}
	return err.with("Key (%s)=(%s) already exists.", joinNames(t.names(x.columns)), tx.texts(t, x.columns, values))
}

func joinNames(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = quoteIdent(n)
	}
	return strings.Join(quoted, ", ")
}

// texts writes the values of some columns, for messages.
func (tx *txn) texts(t *table, columns []int, values []value) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = "null"
		if values[c] != nil {
			parts[i] = formatValue(t.columns[c].typ, values[c], tx.locale())
		}
	}
	return strings.Join(parts, ", ")
}

// failing adds the row that failed to an error, but where row security could be told by it. Long
// values are cut.
func (tx *txn) failing(err *Error, t *table, values []value) *Error {
	if tx.guarded(t) {
		return err
	}
	parts := make([]string, len(values))
	for i, v := range values {
		text := "null"
		if v != nil {
			text = formatValue(t.columns[i].typ, v, tx.locale())
			if r := []rune(text); len(r) > 64 {
				text = string(r[:64]) + "..."
			}
		}
		parts[i] = text
	}
	return err.with("Failing row contains (%s).", strings.Join(parts, ", "))
}

// complete gives a new row what was not given: defaults, identities, generated columns.
func (tx *txn) complete(t *table, values []value, given []bool) *Error {
	for i, c := range t.columns {
		if given[i] || c.generated != nil {
			continue
		}
		var err *Error
		if values[i], err = tx.defaultOf(c); err != nil {
			return err
		}
	}
	return nil
}

// defaultOf computes a column's default.
func (tx *txn) defaultOf(c *column) (value, *Error) {
	switch {
	case c.value != nil:
		return c.value.eval(&env{tx: tx})
	case c.sequence != nil:
		return castValue(typInt8, c.typ, c.sequence.take(), false, tx.locale())
	}
	return nil, nil
}

func (tx *txn) generate(t *table, values []value) *Error {
	for i, c := range t.columns {
		if c.generated == nil {
			continue
		}
		v, err := c.generated.eval(&env{tx: tx, rows: [][]value{values}})
		if err != nil {
			return err
		}
		values[i] = v
	}
	return nil
}

// verify checks NOT NULL and CHECK.
func (tx *txn) verify(t *table, values []value) *Error {
	for i, c := range t.columns {
		if c.notNull && values[i] == nil {
			return tx.failing(fault("23502", "null value in column \"%s\" of relation \"%s\" violates not-null constraint", c.name, t.name), t, values)
		}
	}
	for _, k := range t.checks {
		v, err := k.test.eval(&env{tx: tx, rows: [][]value{values}})
		if err != nil {
			return err
		}
		if v == false {
			return tx.failing(fault("23514", "new row for relation \"%s\" violates check constraint \"%s\"", t.name, k.name), t, values)
		}
	}
	return nil
}

func rowSecurityFault(t *table, detail string) *Error {
	return fault("42501", "new row violates row-level security policy%s for table \"%s\"", detail, t.name)
}

// guard checks a new row against policies.
func (tx *txn) guard(t *table, command string, values []value) *Error {
	if !tx.guarded(t) {
		return nil
	}
	ok, err := tx.permitted(t, command, values, true)
	if err == nil && !ok {
		err = rowSecurityFault(t, "")
	}
	return err
}

// writable refuses changes in a transaction that only reads.
func (tx *txn) writable(command string) *Error {
	if tx.readOnly {
		return fault("25006", "cannot execute %s in a read-only transaction", strings.ToUpper(command))
	}
	return nil
}

// insert stores a new row. The values of columns that are not given are made.
func (tx *txn) insert(t *table, values []value, returning bool) *Error {
	if err := tx.generate(t, values); err != nil {
		return err
	}
	if err := tx.guard(t, "insert", values); err != nil {
		return err
	}
	if returning && tx.guarded(t) {
		ok, err := tx.permitted(t, "select", values, false)
		if err != nil {
			return err
		}
		if !ok {
			return rowSecurityFault(t, "")
		}
	}
	if err := tx.verify(t, values); err != nil {
		return err
	}
	if err := tx.store(t, values); err != nil {
		return err
	}
	tx.referTo(t, values, nil)
	return nil
}

// update stores new values in a row's place.
func (tx *txn) update(t *table, r *row, values []value, returning bool) *Error {
	if err := tx.generate(t, values); err != nil {
		return err
	}
	if err := tx.guard(t, "update", values); err != nil {
		return err
	}
	if returning && tx.guarded(t) {
		ok, err := tx.permitted(t, "select", values, false)
		if err != nil {
			return err
		}
		if !ok {
			return rowSecurityFault(t, "")
		}
	}
	if err := tx.verify(t, values); err != nil {
		return err
	}
	tx.take(t, r)
	if err := tx.store(t, values); err != nil {
		return err
	}
	tx.released(t, r.values, values)
	tx.referTo(t, values, r.values)
	return nil
}

// remove takes a row away, and what depends on it.
func (tx *txn) remove(t *table, r *row) {
	tx.take(t, r)
	tx.released(t, r.values, nil)
}

// unchanged reports whether two rows are equal in some columns.
func unchanged(t *table, columns []int, a, b []value) bool {
	for _, c := range columns {
		if (a[c] == nil) != (b[c] == nil) || a[c] != nil && compareValues(t.columns[c].typ, a[c], b[c]) != 0 {
			return false
		}
	}
	return true
}

// referTo has the foreign keys of a new row checked at the end of the statement.
func (tx *txn) referTo(t *table, values, before []value) {
	for _, f := range t.foreign {
		if before != nil && unchanged(t, f.columns, values, before) {
			continue
		}
		test := func() *Error {
			if slices.ContainsFunc(f.columns, func(c int) bool { return values[c] == nil }) || f.hasTarget(values) || !tx.stored(t, values) {
				return nil
			}
			return fault("23503", "insert or update on table \"%s\" violates foreign key constraint \"%s\"", t.name, f.name).
				with("Key (%s)=(%s) is not present in table \"%s\".", joinNames(t.names(f.columns)), tx.texts(t, f.columns, values), f.target.name)
		}
		if f.deferred {
			tx.deferred = append(tx.deferred, test)
		} else {
			tx.pending = append(tx.pending, test)
		}
	}
}

// stored reports whether a row is still there.
func (tx *txn) stored(t *table, values []value) bool {
	return slices.ContainsFunc(t.rows, func(r *row) bool { return r != nil && &r.values[0] == &values[0] })
}

// hasTarget finds the row that a foreign key refers to.
func (f *foreignKey) hasTarget(values []value) bool {
	x := f.target.uniqueOn(f.targets)
	var key []byte
	for _, c := range x.columns {
		i := slices.Index(f.targets, c)
		v, err := castValue(f.table.columns[f.columns[i]].typ, f.target.columns[c].typ, values[f.columns[i]], false, locale{zone: time.UTC})
		if err != nil {
			return false
		}
		key = appendKey(key, f.target.columns[c].typ, v)
	}
	return x.entries[string(key)] != nil
}

// referrers gives the rows that refer to the values of one.
func (f *foreignKey) referrers(values []value) []*row {
	var found []*row
	for _, r := range f.table.rows {
		if r == nil {
			continue
		}
		same := true
		for i, c := range f.columns {
			v, target := r.values[c], values[f.targets[i]]
			if v == nil || target == nil {
				same = false
				break
			}
			cast, err := castValue(f.table.columns[c].typ, f.target.columns[f.targets[i]].typ, v, false, locale{zone: time.UTC})
			if err != nil || compareValues(f.target.columns[f.targets[i]].typ, cast, target) != 0 {
				same = false
				break
			}
		}
		if same {
			found = append(found, r)
		}
	}
	return found
}

// released does what foreign keys ask for when a row is gone, or its key has changed.
func (tx *txn) released(t *table, before, after []value) {
	for _, f := range t.references {
		if after != nil && unchanged(t, f.targets, before, after) {
			continue
		}
		do := f.onDelete
		if after != nil {
			do = f.onUpdate
		}
		denied := func() *Error {
			if len(f.referrers(before)) == 0 || do == noAction && tx.replaced(f, before) {
				return nil
			}
			return tx.stillReferenced(f, before)
		}
		switch do {
		case restrict:
			tx.pending = append(tx.pending, denied)
		case noAction:
			if f.deferred {
				tx.deferred = append(tx.deferred, denied)
			} else {
				tx.pending = append(tx.pending, denied)
			}
		default:
			tx.pending = append(tx.pending, func() *Error { return tx.follow(f, do, before, after) })
		}
	}
}

// replaced reports whether another row has the key that went.
func (tx *txn) replaced(f *foreignKey, before []value) bool {
	key, indexed, err := f.target.uniqueOn(f.targets).key(tx, f.target, before)
	return err == nil && indexed && f.target.uniqueOn(f.targets).entries[key] != nil
}

// follow changes or removes the rows that refer to one that has changed or is gone.
func (tx *txn) follow(f *foreignKey, do action, before, after []value) *Error {
	return tx.as(tx.db.owner(), func() *Error {
		for _, r := range f.referrers(before) {
			if f.table.rows[r.at] != r {
				continue
			}
			if do == cascade && after == nil {
				tx.remove(f.table, r)
				continue
			}
			values := slices.Clone(r.values)
			for i, c := range f.columns {
				switch do {
				case cascade:
					v, err := castValue(f.target.columns[f.targets[i]].typ, f.table.columns[c].typ, after[f.targets[i]], false, tx.locale())
					if err != nil {
						return err
					}
					values[c] = v
				case setNull:
					values[c] = nil
				case setDefault:
					values[c] = nil
					if d := f.table.columns[c].value; d != nil {
						v, err := d.eval(&env{tx: tx})
						if err != nil {
							return err
						}
						values[c] = v
					}
				}
			}
			if err := tx.update(f.table, r, values, false); err != nil {
				return err
			}
		}
		if do == setDefault && len(f.referrers(before)) > 0 && !tx.replaced(f, before) { // the default is what went
			return tx.stillReferenced(f, before)
		}
		return nil
	})
}

func (tx *txn) stillReferenced(f *foreignKey, before []value) *Error {
	return fault("23503", "update or delete on table \"%s\" violates foreign key constraint \"%s\" on table \"%s\"", f.target.name, f.name, f.table.name).
		with("Key (%s)=(%s) is still referenced from table \"%s\".", joinNames(f.target.names(f.targets)), tx.texts(f.target, f.targets, before), f.table.name)
}
