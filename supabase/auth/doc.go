// Package auth speaks to GoTrue, the authentication of a Supabase project: users, sessions, second
// factors, and the administration of them.
//
//	c, err := auth.New("https://x.supabase.co/auth/v1", auth.WithKey(key))
//	s, err := c.SignInWithPassword(ctx, auth.Credentials{Email: email, Password: password})
//	me, err := c.WithSession(s).User(ctx)
//	s, err = c.Refresh(ctx, s.RefreshToken())
//	u, err := c.Admin().CreateUser(ctx, auth.NewUser{Email: email, EmailConfirm: true})
//
// # Who calls
//
// A [Client] holds no session. What needs no user (signing in, sending codes) is sent with the
// project's key as the apikey alone. What is a user's is sent with the access token of
// [Client.WithSession] or [WithToken]; without one it is refused before anything is sent
// ([ErrNoToken]). What an admin does is sent with the key as the bearer, and never with a user's
// token. So one Client serves all users of a program, from any goroutine:
//
//	mine, yours := c.WithSession(s), c.WithSession(t)
//
// # Sessions
//
// A [Session] is a value: its tokens, when they expire, and the user. [Client.Refresh] gives the
// next one. A refresh token is used once; whoever has several goroutines or processes with one
// session lets one of them renew it. Package supabase does that for the views of a connection.
//
// The tokens of a Session are in no text that is made of it: not by fmt, slog or encoding/json,
// however deep it lies in what is printed. [Session.MarshalSecret] and [ParseSession] store and
// load it with them. The same holds for what [PKCE], [Enrollment] and [Link] hide. The requests
// that hold passwords ([Credentials], [SignUp], …) mask them, unless they lie in an unexported
// field of something that is printed, where fmt does not ask them.
//
// # Errors
//
// What the server or the network answers instead of a result is an [*Error], with GoTrue's code:
//
//	if e, ok := errors.AsType[*auth.Error](err); ok && e.Code == "email_not_confirmed" { … }
//	errors.Is(err, auth.ErrUnauthorized)     // and the other states
//	errors.Is(err, auth.ErrSessionDead)      // sign in again; nothing else will help
//	reasons, weak := auth.WeakPassword(err)  // length, characters, pwned
//	wait := auth.RetryAfter(err)             // of a 429, also where only its text says it
//
// No error, log line or formatted value holds a password, a code or a token.
//
// # Tokens of others
//
// A server that is sent an access token verifies it by [Client.Claims]: with the project's public
// keys here, or by asking the server.
package auth
