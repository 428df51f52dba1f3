package fakerest

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// params is the query of a request.
type params struct {
	all        []param // as they came
	selected   []selectItem
	root       said
	filters    []filterParam
	orders     []orderParam
	limits     map[string]int // by the path of the embedded resource; "" is the root's
	offsets    map[string]int
	ranged     []string // paths of limits and offsets, also of those that are no numbers
	columns    []string // of columns=; nil: none given
	onConflict []string
	arguments  []param // of a function that is called by GET
}

type param struct{ key, value string }

// fieldRef is a column, or a path into one.
type fieldRef struct {
	name string
	path []jsonStep
}

type jsonStep struct {
	key    string
	index  bool // the key is a number
	asText bool // ->>
}

// last is the name that a result gets after the field.
func (f fieldRef) last() string {
	for _, v := range slices.Backward(f.path) {
		if !v.index {
			return v.key
		}
	}
	return f.name
}

// selectItem is a part of select=.
type selectItem struct {
	alias     string
	field     fieldRef // of a column; the name may be *
	cast      string
	aggregate string
	aggCast   string

	embed  bool // a resource, with kids
	spread bool
	target string
	hint   string
	inner  bool
	kids   []selectItem
	said   said
}

// said is what a request says of one resource.
type said struct {
	conds  []condition
	terms  []orderTerm
	limit  *int
	offset int
}

// condition is a filter, or a tree of them.
type condition struct {
	op     string // and, or for a tree
	negate bool
	kids   []condition
	field  fieldRef
	test   operation
}

// operation is what a filter compares with.
type operation struct {
	op     string // eq, in, is, fts, …
	quant  string // any, all
	config string // of a text search
	value  string
	list   []string
}

type filterParam struct {
	path []string // of the embedded resource
	cond condition
}

type orderParam struct {
	path  []string
	terms []orderTerm
}

type orderTerm struct {
	relation   string // of an embedded resource's column
	field      fieldRef
	desc       bool
	nullsFirst *bool
}

// parseQuery cuts a query into its parameters; a plus is a space.
func parseQuery(raw string) []param {
	var list []param
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		key, value, ok := strings.Cut(part, "=")
		if !ok {
			continue // without a value: nothing
		}
		list = append(list, param{unescape(key), unescape(value)})
	}
	return list
}

// unescape is lenient: what is no escape stays.
func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return strings.ToValidUTF8(u, "\uFFFD")
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b.WriteByte(' ')
		case s[i] == '%' && i+2 < len(s):
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
			b.WriteByte('%')
		default:
			b.WriteByte(s[i])
		}
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD")
}

// canonical is the query as Content-Location echoes it: sorted, values of one name together.
func canonical(raw string) string {
	type group struct {
		key    string
		values []string
	}
	var groups []group
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		key, value, _ := strings.Cut(part, "=")
		key, value = unescape(key), unescape(value)
		if i := slices.IndexFunc(groups, func(g group) bool { return g.key == key }); i >= 0 {
			groups[i].values = append(groups[i].values, value)
		} else {
			groups = append(groups, group{key, []string{value}})
		}
	}
	slices.SortStableFunc(groups, func(a, b group) int { return strings.Compare(a.key, b.key) })
	var b strings.Builder
	for i, g := range groups {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(percent(latin1(g.key)) + "=")
		for j, v := range g.values {
			if j > 0 {
				b.WriteByte(',')
			}
			b.WriteString(percent(latin1(v)))
		}
	}
	return b.String()
}

// latin1 takes each byte for a character: PostgREST encodes what is encoded already.
func latin1(s string) string {
	r := make([]rune, len(s))
	for i := range len(s) {
		r[i] = rune(s[i])
	}
	return string(r)
}

func percent(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c == '-' || c == '_' || c == '.' || c == '~' || isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

// parseParams reads the query of a request. That of a function called by GET has arguments too:
// what is no filter.
func parseParams(raw string, call bool) (*params, *Error) {
	p := &params{all: parseQuery(raw), limits: map[string]int{}, offsets: map[string]int{}}
	seen := map[string]bool{}
	selected := "*"
	for _, q := range p.all {
		path := splitPath(q.key)
		last := path[len(path)-1]
		var err *Error
		switch {
		case q.key == "select":
			if !seen[q.key] && q.value != "" {
				selected = q.value
			}
		case q.key == "columns":
			if !seen[q.key] {
				p.columns, err = parseNames(q.value, "columns parameter")
			}
		case q.key == "on_conflict":
			if !seen[q.key] {
				p.onConflict, err = parseNames(q.value, "on_conflict parameter")
			}
		case last == "order":
			err = p.order(path[:len(path)-1], q.value)
		case last == "limit" || last == "offset":
			n, nerr := strconv.Atoi(strings.TrimSpace(q.value))
			where := strings.Join(path[:len(path)-1], ".")
			if where != "" {
				p.ranged = append(p.ranged, where)
			}
			switch {
			case nerr != nil:
			case last == "limit":
				p.limits[where] = n
			default:
				p.offsets[where] = max(n, 0)
			}
		case last == "and" || last == "or":
			err = p.logic(path, q.value)
		case call && !isFilterValue(q.value):
			p.arguments = append(p.arguments, param{last, q.value})
		default:
			err = p.filter(q)
		}
		if err != nil {
			return nil, err
		}
		seen[q.key] = true
	}
	var err *Error
	p.selected, err = parseSelect(selected)
	return p, err
}

// splitPath cuts a name at its dots, outside quotes.
func splitPath(key string) []string {
	var parts []string
	start, quoted := 0, false
	for i := range len(key) {
		switch {
		case key[i] == '"':
			quoted = !quoted
		case key[i] == '.' && !quoted:
			parts = append(parts, key[start:i])
			start = i + 1
		}
	}
	return append(parts, key[start:])
}

func isFilterValue(v string) bool {
	first, _, dotted := strings.Cut(v, ".")
	switch first {
	case "not":
		return dotted
	case "is", "in", "isdistinct":
		return dotted
	}
	if dotted && (simpleOperators[first] != "" || ftsFunctions[first] != "") {
		return true
	}
	name, rest, called := strings.Cut(v, "(")
	quantified := strings.HasPrefix(rest, "any)") || strings.HasPrefix(rest, "all)")
	return called && (ftsFunctions[name] != "" || quantified && slices.Contains(quantifiable, name))
}

// simpleOperators are PostgREST's names of SQL's operators.
var simpleOperators = map[string]string{
	"eq": "=", "gte": ">=", "gt": ">", "lte": "<=", "lt": "<", "neq": "<>", "like": "~~", "ilike": "~~*", "match": "~", "imatch": "~*",
	"cs": "@>", "cd": "<@", "ov": "&&", "sl": "<<", "sr": ">>", "nxr": "&<", "nxl": "&>", "adj": "-|-",
}

var ftsFunctions = map[string]string{"fts": "to_tsquery", "plfts": "plainto_tsquery", "phfts": "phraseto_tsquery", "wfts": "websearch_to_tsquery"}

// quantifiable are the operators that any and all may follow.
var quantifiable = []string{"eq", "gte", "gt", "lte", "lt", "like", "ilike", "match", "imatch"}

// parseNames reads a list of names.
func parseNames(s, what string) ([]string, *Error) {
	r := &reader{s: s, what: what}
	names := []string{}
	for {
		r.space()
		names = append(names, r.name())
		r.space()
		if !r.accept(",") {
			break
		}
	}
	if !r.done() {
		r.fail("\",\" or end of input")
	}
	return names, r.err
}

// treePath takes the path of an embedded resource and a field in it.
func treePath(key string) ([]string, fieldRef, *Error) {
	r := &reader{s: key, what: "tree path"}
	names := []string{r.name()}
	for r.accept(".") {
		names = append(names, r.name())
	}
	f := fieldRef{name: names[len(names)-1], path: r.jsonPath()}
	if !r.done() {
		r.fail("end of input")
	}
	return names[:len(names)-1], f, r.err
}

func (p *params) filter(q param) *Error {
	path, field, err := treePath(q.key)
	if err != nil {
		return err
	}
	r := &reader{s: q.value, what: "filter"}
	c := condition{field: field}
	r.operation(&c, func() string {
		rest := r.s[r.at:]
		r.at = len(r.s)
		return rest
	})
	if r.err == nil && !r.done() {
		r.fail("end of input")
	}
	if r.err != nil {
		return r.err
	}
	p.filters = append(p.filters, filterParam{path, c})
	return nil
}

func (p *params) logic(path []string, value string) *Error {
	r := &reader{s: path[len(path)-1] + value, what: "logic tree"}
	var where []string
	negate := false
	for _, part := range path[:len(path)-1] {
		if part == "not" {
			negate = true
			continue
		}
		n := &reader{s: part, what: "logic path"}
		where = append(where, n.name())
		if !n.done() {
			n.fail("end of input")
		}
		if n.err != nil {
			return n.err
		}
	}
	c := r.tree() // what follows is passed over
	if r.err != nil {
		r.err.Message = strings.Replace(r.err.Message, "("+r.s+")", "("+value+")", 1)
		return r.err
	}
	c.negate = c.negate != negate
	p.filters = append(p.filters, filterParam{where, c})
	return nil
}

func (p *params) order(path []string, value string) *Error {
	o := orderParam{}
	for _, part := range path {
		n := &reader{s: part, what: "tree path"}
		o.path = append(o.path, n.name())
		if n.err != nil {
			return n.err
		}
	}
	r := &reader{s: value, what: "order"}
	for r.err == nil {
		o.terms = append(o.terms, r.orderTerm())
		if !r.accept(",") {
			break
		}
	}
	if r.err == nil && !r.done() {
		r.fail("delimiter (.), \",\" or end of input")
	}
	if r.err != nil {
		return r.err
	}
	p.orders = append(p.orders, o)
	return nil
}

// parseSelect reads select=.
func parseSelect(s string) ([]selectItem, *Error) {
	r := &reader{s: s, what: "select parameter"}
	items := r.selectItems()
	if r.err == nil && !r.done() && !r.peek(")") { // what follows a parenthesis is passed over
		r.fail("\"->\", \"::\", \",\" or end of input")
	}
	return items, r.err
}

// place gives filters, orders and limits to the resources that they are for. Each that is met goes
// before the others, as PostgREST has it: two may answer to one name. A write knows no orders or
// limits of what is embedded.
func (p *params) place(write bool) *Error {
	give := func(path []string, f func(*said)) *Error {
		if len(path) == 0 {
			f(&p.root)
			return nil
		}
		return place(p.selected, path, f)
	}
	for _, trees := range []bool{false, true} {
		if trees && !write {
			if err := p.placeOrders(give); err != nil {
				return err
			}
		}
		for _, f := range slices.Backward(p.filters) {
			if (f.cond.op != "") != trees {
				continue
			}
			if err := give(f.path, func(s *said) { s.conds = append([]condition{f.cond}, s.conds...) }); err != nil {
				return err
			}
		}
	}
	if write {
		for _, o := range slices.Backward(p.orders) {
			if len(o.path) == 0 {
				p.root.terms = o.terms
			}
		}
	}
	return nil
}

func (p *params) placeOrders(give func([]string, func(*said)) *Error) *Error {
	for _, o := range slices.Backward(p.orders) {
		if err := give(o.path, func(s *said) { s.terms = o.terms }); err != nil {
			return err
		}
	}
	for _, path := range append([]string{""}, slices.Compact(slices.Sorted(slices.Values(p.ranged)))...) {
		err := give(pathOf(path), func(s *said) {
			if n, ok := p.limits[path]; ok {
				s.limit = &n
			}
			s.offset = p.offsets[path]
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func pathOf(s string) []string {
	if s == "" {
		return nil
	}
	return splitPath(s)
}

func place(items []selectItem, path []string, f func(*said)) *Error {
	i := slices.IndexFunc(items, func(item selectItem) bool {
		return item.embed && (item.alias == path[0] || item.target == path[0])
	})
	if i < 0 {
		return notEmbedded(path[0])
	}
	item := items[i]
	copy(items[1:i+1], items[:i])
	items[0] = item
	if len(path) == 1 {
		f(&items[0].said)
		return nil
	}
	return place(items[0].kids, path[1:], f)
}
