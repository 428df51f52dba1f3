package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/auth"
)

//go:embed page.html
var pageText string

//go:embed style.css
var style []byte

var page = template.Must(template.New("page").Parse(pageText))

// app is the program as an http.Handler. All browsers share one connection; each request acts on it
// as the user whose session its cookies hold.
type app struct {
	sb      *supabase.Conn
	cookies *cookies
	log     *slog.Logger
}

// note is a row of notes.
type note struct {
	ID   int64     `json:"id"`
	Body string    `json:"body"`
	At   time.Time `json:"created_at"`
}

// view is what a page shows.
type view struct {
	Email   string // of who is signed in; "" is nobody
	Notes   []note
	Problem string
}

func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.asUser(a.notes))
	mux.HandleFunc("POST /notes", a.asUser(a.add))
	mux.HandleFunc("POST /notes/{id}/delete", a.asUser(a.remove))
	mux.HandleFunc("POST /signout", a.asUser(a.signOut))
	mux.HandleFunc("GET /signin", func(w http.ResponseWriter, _ *http.Request) { a.show(w, http.StatusOK, view{}) })
	mux.HandleFunc("POST /signin", a.signIn)
	mux.HandleFunc("POST /signup", a.signUp)
	mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write(style)
	})
	// Forms of other sites are refused: a browser says where a form comes from.
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.MaxBytesHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store") // each page is one user's
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		guarded.ServeHTTP(w, r)
	}), 64<<10)
}

// user is who a request comes from: the connection as they see it.
type user struct {
	*supabase.Conn
	email string
}

// asUser runs h as the user of the browser's session; who has none is led to the sign-in. A session
// that is about to end is renewed by the call that needs it, and the browser gets the new one with
// this answer: handlers ask first and write afterwards.
func (a *app) asUser(h func(http.ResponseWriter, *http.Request, user) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		session, err := a.cookies.read(r)
		if err == nil {
			me := user{Conn: a.sb.As(session, supabase.OnSession(func(ctx context.Context, next *supabase.Session) {
				if err := a.cookies.write(w, r, next); err != nil {
					a.log.ErrorContext(ctx, "the renewed session is not stored", "error", err)
				}
			}))}
			if session.User != nil {
				me.email = session.User.Email
			}
			err = h(w, r, me)
		}
		switch {
		case err == nil:
		case errors.Is(err, errNoSession), over(err):
			a.cookies.clear(w, r)
			http.Redirect(w, r, "/signin", http.StatusSeeOther)
		default:
			a.fail(w, r, err)
		}
	}
}

// over tells whether an error means that the user has to sign in again. A gateway that refuses the
// project's key says 401 as well, but has no code: that is no reason to lose everybody's sessions.
func over(err error) bool {
	e, ok := errors.AsType[*supabase.Error](err)
	return errors.Is(err, supabase.ErrSignInAgain) || ok && e.Code != "" && errors.Is(err, supabase.ErrUnauthorized)
}

// notes shows the user's rows. The query names no user: row security leaves the others' out.
func (a *app) notes(w http.ResponseWriter, r *http.Request, me user) error {
	return a.showNotes(w, r, me, http.StatusOK, "")
}

func (a *app) showNotes(w http.ResponseWriter, r *http.Request, me user, status int, problem string) error {
	rows, err := supabase.Query[note](r.Context(), me.Table("notes").Select("id, body, created_at").Order("id", supabase.Desc).Limit(100))
	if err != nil {
		return err
	}
	a.show(w, status, view{Email: me.email, Notes: rows, Problem: problem})
	return nil
}

func (a *app) add(w http.ResponseWriter, r *http.Request, me user) error {
	_, err := supabase.Execute(r.Context(), me.Table("notes").Insert(map[string]any{"body": r.PostFormValue("body")}))
	if e, ok := errors.AsType[*supabase.Error](err); ok && e.Code == "23514" { // the check of body
		return a.showNotes(w, r, me, http.StatusUnprocessableEntity, "A note has 1 to 500 characters.")
	}
	return a.home(w, r, err)
}

func (a *app) remove(w http.ResponseWriter, r *http.Request, me user) error {
	// One that is somebody else's is not found, and so nothing happens.
	_, err := supabase.Execute(r.Context(), me.Table("notes").Delete().Eq("id", r.PathValue("id")))
	if e, ok := errors.AsType[*supabase.Error](err); ok && e.Code == "22P02" { // no number
		http.NotFound(w, r)
		return nil
	}
	return a.home(w, r, err)
}

// signOut ends the session of this browser, and no other of the user's.
func (a *app) signOut(w http.ResponseWriter, r *http.Request, me user) error {
	err := me.Auth().SignOut(r.Context(), auth.Local)
	a.cookies.clear(w, r)
	return a.home(w, r, err)
}

// home leads to the first page once something was done, so that a reload does not do it again.
func (a *app) home(w http.ResponseWriter, r *http.Request, err error) error {
	if err == nil {
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
	return err
}

// signIn starts a session of this browser's own. CachedSignInWithPassword would give all browsers
// of a user one and the same, which is right for a program that acts for a user, and not here.
func (a *app) signIn(w http.ResponseWriter, r *http.Request) {
	session, err := a.sb.Auth().SignInWithPassword(r.Context(), supabase.Credentials{
		Email: r.PostFormValue("email"), Password: r.PostFormValue("password"),
	})
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	a.enter(w, r, session)
}

func (a *app) signUp(w http.ResponseWriter, r *http.Request) {
	result, err := a.sb.Auth().SignUp(r.Context(), auth.SignUp{
		Email: r.PostFormValue("email"), Password: r.PostFormValue("password"),
	})
	switch {
	case err != nil:
		a.refuse(w, r, err)
	case result.State == auth.SignedIn:
		a.enter(w, r, result.Session)
	default: // the same for an address that is new and one that is taken
		a.show(w, http.StatusOK, view{Problem: "We have sent you a mail. Follow its link, then sign in."})
	}
}

func (a *app) enter(w http.ResponseWriter, r *http.Request, session *supabase.Session) {
	if err := a.cookies.write(w, r, session); err != nil {
		a.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// refuse shows why somebody does not get in, if that is theirs to mend.
func (a *app) refuse(w http.ResponseWriter, r *http.Request, err error) {
	problem := ""
	e, _ := errors.AsType[*supabase.Error](err)
	_, weak := auth.WeakPassword(err)
	switch {
	case weak:
		problem = "This password is too weak. Choose a longer one."
	case errors.Is(err, supabase.ErrRateLimited):
		problem = "Too many attempts. Wait a moment."
	case errors.Is(err, auth.ErrInvalid):
		problem = "Give an e-mail address and a password."
	case e == nil:
	case e.Code == "invalid_credentials":
		problem = "There is no account with this address and password."
	case e.Code == "user_already_exists", e.Code == "email_exists":
		problem = "This address has an account. Sign in."
	case e.Code == "email_not_confirmed":
		problem = "Follow the link in the mail that we have sent you first."
	case e.Code == "validation_failed", e.Code == "email_address_invalid":
		problem = "Give an e-mail address and a password."
	}
	if problem == "" {
		a.fail(w, r, err)
		return
	}
	a.show(w, http.StatusUnprocessableEntity, view{Problem: problem})
}

// fail answers what is nobody's fault who reads it. Errors of this library hold no secrets: they can be logged.
func (a *app) fail(w http.ResponseWriter, r *http.Request, err error) {
	a.log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	http.Error(w, "That did not work. Try again in a moment.", http.StatusServiceUnavailable)
}

func (a *app) show(w http.ResponseWriter, status int, v view) {
	var text bytes.Buffer
	if err := page.Execute(&text, v); err != nil {
		a.log.Error("the page cannot be made", "error", err)
		status = http.StatusInternalServerError
		text.Reset()
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(text.Bytes())
}
