package web

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"github.com/streamconn/streamconn/examples/credits/ledger"
)

//go:embed pages
var pageFiles embed.FS

// pages are the templates, each with the layout around it.
var pages = func() map[string]*template.Template {
	all := make(map[string]*template.Template)
	layout := template.Must(template.New("layout").Funcs(template.FuncMap{
		"money": money, "count": count, "signed": signed, "when": when, "iso": iso, "bonus": bonus,
	}).ParseFS(pageFiles, "pages/layout.html"))
	for _, name := range []string{"door", "overview", "history", "buy", "pay", "problem"} {
		all[name] = template.Must(template.Must(layout.Clone()).ParseFS(pageFiles, "pages/"+name+".html"))
	}
	return all
}()

// view is what pages show: each what it needs of it.
type view struct {
	Title         string
	Email         string // of who is signed in; "" is nobody
	Path          string
	Good, Problem string // what has happened

	SignUp  bool
	Address string

	Account  ledger.Account
	Entries  []ledger.Entry
	Older    int64 // the id that older entries are before; 0: there are none
	Newest   bool
	Jobs     []job
	Form     form
	Report   *report
	Short    *job // the one that there are too few credits for
	Packs    []ledger.Pack
	Purchase ledger.Purchase
}

func (a *app) show(w http.ResponseWriter, r *http.Request, status int, name string, v view) {
	v.Path = r.URL.Path
	var text bytes.Buffer
	if err := pages[name].ExecuteTemplate(&text, "layout.html", v); err != nil {
		a.Log.ErrorContext(r.Context(), "a page cannot be made", "page", name, "error", err)
		http.Error(w, "This page cannot be shown.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(text.Bytes())
}

// count writes a number with its thousands apart: 12,345.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	start := 0
	if n < 0 {
		start = 1
	}
	for i := len(s) - 3; i > start; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// money writes cents as dollars: $12.05.
func money(cents int64) string {
	sign := ""
	if cents < 0 {
		sign, cents = "−", -cents
	}
	return sign + "$" + count(cents/100) + "." + strconv.FormatInt(100+cents%100, 10)[1:]
}

// signed writes what came or went: +100, −25.
func signed(n int64) string {
	if n < 0 {
		return "−" + count(-n)
	}
	return "+" + count(n)
}

func when(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04") }

func iso(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// bonus is how many credits a pack has beyond what is paid for, in percent.
func bonus(p ledger.Pack) int64 { return (p.Credits - p.Price) * 100 / p.Price }

// number reads an id of a query; what is none is 0.
func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
