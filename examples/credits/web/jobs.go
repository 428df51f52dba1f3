package web

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/streamconn/streamconn/examples/credits/ledger"
)

// job is what credits are spent on: it says something about a text.
type job struct {
	ID, Title, About string
	Price            int64
	deep             bool
}

var jobs = []job{
	{"quick", "Quick look", "Words, sentences and reading time", 10, false},
	{"full", "Full report", "The same, and what the text is about", 25, true},
}

const maxText = 20_000

// form is what was entered, to be shown again.
type form struct {
	Number string // of this form: the same one again is the same request
	Job    string
	Text   string
}

func newForm() form { return form{Number: rand.Text(), Job: jobs[0].ID} }

// request names what is paid for: this text, this job and this form. Whoever sends it again, by a
// second click or a reload, gets what they have paid for, and pays once. There is nothing to be had
// by making one up: another text is another request.
func (f form) request() string {
	h := sha256.New()
	for _, part := range []string{f.Number, f.Job, f.Text} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	sum := h.Sum(nil)
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // a UUID of version 8
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// runJob takes the credits first, all or none, and runs the job then.
func (a *app) runJob(w http.ResponseWriter, r *http.Request, me user) error {
	f := form{r.PostFormValue("number"), r.PostFormValue("job"), strings.TrimSpace(r.PostFormValue("text"))}
	i := slices.IndexFunc(jobs, func(j job) bool { return j.ID == f.Job })
	v := view{Title: "Overview", Form: f}
	switch {
	case i < 0:
		v.Problem, v.Form.Job = "Choose a job.", jobs[0].ID
		return a.overview(w, r, me, http.StatusUnprocessableEntity, v)
	case f.Text == "":
		v.Problem = "There is no text to look at. Nothing was charged."
		return a.overview(w, r, me, http.StatusUnprocessableEntity, v)
	case len(f.Text) > maxText:
		v.Problem = fmt.Sprintf("The text is longer than %s bytes. Nothing was charged.", count(maxText))
		return a.overview(w, r, me, http.StatusUnprocessableEntity, v)
	}
	j := jobs[i]
	if _, err := account(r.Context(), me); err != nil { // it may be the first thing that a new user does
		return err
	}
	balance, charged, err := ledger.Spend(r.Context(), me.Conn, j.Price, j.Title, f.request())
	if errors.Is(err, ledger.ErrInsufficient) {
		v.Short = &j
		return a.overview(w, r, me, http.StatusPaymentRequired, v)
	}
	if err != nil {
		return err
	}
	v.Report = reportOn(f.Text, j.deep)
	v.Good = fmt.Sprintf("%s done. It took %s credits; you have %s left.", j.Title, count(j.Price), count(balance))
	if !charged {
		v.Good = fmt.Sprintf("%s done. You had paid for it already, so nothing more was taken.", j.Title)
	}
	v.Form = newForm()
	v.Form.Job = j.ID
	return a.overview(w, r, me, http.StatusOK, v)
}

// report is what a job says about a text.
type report struct {
	Words, Sentences, Characters int
	Minutes                      int // to read it, rounded up
	// Of a full report:
	Longest  string
	PerWords float64 // words in a sentence, on average; 0 in a quick look
	Topics   []topic
}

type topic struct {
	Word  string
	Count int
	Share int // of the first topic's count, in percent
}

// small are words that say nothing about a text.
var small = strings.Fields(`about after again also been before being between both came come could does each even every from
	have here into just like made make many more most much must never only other over said same should since some such
	than that their them then there these they this those through under very well were what when where which while will with would your`)

func reportOn(text string, deep bool) *report {
	p := &report{Characters: len([]rune(text))}
	words := strings.FieldsFunc(text, func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && c != '\'' && c != '’' && c != '-'
	})
	p.Words = len(words)
	for part := range strings.FieldsFuncSeq(text, func(c rune) bool { return strings.ContainsRune(".!?…", c) }) {
		if strings.ContainsFunc(part, unicode.IsLetter) {
			p.Sentences++
		}
	}
	p.Minutes = (p.Words + 229) / 230
	if !deep {
		return p
	}
	p.PerWords = float64(p.Words) / float64(max(p.Sentences, 1))
	counts := make(map[string]int)
	for _, word := range words {
		word = strings.Trim(strings.ToLower(word), "'’-")
		if n := len([]rune(word)); n > len([]rune(p.Longest)) {
			p.Longest = word
		} else if n < 4 {
			continue
		}
		if !slices.Contains(small, word) {
			counts[word]++
		}
	}
	for _, word := range slices.Sorted(maps.Keys(counts)) {
		p.Topics = append(p.Topics, topic{Word: word, Count: counts[word]})
	}
	slices.SortStableFunc(p.Topics, func(a, b topic) int { return cmp.Compare(b.Count, a.Count) })
	p.Topics = p.Topics[:min(len(p.Topics), 6)]
	for i := range p.Topics {
		p.Topics[i].Share = 100 * p.Topics[i].Count / p.Topics[0].Count
	}
	return p
}
