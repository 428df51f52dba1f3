package fakedb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"regexp"
	"slices"
	"sync"
)

// Driver reaches servers by data source name; see [Register].
type Driver struct{}

var (
	_ driver.Driver        = Driver{}
	_ driver.DriverContext = Driver{}
)

// registry finds servers by their ids. It is the one thing that servers share, for those who can
// open a database only by a driver's name.
var registry struct {
	mu      sync.Mutex
	last    int
	servers map[string]*Server
}

var idPattern = regexp.MustCompile(`fakedb-[0-9]{8}`)

// Register makes the servers reachable through [sql.Open] under a driver name of the caller's
// choice. Registering a name again does nothing, so that every test can do it.
func Register(name string) {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	if !slices.Contains(sql.Drivers(), name) {
		sql.Register(name, Driver{})
	}
}

// ID names the server in a data source name of any form: as the database, the host or a part of a
// path. It is lower-case and safe in URLs.
func (s *Server) ID() string {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id == "" {
		registry.last++
		s.id = fmt.Sprintf("fakedb-%08d", registry.last)
		if registry.servers == nil {
			registry.servers = make(map[string]*Server)
		}
		registry.servers[s.id] = s
	}
	return s.id
}

// OpenConnector implements [driver.DriverContext]: the server is the one whose [Server.ID] occurs
// in dsn.
func (Driver) OpenConnector(dsn string) (driver.Connector, error) {
	id := idPattern.FindString(dsn)
	registry.mu.Lock()
	s := registry.servers[id]
	registry.mu.Unlock()
	if s == nil {
		// The DSN may hold a password of the test, so it is not repeated.
		return nil, fmt.Errorf("fakedb: the data source name holds no id of a server (%q)", id)
	}
	s.mu.Lock()
	s.dsns = append(s.dsns, dsn)
	s.mu.Unlock()
	return s.Connector(), nil
}

// Open implements [driver.Driver].
func (d Driver) Open(dsn string) (driver.Conn, error) {
	c, err := d.OpenConnector(dsn)
	if err != nil {
		return nil, err
	}
	return c.Connect(context.Background())
}
