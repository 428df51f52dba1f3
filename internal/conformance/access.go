package conformance

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/streamconn/streamconn/supabase/database"
)

// HTTP is the client that the case's requests go through.
func (c *C) HTTP() *http.Client { return c.http }

// URL is the address of a service, without a slash at its end.
func (c *C) URL(s Service) string { return c.p.base() + s.path() }

// AnonKey is the project's.
func (c *C) AnonKey() string { return c.p.AnonKey }

// ServiceKey is the project's.
func (c *C) ServiceKey() string { return c.p.ServiceKey }

// Name makes a name that nothing else in the project has.
func (c *C) Name(what string) string {
	c.names++
	return "conformance-" + c.id + "-" + strconv.Itoa(c.names) + "-" + what
}

// Anon is the database as anybody sees it.
func (c *C) Anon() *database.Client { return c.database(c.p.AnonKey) }

// Service is the database as its owner sees it, past all row security.
func (c *C) Service() *database.Client { return c.database(c.p.ServiceKey) }

// As is the database as the holder of an access token sees it.
func (c *C) As(token string) *database.Client {
	return c.database(c.p.AnonKey, database.WithToken(func(context.Context) (string, error) { return token, nil }))
}

func (c *C) database(key string, opts ...database.Option) *database.Client {
	db, err := database.New(c.URL(Rest), append(opts, database.WithKey(key), database.WithHTTPClient(c.http))...)
	if err != nil {
		c.Fatal(err)
	}
	return db
}

// Later runs f when the case is over, with the rights of the project's owner. Its error is the
// case's.
func (c *C) Later(what string, f func(ctx context.Context) error) {
	c.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := f(ctx); err != nil {
			c.TB.Errorf("clean up %s: %v", what, err)
		}
	})
}

// User is somebody who is signed in.
type User struct {
	ID    string // a UUID
	Email string
	Token string // the access token
}

// User makes a user, who is deleted when the case is over.
func (c *C) User() User {
	c.Helper()
	u := User{ID: newUUID(), Email: c.Name("user") + "@example.com"}
	if c.p.Token != nil {
		u.Token = c.p.Token(u.ID, "authenticated", time.Hour)
		return u
	}
	password := rand.Text()
	var made struct {
		ID string `json:"id"`
	}
	c.auth("POST", "/admin/users", map[string]any{"email": u.Email, "password": password, "email_confirm": true}, &made)
	u.ID = made.ID
	c.Later("user "+u.ID, func(ctx context.Context) error {
		return c.send(ctx, "DELETE", c.URL(Auth)+"/admin/users/"+u.ID, c.p.ServiceKey, nil, nil)
	})
	var session struct {
		AccessToken string `json:"access_token"`
	}
	c.auth("POST", "/token?grant_type=password", map[string]any{"email": u.Email, "password": password}, &session)
	u.Token = session.AccessToken
	return u
}

// auth asks the auth service as the project's owner.
func (c *C) auth(method, path string, body, into any) {
	c.Helper()
	if err := c.send(c.Context(), method, c.URL(Auth)+path, c.p.ServiceKey, body, into); err != nil {
		c.Fatal(err)
	}
}

func (c *C) send(ctx context.Context, method, url, key string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(text))
	if err != nil {
		return err
	}
	authorize(req.Header, key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode >= 300:
		return fmt.Errorf("%s %s: %s: %.200s", method, url, resp.Status, answer)
	case into == nil:
		return nil
	}
	return json.Unmarshal(answer, into)
}

// authorize adds a key, which is the bearer as well if it is a JWT.
func authorize(h http.Header, key string) {
	h.Set("Apikey", key)
	if !strings.HasPrefix(key, "sb_") {
		h.Set("Authorization", "Bearer "+key)
	}
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// answer is what the project answers to a request that no query makes.
type answer struct {
	status int
	header http.Header
	body   string
}

// raw sends a request to the rest service as it stands: path with its query, and headers as pairs.
func (c *C) raw(method, path, body string, header ...string) answer {
	c.Helper()
	req, err := http.NewRequestWithContext(c.Context(), method, c.URL(Rest)+path, bytes.NewReader([]byte(body)))
	if err != nil {
		c.Fatal(err)
	}
	authorize(req.Header, c.p.AnonKey)
	for i := 0; i < len(header); i += 2 {
		req.Header.Del(header[i])
		if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		c.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.Fatal(err)
	}
	return answer{status: resp.StatusCode, header: resp.Header, body: string(text)}
}
