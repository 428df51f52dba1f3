package web

import (
	"errors"
	"net/http"

	"github.com/streamconn/streamconn/examples/credits/ledger"
	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/auth"
)

// door shows the form for signing in, or the one for signing up.
func (a *app) door(w http.ResponseWriter, r *http.Request) {
	a.showDoor(w, r, http.StatusOK, view{})
}

func (a *app) showDoor(w http.ResponseWriter, r *http.Request, status int, v view) {
	v.Title, v.SignUp = "Sign in", r.URL.Path == "/signup"
	if v.SignUp {
		v.Title = "Create an account"
	}
	a.show(w, r, status, "door", v)
}

// signIn starts a session of this browser's own. CachedSignInWithPassword would give all browsers
// of a user one and the same.
func (a *app) signIn(w http.ResponseWriter, r *http.Request) {
	session, err := a.DB.Auth().SignInWithPassword(r.Context(), supabase.Credentials{
		Email: r.PostFormValue("email"), Password: r.PostFormValue("password"),
	})
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	a.enter(w, r, session)
}

func (a *app) signUp(w http.ResponseWriter, r *http.Request) {
	result, err := a.DB.Auth().SignUp(r.Context(), auth.SignUp{
		Email: r.PostFormValue("email"), Password: r.PostFormValue("password"),
	})
	switch {
	case err != nil:
		a.refuse(w, r, err)
	case result.State == auth.SignedIn:
		a.enter(w, r, result.Session)
	default: // the same for an address that is new and one that is taken
		a.showDoor(w, r, http.StatusOK, view{Good: "We have sent you a mail. Follow its link, then sign in."})
	}
}

// enter begins the browser's session. The first time, it makes the user's account, with free credits;
// should that fail, the first page does.
func (a *app) enter(w http.ResponseWriter, r *http.Request, session *supabase.Session) {
	if _, err := ledger.Open(r.Context(), a.DB.As(session)); err != nil {
		a.Log.WarnContext(r.Context(), "the account is not opened at the sign-in", "error", err)
	}
	email := r.PostFormValue("email")
	if session.User != nil && session.User.Email != "" {
		email = session.User.Email
	}
	a.sessions.begin(w, r, session, email)
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
		problem = "This address has an account already. Sign in instead."
	case e.Code == "email_not_confirmed":
		problem = "Follow the link in the mail that we have sent you first."
	case e.Code == "validation_failed", e.Code == "email_address_invalid":
		problem = "Give an e-mail address and a password."
	}
	if problem == "" {
		a.fail(w, r, err)
		return
	}
	a.showDoor(w, r, http.StatusUnprocessableEntity, view{Problem: problem, Address: r.PostFormValue("email")})
}
