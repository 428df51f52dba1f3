package sqlconn

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/streamconn/streamconn/internal/nearest"
)

// Params are the values of the named parameters of a statement, and then its
// only argument:
//
//	sqlconn.Query[Owner](ctx, conn, `select * from pet_owners where pet = :pet`, sqlconn.Params{"pet": "cat"})
//
// A parameter is written :name, whatever the driver takes: it becomes ?, $1,
// @p1 or :1. Names start with a letter or an underscore, are case-sensitive,
// and stand in the map without the colon. One that stands in the statement
// twice has one value. Every name needs a value (nil is NULL), every value a
// name, and ?, $1 and their like cannot stand beside them; a mistake is an
// error that tells the names, never the values.
//
// As in SQLAlchemy's text(), a colon directly after a letter, a digit, an
// underscore or another colon starts no parameter: casts (x::int), slices
// (a[1:2]), assignments (:=) and JSON paths are left alone. So is all that
// stands in strings, quoted names and comments, unlike there. Elsewhere \:
// stands for a colon.
//
// A slice or an array is one value to databases that have arrays
// (x = any(:ids) in PostgreSQL). In an IN list, in :ids or in (:ids), it becomes
// as many parameters as it has elements, with every database. An empty one
// becomes NULL: x in (NULL) matches no row. Where NOT could turn that round it
// is an error instead. []byte, other slices of bytes, and whatever is a
// [driver.Valuer] is one value everywhere.
//
// Params are not [sql.Named]: a sql.NamedArg goes to the driver as it is, among
// other arguments, for drivers that know the names of the database itself
// (@name in SQL Server, :name in SQLite).
type Params map[string]any

// bindArgs returns the statement and the arguments as the driver wants them.
// Params are translated; other arguments, and a statement without any, are
// passed on as they are.
func (s *statement) bindArgs(query string, args []any) (string, []any, error) {
	for _, arg := range args {
		switch arg := arg.(type) {
		case Params:
			if len(args) > 1 {
				return "", nil, errors.New("sqlconn.Params must be the only argument: give all values by name, or all by position")
			}
			return s.bind(arg)
		case map[string]any:
			return "", nil, errors.New("a map[string]any is no argument: give named parameters as sqlconn.Params")
		case *Params, *map[string]any:
			return "", nil, fmt.Errorf("a %T is no argument: give named parameters as sqlconn.Params, without a pointer", arg)
		}
	}
	return query, args, nil
}

// bind translates named parameters.
func (s *statement) bind(p Params) (string, []any, error) {
	plan, err := s.plan()
	if err != nil {
		return "", nil, err
	}
	return plan.bind(p)
}

// bindNamed translates the named parameters of query for a driver whose
// placeholders have the given style.
func bindNamed(dialect string, style placeholderStyle, query string, p Params) (rewritten string, args []any, err error) {
	return analyse(dialect, style, query).bind(p)
}

// bindPlan is a statement cut at its named parameters. It is immutable.
type bindPlan struct {
	dialect string
	style   placeholderStyle
	names   []string // in the order of their first use
	texts   []string // around the slots, one more than these
	slots   []bindSlot

	flat     string // the statement if no value is a list
	flatArgs []int  // what each of its arguments is, as an index of names
}

// bindSlot is one place where a parameter stands.
type bindSlot struct {
	name    int // index of bindPlan.names
	list    listPlace
	negated bool // a NOT may apply to the IN list: an empty one cannot be NULL
}

// listPlace says what becomes of a list in a slot.
type listPlace uint8

const (
	noList     listPlace = iota // it stays one value
	inList                      // in (…, :x, …): its elements
	inListBare                  // in :x: its elements in parentheses
)

// newBindPlan finds the named parameters. For an unknown dialect all those that
// go with the style of placeholders have to find the same.
func newBindPlan(dialect string, style placeholderStyle, query string) (*bindPlan, error) {
	if syntax := knownSyntax(dialect); syntax != nil {
		return cutStatement(syntax, dialect, style, query)
	}
	var plan *bindPlan
	var failure error
	for _, syntax := range syntaxesOfStyle(style) {
		p, err := cutStatement(syntax, dialect, style, query)
		switch {
		case err != nil:
			failure = err
		case plan == nil:
			plan = p
		case !slices.Equal(plan.texts, p.texts) || !slices.Equal(plan.slots, p.slots) || !slices.Equal(plan.names, p.names):
			return nil, errors.New("which named parameters the statement has depends on the SQL dialect, and that of the connection is not known: name the dialect, or give the arguments by position")
		}
	}
	if plan == nil {
		return nil, failure
	}
	return plan, nil
}

func syntaxesOfStyle(style placeholderStyle) []*sqlSyntax {
	switch style {
	case placeDollar:
		return []*sqlSyntax{postgresSyntax, duckdbSyntax}
	case placeAtP:
		return []*sqlSyntax{mssqlSyntax}
	case placeColon:
		return []*sqlSyntax{plainSyntax, snowflakeSyntax}
	}
	return []*sqlSyntax{plainSyntax, mysqlSyntax, sqliteSyntax, duckdbSyntax, snowflakeSyntax}
}

func cutStatement(syntax *sqlSyntax, dialect string, style placeholderStyle, query string) (*bindPlan, error) {
	p := &bindPlan{dialect: dialect, style: style}
	l := newSQLLexer(syntax, query)
	var (
		text   strings.Builder // since the last slot
		from   int             // what was not yet written to it
		places listPlaces
	)
	for {
		t := l.next()
		switch t.kind {
		case sqlBroken:
			return nil, l.brokenError(t)
		case sqlPositional, sqlVariable:
			if name := l.word(t); standsForArgument(syntax, style, t.kind, name) {
				return nil, fmt.Errorf("the statement has the placeholder %s, but its arguments are given by name: write :name", name)
			}
		case sqlColonEscape:
			text.WriteString(query[from:t.start])
			from = t.start + 1 // without the backslash
		case sqlNamed:
			text.WriteString(query[from:t.start])
			from = t.end
			if growsTogether(l.at(t.start - 1)) {
				text.WriteByte(' ')
			}
			p.texts = append(p.texts, text.String())
			text.Reset()
			if growsTogether(l.at(t.end)) {
				text.WriteByte(' ')
			}
			p.slots = append(p.slots, bindSlot{name: p.nameIndex(query[t.start+1 : t.end])})
		case sqlEnd:
			text.WriteString(query[from:])
			p.texts = append(p.texts, text.String())
			p.flatten()
			return p, nil
		}
		places.see(l, t, p.slots)
	}
}

// growsTogether tells whether a byte beside a placeholder would become part of
// it, or make $$ or @@ of it.
func growsTogether(c byte) bool {
	return c == '$' || c == '@' || c == '#' || c == '?' || c >= utf8.RuneSelf
}

func (p *bindPlan) nameIndex(name string) int {
	if i := slices.Index(p.names, name); i >= 0 {
		return i
	}
	p.names = append(p.names, name)
	return len(p.names) - 1
}

// standsForArgument tells whether a token would take a positional argument.
func standsForArgument(syntax *sqlSyntax, style placeholderStyle, kind sqlTokenKind, token string) bool {
	switch token[0] {
	case '?':
		return true
	case '$':
		return style == placeDollar || syntax == sqliteSyntax || syntax == duckdbSyntax
	case '@':
		return kind == sqlPositional && style == placeAtP || syntax == sqliteSyntax
	case ':':
		return style == placeColon || syntax == sqliteSyntax
	}
	return false
}

// listPlaces follows the tokens of a statement to find the slots where a list
// of values can stand.
type listPlaces struct {
	open  []parenthesis
	last  string // the token before: a word in upper case, a mark, or ""
	notIn bool   // the token before is the IN of NOT IN
	not   bool   // the token before is a NOT
	// anyNot: a NOT stood before an expression, and for all that a lexer knows
	// every IN list that follows belongs to it.
	anyNot  bool
	pending int // 1 + index of a slot that takes a list if "," or ")" follows
}

type parenthesis struct{ list, negated bool }

func (s *listPlaces) see(l *sqlLexer, t sqlToken, slots []bindSlot) {
	var word string
	switch t.kind {
	case sqlWord:
		word = upperASCII(l.word(t))
	case sqlMark:
		word = l.word(t)
	}
	s.seeNot(word)

	within := parenthesis{}
	if len(s.open) > 0 {
		within = s.open[len(s.open)-1]
	}
	if s.pending > 0 && (word == "," || word == ")") {
		slots[s.pending-1].list, slots[s.pending-1].negated = inList, within.negated || s.anyNot
	}
	s.pending = 0
	switch {
	case word == "(":
		s.open = append(s.open, parenthesis{list: s.last == "IN", negated: s.notIn})
	case word == ")" && len(s.open) > 0:
		s.open = s.open[:len(s.open)-1]
	case t.kind == sqlNamed && s.last == "IN":
		slots[len(slots)-1].list, slots[len(slots)-1].negated = inListBare, s.notIn || s.anyNot
	case t.kind == sqlNamed && within.list && (s.last == "(" || s.last == ","):
		s.pending = len(slots)
	}
	s.notIn = s.notIn && word == "IN"
	s.last = word
}

// seeNot tells a NOT before an expression from those of IS NOT NULL, NOT LIKE
// and the like.
func (s *listPlaces) seeNot(word string) {
	if s.not {
		switch word {
		case "NULL", "LIKE", "ILIKE", "RLIKE", "REGEXP", "SIMILAR", "GLOB", "MATCH", "BETWEEN", "EXISTS", "MATERIALIZED",
			"=", "~", "<", ">": // !=, !~ and the like
		case "IN":
			s.notIn = true
		default:
			s.anyNot = true
		}
	}
	s.not = word == "NOT" && s.last != "IS" || word == "!"
}

func (p *bindPlan) flatten() {
	w := bindWriter{plan: p}
	for i, slot := range p.slots {
		w.text.WriteString(p.texts[i])
		w.placeholder(slot.name)
	}
	w.text.WriteString(p.texts[len(p.slots)])
	p.flat, p.flatArgs = w.text.String(), w.order
}

func (p *bindPlan) bind(params Params) (string, []any, error) {
	if err := p.checkNames(params); err != nil {
		return "", nil, err
	}
	lists := false
	for _, slot := range p.slots {
		name := p.names[slot.name]
		switch value := params[name]; {
		case !isListValue(value):
			if _, named := value.(sql.NamedArg); named {
				return "", nil, fmt.Errorf("the value of parameter :%s is a sql.NamedArg: give the value itself", name)
			}
		case slot.list == noList && !hasArrays(p.dialect):
			return "", nil, fmt.Errorf("the value of parameter :%s is a list, and %s takes one only in an IN list: write in (:%s)", name, p.dialect, name)
		default:
			lists = lists || slot.list != noList
		}
	}
	if lists {
		return p.expand(params)
	}
	var args []any
	if len(p.flatArgs) > 0 {
		args = make([]any, len(p.flatArgs))
		for i, name := range p.flatArgs {
			args[i] = params[p.names[name]]
		}
	}
	return p.flat, args, nil
}

// expand writes the statement for values of which some are lists.
func (p *bindPlan) expand(params Params) (string, []any, error) {
	type given struct {
		name int
		list bool
	}
	var (
		w      = bindWriter{plan: p}
		args   []any
		firsts = map[given]int{} // number of a value's first placeholder
	)
	for i, slot := range p.slots {
		w.text.WriteString(p.texts[i])
		key := given{slot.name, slot.list != noList && isListValue(params[p.names[slot.name]])}
		values := []any{params[p.names[slot.name]]}
		if key.list {
			var err error
			if values, err = listElements(values[0]); err != nil {
				return "", nil, fmt.Errorf("the list of parameter :%s %w", p.names[slot.name], err)
			}
			if len(values) == 0 && slot.negated {
				return "", nil, fmt.Errorf("the list of parameter :%s is empty, and there is no empty IN list in SQL that NOT could turn round: leave the condition out when there is nothing to list", p.names[slot.name])
			}
		}
		first, found := firsts[key]
		if !found || !p.reuses() {
			first = len(args) + 1
			firsts[key] = first
			args = append(args, values...)
		}
		w.list(first, len(values), key.list && slot.list == inListBare)
	}
	w.text.WriteString(p.texts[len(p.slots)])
	return w.text.String(), args, nil
}

func listElements(list any) ([]any, error) {
	v := reflect.ValueOf(list)
	elements := make([]any, v.Len())
	for i := range elements {
		elements[i] = v.Index(i).Interface()
		if isListValue(elements[i]) {
			return nil, errors.New("holds lists: an IN list takes single values")
		}
	}
	return elements, nil
}

// reuses tells whether one placeholder may stand in several places. :1 may in
// some databases and counts anew in others.
func (p *bindPlan) reuses() bool { return p.style == placeDollar || p.style == placeAtP }

// bindWriter writes placeholders.
type bindWriter struct {
	plan  *bindPlan
	text  strings.Builder
	order []int
}

func (w *bindWriter) placeholder(name int) {
	if w.plan.reuses() {
		if i := slices.Index(w.order, name); i >= 0 {
			w.number(i + 1)
			return
		}
	}
	w.order = append(w.order, name)
	w.number(len(w.order))
}

func (w *bindWriter) number(n int) {
	switch w.plan.style {
	case placeDollar:
		w.text.WriteByte('$')
	case placeAtP:
		w.text.WriteString("@p")
	case placeColon:
		w.text.WriteByte(':')
	default:
		w.text.WriteByte('?')
		return
	}
	w.text.WriteString(strconv.Itoa(n))
}

// list writes n placeholders, or NULL for none.
func (w *bindWriter) list(first, n int, parentheses bool) {
	if parentheses {
		w.text.WriteByte('(')
		defer w.text.WriteByte(')')
	}
	if n == 0 {
		w.text.WriteString("NULL")
	}
	for i := range n {
		if i > 0 {
			w.text.WriteString(", ")
		}
		w.number(first + i)
	}
}

// checkNames compares the names of the statement with those that are given.
func (p *bindPlan) checkNames(params Params) error {
	var missing, unused []string
	for _, name := range p.names {
		if _, found := params[name]; !found {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 && len(params) == len(p.names) {
		return nil
	}
	for name := range params {
		if !slices.Contains(p.names, name) {
			unused = append(unused, name)
		}
	}
	slices.Sort(unused)
	var complaints []string
	for _, name := range missing {
		complaint := "parameter :" + name + " has no value"
		if near := nearest.Name(name, unused); near != "" {
			complaint += fmt.Sprintf(" (did you mean it by %q?)", near)
			unused = slices.DeleteFunc(unused, func(s string) bool { return s == near })
		}
		complaints = append(complaints, complaint)
	}
	for _, name := range unused {
		complaint := fmt.Sprintf("parameter %q is given but not in the statement", name)
		if near := nearest.Name(name, p.names); near != "" {
			complaint += " (which has :" + near + ")"
		}
		complaints = append(complaints, complaint)
	}
	return errors.New(strings.Join(complaints, "; "))
}

// isListValue tells slices and arrays from what is one value to a driver.
func isListValue(v any) bool {
	switch v.(type) {
	case nil, string, []byte, int, int64, bool, float64, driver.Valuer:
		return false
	}
	t := reflect.TypeOf(v)
	return (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) && t.Elem().Kind() != reflect.Uint8
}

// hasArrays tells whether a list may be a value of its own. An unknown dialect's
// driver may tell for itself.
func hasArrays(dialect string) bool {
	switch knownSyntax(dialect) {
	case mysqlSyntax, sqliteSyntax, mssqlSyntax:
		return false
	}
	return true
}
