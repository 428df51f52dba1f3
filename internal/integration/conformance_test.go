//go:build linux

package integration_test

import (
	"testing"

	"github.com/streamconn/streamconn/internal/conformance"
	"github.com/streamconn/streamconn/internal/integration/servers"
)

// postgrest starts a PostgREST with the tables of the conformance suite.
func postgrest(t *testing.T) *servers.PostgREST {
	t.Helper()
	return servers.StartPostgREST(t, servers.PostgRESTOptions{
		SQL:     []string{conformance.Schema, conformance.Extra},
		Schemas: []string{"library"},
		Settings: map[string]string{
			"db-tx-end":             `"commit-allow-override"`,
			"db-plan-enabled":       "true",
			"db-aggregates-enabled": "true", // for releases that know it
		},
	})
}

func TestPostgRESTConforms(t *testing.T) {
	t.Parallel()
	p := postgrest(t)
	report := conformance.Run(t, conformance.Project{
		URL: p.URL, AnonKey: p.AnonKey, ServiceKey: p.ServiceKey, Token: p.Token,
		Services: []conformance.Service{conformance.Rest},
	})
	if report.Left > 0 || report.Passed < 250 {
		t.Errorf("%s: want all cases of the rest service", report)
	}
}
