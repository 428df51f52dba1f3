package fakerest

import (
	"bytes"
	"encoding/csv"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// request is what PostgREST makes of an HTTP request.
type request struct {
	method       string
	root         bool // the description of everything
	call         bool // of a function
	name         string
	schema       string
	profiled     bool // there is more than one schema
	params       *params
	raw          string // the query
	media        media
	unacceptable *Error // what is wrong with the media type: told once the tables are found
	prefer       preferences
	body         []byte
	content      string // the media type of the body
	ranged       bool   // by a header
	asked        bool   // for a media type by name
	from         int
	to           int // -1: open
}

// media is the form of the answer.
type media struct {
	kind  string // json, object, array, csv, any, openapi
	strip bool   // without nulls
	name  string // as the answer's Content-Type says it
}

// preferences are those of the header Prefer.
type preferences struct {
	resolution string // merge-duplicates, ignore-duplicates
	missing    string // default, null
	returning  string // representation, minimal, headers-only
	count      string // exact, planned, estimated
	tx         string
	rollback   bool
	handling   string
	timezone   string
	single     bool // params=single-object
	invalid    []string
}

func (q *request) reads() bool { return q.method == http.MethodGet || q.method == http.MethodHead }

func (s *Server) request(r *http.Request) (*request, *Error) {
	q := &request{method: r.Method, raw: r.URL.RawQuery, to: -1}
	path := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case len(path) == 1 && path[0] == "":
		q.root = true
	case len(path) == 1:
		q.name = path[0]
	case len(path) == 2 && path[0] == "rpc":
		q.call, q.name = true, path[1]
	default:
		return nil, nil
	}
	if err := q.checkMethod(); err != nil {
		return nil, err
	}
	var err *Error
	if q.params, err = parseParams(q.raw, q.call && q.reads()); err != nil {
		return nil, err
	}
	if err := s.profile(q, r); err != nil {
		return nil, err
	}
	if err := q.ranges(r); err != nil {
		return nil, err
	}
	if !q.reads() && r.Body != nil {
		b, rerr := io.ReadAll(r.Body)
		if rerr != nil {
			return nil, refusal(400, "PGRST102", "Empty or invalid json")
		}
		q.body = b
	}
	q.content = "application/json"
	if ct := r.Header.Get("Content-Type"); ct != "" {
		mt, _, merr := mime.ParseMediaType(ct)
		if merr != nil {
			mt = ct
		}
		q.content = mt
	}
	q.prefer = parsePrefer(r.Header.Values("Prefer"), s.cfg.AllowRollback)
	if len(q.prefer.invalid) > 0 && q.prefer.handling == "strict" {
		q.unacceptable = refusal(400, "PGRST122", "Invalid preferences given with handling=strict").
			with("Invalid preferences: %s", strings.Join(q.prefer.invalid, ", "))
	}
	if q.method == http.MethodOptions {
		return q, nil
	}
	if err := q.accept(r.Header.Get("Accept")); err != nil {
		q.unacceptable = err
	}
	return q, nil
}

func (q *request) checkMethod() *Error {
	known := []string{"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"}
	switch {
	case q.call && !slices.Contains([]string{"GET", "HEAD", "POST", "OPTIONS"}, q.method):
		return refusal(405, "PGRST101", "Cannot use the %s method on RPC", q.method)
	case !slices.Contains(known, q.method), q.root && !slices.Contains([]string{"GET", "HEAD", "OPTIONS"}, q.method):
		return refusal(405, "PGRST117", "Unsupported HTTP method: %s", q.method)
	}
	return nil
}

// profile finds the schema that is asked for.
func (s *Server) profile(q *request, r *http.Request) *Error {
	header := "Content-Profile"
	if q.reads() {
		header = "Accept-Profile"
	}
	q.schema = s.schemas[0]
	q.profiled = len(s.schemas) > 1
	asked := r.Header.Get(header)
	if asked == "" {
		return nil
	}
	if !slices.Contains(s.schemas, asked) {
		return refusal(406, "PGRST106", "The schema must be one of the following: %s", strings.Join(s.schemas, ", "))
	}
	q.schema = asked
	return nil
}

const notSatisfiable = "Requested range not satisfiable"

// ranges reads the header Range, and checks limits.
func (q *request) ranges(r *http.Request) *Error {
	if h := r.Header.Get("Range"); h != "" && q.method == http.MethodGet {
		low, high, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(h), "items="), "-")
		from, ferr := strconv.Atoi(low)
		if ok && ferr == nil {
			q.ranged, q.from = true, from
			if to, terr := strconv.Atoi(high); terr == nil {
				if to < from {
					return refusal(416, "PGRST103", notSatisfiable).
						with("The lower boundary must be lower than or equal to the upper boundary in the Range header.")
				}
				q.to = to
			}
		}
	}
	limit, bounded := q.params.limits[""]
	offset := q.params.offsets[""]
	negative := bounded && limit < 0
	negative = negative || bounded && limit == 0 && offset > 0
	if q.ranged && !(bounded && limit == 0) { // both have no row in common
		negative = negative || bounded && offset+limit-1 < q.from || q.to >= 0 && q.to < offset
	}
	if negative {
		return refusal(416, "PGRST103", notSatisfiable).with("Limit should be greater than or equal to zero.")
	}
	return nil
}

// bound applies the header Range to a plan.
func (q *request) bound(p *plan) {
	if !q.ranged {
		return
	}
	upper := unlimited
	if q.to >= 0 {
		upper = q.to
	}
	low := max(p.offset, q.from)
	if p.limit != unlimited {
		upper = min(upper, p.offset+p.limit-1)
	}
	p.offset = low
	if upper != unlimited {
		p.limit = max(upper-low+1, 0)
	}
}

func parsePrefer(headers []string, allowRollback bool) preferences {
	var p preferences
	take := func(to *string, value string, allowed ...string) bool {
		if !slices.Contains(allowed, value) {
			return false
		}
		if *to == "" {
			*to = value
		}
		return true
	}
	for _, h := range headers {
		for part := range strings.SplitSeq(h, ",") {
			part = strings.TrimSpace(part)
			if part == "" {
				continue
			}
			key, value, _ := strings.Cut(part, "=")
			ok := false
			switch key {
			case "resolution":
				ok = take(&p.resolution, value, "merge-duplicates", "ignore-duplicates")
			case "missing":
				ok = take(&p.missing, value, "default", "null")
			case "return":
				ok = take(&p.returning, value, "representation", "minimal", "headers-only")
			case "count":
				ok = take(&p.count, value, "exact", "planned", "estimated")
			case "tx":
				ok = take(&p.tx, value, "commit", "rollback")
			case "handling":
				ok = take(&p.handling, value, "strict", "lenient")
			case "timezone":
				ok = value != ""
				p.timezone = value
			case "params":
				ok = value == "single-object"
				p.single = p.single || ok
			}
			if !ok {
				p.invalid = append(p.invalid, part)
			}
		}
	}
	if !allowRollback {
		p.tx = ""
	}
	p.rollback = p.tx == "rollback"
	return p
}

// applied is the header Preference-Applied, of those that count for the request.
func (p preferences) applied(write bool) string {
	var list []string
	add := func(name, value string) {
		if value != "" {
			list = append(list, name+"="+value)
		}
	}
	if write {
		add("resolution", p.resolution)
		add("missing", p.missing)
		add("return", p.returning)
	}
	add("count", p.count)
	add("tx", p.tx)
	add("handling", p.handling)
	add("timezone", p.timezone)
	return strings.Join(list, ", ")
}

// accept finds the form of the answer.
func (q *request) accept(header string) *Error {
	q.asked = strings.Contains(header, "json")
	if strings.TrimSpace(header) == "" {
		header = "*/*"
	}
	var names []string
	for part := range strings.SplitSeq(header, ",") {
		part = strings.TrimSpace(part)
		name, options, _ := strings.Cut(part, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		options = strings.ReplaceAll(options, " ", "")
		stripped := strings.Contains(options, "nulls=stripped")
		m := media{strip: stripped, name: name}
		if stripped {
			m.name += ";nulls=stripped"
		}
		names = append(names, m.name)
		switch name {
		case "*/*":
			m.kind, m.name = "json", "application/json"
		case "application/json":
			m.kind, m.strip, m.name = "json", false, name
		case "application/vnd.pgrst.object+json", "application/vnd.pgrst.object":
			m.kind = "object"
			m.name = "application/vnd.pgrst.object+json" + strings.TrimPrefix(m.name, name)
		case "application/vnd.pgrst.array+json", "application/vnd.pgrst.array":
			m.kind = "json"
			m.name = "application/vnd.pgrst.array+json;nulls=stripped"
			if !stripped {
				m.name = "application/json"
			}
		case "text/csv":
			m.kind = "csv"
		case "application/openapi+json":
			if !q.root {
				continue
			}
			m.kind = "openapi"
		case "application/geo+json":
			return unsupported("geojson")
		case "application/vnd.pgrst.plan", "application/vnd.pgrst.plan+json", "application/vnd.pgrst.plan+text":
			return unsupported("plans")
		default:
			continue
		}
		q.media = m
		return nil
	}
	return refusal(415, "PGRST107", "None of these media types are available: %s", strings.Join(names, ", "))
}

// payload is a body: objects, whose keys are columns.
type payload struct {
	objects []*jsonNode
	array   bool
	keys    []string // of the first object, in its order
	raw     *jsonNode
}

// payloadOf reads the body of a write or a call.
func (q *request) payloadOf() (*payload, *Error) {
	switch q.content {
	case "application/json", "application/vnd.pgrst.object+json":
		return q.jsonPayload()
	case "text/csv":
		return q.csvPayload()
	case "application/x-www-form-urlencoded":
		n := &jsonNode{form: jsonObject}
		for _, p := range parseQuery(string(q.body)) {
			n.members = append(n.members, jsonMember{p.key, &jsonNode{form: jsonString, text: p.value}})
		}
		return &payload{objects: []*jsonNode{n}, keys: keysOf(n), raw: n}, nil
	}
	return nil, refusal(400, "PGRST102", "Content-Type not acceptable: %s", q.content)
}

func (q *request) jsonPayload() (*payload, *Error) {
	body := q.body
	if len(bytes.TrimSpace(body)) == 0 && q.call {
		body = []byte("{}")
	}
	n, err := parseBody(string(body))
	if err != nil {
		return nil, refusal(400, "PGRST102", "Empty or invalid json")
	}
	p := &payload{raw: n}
	switch n.form {
	case jsonObject:
		p.objects = []*jsonNode{n}
	case jsonArray:
		p.array = true
		p.objects = n.items
	default:
		return p, nil // nothing to write
	}
	if len(p.objects) > 0 {
		p.keys = keysOf(p.objects[0])
	}
	if q.params.columns != nil {
		return p, nil
	}
	for _, o := range p.objects {
		if o.form != jsonObject || !sameKeys(keysOf(o), p.keys) {
			return nil, refusal(400, "PGRST102", "All object keys must match")
		}
	}
	return p, nil
}

func keysOf(n *jsonNode) []string {
	var keys []string
	for _, m := range n.members {
		if !slices.Contains(keys, m.key) {
			keys = append(keys, m.key)
		}
	}
	return keys
}

func sameKeys(a, b []string) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(k string) bool { return !slices.Contains(b, k) })
}

func (q *request) csvPayload() (*payload, *Error) {
	r := csv.NewReader(bytes.NewReader(q.body))
	r.FieldsPerRecord = -1
	records, err := r.ReadAll()
	if err != nil {
		return nil, refusal(400, "PGRST102", "%s", err.Error())
	}
	p := &payload{array: true}
	if len(records) == 0 {
		return p, nil
	}
	p.keys = records[0]
	for _, rec := range records[1:] {
		if len(rec) != len(p.keys) {
			return nil, refusal(400, "PGRST102", "All lines must have same number of fields")
		}
		n := &jsonNode{form: jsonObject}
		for i, text := range rec {
			v := &jsonNode{form: jsonString, text: text}
			if text == "NULL" {
				v = &jsonNode{form: jsonNull}
			}
			n.members = append(n.members, jsonMember{p.keys[i], v})
		}
		p.objects = append(p.objects, n)
	}
	p.raw = &jsonNode{form: jsonArray, items: p.objects}
	return p, nil
}
