package database

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/streamconn/streamconn/internal/rest"
)

// Request is what a query sends.
type Request struct {
	Method string      // GET, HEAD, POST, PATCH or DELETE
	Path   string      // below the address of PostgREST, escaped: users, rpc/add_them
	Query  string      // encoded, without the question mark, in the order of the calls; select is first
	Header http.Header // what the query says; no credentials, and none of the client's own
	Body   []byte      // nil: none
}

// Request gives what the query sends, or what makes it invalid. It is the caller's own.
func (q Query[R]) Request() (Request, error) {
	c := q.compile()
	if c.err != nil {
		return Request{}, c.err
	}
	header := c.req.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	return Request{c.req.Method, c.req.Path, c.req.Query, header, bytes.Clone(c.req.Body)}, nil
}

// Key gives the whole request in one string, or what makes the query invalid. Two queries have the
// same key exactly if they send the same, and both are MaybeSingle or neither; who runs them, and
// which function ([One] or [All]), is not part of it. A read that is kept makes it once.
func (q Query[R]) Key() (string, error) {
	c := q.compile()
	if c.err != nil || c.read {
		return c.key, c.err
	}
	key, _ := c.appendKey(nil, []byte(c.req.Query))
	return string(append(key, c.req.Body...)), nil
}

// compiled is a query made ready.
type compiled struct {
	req    rest.Request // as it is sent
	key    string
	read   bool
	maybe  bool
	single bool
	rows   bool   // the answer is a list of rows
	text   bool   // the answer is not JSON
	total  bool   // Count was asked for
	exact  bool   // Count(Exact) was
	empty  string // why there is no answer to decode; "" if there is one
	paged  bool   // Limit, Offset or Range is set
	sorted bool
	err    error
}

var errEmptyQuery = invalid("an empty Query: Table and RPC make one")

// compile makes the query ready, once for each query that is kept.
func (q Query[R]) compile() *compiled {
	if q.last == nil {
		return &compiled{err: errEmptyQuery}
	}
	if c := q.last.compiled.Load(); c != nil {
		return c
	}
	c := new(compiled)
	if err := c.build(q.last); err != nil {
		*c = compiled{err: err}
	}
	q.last.compiled.Store(c) // two at once make the same
	return c
}

// draft gathers what the steps of a query say.
type draft struct {
	target        *step // table or function
	write         *step
	schema        string
	columns       string // the parameter select
	selected      bool
	method        string
	params        []param
	bodyColumns   string
	conflict      string
	missing       bool
	ignore        bool
	count         string
	filtered      bool // some rows of the table itself are left out
	filters       bool // there is a filter of the table itself
	all           bool
	paged, sorted bool
	single, maybe bool
	format        string
	strip         bool
	plan          *planOptions
	maxAffected   int
	rollback      bool
}

type param struct{ key, text string }

// set replaces a parameter, or adds it.
func (d *draft) set(key, text, join string) {
	i := slices.IndexFunc(d.params, func(p param) bool { return p.key == key })
	switch {
	case i < 0:
		d.params = append(d.params, param{key, text})
	case join == "":
		d.params[i].text = text
	default:
		d.params[i].text += join + text
	}
}

func (c *compiled) build(last *step) error {
	var room [16]*step // for more than most queries have
	steps := room[:0]
	for s := last; s != nil; s = s.prev {
		steps = append(steps, s)
	}
	d := draft{params: make([]param, 0, len(steps))}
	for _, s := range slices.Backward(steps) {
		if err := d.take(s); err != nil {
			return err
		}
	}
	if d.target == nil { // built on the zero Query
		return errEmptyQuery
	}
	if err := d.check(); err != nil {
		return err
	}
	return c.finish(&d)
}

// take adds one step.
func (d *draft) take(s *step) error {
	switch s.kind {
	case setError:
		return s.err
	case setTable, setRPC:
		d.target = s
	case setSchema:
		d.schema = s.key
	case setSelect:
		d.columns, d.selected = s.text, true
	case setWrite:
		if d.write != nil {
			return invalid("%s after %s: a query does one of them", s.key, d.write.key)
		}
		d.write = s
	case setColumns:
		d.bodyColumns = s.text
	case setConflict:
		d.conflict = s.text
	case setMissingDefault:
		d.missing = true
	case setIgnoreDuplicates:
		d.ignore = true
	case setCount:
		d.count = s.text
	case setFilter:
		d.params = append(d.params, param{s.key, s.text})
		d.filtered = d.filtered || s.flag
		d.filters = d.filters || s.num == 0
	case setAllRows:
		d.all = true
	case setOrder:
		d.set(s.key, s.text, ",")
		d.sorted = d.sorted || s.key == "order"
	case setLimit, setOffset:
		d.set(s.key, s.text, "")
		d.paged = d.paged || s.flag
	case setMethod:
		d.method = s.key
	case setSingle:
		d.single = true
	case setMaybeSingle:
		d.maybe = true
	case setFormat:
		if d.format != "" && d.format != s.text {
			return invalid("both CSV and GeoJSON: a result has one form")
		}
		d.format = s.text
	case setStripNulls:
		d.strip = true
	case setExplain:
		d.plan = s.plan
	case setMaxAffected:
		d.maxAffected = s.num
	case setRollback:
		d.rollback = true
	}
	return nil
}

func (d *draft) verb() string {
	if d.write == nil {
		return ""
	}
	return d.write.key
}

// call reports whether the query is the call of a function by POST.
func (d *draft) call() bool { return d.target.kind == setRPC && d.method == "" }

// check refuses what makes no sense together: the server would ignore part of it, and do more than
// was asked.
func (d *draft) check() error {
	verb, name := d.verb(), d.target.key
	if text := d.contradiction(verb); text != "" {
		return invalid("%s: %s", name, text)
	}
	if (verb == update || verb == remove) && !d.filtered && !d.all {
		return &queryError{
			text: verb + " of " + name + " has no filter that leaves out a row: add one, or AllRows if all are meant",
			kind: ErrNoFilter,
		}
	}
	return nil
}

// contradiction tells what makes no sense together; "" if all does.
func (d *draft) contradiction(verb string) string {
	adds := verb == insert || verb == upsert
	switch {
	case verb != "" && d.target.kind == setRPC:
		return "a function is called, it takes no " + verb
	case verb != "" && d.method != "":
		return verb + " is no read: it takes no Get or Head"
	case adds && d.filters:
		return verb + " takes no filter: it adds all of its rows"
	case verb != "" && d.paged:
		return verb + " takes no Limit, Offset or Range, which servers from 13 on ignore: use filters, and MaxAffected"
	case d.all && verb != update && verb != remove:
		return "AllRows is for Update and Delete"
	case d.bodyColumns != "" && !adds && verb != update:
		return "Columns is for Insert, Upsert and Update"
	case d.conflict != "" && verb != upsert:
		return "OnConflict is for Upsert"
	case d.ignore && verb != upsert:
		return "IgnoreDuplicates is for Upsert"
	case d.missing && !adds:
		return "MissingDefault is for Insert and Upsert"
	case d.maxAffected > 0 && verb != update && verb != remove && !d.call():
		return "MaxAffected is for Update, Delete and RPC"
	case d.rollback && verb == "" && !d.call():
		return "Rollback is for writes"
	case d.single && d.maybe:
		return "both Single and MaybeSingle"
	case (d.single || d.maybe || d.strip) && d.format != "":
		return "CSV and GeoJSON take no Single, MaybeSingle or StripNulls"
	case d.maybe && d.plan != nil:
		return "a plan is no row: Explain takes no MaybeSingle"
	case d.method == "HEAD" && (d.single || d.maybe || d.strip || d.format != "" || d.plan != nil):
		return "Head returns no rows that could have a form"
	case verb != "" && !d.selected && (d.single || d.maybe || d.strip || d.format != ""):
		return verb + " returns no rows without Select"
	}
	return ""
}

// finish makes the request.
func (c *compiled) finish(d *draft) error {
	c.req.Path = rest.Escape(d.target.key)
	if d.target.kind == setRPC {
		c.req.Path = "rpc/" + c.req.Path
	}
	c.read = d.write == nil && !d.call()
	c.req.Method = d.httpMethod()
	c.req.Uncoded = "no such table or function, or the URL is not a project's"
	switch {
	case d.write != nil:
		c.req.Body = d.write.body
		if d.bodyColumns == "" {
			d.bodyColumns = d.write.text
		}
	case d.call():
		c.req.Body = d.target.body
	}
	var room [256]byte
	query := room[:0]
	if d.target.kind == setRPC && !d.call() {
		var err error
		if query, err = d.appendArguments(query); err != nil {
			return err
		}
	}
	for _, p := range [...]param{{"select", d.columns}, {"columns", d.bodyColumns}, {"on_conflict", d.conflict}} {
		if p.text != "" {
			query = appendParam(query, p)
		}
	}
	for _, p := range d.params {
		query = appendParam(query, p)
	}
	d.headers(c)

	c.maybe, c.single, c.paged, c.sorted = d.maybe, d.single, d.paged, d.sorted
	c.total, c.exact = d.count != "", d.count == string(Exact)
	c.rows = !d.single && d.format == "" && d.plan == nil
	c.text = d.format == "text/csv" && d.plan == nil || d.plan != nil && !d.plan.JSON
	switch {
	case d.method == "HEAD":
		c.empty = "Head returns no rows: use Count or Execute"
	case d.write != nil && !d.selected && d.plan == nil:
		c.empty = d.verb() + " returns no rows: add Select, or use Execute"
	}
	if c.read { // a write's key would be a second copy of its rows, which nobody asks for
		c.keep(query)
	} else {
		c.req.Query = string(query)
	}
	return nil
}

func (d *draft) httpMethod() string {
	switch d.verb() {
	case insert, upsert:
		return http.MethodPost
	case update:
		return http.MethodPatch
	case remove:
		return http.MethodDelete
	}
	switch {
	case d.method != "":
		return d.method
	case d.target.kind == setRPC:
		return http.MethodPost
	}
	return http.MethodGet
}

func (d *draft) headers(c *compiled) {
	set := func(name, value string) {
		if value == "" {
			return
		}
		if c.req.Header == nil {
			c.req.Header = http.Header{}
		}
		c.req.Header[name] = []string{value}
	}
	if c.req.Body != nil {
		set("Content-Type", "application/json")
	}
	if c.read {
		set("Accept-Profile", d.schema)
	} else {
		set("Content-Profile", d.schema)
	}
	set("Accept", d.accept())
	set("Prefer", d.prefer())
}

// accept gives the media type; "" for plain JSON.
func (d *draft) accept() string {
	media, rows := d.format, ""
	switch {
	case media != "":
	case d.single && d.strip:
		media = "application/vnd.pgrst.object+json;nulls=stripped"
	case d.single:
		media = "application/vnd.pgrst.object+json"
	case d.strip:
		media = "application/vnd.pgrst.array+json;nulls=stripped"
	default:
		rows = "application/json"
	}
	if d.plan != nil {
		return explained(*d.plan, media+rows)
	}
	return media
}

// prefer gives the one Prefer header.
func (d *draft) prefer() string {
	var p []string
	switch {
	case d.verb() == upsert && d.ignore:
		p = append(p, "resolution=ignore-duplicates")
	case d.verb() == upsert:
		p = append(p, "resolution=merge-duplicates")
	}
	if d.write != nil && d.selected {
		p = append(p, "return=representation")
	}
	if d.missing {
		p = append(p, "missing=default")
	}
	if d.count != "" {
		p = append(p, "count="+d.count)
	}
	if d.maxAffected > 0 {
		p = append(p, "handling=strict", "max-affected="+strconv.Itoa(d.maxAffected))
	}
	if d.rollback {
		p = append(p, "tx=rollback")
	}
	return strings.Join(p, ",")
}

// appendArguments writes the arguments of a function that is called by GET or HEAD.
func (d *draft) appendArguments(query []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(d.target.body))
	dec.UseNumber()
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, invalid("%s: Get and Head take arguments by name, a map or a struct", d.target.key)
	}
	for dec.More() {
		t, err := dec.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, invalid("%s: the arguments are not JSON", d.target.key)
		}
		if reserved[name] || name == "" || strings.Contains(name, ".") {
			return nil, invalid("%s: an argument of the name %q cannot be sent by Get or Head", d.target.key, name)
		}
		if slices.ContainsFunc(d.params, func(p param) bool { return strings.Trim(p.key, `"`) == name }) {
			return nil, invalid("%s: %q is both an argument and the column of a filter: call it without Get or Head", d.target.key, name)
		}
		var v any
		if err := dec.Decode(&v); err != nil {
			return nil, invalid("%s: the arguments are not JSON", d.target.key)
		}
		text, err := argument(v)
		if err != nil {
			return nil, invalid("%s: argument %q: %w", d.target.key, name, err)
		}
		query = appendParam(query, param{name, text})
	}
	return query, nil
}

// argument writes one argument of a GET, which the server takes for a text of the parameter's type.
func argument(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", invalid("null has no form in a URL: call the function without Get or Head, or leave the argument out")
	case map[string]any:
		return "", invalid("an object has no form in a URL: call the function without Get or Head")
	case []any:
		for _, elem := range v {
			if _, ok := elem.(map[string]any); ok {
				return argument(elem)
			}
		}
	}
	val, err := encode(v)
	if err == nil && filterLike(val.text) {
		err = invalid("a text that begins as a filter does, with eq. or the like, has no form in a URL: call the function without Get or Head")
	}
	return val.text, err
}

// filterLike reports whether PostgREST takes the argument of a function for a filter on its rows: a
// text such as eq.1, not.null, fts(english).cat.
func filterLike(s string) bool {
	i := strings.IndexAny(s, ".(")
	if i < 0 || s[i] == '(' && !strings.Contains(s[i:], ").") {
		return false
	}
	switch s[:i] {
	case "not", "eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike", "match", "imatch", "in", "is", "isdistinct",
		"fts", "plfts", "phfts", "wfts", "cs", "cd", "ov", "sl", "sr", "nxr", "nxl", "adj":
		return true
	}
	return false
}

// appendParam writes one parameter, percent-encoded.
func appendParam(dst []byte, p param) []byte {
	if len(dst) > 0 {
		dst = append(dst, '&')
	}
	return appendEscaped(append(appendEscaped(dst, p.key), '='), p.text)
}

// appendEscaped leaves in place what needs no escape in the query of a URL, the punctuation of lists
// too: percent-encoded, a long one would not fit.
func appendEscaped(dst []byte, s string) []byte {
	const hexDigits = "0123456789ABCDEF"
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			strings.IndexByte("-_.~,():*!$@/", c) >= 0:
			dst = append(dst, c)
		default:
			dst = append(dst, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return dst
}

// keep makes the key of a read, and the query a part of it: one text holds both.
func (c *compiled) keep(query []byte) {
	var room [512]byte
	key, at := c.appendKey(room[:0], query)
	c.key = string(key)
	c.req.Query = c.key[at : at+len(query)]
}

// appendKey writes the request so that it could be read back, each part behind its length, and tells
// where the query begins. What comes after it is the body.
func (c *compiled) appendKey(b, query []byte) (key []byte, at int) {
	if c.maybe { // what is sent does not tell it
		b = append(b, '1') // as a length, it is that of no method
	}
	b = appendPart(b, c.req.Method)
	b = appendPart(b, c.req.Path)
	b = appendPart(b, query)
	at = len(b) - len(query)
	for _, name := range [...]string{"Accept", "Accept-Profile", "Content-Profile", "Content-Type", "Prefer"} {
		var value string
		if values := c.req.Header[name]; len(values) > 0 {
			value = values[0]
		}
		b = appendPart(b, value)
	}
	return b, at
}

func appendPart[S string | []byte](b []byte, s S) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
