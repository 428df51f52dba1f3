//go:build linux

package servers_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/streamconn/streamconn/internal/integration/servers"
)

func TestPostgRESTKnowsItsUsers(t *testing.T) {
	t.Parallel()
	p := servers.StartPostgREST(t, servers.PostgRESTOptions{
		SQL: []string{`create function public.whoami() returns text language sql stable as $$ select current_user || ' ' || coalesce(auth.uid()::text, 'nobody') $$`},
	})
	const ada = "11111111-2222-4333-8444-555555555555"
	for _, test := range []struct {
		name, path, token string
		status            int
		body              string
	}{
		{"anybody", "/rest/v1/rpc/whoami", p.AnonKey, 200, `"anon nobody"`},
		{"owner", "/rest/v1/rpc/whoami", p.ServiceKey, 200, `"service_role nobody"`},
		{"user", "/rest/v1/rpc/whoami", p.Token(ada, "authenticated", time.Hour), 200, `"authenticated ` + ada + `"`},
		{"late user", "/rest/v1/rpc/whoami", p.Token(ada, "authenticated", -time.Hour), 401, ""},
		{"stranger", "/rest/v1/rpc/whoami", servers.SignToken("another secret of another project", ada, "service_role", time.Hour), 401, ""},
		{"past the gateway", "/rpc/whoami", p.AnonKey, 404, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+test.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+test.token)
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != test.status || test.body != "" && string(body) != test.body {
				t.Errorf("%d %s, want %d %s", resp.StatusCode, body, test.status, test.body)
			}
		})
	}
}
