// Package web is the credits app as an http.Handler: pages without JavaScript, on which users sign in,
// see their balance and history, spend credits on a job and buy more.
package web

import (
	"context"
	"embed"
	"errors"
	"log/slog"
	"net/http"

	"github.com/streamconn/streamconn/examples/credits/ledger"
	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/auth"
)

//go:embed static
var static embed.FS

// Config is what the app works with. All of it but Secure must be there.
type Config struct {
	// DB is the connection that all users share, with a publishable key: each request acts on it as
	// its user.
	DB *supabase.Conn
	// Payments has a secret key. It does one thing: it credits purchases that were paid.
	Payments *supabase.Conn
	// Address is where the payment provider reaches the app: http://127.0.0.1:8080.
	Address string
	// Client is what the payment provider, which is simulated here, sends its webhooks with.
	Client *http.Client
	// WebhookSecret signs them.
	WebhookSecret []byte
	// Secure says that browsers reach the app by https, so that they send cookies over nothing else.
	Secure bool
	Log    *slog.Logger
}

// app holds what requests share.
type app struct {
	Config
	sessions sessions
	provider provider
}

// New gives the app.
func New(c Config) http.Handler {
	a := &app{Config: c, sessions: sessions{secure: c.Secure}}
	a.provider = provider{secret: c.WebhookSecret, client: c.Client, webhook: c.Address + webhookPath}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.asUser(a.home))
	mux.HandleFunc("POST /jobs", a.asUser(a.runJob))
	mux.HandleFunc("GET /history", a.asUser(a.history))
	mux.HandleFunc("GET /buy", a.asUser(a.buy))
	mux.HandleFunc("POST /checkout", a.asUser(a.checkout))
	mux.HandleFunc("POST /signout", a.asUser(a.signOut))
	mux.HandleFunc("GET /signin", a.door)
	mux.HandleFunc("GET /signup", a.door)
	mux.HandleFunc("POST /signin", a.signIn)
	mux.HandleFunc("POST /signup", a.signUp)
	mux.HandleFunc("POST "+webhookPath, a.paid)
	// The payment provider's own pages: in life they are on its site.
	mux.HandleFunc("GET /pay/{payment}", a.provider.page(a))
	mux.HandleFunc("POST /pay/{payment}", a.provider.pay(a))
	mux.HandleFunc("GET /static/{file}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=300")
		http.ServeFileFS(w, r, static, "static/"+r.PathValue("file"))
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		a.show(w, r, http.StatusNotFound, "problem", view{Title: "Not found", Problem: "There is no such page."})
	})

	// Forms of other sites are refused: a browser says where a form comes from.
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.MaxBytesHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store") // each page is one user's
		h.Set("Content-Security-Policy",
			"default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
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
// that is about to end is renewed by the call that needs it, and the store has the new one before
// that call goes on.
func (a *app) asUser(h func(http.ResponseWriter, *http.Request, user) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, s, ok := a.sessions.of(r)
		if !ok {
			http.Redirect(w, r, "/signin", http.StatusSeeOther)
			return
		}
		me := user{
			Conn: a.DB.As(s.session, supabase.OnSession(func(_ context.Context, next *supabase.Session) {
				a.sessions.replace(w, r, next)
			})),
			email: s.email,
		}
		err := h(w, r, me)
		switch {
		case err == nil:
		case over(err):
			a.sessions.end(w, id)
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

// fail answers what is not the fault of who reads it. Errors of the connection hold no secrets: they can be logged.
func (a *app) fail(w http.ResponseWriter, r *http.Request, err error) {
	a.Log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	a.show(w, r, http.StatusServiceUnavailable, "problem", view{
		Title: "One moment", Problem: "That did not work. Nothing was lost: try again in a moment.",
	})
}

// account gives the user's account; one whose row is gone gets it back.
func account(ctx context.Context, me user) (ledger.Account, error) {
	found, err := ledger.Balance(ctx, me.Conn)
	if errors.Is(err, supabase.ErrNotFound) {
		return ledger.Open(ctx, me.Conn)
	}
	return found, err
}

func (a *app) home(w http.ResponseWriter, r *http.Request, me user) error {
	v := view{Title: "Overview", Form: newForm()}
	if r.URL.Query().Has("bought") {
		v.Good = "Thank you. Your credits are here."
	}
	return a.overview(w, r, me, http.StatusOK, v)
}

// overview shows the first page with what v says besides.
func (a *app) overview(w http.ResponseWriter, r *http.Request, me user, status int, v view) error {
	var err error
	if v.Account, err = account(r.Context(), me); err != nil {
		return err
	}
	if v.Entries, err = ledger.History(r.Context(), me.Conn, 0, 6); err != nil {
		return err
	}
	v.Email, v.Jobs = me.email, jobs
	a.show(w, r, status, "overview", v)
	return nil
}

func (a *app) signOut(w http.ResponseWriter, r *http.Request, me user) error {
	id, _, _ := a.sessions.of(r)
	err := me.Auth().SignOut(r.Context(), auth.Local) // this browser's session, and no other of the user's
	a.sessions.end(w, id)                             // in any case
	if err != nil {
		a.Log.WarnContext(r.Context(), "the project does not know of a sign-out", "error", err)
	}
	http.Redirect(w, r, "/signin", http.StatusSeeOther)
	return nil
}
