package fakerest

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// searchVector is a tsvector: the words of a text, as they are searched for, and where they are.
type searchVector struct {
	places map[string][]int
}

// searchQuery is a tsquery.
type searchQuery struct {
	op       byte // 'w' a word, '&', '|', '!', '<' one word after the other; 0: nothing, which no text has
	word     string
	prefix   bool
	distance int // of '<'
	kids     []*searchQuery
}

// searchConfig is how words are made of a text.
type searchConfig struct {
	english bool // stems and leaves out stop words; else simple
}

// searchConfigOf knows the two configurations that this server has.
func searchConfigOf(name string) (searchConfig, *Error) {
	switch strings.TrimPrefix(name, "pg_catalog.") {
	case "", "english":
		return searchConfig{english: true}, nil
	case "simple":
		return searchConfig{}, nil
	}
	return searchConfig{}, unsupported("text search configurations (" + name + ")")
}

// lexeme is the word as it is searched for; "" for one that is left out.
func (c searchConfig) lexeme(word string) string {
	word = strings.ToLower(word)
	if !c.english {
		return word
	}
	if stopWord(word) {
		return ""
	}
	for _, r := range word {
		if r < 'a' || r > 'z' {
			if r != '\'' {
				return word
			}
		}
	}
	return stem(word)
}

// searchWords cuts a text into words. A word with hyphens is one, and its parts are some.
func searchWords(text string) [][]string {
	var words [][]string
	for _, field := range strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '_' }) {
		for piece := range strings.SplitSeq(field, "_") {
			piece = strings.Trim(piece, "-")
			if piece == "" {
				continue
			}
			parts := strings.FieldsFunc(piece, func(r rune) bool { return r == '-' })
			if len(parts) > 1 && !strings.ContainsAny(piece, "0123456789") {
				words = append(words, []string{piece})
			}
			for _, p := range parts {
				words = append(words, []string{p})
			}
		}
	}
	return words
}

func (c searchConfig) vector(text string) *searchVector {
	v := &searchVector{places: map[string][]int{}}
	for i, w := range searchWords(text) {
		if l := c.lexeme(w[0]); l != "" {
			v.places[l] = append(v.places[l], i+1)
		}
	}
	return v
}

func (v *searchVector) String() string {
	words := make([]string, 0, len(v.places))
	for w := range v.places {
		words = append(words, w)
	}
	slices.Sort(words)
	for i, w := range words {
		places := make([]string, len(v.places[w]))
		for j, p := range v.places[w] {
			places[j] = strconv.Itoa(p)
		}
		words[i] = "'" + strings.ReplaceAll(w, "'", "''") + "':" + strings.Join(places, ",")
	}
	return strings.Join(words, " ")
}

func (q *searchQuery) String() string {
	switch q.op {
	case 0:
		return ""
	case 'w':
		s := "'" + strings.ReplaceAll(q.word, "'", "''") + "'"
		if q.prefix {
			s += ":*"
		}
		return s
	case '!':
		return "!" + q.kids[0].grouped()
	}
	op := " " + string(q.op) + " "
	if q.op == '<' {
		op = " <-> "
		if q.distance != 1 {
			op = " <" + strconv.Itoa(q.distance) + "> "
		}
	}
	parts := make([]string, len(q.kids))
	for i, k := range q.kids {
		parts[i] = k.String()
		if k.op == '|' && q.op != '|' {
			parts[i] = k.grouped()
		}
	}
	return strings.Join(parts, op)
}

func (q *searchQuery) grouped() string {
	if len(q.kids) > 1 {
		return "( " + q.String() + " )"
	}
	return q.String()
}

// matches reports whether a text has what is searched for.
func (q *searchQuery) matches(v *searchVector) bool {
	switch q.op {
	case '!':
		return !q.kids[0].matches(v)
	case '&':
		return !slices.ContainsFunc(q.kids, func(k *searchQuery) bool { return !k.matches(v) })
	case '|':
		return slices.ContainsFunc(q.kids, func(k *searchQuery) bool { return k.matches(v) })
	case 'w', '<':
		return len(q.ends(v)) > 0
	}
	return false
}

// ends gives the places at which a word, or a phrase, ends.
func (q *searchQuery) ends(v *searchVector) []int {
	switch q.op {
	case 'w':
		if !q.prefix {
			return v.places[q.word]
		}
		var all []int
		for w, places := range v.places {
			if strings.HasPrefix(w, q.word) {
				all = append(all, places...)
			}
		}
		return all
	case '|':
		var all []int
		for _, k := range q.kids {
			all = append(all, k.ends(v)...)
		}
		return all
	case '<':
		left, right := q.kids[0].ends(v), q.kids[1].ends(v)
		var all []int
		for _, r := range right {
			if slices.Contains(left, r-q.distance) {
				all = append(all, r)
			}
		}
		return all
	}
	return nil
}

// prune leaves out what stop words have made empty.
func prune(q *searchQuery) *searchQuery {
	if q == nil || q.op == 0 {
		return nil
	}
	if q.op == 'w' {
		return q
	}
	var kids []*searchQuery
	for _, k := range q.kids {
		if k = prune(k); k != nil {
			kids = append(kids, k)
		}
	}
	switch {
	case len(kids) == 0:
		return nil
	case len(kids) == 1 && q.op != '!':
		return kids[0]
	}
	return &searchQuery{op: q.op, kids: kids, distance: q.distance}
}

func pruned(q *searchQuery) *searchQuery {
	if q = prune(q); q != nil {
		return q
	}
	return &searchQuery{}
}

// words is a query for all the words of a text, joined by an operator.
func (c searchConfig) words(text string, op byte) *searchQuery {
	var q *searchQuery
	gap := 1
	for _, w := range searchWords(text) {
		l := c.lexeme(w[0])
		if l == "" {
			gap++
			continue
		}
		word := &searchQuery{op: 'w', word: l}
		switch {
		case q == nil:
			q = word
		default:
			q = &searchQuery{op: op, kids: []*searchQuery{q, word}, distance: gap}
		}
		gap = 1
	}
	return q
}

// parseTsquery reads 'fat' & ('cat' | !dog:*) with the words made by a configuration; with config
// "raw" they stay as they are.
func parseTsquery(text, config string) (*searchQuery, *Error) {
	c, err := searchConfigOf(config)
	if err != nil {
		return nil, err
	}
	r := tsReader{text: text, config: c}
	q := r.or(0)
	r.space()
	if r.err == nil && r.at < len(r.text) {
		r.fail()
	}
	if r.err != nil {
		return nil, r.err
	}
	return pruned(q), nil
}

type tsReader struct {
	text   string
	at     int
	config searchConfig
	err    *Error
}

func (r *tsReader) fail() *searchQuery {
	if r.err == nil {
		r.err = fault("42601", "syntax error in tsquery: \"%s\"", r.text)
	}
	return nil
}

func (r *tsReader) space() {
	for r.at < len(r.text) && unicode.IsSpace(rune(r.text[r.at])) {
		r.at++
	}
}

func (r *tsReader) next() byte {
	r.space()
	if r.at >= len(r.text) {
		return 0
	}
	return r.text[r.at]
}

func (r *tsReader) or(depth int) *searchQuery {
	q := r.and(depth)
	for r.err == nil && r.next() == '|' {
		r.at++
		q = &searchQuery{op: '|', kids: []*searchQuery{q, r.and(depth)}}
	}
	return q
}

func (r *tsReader) and(depth int) *searchQuery {
	q := r.phrase(depth)
	for r.err == nil && r.next() == '&' {
		r.at++
		q = &searchQuery{op: '&', kids: []*searchQuery{q, r.phrase(depth)}}
	}
	return q
}

func (r *tsReader) phrase(depth int) *searchQuery {
	q := r.unary(depth)
	for r.err == nil && r.next() == '<' {
		end := strings.IndexByte(r.text[r.at:], '>')
		if end < 0 {
			return r.fail()
		}
		inside := r.text[r.at+1 : r.at+end]
		distance := 1
		if inside != "-" {
			if !digits(inside) || len(inside) > 5 {
				return r.fail()
			}
			distance = number(inside)
		}
		r.at += end + 1
		q = &searchQuery{op: '<', distance: distance, kids: []*searchQuery{q, r.unary(depth)}}
	}
	return q
}

func (r *tsReader) unary(depth int) *searchQuery {
	if depth > maxNesting {
		return r.fail()
	}
	switch r.next() {
	case '!':
		r.at++
		return &searchQuery{op: '!', kids: []*searchQuery{r.unary(depth + 1)}}
	case '(':
		r.at++
		q := r.or(depth + 1)
		if r.err == nil && r.next() != ')' {
			return r.fail()
		}
		r.at++
		return q
	case 0, ')', '&', '|', '<', ':':
		return r.fail()
	case '\'':
		end := strings.IndexByte(r.text[r.at+1:], '\'')
		if end < 0 {
			return r.fail()
		}
		word := r.text[r.at+1 : r.at+1+end]
		r.at += end + 2
		return r.weights(r.config.words(word, '<'))
	}
	start := r.at
	for r.at < len(r.text) && !strings.ContainsRune("&|!()<: \t\n'", rune(r.text[r.at])) {
		r.at++
	}
	return r.weights(r.config.words(r.text[start:r.at], '<'))
}

// weights reads what follows a word after a colon; * makes it a prefix.
func (r *tsReader) weights(q *searchQuery) *searchQuery {
	if r.at < len(r.text) && r.text[r.at] == ':' {
		r.at++
		for r.at < len(r.text) && strings.IndexByte("*abcdABCD", r.text[r.at]) >= 0 {
			if r.text[r.at] == '*' && q != nil && q.op == 'w' {
				q.prefix = true
			}
			r.at++
		}
	}
	if q == nil {
		return &searchQuery{}
	}
	return q
}

// websearch reads a query as search engines have it: words, "phrases", or, -not.
func (c searchConfig) websearch(text string) *searchQuery {
	var choices, all []*searchQuery
	flush := func() {
		if len(all) > 0 {
			choices = append(choices, &searchQuery{op: '&', kids: all})
		}
		all = nil
	}
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		negate := strings.HasPrefix(text, "-")
		text = strings.TrimLeft(text, "-")
		var q *searchQuery
		if strings.HasPrefix(text, `"`) {
			phrase, rest, _ := strings.Cut(text[1:], `"`)
			q, text = c.words(phrase, '<'), rest
		} else {
			i := strings.IndexAny(text, " \t\n\"")
			if i < 0 {
				i = len(text)
			}
			word := text[:i]
			text = text[i:]
			if strings.EqualFold(word, "or") && !negate {
				flush()
				continue
			}
			q = c.words(word, '<')
		}
		if q == nil {
			continue
		}
		if negate {
			q = &searchQuery{op: '!', kids: []*searchQuery{q}}
		}
		all = append(all, q)
	}
	flush()
	return &searchQuery{op: '|', kids: choices}
}

// searchQueryBy makes a tsquery by one of the functions that do.
func searchQueryBy(function, config, text string) (*searchQuery, *Error) {
	c, err := searchConfigOf(config)
	if err != nil {
		return nil, err
	}
	switch function {
	case "plainto_tsquery":
		return pruned(c.words(text, '&')), nil
	case "phraseto_tsquery":
		return pruned(c.words(text, '<')), nil
	case "websearch_to_tsquery":
		return pruned(c.websearch(text)), nil
	}
	return parseTsquery(text, config)
}

func searchFunctions(name string) []builtin {
	split := func(a []value) (config, text string) {
		if len(a) == 1 {
			return "", a[0].(string)
		}
		return a[0].(string), a[1].(string)
	}
	list := []builtin{{args: []*typ{typText, typText}, least: 1, returns: typTsquery, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
		config, text := split(a)
		return fails(searchQueryBy(name, config, text))
	}}}
	if name == "to_tsvector" {
		list = []builtin{{args: []*typ{typText, typText}, least: 1, returns: typTsvector, call: func(_ *env, a []value, _ []*typ) (value, *Error) {
			config, text := split(a)
			c, err := searchConfigOf(config)
			if err != nil {
				return nil, err
			}
			return c.vector(text), nil
		}}}
	}
	return list
}

// search compiles @@.
func (s *scope) search(a, b *compiled) (*compiled, *Error) {
	missing := noOperator("@@", a.typ, b.typ)
	if a.typ.kind == kindTsquery {
		a, b = b, a
	}
	if a.typ.isText() || a.literal != nil {
		text, err := s.coerce(a, typText, implicit)
		if err != nil {
			return nil, err
		}
		a = strictly(typTsvector, []*compiled{text}, func(_ *env, args []value) (value, *Error) {
			return searchConfig{english: true}.vector(args[0].(string)), nil
		})
	}
	b, err := s.coerce(b, typTsquery, implicit)
	if err != nil {
		return nil, err
	}
	if a.typ.kind != kindTsvector {
		return nil, missing
	}
	return strictly(typBool, []*compiled{a, b}, func(_ *env, args []value) (value, *Error) {
		return args[1].(*searchQuery).matches(args[0].(*searchVector)), nil
	}), nil
}
