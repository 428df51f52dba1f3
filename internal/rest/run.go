package rest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/streamconn/streamconn/internal/deadline"
)

// maxRedirects is how many redirects one attempt follows.
const maxRedirects = 5

func (r Retry) withDefaults() Retry {
	if r.Window <= 0 {
		r.Window = 5 * time.Second
	}
	if r.Min <= 0 {
		r.Min = 50 * time.Millisecond
	}
	if r.Max <= 0 {
		r.Max = time.Second
	}
	return r
}

// pause is the wait after the given number of tries (1 after the first).
func (r Retry) pause(tries int) time.Duration {
	d := r.Max
	if shift := tries - 1; shift < 32 && r.Min<<shift > 0 && r.Min<<shift < r.Max {
		d = r.Min << shift
	}
	return d - rand.N(d/2+1)
}

// call is one request on its way, over all its attempts.
type call struct {
	*core
	r     *Request
	whole bool
	first *url.URL // of the request
	url   *url.URL // of the attempt; redirects move it
	auth  string   // the Authorization last sent
}

// path is what texts say.
func (t *call) path() string { return t.first.EscapedPath() }

// result is an answer that is a 2xx.
type result struct {
	resp   *http.Response
	body   []byte  // with whole
	stream *stream // without
}

// run sends r until it is answered, fails for good, or the time for it is up.
func (c *core) run(ctx context.Context, r *Request, whole bool) (*result, error) {
	if ctx == nil {
		return nil, deadline.ErrNoContext
	}
	target, err := r.check(c.base)
	if err != nil {
		return nil, err
	}
	t := &call{core: c, r: r, whole: whole, first: target, url: target}
	read := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Idempotent
	retry := read && !c.retry.Disabled && !r.NoRetry
	begin := time.Now()
	end, bounded := ctx.Deadline()
	if !bounded {
		end = begin.Add(c.retry.Window)
	}
	var last error
	for tries := 1; ; tries++ {
		t.url = target
		got, status, err := t.attempt(ctx, last)
		if err == nil {
			t.tell(ctx, begin, Event{Status: status, Attempt: tries})
			return got, nil
		}
		var pause time.Duration
		if e, ok := err.(*Error); ok && retry && e.Transient() && ctx.Err() == nil { //nolint:errorlint // a token's source may wrap one of another request
			pause = max(c.retry.pause(tries), e.RetryAfter())
			if !time.Now().Add(pause).Before(end) {
				pause = 0
			}
		}
		t.tell(ctx, begin, Event{Status: status, Attempt: tries, Err: err, Pause: pause})
		if pause == 0 {
			return nil, err
		}
		last = err
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, t.ended(ctx, last)
		}
		begin = time.Now()
	}
}

// check refuses what cannot be sent as it is meant, before anything is.
func (r *Request) check(base *url.URL) (*url.URL, error) {
	if r.Method == "" || strings.ContainsFunc(r.Method, func(c rune) bool { return c < 'A' || c > 'Z' }) {
		return nil, errors.New("rest: the method must be one of HTTP's, in capitals")
	}
	if r.Body != nil && r.Open != nil {
		return nil, errors.New("rest: a request has Body or Open, not both")
	}
	for name, values := range r.Header {
		for _, v := range values {
			if strings.ContainsAny(v, "\r\n\x00") {
				return nil, fmt.Errorf("rest: the header %q has a line break", name)
			}
		}
	}
	return join(base, r.Path, r.Query)
}

// attempt sends the request once, and again where a redirect on the same host leads. The status is
// HTTP's, 0 without an answer.
func (t *call) attempt(ctx context.Context, last error) (got *result, status int, err error) {
	if ctx.Err() != nil {
		return nil, 0, t.ended(ctx, last)
	}
	auth, err := t.authorization(ctx, t.r)
	if err != nil {
		if ctx.Err() != nil {
			return nil, 0, t.ended(ctx, last)
		}
		return nil, 0, fmt.Errorf("%s %s: %w", t.r.Method, t.secrets().mask(t.path()), err)
	}

	// The attempt's own context ends a stream when it is closed, and an attempt that takes too
	// long; a timer, since a stream may last once its headers are there.
	ctx2, cancel := context.WithCancelCause(ctx)
	a := &attempt{call: t, caller: ctx, ctx: ctx2, cancel: cancel, last: last}
	if t.core.attempt > 0 {
		a.timer = time.AfterFunc(t.core.attempt, func() { cancel(errAttemptTimeout) })
		if t.r.Open != nil {
			a.timer.Stop()
		}
	}
	keep := false
	defer func() {
		if !keep {
			a.stop()
		}
	}()

	resp, err := a.send(auth)
	if err != nil {
		if resp != nil {
			status = resp.StatusCode
		}
		return nil, status, err
	}
	status = resp.StatusCode
	if status < 200 || status > 299 {
		err = a.refused(resp)
		return nil, status, err
	}
	if t.whole {
		body, err := a.readAll(resp)
		if err != nil {
			return nil, status, err
		}
		return &result{resp: resp, body: body}, status, nil
	}
	if a.timer != nil && !a.timer.Stop() && t.r.Open == nil {
		_ = resp.Body.Close()
		return nil, status, a.fault(errAttemptTimeout)
	}
	keep = true
	return &result{resp: resp, stream: &stream{a: a, body: resp.Body}}, status, nil
}

// errAttemptTimeout is the cause of an attempt's context that ran out of its own time.
var errAttemptTimeout = fmt.Errorf("no answer within the attempt's time: %w", ErrTimeout)

// attempt is one try.
type attempt struct {
	*call
	caller context.Context //nolint:containedctx // that of the call, which the attempt is part of
	ctx    context.Context //nolint:containedctx // the attempt's own, which a stream carries on
	cancel context.CancelCauseFunc
	timer  *time.Timer // nil: no bound
	last   error       // of the attempt before
}

func (a *attempt) stop() {
	if a.timer != nil {
		a.timer.Stop()
	}
	a.cancel(nil)
}

// send follows redirects on the same host, with method, headers and body as they are. A response
// that comes with an error is closed.
func (a *attempt) send(auth string) (*http.Response, error) {
	var via []*http.Request
	for {
		header := a.headersWith(a.r, auth)
		a.auth = header.Get("Authorization")
		req, err := a.request(header)
		if err != nil {
			return nil, err
		}
		resp, err := a.exchange(req)
		if err != nil {
			return nil, a.fault(err)
		}
		location := resp.Header.Get("Location")
		if !a.redirects(resp.StatusCode) || location == "" {
			return resp, nil
		}
		via = append(via, req)
		next, refused := a.follow(location, len(via))
		if refused == nil && a.redir != nil {
			again := req.Clone(a.ctx)
			again.URL, again.Body, again.GetBody, again.Response = next, nil, nil, resp
			switch err := a.redir(again, via); {
			case errors.Is(err, http.ErrUseLastResponse):
				return resp, nil
			case err != nil:
				refused = err
			}
		}
		if refused != nil {
			e := a.refused(resp)
			var answered *Error
			if errors.As(e, &answered) && answered.Status != 0 {
				answered.Message, answered.Code = a.secrets().text(refused.Error()), ""
				answered.cause = hide(&cause{err: fmt.Errorf("%w: %w", ErrRedirect, a.secrets().clean(refused))})
			}
			return resp, e
		}
		drain(resp.Body)
		a.url = next
	}
}

// exchange sends one request. What else an http.Client does is for redirects, which are followed here;
// of each request it copies all headers. Its word for an https address of a server that speaks plain HTTP
// is given here as well.
func (c *core) exchange(req *http.Request) (*http.Response, error) {
	if c.client.Jar != nil || c.client.Timeout > 0 {
		return c.client.Do(req)
	}
	way := c.client.Transport
	if way == nil {
		way = http.DefaultTransport
	}
	resp, err := way.RoundTrip(req)
	switch {
	case err != nil:
		if plain, ok := errors.AsType[tls.RecordHeaderError](err); ok && string(plain.RecordHeader[:]) == "HTTP/" {
			err = http.ErrSchemeMismatch
		}
		return nil, err
	case resp == nil:
		return nil, fmt.Errorf("the transport %T gave neither an answer nor an error", way)
	case resp.Body == nil:
		resp.Body = http.NoBody
	}
	return resp, nil
}

// redirects tells whether an answer sends this request elsewhere. A 303 answers a write, and says
// where to read about it: that is the caller's to know.
func (a *attempt) redirects(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	case http.StatusSeeOther:
		return a.r.Method == http.MethodGet || a.r.Method == http.MethodHead
	}
	return false
}

// follow resolves a Location. Its errors name a host, nothing more of it.
func (a *attempt) follow(location string, hops int) (*url.URL, error) {
	next, err := a.url.Parse(location)
	switch {
	case err != nil:
		return nil, errors.New("redirect to an address that cannot be parsed")
	case hops > maxRedirects:
		return nil, fmt.Errorf("redirected more than %d times", maxRedirects)
	case next.User != nil:
		return nil, errors.New("redirect to an address with a password in it")
	case !sameHost(a.url, next):
		return nil, fmt.Errorf("redirect to another host, %s://%s; is the URL the project's?", next.Scheme, next.Host)
	}
	next.Fragment, next.RawFragment = "", ""
	return next, nil
}

// request is what net/http sends. It is made by hand: parsing the address again costs time, and
// its errors would show it.
func (a *attempt) request(header http.Header) (*http.Request, error) {
	req := (&http.Request{
		Method:     a.r.Method,
		URL:        a.url,
		Host:       a.url.Host,
		Header:     header,
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
	}).WithContext(a.ctx)
	switch {
	case a.r.Open != nil:
		body, err := a.r.Open()
		if err != nil {
			return nil, fmt.Errorf("%s %s: opening the body: %w", a.r.Method, a.secrets().mask(a.path()), err)
		}
		// No GetBody: net/http would open one for a redirect that it then does not follow.
		req.Body = body
		req.ContentLength = max(a.r.Length, 0)
	case len(a.r.Body) > 0:
		req.ContentLength = int64(len(a.r.Body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(a.r.Body)), nil }
		req.Body = io.NopCloser(bytes.NewReader(a.r.Body))
	case a.r.Body != nil:
		req.Body = http.NoBody
	}
	return req, nil
}

// refused makes an error of an answer that is no 2xx, and closes it.
func (a *attempt) refused(resp *http.Response) error {
	if a.timer != nil && a.r.Open != nil {
		a.timer.Reset(a.core.attempt) // all is sent; the rest must not take for ever
	}
	// A body that breaks off is still the body of an error whose status is known.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, a.maxErr))
	_ = resp.Body.Close()
	if a.caller.Err() != nil {
		return a.ended(a.caller, a.last)
	}
	s := a.secrets()
	e := decode(resp.StatusCode, resp.Header, body, s, time.Now())
	e.Method, e.Path = a.r.Method, s.mask(a.path())
	if a.r.Uncoded != "" && e.Code == "" && (resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone) &&
		resp.Header.Get("Content-Range") == "" { // PostgREST's, of a function that sets the status of its own answer
		e.answer.get().nowhere = true
		if e.Message != "" {
			e.Message += ": "
		}
		e.Message += a.r.Uncoded
	}
	return e
}

// readAll reads a 2xx to its end, or to the bound.
func (a *attempt) readAll(resp *http.Response) ([]byte, error) {
	defer func() { _ = resp.Body.Close() }()
	if a.r.Method == http.MethodHead {
		return nil, nil
	}
	if a.maxBody > 0 && resp.ContentLength > a.maxBody {
		return nil, a.tooLarge(resp)
	}
	var from io.Reader = resp.Body
	if a.maxBody > 0 {
		from = io.LimitReader(from, a.maxBody+1)
	}
	var buf bytes.Buffer
	if resp.ContentLength > 0 {
		// Room for what is announced, within reason, and for the read that finds the end.
		buf.Grow(int(min(resp.ContentLength, 16<<20)) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(from); err != nil {
		return nil, a.fault(err)
	}
	if a.maxBody > 0 && int64(buf.Len()) > a.maxBody {
		return nil, a.tooLarge(resp)
	}
	return buf.Bytes(), nil
}

func (a *attempt) tooLarge(resp *http.Response) error {
	return &Error{
		Method:  a.r.Method,
		Path:    a.secrets().mask(a.path()),
		Status:  resp.StatusCode,
		Message: fmt.Sprintf("the answer is longer than %d bytes; ask for fewer rows at once, or read it as a stream", a.maxBody),
		answer:  hide(&answer{header: resp.Header}),
		cause:   hide(&cause{err: ErrTooLarge}),
	}
}

// fault makes an error of one of the network, or of the context that ended the attempt.
func (a *attempt) fault(err error) error {
	if deadline.Passed(a.caller, err) || a.caller.Err() != nil {
		return a.ended(a.caller, a.last)
	}
	if errors.Is(context.Cause(a.ctx), errAttemptTimeout) {
		err = fmt.Errorf("no answer within %v: %w", a.core.attempt, ErrTimeout)
	}
	s := a.secrets()
	return &Error{
		Method: a.r.Method,
		Path:   s.mask(a.path()),
		cause:  hide(&cause{err: s.clean(err), transient: isPassing(err)}),
	}
}

// ended is the error of a caller's context, with what was seen before it ended.
func (t *call) ended(ctx context.Context, last error) error {
	s := t.secrets()
	err := ctx.Err()
	if reason := context.Cause(ctx); !errors.Is(err, reason) {
		err = fmt.Errorf("%w: %w", err, s.clean(reason))
	}
	if last != nil {
		err = &afterError{err: err, last: last.Error()}
	}
	return &Error{Method: t.r.Method, Path: s.mask(t.path()), cause: hide(&cause{err: err})}
}

// afterError is the end of a context, with the failure that was waited on.
type afterError struct {
	err  error
	last string
}

func (e *afterError) Error() string { return e.err.Error() + "; the last try: " + e.last }
func (e *afterError) Unwrap() error { return e.err }

// isPassing tells whether a fault on the way may be gone at the next try. What a transport says is
// the network's fault, but for what it says otherwise, and what no try changes.
func isPassing(err error) bool {
	if said, ok := errors.AsType[interface {
		error
		Transient() bool
	}](err); ok {
		return said.Transient()
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return false
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return false
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return false // no TLS there
	}
	return !errors.Is(err, http.ErrSchemeMismatch)
}

// secrets are what no text of this request may hold.
func (t *call) secrets() *secrets {
	values := append([]string{t.key, t.auth}, t.r.Secrets...)
	if _, token, ok := strings.Cut(t.auth, " "); ok {
		values = append(values, token)
	}
	for _, h := range []http.Header{t.header, t.r.Header} {
		for name, list := range h {
			if !isSecretHeader(name) {
				continue
			}
			for _, v := range list {
				values = append(values, v)
				if _, word, ok := strings.Cut(v, " "); ok {
					values = append(values, word)
				}
			}
		}
	}
	values = append(values, querySecrets(t.r.Query)...)
	if t.url.RawQuery != t.r.Query {
		values = append(values, querySecrets(t.url.RawQuery)...)
	}
	return newSecrets(values...)
}

func isSecretHeader(name string) bool {
	name = strings.ToLower(name)
	return isSecretName(name) || strings.Contains(name, "authorization") || strings.Contains(name, "cookie") ||
		strings.Contains(name, "token") || strings.Contains(name, "key") || strings.Contains(name, "secret")
}

// tell reports an attempt, and how long it took since begin, to the logger and the observer.
func (t *call) tell(ctx context.Context, begin time.Time, e Event) {
	if t.observe == nil && (t.logger == nil || !t.logger.Enabled(ctx, slog.LevelDebug)) {
		return
	}
	e.Duration = time.Since(begin)
	e.Method, e.Path = t.r.Method, t.secrets().mask(t.path())
	if t.observe != nil {
		t.observe(e)
	}
	if t.logger == nil {
		return
	}
	attrs := make([]slog.Attr, 0, 7)
	attrs = append(attrs,
		slog.String("method", e.Method),
		slog.String("path", e.Path),
		slog.Int("status", e.Status),
		slog.Int("attempt", e.Attempt),
		slog.Duration("duration", e.Duration))
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	if e.Pause > 0 {
		attrs = append(attrs, slog.Duration("pause", e.Pause))
	}
	t.logger.LogAttrs(ctx, slog.LevelDebug, "supabase request", attrs...)
}

// drain reads the rest of a small body, so that its connection can be used again.
func drain(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, 4<<10)
	_ = body.Close()
}
