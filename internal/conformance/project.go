package conformance

import (
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Schema is the SQL of the tables that the servers' answers were recorded with. It needs the roles
// anon, authenticated and service_role, and auth.uid(), as every Supabase project has them.
//
//go:embed testdata/schema.sql
var Schema string

// Extra is the SQL of more tables, to be run after [Schema].
//
//go:embed testdata/extra.sql
var Extra string

// Service is one of a project's services. It is the first word of a case's name.
type Service string

// The services, in the order in which they are tried.
const (
	Rest    Service = "rest"
	Auth    Service = "auth"
	Storage Service = "storage"
)

func services() []Service { return []Service{Rest, Auth, Storage} }

// path is where a service is below the project's address.
func (s Service) path() string { return "/" + string(s) + "/v1" }

// Feature is something that not every project has. A case that needs one says so.
type Feature string

// The features of the rest service.
const (
	Plans        Feature = "plans"                      // explain; a hosted project has it off
	GeoJSON      Feature = "geojson"                    // needs PostGIS
	TextConfigs  Feature = "text search configurations" // other than the database's own
	SQLFunctions Feature = "sql functions"              // whose bodies the project runs itself
	Aggregates   Feature = "aggregates"
	Rollbacks    Feature = "rollbacks" // db-tx-end
	OtherSchemas Feature = "other schemas"
	WritesOfAll  Feature = "writes of all rows" // without a filter, which a hosted project wants (safeupdate)
)

// Absence is how a project goes without a feature.
type Absence int

const (
	// NotImplemented says that each request that needs it is answered by status 501, and the body,
	// of a HEAD the header Proxy-Status, names the feature as its constant spells it. An answer that
	// only looks right fails the case.
	NotImplemented Absence = iota + 1
	// Off says that the server is configured or built without it. The case is left out, and counted.
	Off
)

// Project is a project under test.
type Project struct {
	URL        string // of the project; the services are at URL/rest/v1, /auth/v1 and /storage/v1
	AnonKey    string
	ServiceKey string

	// HTTPClient sends the requests; nil: one with a timeout of a minute.
	HTTPClient *http.Client

	// Token signs a user's access token, where the project has no auth service. An empty sub and a
	// life below zero are what they say. Nil: users are made and signed in by the auth service.
	Token func(sub, role string, life time.Duration) string

	// Pass lets time pass for the project; nil: the cases wait, half a minute in all.
	Pass func(d time.Duration)

	// Services are those that the project has; nil: all.
	Services []Service

	// Unsupported are the features that the project goes without. A case that passes although it
	// needs one fails, so that the list can only shrink.
	Unsupported map[Feature]Absence
}

func (p *Project) check() error {
	switch {
	case p.URL == "":
		return errors.New("the project has no URL")
	case p.AnonKey == "" || p.ServiceKey == "":
		return errors.New("the project needs both an AnonKey and a ServiceKey")
	}
	for _, s := range p.Services {
		if !slices.Contains(services(), s) {
			return fmt.Errorf("%q is no service", string(s))
		}
	}
	return nil
}

func (p *Project) offers(s Service) bool { return p.Services == nil || slices.Contains(p.Services, s) }

func (p *Project) base() string { return strings.TrimSuffix(p.URL, "/") }
