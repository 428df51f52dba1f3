package sqlconn

import (
	"database/sql"
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/streamconn/streamconn/internal/nearest"
)

// scanPlan says where the columns of a result go in a value of one type. It is
// immutable and shared by all scanners of that type and those columns.
type scanPlan struct {
	form      rowForm
	columns   []columnPlan
	pointers  [][]int // pointers to structs on the way to a column, the outer ones first
	usesTypes bool    // a column is read by its database type
	err       error   // why such a result does not fit the type
}

type rowForm uint8

const (
	rowStruct  rowForm = iota
	rowPointer         // *struct
	rowMap             // map[string]any
	rowScalar          // one column
)

type columnPlan struct {
	field   string // for errors: "Owner.Pet", or the type itself
	typ     reflect.Type
	index   []int // of the field, nil for the value itself
	through []int // which of scanPlan.pointers lead to it, the outer ones first
	set     cellSetter
}

// dest returns what sql.Rows.Scan writes to.
func (c *columnPlan) dest(field reflect.Value, databaseType string) any {
	switch p := field.Addr().Interface(); {
	case c.set == nil:
		return p
	case c.typ == timeType:
		return (*timeDest)(p.(*time.Time))
	default:
		return &setterDest{c.set, field, databaseType}
	}
}

type scanPlanKey struct {
	typ     reflect.Type
	columns string
}

// Plans of types that are made at run time, and columns that are named by
// users' data, must not fill the memory.
var scanPlans = planCache[scanPlanKey, *scanPlan]{limit: 512}

func scanPlanFor(t reflect.Type, columns []string) *scanPlan {
	names := make([]byte, 0, 256)
	for _, column := range columns { // with its length, so that no two lists look alike
		names = append(binary.AppendUvarint(names, uint64(len(column))), column...)
	}
	key := scanPlanKey{t, string(names)}
	if plan, found := scanPlans.get(key); found {
		return plan
	}
	plan := &scanPlan{}
	if err := plan.build(t, columns); err != nil {
		plan = &scanPlan{err: err}
	}
	return scanPlans.put(key, plan)
}

func (p *scanPlan) build(t reflect.Type, columns []string) error {
	switch {
	case t.Kind() == reflect.Map && t.Key().Kind() == reflect.String && t.Elem() == anyType:
		p.form, p.usesTypes = rowMap, true
		if t.Key() != reflect.TypeFor[string]() {
			return fmt.Errorf("%v cannot hold rows: its keys have to be of type string", t)
		}
		for i, name := range columns {
			if first := slices.Index(columns, name); first != i {
				return fmt.Errorf("columns %d and %d are both named %q, which a map holds once: rename one of them with AS", first+1, i+1, name)
			}
			p.columns = append(p.columns, columnPlan{field: t.String(), typ: anyType})
		}
		return nil
	case isRowStruct(t):
		p.form = rowStruct
		return p.buildStruct(t, columns)
	case t.Kind() == reflect.Pointer && isRowStruct(t.Elem()):
		p.form = rowPointer
		return p.buildStruct(t.Elem(), columns)
	}
	p.form = rowScalar
	if len(columns) != 1 {
		return fmt.Errorf("%v holds one column, and there are %d (%s): select one, or use a struct", t, len(columns), quotedNames(columns))
	}
	set, err := setterFor(t, 0)
	if err != nil {
		return fmt.Errorf("column %q: %w", columns[0], err)
	}
	p.usesTypes = readsTypes(t)
	p.columns = []columnPlan{{field: t.String(), typ: t, set: set}}
	return nil
}

func (p *scanPlan) buildStruct(t reflect.Type, columns []string) error {
	fields := columnFieldsOf(t)
	taken := make(map[string]int, len(columns))
	for i, name := range columns {
		field, err := fields.find(t, i, name)
		if err != nil {
			return err
		}
		if first, found := taken[field.path]; found {
			return fmt.Errorf("columns %d and %d (%q and %q) both go to %s: rename one of them with AS, or leave it out", first+1, i+1, columns[first], name, field.path)
		}
		for j, other := range p.columns {
			if n := min(len(other.index), len(field.index)); slices.Equal(other.index[:n], field.index[:n]) {
				return fmt.Errorf("columns %d and %d (%q and %q) go to %s and %s, of which one is part of the other: leave one of them out", j+1, i+1, columns[j], name, other.field, field.path)
			}
		}
		taken[field.path] = i
		set, err := setterFor(field.typ, 0)
		if err != nil {
			return fmt.Errorf("column %q: %w (%s)", name, err, field.path)
		}
		p.usesTypes = p.usesTypes || readsTypes(field.typ)
		column := columnPlan{field: field.path, typ: field.typ, index: field.index, set: set}
		for _, pointer := range field.pointers {
			known := slices.IndexFunc(p.pointers, func(index []int) bool { return slices.Equal(index, pointer) })
			if known < 0 {
				known = len(p.pointers)
				p.pointers = append(p.pointers, pointer)
			}
			column.through = append(column.through, known)
		}
		p.columns = append(p.columns, column)
	}
	return nil
}

// isRowStruct tells a struct of fields from one that is a single value.
func isRowStruct(t reflect.Type) bool {
	if t.Kind() != reflect.Struct || reflect.PointerTo(t).Implements(scannerType) {
		return false
	}
	// time.Time, big.Int and the like show no fields. A row may have
	// UnmarshalText as well, from an embedded time.Time for instance.
	for f := range t.Fields() {
		if f.IsExported() && !f.Anonymous {
			return true
		}
	}
	return !reflect.PointerTo(t).Implements(textUnmarshalerType)
}

// rowField is a field that a column can go to.
type rowField struct {
	name     string // the column's: of the tag, or of the field in snake case
	goName   string
	path     string // "Owner.Pet"
	typ      reflect.Type
	index    []int
	pointers [][]int // pointers to structs that lead to it
	tagged   bool
	hidden   bool // it has a tag, but cannot be set
}

type rowFields []rowField

// columnFieldsOf lists the fields of a struct that columns can go to, as Query
// tells. An embedded struct with a tag, or that is a single value like
// time.Time, is a field and not opened.
func columnFieldsOf(t reflect.Type) rowFields {
	var fields rowFields
	collectFields(t, t.Name(), nil, nil, []reflect.Type{t}, &fields)
	return fields
}

func collectFields(t reflect.Type, path string, index []int, pointers [][]int, within []reflect.Type, to *rowFields) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("db")
		tag, _, _ = strings.Cut(tag, ",")
		if tag == "-" {
			continue
		}
		tagged = tagged && tag != ""
		here := append(slices.Clone(index), i)
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if f.Anonymous && !tagged && isRowStruct(inner) {
			through := pointers
			if f.Type.Kind() == reflect.Pointer {
				if !f.IsExported() || slices.Contains(within, inner) {
					continue // cannot be set, or leads back to itself
				}
				through = append(slices.Clone(pointers), here)
			}
			collectFields(inner, path+"."+f.Name, here, through, append(slices.Clone(within), inner), to)
			continue
		}
		if !f.IsExported() && !tagged {
			continue
		}
		name := tag
		if !tagged {
			name = snakeCase(f.Name)
		}
		*to = append(*to, rowField{
			name: name, goName: f.Name, path: strings.TrimPrefix(path+"."+f.Name, "."), typ: f.Type,
			index: here, pointers: pointers, tagged: tagged, hidden: !f.IsExported(),
		})
	}
}

// find returns the field that column i goes to.
func (fields rowFields) find(t reflect.Type, i int, column string) (*rowField, error) {
	if column == "" {
		return nil, fmt.Errorf("column %d has no name, by which to find its field in %v: name it with AS", i+1, t)
	}
	return fields.within(t, column, column)
}

// within is find among the fields of t, which name tells apart: the column, or what of it follows a dot.
func (fields rowFields) within(t reflect.Type, column, name string) (*rowField, error) {
	field, err := fields.named(name)
	if err != nil {
		return nil, fmt.Errorf("column %q: %w", column, err)
	}
	if outer, rest, dotted := strings.Cut(name, "."); field == nil && dotted {
		if inner, s := fields.opened(outer); s != nil {
			return inner.within(s, column, rest)
		}
	}
	if field == nil {
		field = unexported(t, name)
	}
	switch {
	case field == nil:
		return nil, fmt.Errorf("column %q has no field in %v%s: add one with the tag `db:%q`, or leave the column out", column, t, fields.nearest(name), name)
	case field.hidden:
		return nil, fmt.Errorf("column %q cannot go to %s, which is not exported", column, field.path)
	}
	return field, nil
}

// named returns the field of that name, or else of one that differs in case only.
func (fields rowFields) named(name string) (*rowField, error) {
	field, err := fields.match(func(f *rowField) bool { return f.name == name })
	if field != nil || err != nil {
		return field, err
	}
	return fields.match(func(f *rowField) bool {
		return strings.EqualFold(f.name, name) || !f.tagged && strings.EqualFold(f.goName, name)
	})
}

// opened lists the fields of the struct in the field of that name; s is nil if there is none.
func (fields rowFields) opened(name string) (inner rowFields, s reflect.Type) {
	f, err := fields.named(name)
	if err != nil || f == nil || f.hidden {
		return nil, nil
	}
	s, pointers := f.typ, f.pointers
	if s.Kind() == reflect.Pointer {
		s, pointers = s.Elem(), append(slices.Clone(pointers), f.index)
	}
	if !isRowStruct(s) {
		return nil, nil
	}
	collectFields(s, f.path, f.index, pointers, []reflect.Type{s}, &inner)
	return inner, s
}

// unexported finds the field that a column was meant for, were it not for its small letter.
func unexported(t reflect.Type, name string) *rowField {
	for _, f := range reflect.VisibleFields(t) {
		if !f.IsExported() && !f.Anonymous && f.Tag.Get("db") != "-" && (strings.EqualFold(f.Name, name) || snakeCase(f.Name) == name) {
			return &rowField{path: strings.TrimPrefix(t.Name()+"."+f.Name, "."), hidden: true}
		}
	}
	return nil
}

// match returns the one field that Go's rules choose among those that fit.
func (fields rowFields) match(fits func(*rowField) bool) (*rowField, error) {
	var best *rowField
	tie := false
	for i := range fields {
		f := &fields[i]
		if !fits(f) {
			continue
		}
		switch {
		case best == nil, len(f.index) < len(best.index), len(f.index) == len(best.index) && f.tagged && !best.tagged:
			best, tie = f, false
		case len(f.index) == len(best.index) && f.tagged == best.tagged:
			tie = true
		}
	}
	if tie {
		return nil, fmt.Errorf("%s and another field fit equally well: tell them apart by `db` tags", best.path)
	}
	return best, nil
}

func (fields rowFields) nearest(column string) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	near := nearest.Name(column, names)
	if near == "" {
		return ""
	}
	return fmt.Sprintf(" (the nearest is %q, %s)", near, fields[slices.Index(names, near)].path)
}

// snakeCase turns a Go name into a column's: UserID into user_id, HTTPServer
// into http_server, UserIDs into user_ids.
func snakeCase(name string) string {
	runes := []rune(name)
	var b strings.Builder
	for i, r := range runes {
		if i > 0 && unicode.IsUpper(r) && runes[i-1] != '_' && (!unicode.IsUpper(runes[i-1]) || startsWord(runes[i+1:])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// startsWord tells whether a capital among capitals, with rest behind it, is the
// first letter of a word: small letters follow, and not only the s of a plural.
func startsWord(rest []rune) bool {
	if len(rest) == 0 || !unicode.IsLower(rest[0]) {
		return false
	}
	plural := rest[0] == 's' && (len(rest) == 1 || unicode.IsUpper(rest[1]))
	return !plural
}

func quotedNames(names []string) string {
	const most = 8
	var b strings.Builder
	for i, name := range names {
		if i == most {
			b.WriteString(", …")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", name)
	}
	return b.String()
}

var (
	anyType             = reflect.TypeFor[any]()
	timeType            = reflect.TypeFor[time.Time]()
	bytesType           = reflect.TypeFor[[]byte]()
	rawBytesType        = reflect.TypeFor[sql.RawBytes]()
	scannerType         = reflect.TypeFor[sql.Scanner]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

var errTypeHoldsNoColumn = errors.New("cannot hold a column")
