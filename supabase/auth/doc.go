// Package auth speaks to GoTrue, the authentication of a Supabase project: users, sessions, second
// factors, and the administration of them.
//
//	c, err := auth.New("https://x.supabase.co/auth/v1", auth.WithKey(key))
//	s, err := c.SignInWithPassword(ctx, auth.Credentials{Email: email, Password: password})
//	me, err := c.WithSession(s).User(ctx)
//	s, err = c.Refresh(ctx, s.RefreshToken())
package auth
