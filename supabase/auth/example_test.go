package auth_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/streamconn/streamconn/supabase/auth"
)

// server answers as the server would.
func server(answers map[string]string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := answers[r.Method+" "+r.URL.Path]
		if len(body) > 4 && body[3] == ' ' { // a status before it
			status := 0
			_, _ = fmt.Sscan(body[:3], &status)
			body = body[4:]
			w.WriteHeader(status)
		}
		_, _ = io.WriteString(w, body)
	}))
}

func ExampleClient_SignInWithPassword() {
	srv := server(map[string]string{
		"POST /token": `{"access_token":"an.access.token","expires_in":3600,"expires_at":4102444800,"refresh_token":"r1","user":{"id":"cdcd0702"}}`,
		"GET /user":   `{"id":"cdcd0702","email":"ada@example.com","user_metadata":{"name":"Ada"}}`,
	})
	defer srv.Close()
	ctx := context.Background()
	c, err := auth.New(srv.URL, auth.WithKey("sb_publishable_example"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	s, err := c.SignInWithPassword(ctx, auth.Credentials{Email: "ada@example.com", Password: "correct-horse"})
	fmt.Printf("%+v %v\n", s, err) // the tokens are in no text
	me, err := c.WithSession(s).User(ctx)
	fmt.Println(me.Email, me.UserMetadata["name"], err)
	// Output:
	// auth.Session(user cdcd0702, until 2100-01-01T00:00:00Z) <nil>
	// ada@example.com Ada <nil>
}

func ExampleClient_SignUp() {
	srv := server(map[string]string{
		"POST /signup": `{"id":"d4baf33a","email":"dora@example.com","identities":[{"provider":"email"}]}`,
	})
	defer srv.Close()
	c, err := auth.New(srv.URL, auth.WithKey("sb_publishable_example"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	r, err := c.SignUp(context.Background(), auth.SignUp{
		Email: "dora@example.com", Password: "correct-horse", Data: map[string]any{"name": "Dora"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	switch r.State {
	case auth.SignedIn:
		fmt.Println("welcome", r.Session)
	case auth.ConfirmationNeeded, auth.AlreadyRegistered: // the same to a stranger
		fmt.Println("we have sent you a mail")
	}
	// Output: we have sent you a mail
}

func ExampleWeakPassword() {
	srv := server(map[string]string{
		"POST /signup": `422 {"code":"weak_password","message":"Password should be at least 6 characters.","weak_password":{"reasons":["length"]}}`,
	})
	defer srv.Close()
	c, err := auth.New(srv.URL, auth.WithKey("sb_publishable_example"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	_, err = c.SignUp(context.Background(), auth.SignUp{Email: "ada@example.com", Password: "123"})
	reasons, weak := auth.WeakPassword(err)
	fmt.Println(weak, reasons)
	// Output: true [length]
}

func ExampleClient_Refresh() {
	srv := server(map[string]string{
		"POST /token": `400 {"code":"refresh_token_already_used","message":"Invalid Refresh Token: Already Used"}`,
	})
	defer srv.Close()
	c, err := auth.New(srv.URL, auth.WithKey("sb_publishable_example"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	_, err = c.Refresh(context.Background(), "r1")
	switch {
	case errors.Is(err, auth.ErrSessionDead):
		fmt.Println("sign in again")
	case err != nil:
		fmt.Println("keep the session, and try later")
	}
	// Output: sign in again
}

func ExamplePKCE() {
	srv := server(map[string]string{
		"POST /token": `{"access_token":"an.access.token","expires_at":4102444800,"refresh_token":"r1"}`,
	})
	defer srv.Close()
	ctx := context.Background()
	c, err := auth.New(srv.URL, auth.WithKey("sb_publishable_example"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	// The user wants to sign in: keep p.Verifier() in their own, encrypted cookie, and redirect.
	p := auth.NewPKCE()
	address, err := c.OAuthURL(ctx, auth.OAuth{Provider: "github", RedirectTo: "https://app.example.com/cb", PKCE: p})
	fmt.Println(address != "", err)

	// The user is back.
	back, err := url.Parse("https://app.example.com/cb?code=2158c055")
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := auth.ParseRedirect(back)
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err = auth.ParsePKCE(p.Verifier())
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := c.ExchangeCode(ctx, r.Code, p)
	fmt.Println(s, err)
	// Output:
	// true <nil>
	// auth.Session(an unknown user, until 2100-01-01T00:00:00Z) <nil>
}

func ExampleClient_EnrollFactor() {
	srv := server(map[string]string{
		"POST /factors":              `{"id":"f1","type":"totp","totp":{"qr_code":"<svg/>","secret":"…","uri":"otpauth://totp/…"}}`,
		"POST /factors/f1/challenge": `{"id":"c1","type":"totp","expires_at":4102444800}`,
		"POST /factors/f1/verify":    `{"access_token":"an.aal2.token","expires_at":4102444800,"refresh_token":"r2","user":{"id":"cdcd0702"}}`,
	})
	defer srv.Close()
	ctx := context.Background()
	c, err := auth.New(srv.URL, auth.WithKey("sb_publishable_example"), auth.WithToken(func(context.Context) (string, error) { return "an.access.token", nil }))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	e, err := c.EnrollFactor(ctx, auth.NewFactor{FriendlyName: "phone"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(e.QRCode()) // an image: the user scans it, and types the code
	s, err := c.ChallengeAndVerify(ctx, e.ID, "427760")
	fmt.Println(s, err)
	// Output:
	// <svg/>
	// auth.Session(user cdcd0702, until 2100-01-01T00:00:00Z) <nil>
}

func ExampleAdmin_UpdateUser() {
	srv := server(map[string]string{
		"PUT /admin/users/54bef6dc": `{"id":"54bef6dc","email":"bob@example.com","app_metadata":{"plan":"pro"}}`,
	})
	defer srv.Close()
	c, err := auth.New(srv.URL, auth.WithKey("sb_secret_example"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	u, err := c.Admin().UpdateUser(context.Background(), "54bef6dc", auth.UserChange{
		EmailConfirm: new(true),
		AppMetadata:  map[string]any{"plan": "pro", "trial": nil}, // nil takes a key out
	})
	fmt.Println(u.AppMetadata, err)
	// Output: map[plan:pro] <nil>
}

func ExampleAdmin_AllUsers() {
	srv := server(map[string]string{
		"GET /admin/users": `{"users":[{"id":"1","email":"ada@example.com"},{"id":"2","email":"bob@example.com"}]}`,
	})
	defer srv.Close()
	c, err := auth.New(srv.URL, auth.WithKey("sb_secret_example"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	for u, err := range c.Admin().AllUsers(context.Background()) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(u.Email)
	}
	// Output:
	// ada@example.com
	// bob@example.com
}
