package fakeauth

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
)

// A call is one request and the answer that is being made for it.
type call struct {
	w      http.ResponseWriter
	r      *http.Request
	values []string // the variable parts of the path
	raw    []byte
	admin  bool // a service key asks, where one is needed

	status   int
	redirect string
	body     []byte // encoded under the lock: it must not change once the lock is gone
}

// maxBody is how much of a body the service reads.
const maxBody = 1 << 20

func (c *call) load() error {
	raw, err := io.ReadAll(io.LimitReader(c.r.Body, maxBody+1))
	if err != nil {
		return fail(http.StatusBadRequest, "bad_json", "Could not read body into byte slice")
	}
	if len(raw) > maxBody {
		return fail(http.StatusRequestEntityTooLarge, "request_too_large", "http: request body too large")
	}
	c.raw = raw
	return nil
}

// read decodes the body.
func (c *call) read(v any) error {
	if err := json.Unmarshal(c.raw, v); err != nil {
		return fail(http.StatusBadRequest, "bad_json", "Could not parse request body as JSON: "+err.Error())
	}
	return nil
}

// answer sets what is sent.
func (c *call) answer(v any) error {
	body, err := json.Marshal(v)
	c.body = body
	return err
}

func (c *call) empty() error { return c.answer(struct{}{}) }

func (c *call) send() {
	switch {
	case c.redirect != "":
		http.Redirect(c.w, c.r, c.redirect, c.status)
	case c.body == nil:
		c.w.WriteHeader(c.status)
	default:
		c.write(c.status, c.body)
	}
}

func (c *call) write(status int, body []byte) {
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body)
}

// A failure is an error as the service tells it.
type failure struct {
	status    int
	code, msg string
	weak      []string // why a password is weak
}

func (f *failure) Error() string { return f.msg }

func fail(status int, code, msg string) error { return &failure{status: status, code: code, msg: msg} }

func invalid(msg string) error { return fail(http.StatusBadRequest, "validation_failed", msg) }

// apiVersion is the one from which on errors have the newer shape.
const apiVersion = "2024-01-01"

// fail answers with an error, in the shape that the client asked for.
func (c *call) fail(err error) {
	f, ok := errors.AsType[*failure](err)
	if !ok {
		f = &failure{status: http.StatusInternalServerError, code: "unexpected_failure", msg: err.Error()}
	}
	type reasons struct {
		Reasons []string `json:"reasons"`
	}
	var weak *reasons
	if f.weak != nil {
		weak = &reasons{f.weak}
	}
	h := c.w.Header()
	newer := c.r.Header.Get("X-Supabase-Api-Version") >= apiVersion
	if newer {
		h.Set("X-Supabase-Api-Version", apiVersion)
	}
	if !newer || weak == nil {
		h.Set("X-Sb-Error-Code", f.code)
	}
	var shape any
	if newer {
		shape = struct {
			Code    string   `json:"code"`
			Message string   `json:"message"`
			Weak    *reasons `json:"weak_password,omitempty"`
		}{f.code, f.msg, weak}
	} else {
		shape = struct {
			Code      int      `json:"code"`
			ErrorCode string   `json:"error_code"`
			Msg       string   `json:"msg"`
			Weak      *reasons `json:"weak_password,omitempty"`
		}{f.status, f.code, f.msg, weak}
	}
	body, err := json.Marshal(shape)
	if err != nil {
		c.w.WriteHeader(http.StatusInternalServerError)
		return
	}
	c.write(f.status, body)
}

var bearer = regexp.MustCompile(`^[Bb]earer (\S+)$`)

// token is the bearer of the request.
func (c *call) token() (string, error) {
	m := bearer.FindStringSubmatch(c.r.Header.Get("Authorization"))
	if m == nil {
		return "", fail(http.StatusUnauthorized, "no_authorization", "This endpoint requires a valid Bearer token")
	}
	return m[1], nil
}

// client names who asks, for the limits.
func (c *call) client() string {
	for _, name := range []string{"Sb-Forwarded-For", "X-Forwarded-For"} {
		if v := c.r.Header.Get(name); v != "" {
			first, _, _ := strings.Cut(v, ",")
			return strings.TrimSpace(first)
		}
	}
	host, _, _ := strings.Cut(c.r.RemoteAddr, ":")
	return host
}
