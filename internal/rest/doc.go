// Package rest is the one way by which the Supabase packages speak HTTP.
//
// A [Client] belongs to one service of one project (…/rest/v1, …/auth/v1, …/storage/v1). [Client.Do]
// sends a request and reads the whole answer, up to a bound; [Client.Stream] leaves the body to the
// caller. What is not a 2xx is an [*Error], and so are faults of the network:
//
//	c, err := rest.New(rest.Config{BaseURL: "https://x.supabase.co/rest/v1", APIKey: key})
//	resp, err := c.Do(ctx, &rest.Request{Method: "GET", Path: rest.Escape("users"), Query: q.Encode()})
//	if errors.Is(err, rest.ErrNotFound) { … }
//	e, ok := errors.AsType[*rest.Error](err)   // e.Status, e.Code, e.Message, e.Details, e.Hint, e.RetryAfter()
//
// # Credentials
//
// The key goes into the apikey header. The bearer is what [Config.Token] gives; without a Token it
// is the key itself if that is a JWT, and there is none for the keys that begin with sb_, which
// gateways refuse as a bearer. A Token that gives nothing is an error ([ErrNoToken]): a request
// that should have been a user's is never sent as somebody else.
//
// Redirects are followed on the same host alone, with method, body and headers as they were; one
// to another host, or from https to http, is an error ([ErrRedirect]) and nothing is sent there.
//
// No text made here, in an error, a log line or a formatted value, holds a key, a token, a query,
// or what [Request.Secrets] names. Servers and gateways repeat what they were sent, so their texts
// are searched for it too. Only [Error.Body] and [Error.Header] are as the server gave them.
//
// # Time
//
// An attempt has [Config.AttemptTimeout]. GET and HEAD, and what is [Request].Idempotent, are tried
// again, after faults of the network and answers that ask for it, until the deadline of the
// caller's context, without one for [Retry].Window; everything else is sent once. Exactly one
// layer may retry: who calls from inside another retry loop sets [Retry].Disabled, and asks
// [Error.Transient] and [Error.RetryAfter].
package rest
