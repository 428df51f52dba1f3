package fakerest

import (
	"net/http"
	"strings"
)

// relationOf finds the table or the view of a request. PostgREST leaves it to Postgres that there is
// none: it comes with an empty one then, about which the rest can be wrong first.
func (s *Server) relationOf(q *request) (*table, *Error) {
	t := s.db.tables[qualified{q.schema, q.name}]
	if t == nil {
		return &table{schema: q.schema, name: q.name}, fault("42P01", "relation \"%s.%s\" does not exist", q.schema, q.name)
	}
	return t, nil
}

// readTable answers GET and HEAD.
func (s *Server) readTable(tx *txn, q *request) (*answer, *Error) {
	if err := q.params.place(false); err != nil {
		return nil, err
	}
	rel, missing := s.relationOf(q)
	p, err := newPlan(s.db, q.schema, rel, q.params, !s.cfg.NoAggregates)
	if err == nil {
		err = q.unacceptable
	}
	if err == nil {
		err = missing
	}
	if err == nil {
		err = p.analyse()
	}
	if err == nil {
		err = p.binds.err
	}
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
	if total != nil && p.offset > f.total && q.media.kind != "object" {
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
			if _, err := r.array(p, records); err != nil {
				return nil, err
			}
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
	base := rel.stored()
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
