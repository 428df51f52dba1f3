// Package duckconn connects to DuckDB: the DuckDB class of Streamlit's documentation.
package duckconn

import (
	"context"
	"database/sql"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/sqlconn"
)

// Connect makes a DuckDB client. It is a [connection.Factory]. The program imports the driver.
func Connect(_ context.Context, p *connection.Params) (*sql.DB, error) {
	path, err := p.String("database", "DUCKDB_DATABASE") // option, then secrets, then environment
	if err != nil {
		return nil, err
	}
	return sql.Open("duckdb", path)
}

// Open opens the DuckDB connection called name.
func Open(ctx context.Context, name string, opts ...connection.Option) (*sqlconn.Conn, error) {
	c, err := connection.Open(ctx, name, Connect, opts...)
	if err != nil {
		return nil, err
	}
	return sqlconn.New(c), nil
}
