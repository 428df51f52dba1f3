package sqlconn_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/connection/conntest"
	"github.com/streamconn/streamconn/sqlconn"
)

func openConn(ctx context.Context, name string, opts ...connection.Option) (connection.Connection[*sql.DB], error) {
	c, err := sqlconn.Open(ctx, name, opts...)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func TestConformanceByURL(t *testing.T) {
	t.Parallel()
	conntest.Run(t, conntest.Config[*sql.DB]{
		Connect:  sqlconn.Connect,
		Open:     openConn,
		Params:   map[string]any{"url": "sqlite:///" + filepath.Join(t.TempDir(), "pets.db"), "pool_size": int64(3)},
		Required: []string{"url"},
		Use:      func(ctx context.Context, db *sql.DB) error { return db.PingContext(ctx) },
		Broken: []map[string]any{
			{"url": "sqlite:////no/such/folder/pets.db"},
			{"url": "postgresql://jerry:secret@localhost/pets"}, // no driver is linked
			{"pool_size": "many"},
		},
	})
}

func TestConformanceByParts(t *testing.T) {
	t.Parallel()
	conntest.Run(t, conntest.Config[*sql.DB]{
		Connect: sqlconn.Connect,
		Open:    openConn,
		Params: map[string]any{
			"dialect": "sqlite", "database": filepath.Join(t.TempDir(), "pets.db"),
			"create_engine_kwargs": map[string]any{"pool_timeout": 1.5, "echo": false},
		},
		Required: []string{"dialect"},
		Use:      func(ctx context.Context, db *sql.DB) error { return db.PingContext(ctx) },
		Broken:   []map[string]any{{"database": "/no/such/folder/pets.db"}, {"password": "an-unusual-password"}},
	})
}
