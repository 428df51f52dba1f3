package fakerest

import (
	"slices"
	"strings"
)

// stopWords are the words that Postgres' english configuration does not search for.
const stopWords = " i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself it its itself they them their theirs themselves what which who whom this that these those am is are was were be been being have has had having do does did doing a an the and but if or because as until while of at by for with about against between into through during before after above below to from up down in out on off over under again further then once here there when where why how all any both each few more most other some such no nor not only own same so than too very s t can will just don should now "

func stopWord(word string) bool { return strings.Contains(stopWords, " "+word+" ") }

func isVowel(c byte) bool { return strings.IndexByte("aeiouy", c) >= 0 }

// stemmer takes a word's endings off, as the Porter2 algorithm for English does. Consonants that
// are written y are Y meanwhile.
type stemmer struct {
	w      string
	r1, r2 int
}

// stem gives the stem of an English word in lower case.
func stem(word string) string {
	switch word {
	case "skis":
		return "ski"
	case "skies":
		return "sky"
	case "dying":
		return "die"
	case "lying":
		return "lie"
	case "tying":
		return "tie"
	case "idly":
		return "idl"
	case "gently":
		return "gentl"
	case "ugly":
		return "ugli"
	case "early":
		return "earli"
	case "only":
		return "onli"
	case "singly":
		return "singl"
	case "sky", "news", "howe", "atlas", "cosmos", "bias", "andes":
		return word
	}
	if len(word) <= 2 {
		return word
	}
	b := []byte(strings.TrimPrefix(word, "'"))
	for i := range b {
		if b[i] == 'y' && (i == 0 || isVowel(b[i-1])) {
			b[i] = 'Y'
		}
	}
	s := &stemmer{w: string(b)}
	s.regions()
	s.possessive()
	s.plural()
	if slices.Contains([]string{"inning", "outing", "canning", "herring", "earring", "proceed", "exceed", "succeed"}, s.w) {
		return s.w
	}
	s.past()
	s.yToI()
	s.step2()
	s.step3()
	s.step4()
	s.final()
	return strings.ToLower(s.w)
}

// regions finds R1 and R2: what is behind the first consonant that follows a vowel, once and twice.
func (s *stemmer) regions() {
	after := func(from int) int {
		for i := from + 1; i < len(s.w); i++ {
			if !isVowel(s.w[i]) && isVowel(s.w[i-1]) {
				return i + 1
			}
		}
		return len(s.w)
	}
	s.r1 = after(0)
	for _, p := range []string{"gener", "commun", "arsen"} {
		if strings.HasPrefix(s.w, p) {
			s.r1 = len(p)
		}
	}
	s.r2 = after(s.r1)
	if s.r1 >= len(s.w) {
		s.r2 = len(s.w)
	}
}

func (s *stemmer) cut(suffix, with string) { s.w = s.w[:len(s.w)-len(suffix)] + with }

// longest gives the longest of the endings that the word has.
func (s *stemmer) longest(endings ...string) string {
	best := ""
	for _, e := range endings {
		if len(e) > len(best) && strings.HasSuffix(s.w, e) {
			best = e
		}
	}
	return best
}

func (s *stemmer) inR1(suffix string) bool { return len(s.w)-len(suffix) >= s.r1 }
func (s *stemmer) inR2(suffix string) bool { return len(s.w)-len(suffix) >= s.r2 }

func hasVowel(w string) bool {
	for i := range len(w) {
		if isVowel(w[i]) {
			return true
		}
	}
	return false
}

func (s *stemmer) possessive() {
	if e := s.longest("'s'", "'s", "'"); e != "" {
		s.cut(e, "")
	}
}

func (s *stemmer) plural() {
	switch e := s.longest("sses", "ied", "ies", "s", "us", "ss"); e {
	case "sses":
		s.cut(e, "ss")
	case "ied", "ies":
		if len(s.w) > 4 {
			s.cut(e, "i")
		} else {
			s.cut(e, "ie")
		}
	case "s":
		if len(s.w) > 2 && hasVowel(s.w[:len(s.w)-2]) {
			s.cut(e, "")
		}
	}
}

// short reports whether the word ends in a short syllable.
func short(w string) bool {
	n := len(w)
	if n == 2 {
		return isVowel(w[0]) && !isVowel(w[1])
	}
	return n > 2 && !isVowel(w[n-1]) && strings.IndexByte("wxY", w[n-1]) < 0 && isVowel(w[n-2]) && !isVowel(w[n-3])
}

func (s *stemmer) past() {
	switch e := s.longest("eed", "eedly", "ed", "edly", "ing", "ingly"); e {
	case "":
	case "eed", "eedly":
		if s.inR1(e) {
			s.cut(e, "ee")
		}
	default:
		if !hasVowel(s.w[:len(s.w)-len(e)]) {
			return
		}
		s.cut(e, "")
		switch {
		case s.longest("at", "bl", "iz") != "":
			s.w += "e"
		case s.longest("bb", "dd", "ff", "gg", "mm", "nn", "pp", "rr", "tt") != "":
			s.w = s.w[:len(s.w)-1]
		case short(s.w) && s.r1 >= len(s.w):
			s.w += "e"
		}
	}
}

func (s *stemmer) yToI() {
	n := len(s.w)
	if n > 2 && (s.w[n-1] == 'y' || s.w[n-1] == 'Y') && !isVowel(s.w[n-2]) {
		s.w = s.w[:n-1] + "i"
	}
}

func (s *stemmer) step2() {
	with := map[string]string{
		"tional": "tion", "enci": "ence", "anci": "ance", "abli": "able", "entli": "ent", "izer": "ize", "ization": "ize",
		"ational": "ate", "ation": "ate", "ator": "ate", "alism": "al", "aliti": "al", "alli": "al", "fulness": "ful",
		"ousli": "ous", "ousness": "ous", "iveness": "ive", "iviti": "ive", "biliti": "ble", "bli": "ble", "ogi": "og",
		"fulli": "ful", "lessli": "less", "li": "",
	}
	endings := make([]string, 0, len(with))
	for e := range with {
		endings = append(endings, e)
	}
	e := s.longest(endings...)
	if e == "" || !s.inR1(e) {
		return
	}
	before := byte(0)
	if len(s.w) > len(e) {
		before = s.w[len(s.w)-len(e)-1]
	}
	if e == "ogi" && before != 'l' || e == "li" && strings.IndexByte("cdeghkmnrt", before) < 0 {
		return
	}
	s.cut(e, with[e])
}

func (s *stemmer) step3() {
	e := s.longest("tional", "ational", "alize", "icate", "iciti", "ical", "ful", "ness", "ative")
	if e == "" || !s.inR1(e) {
		return
	}
	switch e {
	case "tional":
		s.cut(e, "tion")
	case "ational":
		s.cut(e, "ate")
	case "alize":
		s.cut(e, "al")
	case "icate", "iciti", "ical":
		s.cut(e, "ic")
	case "ful", "ness":
		s.cut(e, "")
	case "ative":
		if s.inR2(e) {
			s.cut(e, "")
		}
	}
}

func (s *stemmer) step4() {
	e := s.longest("al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ism", "ate", "iti", "ous", "ive", "ize", "ion")
	if e == "" || !s.inR2(e) {
		return
	}
	if e == "ion" && (len(s.w) <= 3 || strings.IndexByte("st", s.w[len(s.w)-4]) < 0) {
		return
	}
	s.cut(e, "")
}

func (s *stemmer) final() {
	n := len(s.w)
	if n == 0 {
		return
	}
	switch s.w[n-1] {
	case 'e':
		if s.inR2("e") || s.inR1("e") && !short(s.w[:n-1]) {
			s.w = s.w[:n-1]
		}
	case 'l':
		if s.inR2("l") && n > 1 && s.w[n-2] == 'l' {
			s.w = s.w[:n-1]
		}
	}
}
