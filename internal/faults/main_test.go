//go:build linux

package faults_test

import (
	"os"
	"testing"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/streamconn/streamconn/internal/faults/trial"
)

func TestMain(m *testing.M) {
	if err := mysql.SetLogger(&mysql.NopLogger{}); err != nil { // it logs each connection that breaks
		panic(err)
	}
	os.Exit(trial.Main(m))
}
