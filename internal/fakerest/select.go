package fakerest

import "strings"

// selectStmt is a SELECT or VALUES.
type selectStmt struct {
	distinct      bool
	targets       []target
	from          []fromItem
	where         *node
	group         []*node
	having        *node
	order         []sortItem
	limit, offset *node
	line          int
}

type target struct {
	expr  *node
	alias string
}

type sortItem struct {
	expr       *node
	desc       bool
	nullsFirst *bool
}

// fromItem is a table of a FROM list, and how it is joined to those before it.
type fromItem struct {
	table qualified
	query *selectStmt
	alias string
	join  string // "": a comma; inner, left, cross
	on    *node
	using []string
	line  int
}

func (p *parser) selectStmt() *selectStmt {
	p.enter()
	defer p.leave()
	s := &selectStmt{line: p.peek().line}
	p.expect("select")
	p.accept("all")
	s.distinct = p.accept("distinct")
	if s.distinct && p.is("on") {
		p.fail("DISTINCT ON is not supported")
	}
	if !p.is("from") && !p.is("where") && !p.is(")") {
		for {
			t := target{expr: p.expr()}
			if p.accept("as") {
				t.alias = p.label()
			} else if k := p.peek(); k.kind == tokQuoted || k.kind == tokWord && !isReserved(k.text) {
				t.alias = p.label()
			}
			s.targets = append(s.targets, t)
			if !p.accept(",") {
				break
			}
		}
	}
	if p.accept("from") {
		p.fromList(s)
	}
	if p.accept("where") {
		s.where = p.expr()
	}
	if p.accept("group", "by") {
		for {
			s.group = append(s.group, p.expr())
			if !p.accept(",") {
				break
			}
		}
	}
	if p.accept("having") {
		s.having = p.expr()
	}
	if t := p.peek(); t.kind == tokWord && (t.text == "union" || t.text == "intersect" || t.text == "except" || t.text == "window") {
		p.fail("%s is not supported", strings.ToUpper(t.text))
	}
	if p.accept("order", "by") {
		s.order = p.sortList()
	}
	for {
		switch {
		case p.accept("limit"):
			s.limit = p.expr()
		case p.accept("offset"):
			s.offset = p.expr()
			_ = p.accept("rows") || p.accept("row")
		case p.is("for"):
			p.fail("SELECT … FOR is not supported")
		default:
			return s
		}
	}
}

func (p *parser) sortList() []sortItem {
	var list []sortItem
	for {
		item := sortItem{expr: p.expr()}
		item.desc = p.oneOf("asc", "desc") == "desc"
		if p.accept("nulls") {
			first := p.oneOf("first", "last") == "first"
			item.nullsFirst = &first
		}
		list = append(list, item)
		if !p.accept(",") {
			return list
		}
	}
}

func (p *parser) fromList(s *selectStmt) {
	s.from = append(s.from, p.fromItem(""))
	for {
		switch {
		case p.accept(","):
			s.from = append(s.from, p.fromItem(""))
		case p.accept("cross", "join"):
			s.from = append(s.from, p.fromItem("cross"))
		case p.is("join") || p.is("inner") || p.is("left"):
			kind := "inner"
			if p.accept("left") {
				kind = "left"
				p.accept("outer")
			} else {
				p.accept("inner")
			}
			p.expect("join")
			item := p.fromItem(kind)
			if p.accept("using") {
				item.using = p.names()
			} else {
				p.expect("on")
				item.on = p.expr()
			}
			s.from = append(s.from, item)
		case p.is("right") || p.is("full") || p.is("natural"):
			p.fail("%s JOIN is not supported", strings.ToUpper(p.peek().text))
		default:
			return
		}
	}
}

func (p *parser) fromItem(join string) fromItem {
	item := fromItem{join: join, line: p.peek().line}
	p.accept("only")
	if p.is("lateral") {
		p.fail("LATERAL is not supported")
	}
	if p.accept("(") {
		if !p.is("select") {
			p.fail("a join in parentheses is not supported")
		}
		item.query = p.selectStmt()
		p.expect(")")
	} else {
		item.table = p.qualified()
		item.alias = item.table.name
		if p.is("(") {
			p.fail("a function in FROM is not supported")
		}
	}
	if p.accept("as") {
		item.alias = p.name()
	} else if k := p.peek(); k.kind == tokQuoted || k.kind == tokWord && !isReserved(k.text) && k.text != "set" {
		item.alias = p.name()
	}
	if item.alias == "" {
		p.fail("a subquery in FROM needs a name")
	}
	if p.is("(") {
		p.fail("names for the columns of a table in FROM are not supported")
	}
	return item
}
