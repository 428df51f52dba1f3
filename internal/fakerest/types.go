package fakerest

import (
	"strconv"
	"strings"
)

// kind is a family of types: those that share a Go form and its rules.
type kind uint8

const (
	kindUnknown kind = iota // a literal whose place decides its type
	kindBool
	kindInt2
	kindInt4
	kindInt8
	kindNumeric
	kindFloat4
	kindFloat8
	kindText
	kindVarchar
	kindChar
	kindCitext
	kindBytea
	kindDate
	kindTime
	kindTimestamp
	kindTimestamptz
	kindInterval
	kindUUID
	kindJSON
	kindJSONB
	kindEnum
	kindRange
	kindArray
	kindRecord // the row of a table
	kindTsvector
	kindTsquery
	kindVoid
	kindTrigger // only as what a function returns
)

// typ is a type of Postgres. Types are compared by [typ.same]; the modifiers say how a value is
// fitted when it is stored.
type typ struct {
	kind   kind
	name   string   // of an enum or a range, or of the table of a record
	schema string   // of an enum
	elem   *typ     // of an array or a range
	labels []string // of an enum, in order
	size   int      // varchar(n), char(n), or the precision of a numeric or a time; -1: none
	scale  int      // of a numeric
	table  *table   // of a record
}

func plain(k kind) *typ { return &typ{kind: k, size: -1} }

var (
	typUnknown     = plain(kindUnknown)
	typBool        = plain(kindBool)
	typInt2        = plain(kindInt2)
	typInt4        = plain(kindInt4)
	typInt8        = plain(kindInt8)
	typNumeric     = plain(kindNumeric)
	typFloat4      = plain(kindFloat4)
	typFloat8      = plain(kindFloat8)
	typText        = plain(kindText)
	typVarchar     = plain(kindVarchar)
	typChar        = plain(kindChar)
	typCitext      = plain(kindCitext)
	typBytea       = plain(kindBytea)
	typDate        = plain(kindDate)
	typTime        = plain(kindTime)
	typTimestamp   = plain(kindTimestamp)
	typTimestamptz = plain(kindTimestamptz)
	typInterval    = plain(kindInterval)
	typUUID        = plain(kindUUID)
	typJSON        = plain(kindJSON)
	typJSONB       = plain(kindJSONB)
	typTsvector    = plain(kindTsvector)
	typTsquery     = plain(kindTsquery)
	typVoid        = plain(kindVoid)
	typTrigger     = plain(kindTrigger)
)

// typeNames are the names of the types that are built in, as SQL spells them.
var typeNames = map[string]*typ{
	"bool": typBool, "boolean": typBool,
	"smallint": typInt2, "int2": typInt2,
	"int": typInt4, "integer": typInt4, "int4": typInt4,
	"bigint": typInt8, "int8": typInt8,
	"numeric": typNumeric, "decimal": typNumeric,
	"real": typFloat4, "float4": typFloat4,
	"float": typFloat8, "float8": typFloat8, "double precision": typFloat8,
	"text": typText, "citext": typCitext, "name": typText,
	"varchar": typVarchar, "character varying": typVarchar,
	"char": typChar, "character": typChar, "bpchar": typChar,
	"bytea": typBytea,
	"date":  typDate,
	"time":  typTime, "time without time zone": typTime,
	"timestamp": typTimestamp, "timestamp without time zone": typTimestamp,
	"timestamptz": typTimestamptz, "timestamp with time zone": typTimestamptz,
	"interval": typInterval,
	"uuid":     typUUID,
	"json":     typJSON, "jsonb": typJSONB,
	"int4range": rangeOf("int4range", typInt4), "int8range": rangeOf("int8range", typInt8),
	"numrange": rangeOf("numrange", typNumeric), "daterange": rangeOf("daterange", typDate),
	"tsrange": rangeOf("tsrange", typTimestamp), "tstzrange": rangeOf("tstzrange", typTimestamptz),
	"tsvector": typTsvector, "tsquery": typTsquery,
	"void": typVoid, "trigger": typTrigger,
}

var kindNames = map[kind]string{
	kindUnknown: "unknown", kindBool: "boolean", kindInt2: "smallint", kindInt4: "integer", kindInt8: "bigint",
	kindNumeric: "numeric", kindFloat4: "real", kindFloat8: "double precision", kindText: "text",
	kindVarchar: "character varying", kindChar: "character", kindCitext: "citext", kindBytea: "bytea",
	kindDate: "date", kindTime: "time without time zone", kindTimestamp: "timestamp without time zone",
	kindTimestamptz: "timestamp with time zone", kindInterval: "interval", kindUUID: "uuid", kindJSON: "json",
	kindJSONB: "jsonb", kindTsvector: "tsvector", kindTsquery: "tsquery", kindVoid: "void", kindTrigger: "trigger",
}

func rangeOf(name string, elem *typ) *typ {
	return &typ{kind: kindRange, name: name, elem: elem, size: -1}
}

func arrayOf(elem *typ) *typ { return &typ{kind: kindArray, elem: elem, size: -1} }

func recordOf(t *table) *typ { return &typ{kind: kindRecord, name: t.name, table: t, size: -1} }

// String is the type's name as Postgres writes it in messages, without modifiers.
func (t *typ) String() string {
	switch t.kind {
	case kindArray:
		return t.elem.String() + "[]"
	case kindEnum, kindRange, kindRecord:
		return t.name
	}
	return kindNames[t.kind]
}

// same reports whether values of both types have one form.
func (t *typ) same(u *typ) bool {
	if t.kind != u.kind {
		return false
	}
	switch t.kind {
	case kindArray:
		return t.elem.same(u.elem)
	case kindEnum:
		return t.name == u.name && t.schema == u.schema
	case kindRange:
		return t.name == u.name
	case kindRecord:
		return t.table == u.table
	}
	return true
}

func (t *typ) isText() bool {
	return t.kind == kindText || t.kind == kindVarchar || t.kind == kindChar || t.kind == kindCitext
}

func (t *typ) isInt() bool {
	return t.kind == kindInt2 || t.kind == kindInt4 || t.kind == kindInt8
}

func (t *typ) isFloat() bool { return t.kind == kindFloat4 || t.kind == kindFloat8 }

func (t *typ) isNumber() bool { return t.kind >= kindInt2 && t.kind <= kindFloat8 }

func (t *typ) isJSON() bool { return t.kind == kindJSON || t.kind == kindJSONB }

func (t *typ) isTime() bool {
	return t.kind == kindDate || t.kind == kindTimestamp || t.kind == kindTimestamptz
}

// ordered reports whether values of the type can be compared and sorted.
func (t *typ) ordered() bool {
	switch t.kind {
	case kindJSON, kindVoid, kindTrigger:
		return false
	case kindArray:
		return t.elem.ordered()
	}
	return true
}

// withModifiers gives the type as name(size, scale) declares it.
func (t *typ) withModifiers(mods []int) (*typ, string) {
	if len(mods) == 0 {
		if t.kind == kindChar {
			c := *t
			c.size = 1
			return &c, ""
		}
		return t, ""
	}
	c := *t
	c.size = mods[0]
	switch {
	case t.kind == kindNumeric && len(mods) <= 2:
		if mods[0] < 1 || mods[0] > 1000 {
			return nil, "NUMERIC precision " + strconv.Itoa(mods[0]) + " must be between 1 and 1000"
		}
		if len(mods) == 2 {
			c.scale = mods[1]
		}
	case (t.kind == kindVarchar || t.kind == kindChar) && len(mods) == 1:
		if mods[0] < 1 {
			return nil, "length for type " + t.shortName() + " must be at least 1"
		}
	case (t.kind == kindTime || t.kind == kindTimestamp || t.kind == kindTimestamptz || t.kind == kindInterval) && len(mods) == 1:
		c.size = min(mods[0], 6)
	case t.kind == kindFloat8 && len(mods) == 1: // float(n)
		if mods[0] <= 24 {
			return typFloat4, ""
		}
		return typFloat8, ""
	default:
		return nil, "type modifier is not allowed for type \"" + t.String() + "\""
	}
	return &c, ""
}

func (t *typ) shortName() string {
	switch t.kind {
	case kindVarchar:
		return "varchar"
	case kindChar:
		return "char"
	}
	return t.String()
}

// withSize is the type's name with its modifiers, as in "value too long for type character varying(3)".
func (t *typ) withSize() string {
	if t.size < 0 {
		return t.String()
	}
	switch t.kind {
	case kindVarchar, kindChar:
		return t.String() + "(" + strconv.Itoa(t.size) + ")"
	case kindNumeric:
		return t.String() + "(" + strconv.Itoa(t.size) + "," + strconv.Itoa(t.scale) + ")"
	}
	return t.String()
}

// enumIndex is a label's place in its type.
func (t *typ) enumIndex(label string) int {
	for i, l := range t.labels {
		if l == label {
			return i
		}
	}
	return -1
}

// quoteIdent writes a name as SQL has it: in quotes where it needs them.
func quoteIdent(name string) string {
	simple := name != ""
	for i, r := range name {
		if r != '_' && (r < 'a' || r > 'z') && (i == 0 || r < '0' || r > '9') {
			simple = false
		}
	}
	if simple {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
