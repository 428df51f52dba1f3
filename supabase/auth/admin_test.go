package auth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamconn/streamconn/internal/rest"
	"github.com/streamconn/streamconn/supabase/auth"
)

// admin is a client with a secret key, and what it sends.
func admin(t *testing.T, status int, body string, header ...string) (*auth.Admin, *sides) {
	t.Helper()
	s := both(t, status, body, header...)
	return s.ours.Admin(), s
}

// The client of a user that has the project's key makes admin calls with the key; one that has the
// user's token alone makes none.
func TestAnAdminCallNeverHasAUsersToken(t *testing.T) {
	t.Parallel()
	var sent []string
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		sent = append(sent, r.Header.Get("Authorization"))
		return answerTo(r, 200, `{"users":[]}`), nil
	})
	c := over(t, transport, auth.WithKey(serviceKey), auth.WithToken(token(accessToken)))
	for _, c := range []*auth.Client{c, c.WithToken(token("another")), c.WithSession(newSession(t))} {
		if _, err := c.Admin().Users(t.Context(), auth.Page{}); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff([]string{"Bearer " + serviceKey, "Bearer " + serviceKey, "Bearer " + serviceKey}, sent); diff != "" {
		t.Error(diff)
	}

	sent = nil
	alone, err := auth.New(baseURL, auth.WithHTTPClient(&http.Client{Transport: transport}), auth.WithToken(token(accessToken)))
	if err != nil {
		t.Fatal(err)
	}
	user, err := rest.New(rest.Config{BaseURL: baseURL, HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*auth.Client{alone, alone.WithSession(newSession(t)), auth.Over(user, nil), auth.Over(user, nil).WithSession(newSession(t))} {
		if _, err := c.Admin().Users(t.Context(), auth.Page{}); err == nil {
			t.Error("an admin call was made")
		}
		if err := c.Admin().SignOut(t.Context(), accessToken); err == nil {
			t.Error("an admin call was made")
		}
	}
	if len(sent) != 0 {
		t.Errorf("sent with %q", sent)
	}
	// A new key is no bearer.
	c = over(t, transport, auth.WithKey("sb_secret_planted"), auth.WithToken(token(accessToken)))
	if _, err := c.Admin().Users(t.Context(), auth.Page{}); err != nil || sent[0] != "" {
		t.Error(sent, err)
	}
}

func TestAdminSignOut(t *testing.T) {
	t.Parallel()
	a, s := admin(t, 204, "")
	if err := a.SignOut(t.Context(), "the-users-token", auth.Global); err != nil {
		t.Error(err)
	}
	if r := s.last(t); r.Header.Get("Authorization") != "Bearer the-users-token" || r.Header.Get("apikey") != serviceKey || r.URL.RawQuery != "scope=global" {
		t.Error(r.URL, r.Header)
	}
	for _, bad := range []string{"", "sb_secret_x", "a b"} {
		if err := a.SignOut(t.Context(), bad); !errors.Is(err, auth.ErrNoToken) || len(s.sent) != 0 {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := a.SignOut(t.Context(), "t", auth.Global, auth.Local); !errors.Is(err, auth.ErrInvalid) {
		t.Error(err)
	}
}

// paged answers with pages of a list of users, as the server does or as a proxy leaves it.
func paged(t *testing.T, total int, links bool, at func(page int)) *auth.Client {
	t.Helper()
	return over(t, func(r *http.Request) (*http.Response, error) {
		q := r.URL.Query()
		page, _ := strconv.Atoi(q.Get("page"))
		size, _ := strconv.Atoi(q.Get("per_page"))
		if at != nil {
			at(page)
		}
		users := []map[string]any{}
		for i := (page - 1) * size; i < min(page*size, total); i++ {
			users = append(users, map[string]any{"id": fmt.Sprint("u", i)})
		}
		b, _ := json.Marshal(map[string]any{"users": users, "aud": "authenticated"})
		if !links {
			return answerTo(r, 200, string(b)), nil
		}
		link, last := "", (total+size-1)/size
		if page < last {
			link = fmt.Sprintf(`</admin/users?page=%d&per_page=%d>; rel="next", `, page+1, size)
		}
		link += fmt.Sprintf(`</admin/users?page=%d&per_page=%d>; rel="last"`, last, size)
		return answerTo(r, 200, string(b), "X-Total-Count", strconv.Itoa(total), "Link", link), nil
	}, auth.WithKey(serviceKey))
}

func TestAllUsers(t *testing.T) {
	t.Parallel()
	for _, total := range []int{0, 1, 99, 100, 101, 250} {
		for _, links := range []bool{true, false} {
			requests := 0
			c := paged(t, total, links, func(int) { requests++ })
			n := 0
			for u, err := range c.Admin().AllUsers(t.Context()) {
				if err != nil || u.ID != fmt.Sprint("u", n) {
					t.Fatal(u, err)
				}
				n++
			}
			want := max((total+99)/100, 1)
			if !links && total > 0 && total%100 == 0 {
				want++
			}
			if n != total || requests != want {
				t.Errorf("%d users in %d requests, want %d in %d (links: %v)", n, requests, total, want, links)
			}
		}
	}
}

func TestAllUsersEnds(t *testing.T) {
	t.Parallel()
	requests := 0
	for u, err := range paged(t, 250, true, func(int) { requests++ }).Admin().AllUsers(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if u.ID == "u3" {
			break
		}
	}
	if requests != 1 {
		t.Errorf("%d requests", requests)
	}
	n := 0
	for u, err := range answering(t, 500, `{"code":"unexpected_failure","message":"x"}`, auth.WithKey(serviceKey)).Admin().AllUsers(t.Context()) {
		n++
		if err == nil || u != nil || n > 1 {
			t.Error(u, err)
		}
	}
	// A proxy that gives the first page whichever is asked for.
	n = 0
	c := over(t, func(r *http.Request) (*http.Response, error) {
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		return answerTo(r, 200, `{"users":[{"id":"u1"}]}`, "Link", fmt.Sprintf(`<?page=%d>; rel="next", <?page=1000000>; rel="last"`, page+1)), nil
	}, auth.WithKey(serviceKey))
	for u, err := range c.Admin().AllUsers(t.Context()) {
		if n++; n > 2 || (err != nil) != (n == 2) || (u == nil) != (n == 2) {
			t.Fatal(n, u, err)
		}
	}
}

// A user who signs up while the list is read moves the others on: nobody is given twice.
func TestAllUsersWhoComeMeanwhile(t *testing.T) {
	t.Parallel()
	c := over(t, func(r *http.Request) (*http.Response, error) {
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		users := []map[string]any{}
		for i := (page - 1) * 100; i < min(page*100, 150+page-1); i++ {
			users = append(users, map[string]any{"id": fmt.Sprint("u", i-(page-1))})
		}
		b, _ := json.Marshal(map[string]any{"users": users})
		return answerTo(r, 200, string(b)), nil
	}, auth.WithKey(serviceKey))
	seen := map[string]int{}
	for u, err := range c.Admin().AllUsers(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if seen[u.ID]++; seen[u.ID] > 1 {
			t.Errorf("%s twice", u.ID)
		}
	}
	if len(seen) != 150 {
		t.Errorf("%d users", len(seen))
	}
}

func TestPagesThatMakeNoSense(t *testing.T) {
	t.Parallel()
	a, s := admin(t, 200, `{"users":null}`, "X-Total-Count", "many", "Link", `<%zz>; rel="next", nonsense, <?page=-1>; rel="last"`)
	p, err := a.Users(t.Context(), auth.Page{Number: 2})
	if err != nil || p.Users == nil || p.Total != -1 || p.Next != 0 || p.Last != 0 || s.last(t).URL.RawQuery != "page=2" {
		t.Errorf("%+v, %v", p, err)
	}
	for _, bad := range []auth.Page{{Number: -1}, {Size: -1}} {
		if _, err := a.Users(t.Context(), bad); !errors.Is(err, auth.ErrInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestAuditLog(t *testing.T) {
	t.Parallel()
	a, s := admin(t, 200, `[{"id":"e1","payload":{"action":"login","actor_id":"u1"},"created_at":"2026-11-20T10:07:05.592576Z","ip_address":"203.0.113.9"}]`,
		"X-Total-Count", "1", "Link", `</admin/audit?page=1>; rel="last"`)
	p, err := a.AuditLog(t.Context(), auth.AuditFilter{By: auth.AuditAction, Value: "login"}, auth.Page{Size: 10})
	if err != nil || p.Total != 1 || p.Entries[0].Payload["action"] != "login" || p.Entries[0].CreatedAt.IsZero() {
		t.Errorf("%+v, %v", p, err)
	}
	if r := s.last(t); r.URL.Path != "/auth/v1/admin/audit" || r.URL.RawQuery != "per_page=10&query=action%3Alogin" {
		t.Error(r.URL)
	}
	n := 0
	for e, err := range a.WholeAuditLog(t.Context(), auth.AuditFilter{}) {
		if n++; err != nil || e.ID != "e1" {
			t.Error(e, err)
		}
	}
	if n != 1 || s.last(t).URL.RawQuery != "page=1&per_page=100" {
		t.Error(n)
	}
}

func TestSSOProviders(t *testing.T) {
	t.Parallel()
	one := `{"id":"p1","resource_id":"acme","disabled":true,"saml":{"entity_id":"https://idp","metadata_url":"https://idp/m","attribute_mapping":{"keys":{"mail":{"name":"email","array":true}}}},"domains":[{"domain":"example.com"}],"created_at":"2026-11-20T10:07:05Z"}`
	mapping := auth.AttributeMapping{Keys: map[string]auth.Attribute{"mail": {Name: "email", Array: true}}}
	check := func(p *auth.SSOProvider, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if p.ID != "p1" || p.ResourceID != "acme" || !p.Disabled || p.Domains[0] != "example.com" || p.SAML.EntityID != "https://idp" || p.CreatedAt.IsZero() || cmp.Diff(mapping, p.SAML.AttributeMapping) != "" {
			t.Errorf("%+v", p)
		}
	}
	ctx := t.Context()
	a, s := admin(t, 201, one)
	check(a.CreateSSOProvider(ctx, auth.SSOSettings{MetadataURL: "https://idp/m", Domains: []string{"example.com"}, AttributeMapping: mapping}))
	want := map[string]any{
		"type": "saml", "metadata_url": "https://idp/m", "domains": []any{"example.com"},
		"attribute_mapping": map[string]any{"keys": map[string]any{"mail": map[string]any{"name": "email", "array": true}}},
	}
	if r := s.last(t); r.Method != http.MethodPost || r.URL.Path != "/auth/v1/admin/sso/providers" || cmp.Diff(want, r.body) != "" {
		t.Error(r.Method, r.URL, cmp.Diff(want, r.body))
	}
	check(a.UpdateSSOProvider(ctx, "p1", auth.SSOSettings{Domains: []string{}, Disabled: new(false)}))
	if r := s.last(t); r.Method != http.MethodPut || r.URL.Path != "/auth/v1/admin/sso/providers/p1" || cmp.Diff(map[string]any{"domains": []any{}, "disabled": false}, r.body) != "" {
		t.Error(r.Method, r.URL, r.body)
	}
	check(a.UpdateSSOProvider(ctx, "p1", auth.SSOSettings{ResourceID: "acme"}))
	if r := s.last(t); cmp.Diff(map[string]any{"resource_id": "acme"}, r.body) != "" {
		t.Error(r.body)
	}
	check(a.SSOProvider(ctx, "p1"))
	if err := a.DeleteSSOProvider(ctx, "p1"); err != nil || s.last(t).Method != http.MethodDelete {
		t.Error(err)
	}
	a, _ = admin(t, 200, `{"items":[`+one+`]}`)
	list, err := a.SSOProviders(ctx)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	check(&list[0], nil)
	a, _ = admin(t, 200, `{"items":null}`)
	if list, err := a.SSOProviders(ctx); err != nil || list == nil || len(list) != 0 {
		t.Error(list, err)
	}
}

func TestFactorsOfAUser(t *testing.T) {
	t.Parallel()
	a, s := admin(t, 200, `{"id":"f1"}`)
	if err := a.DeleteFactor(t.Context(), "u1", "f1"); err != nil {
		t.Error(err)
	}
	if r := s.last(t); r.Method != http.MethodDelete || r.URL.Path != "/auth/v1/admin/users/u1/factors/f1" {
		t.Error(r.Method, r.URL)
	}
	f, err := a.RenameFactor(t.Context(), "u1", "f1", "tablet")
	if err != nil || f.ID != "f1" {
		t.Error(f, err)
	}
	if r := s.last(t); r.Method != http.MethodPut || r.URL.Path != "/auth/v1/admin/users/u1/factors/f1" || r.body["friendly_name"] != "tablet" {
		t.Error(r.Method, r.URL, r.body)
	}
}

func TestInvite(t *testing.T) {
	t.Parallel()
	a, s := admin(t, 200, `{"id":"u1","email":"a@example.com"}`)
	u, err := a.Invite(t.Context(), auth.Invitation{Email: "a@example.com", Data: map[string]any{"i": 1}, RedirectTo: "http://x/cb"})
	if err != nil || u.ID != "u1" {
		t.Error(u, err)
	}
	if r := s.last(t); r.URL.Path != "/auth/v1/invite" || r.URL.RawQuery != "redirect_to=http%3A%2F%2Fx%2Fcb" || r.body["data"] == nil {
		t.Error(r.URL, r.body)
	}
}
