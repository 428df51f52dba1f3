package sqlconn

import (
	"fmt"
	"slices"
	"strings"

	"github.com/streamconn/streamconn/internal/nearest"
)

// A placeholderStyle is how drivers write the places of positional arguments.
type placeholderStyle uint8

const (
	placeQuestion placeholderStyle = iota // ?
	placeDollar                           // $1
	placeAtP                              // @p1
	placeColon                            // :1
)

// A dialectFamily groups the dialects whose URLs are read alike.
type dialectFamily uint8

const (
	familyOther dialectFamily = iota
	familyPostgres
	familyMySQL
	familySQLite
	familyMSSQL
	familySnowflake
	familyOracle
)

// A dialectInfo is what is known of a dialect.
type dialectInfo struct {
	name     string   // as SQLAlchemy calls it
	aliases  []string // other schemes that mean it
	family   dialectFamily
	style    placeholderStyle
	file     bool     // opens a file, not a server
	required []string // parts, beside dialect, that a connection without a URL must give
	drivers  []driverInfo
}

// A driverInfo is a driver of database/sql that speaks a dialect.
type driverInfo struct {
	name       string   // as it registers itself
	hints      []string // what else may follow the plus sign to mean it
	importPath string   // for the import line that a missing driver is answered with
	dsn        func(t target) (string, error)
}

// Server parts that a connection by parts cannot do without.
var (
	requireUserHost = []string{partUsername, partHost}
	requireHost     = []string{partHost}
)

var (
	pgxDriver = driverInfo{"pgx", []string{"pgx/v5", "pgx5"}, "github.com/jackc/pgx/v5/stdlib", postgresDSN}
	pqDriver  = driverInfo{"postgres", []string{"pq", "libpq"}, "github.com/lib/pq", postgresDSN}
	myDriver  = driverInfo{"mysql", []string{"go-sql-driver", "gomysql"}, "github.com/go-sql-driver/mysql", mysqlDSN}
)

// dialectTable has the known dialects, each with its drivers in order of
// preference. It is never written to.
var dialectTable = []dialectInfo{
	{
		name: "postgresql", aliases: []string{"postgres", "pgsql", "pg", "pgx", "pq"},
		family: familyPostgres, style: placeDollar, required: requireUserHost,
		drivers: []driverInfo{pgxDriver, pqDriver},
	},
	{
		name: "cockroachdb", aliases: []string{"cockroach", "crdb"},
		family: familyPostgres, style: placeDollar, required: requireUserHost,
		drivers: []driverInfo{pgxDriver, pqDriver},
	},
	{
		name: "redshift", family: familyPostgres, style: placeDollar, required: requireUserHost,
		drivers: []driverInfo{pgxDriver, pqDriver},
	},
	{
		name: "mysql", family: familyMySQL, style: placeQuestion, required: requireUserHost,
		drivers: []driverInfo{myDriver},
	},
	{
		name: "mariadb", aliases: []string{"maria"},
		family: familyMySQL, style: placeQuestion, required: requireUserHost,
		drivers: []driverInfo{myDriver},
	},
	{
		name: "sqlite", aliases: []string{"sqlite3"},
		family: familySQLite, style: placeQuestion, file: true,
		drivers: []driverInfo{
			{"sqlite", []string{"modernc", "glebarez"}, "modernc.org/sqlite", sqliteModerncDSN},
			{"sqlite3", []string{"mattn", "go-sqlite3"}, "github.com/mattn/go-sqlite3", sqliteMattnDSN},
			{"sqlite3", []string{"ncruces"}, "github.com/ncruces/go-sqlite3/driver", sqliteNcrucesDSN},
		},
	},
	{
		name: "duckdb", style: placeQuestion, file: true,
		drivers: []driverInfo{{"duckdb", nil, "github.com/duckdb/duckdb-go/v2", duckdbDSN}},
	},
	{
		name: "mssql", aliases: []string{"sqlserver", "azuresql"},
		family: familyMSSQL, style: placeAtP, required: requireUserHost,
		drivers: []driverInfo{
			{"sqlserver", []string{"go-mssqldb"}, "github.com/microsoft/go-mssqldb", mssqlDSN},
			{"azuresql", []string{"azuread"}, "github.com/microsoft/go-mssqldb/azuread", mssqlDSN},
		},
	},
	{
		name: "snowflake", family: familySnowflake, style: placeQuestion, required: requireUserHost,
		drivers: []driverInfo{{"snowflake", []string{"gosnowflake"}, "github.com/snowflakedb/gosnowflake", snowflakeDSN}},
	},
	{
		name: "oracle", family: familyOracle, style: placeColon, required: requireUserHost,
		drivers: []driverInfo{{"oracle", []string{"go-ora"}, "github.com/sijms/go-ora/v2", oracleDSN}},
	},
	{
		name: "clickhouse", aliases: []string{"clickhousedb"},
		style: placeQuestion, required: requireHost,
		drivers: []driverInfo{{"clickhouse", []string{"clickhouse-go"}, "github.com/ClickHouse/clickhouse-go/v2", clickhouseDSN}},
	},
	{
		name: "trino", style: placeQuestion, required: requireUserHost,
		drivers: []driverInfo{{"trino", nil, "github.com/trinodb/trino-go-client/trino", trinoDSN}},
	},
	{
		name: "presto", aliases: []string{"prestodb"},
		style: placeQuestion, required: requireUserHost,
		drivers: []driverInfo{{"presto", nil, "github.com/prestodb/presto-go-client/presto", trinoDSN}},
	},
	{
		name: "databricks", style: placeQuestion, required: requireHost,
		drivers: []driverInfo{{"databricks", nil, "github.com/databricks/databricks-sql-go", databricksDSN}},
	},
	{
		name: "bigquery", style: placeQuestion, required: requireHost,
		drivers: []driverInfo{{"bigquery", nil, "gorm.io/driver/bigquery/driver", plainURL}},
	},
}

// lookupDialect finds a dialect by its name or an alias, without case.
func lookupDialect(name string) (dialectInfo, bool) {
	for _, d := range dialectTable {
		if strings.EqualFold(d.name, name) || containsFold(d.aliases, name) {
			return d, true
		}
	}
	return dialectInfo{}, false
}

// canonicalDialect is the dialect's name, or the lower-cased name itself if it
// is not known: a driver may be registered under it.
func canonicalDialect(name string) string {
	if d, ok := lookupDialect(name); ok {
		return d.name
	}
	return strings.ToLower(name)
}

func containsFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(v string) bool { return strings.EqualFold(v, s) })
}

// styleOf is the placeholder style of a driver: that of the dialect, or, if the
// dialect is not known, that of the dialect which the driver is known to speak;
// else question marks.
func styleOf(dialect, driver string) placeholderStyle {
	if d, ok := lookupDialect(dialect); ok {
		return d.style
	}
	for _, d := range dialectTable {
		if slices.ContainsFunc(d.drivers, func(dr driverInfo) bool { return dr.name == driver }) {
			return d.style
		}
	}
	return placeQuestion
}

// pickDriver chooses among the drivers that are registered with database/sql.
//
// A hint that is the name of a registered driver is that driver, whatever its
// name: this is how a wrapped driver (tracing, metrics) is chosen. A hint that
// means a Go driver must be that one. Any other hint is the name of a Python
// driver (psycopg2, pymysql, pyodbc …), which says nothing here: the first
// registered driver of the dialect is taken.
func pickDriver(t target, registered []string) (string, error) {
	d, known := lookupDialect(t.dialect)
	if t.hint != "" {
		if slices.Contains(registered, t.hint) && !speaksOther(t.hint, d) {
			return t.hint, nil
		}
		for _, dr := range d.drivers {
			if dr.name != t.hint && !containsFold(dr.hints, t.hint) {
				continue
			}
			if slices.Contains(registered, dr.name) {
				return dr.name, nil
			}
			return "", missingDriver(d.name, dr)
		}
	}
	if !known {
		if slices.Contains(registered, t.dialect) {
			return t.dialect, nil
		}
		return "", unknownDialect(t.dialect)
	}
	candidates := d.drivers
	if t.query.has("fedauth", "authentication") && d.family == familyMSSQL {
		candidates = candidates[1:] // only azuresql signs in at Entra
	}
	for _, dr := range candidates {
		if slices.Contains(registered, dr.name) {
			return dr.name, nil
		}
	}
	return "", missingDriver(d.name, candidates[0])
}

// speaksOther reports whether the driver is known to speak other dialects only.
func speaksOther(driver string, want dialectInfo) bool {
	other := false
	for _, d := range dialectTable {
		for _, dr := range d.drivers {
			if dr.name == driver {
				if d.name == want.name {
					return false
				}
				other = true
			}
		}
	}
	return other
}

func missingDriver(dialect string, dr driverInfo) error {
	return fmt.Errorf("no driver for %q: add import _ %q", dialect, dr.importPath)
}

func unknownDialect(name string) error {
	var names []string
	for _, d := range dialectTable {
		names = append(names, d.name)
		names = append(names, d.aliases...)
	}
	if near := nearest.Name(name, names); near != "" {
		return fmt.Errorf("unknown dialect %q: did you mean %q?", name, near)
	}
	return fmt.Errorf("unknown dialect %q: no driver is registered under that name, and it is none of those known (postgresql, mysql, sqlite, mssql, duckdb, snowflake, …)", name)
}

// dsn writes the data source name for the driver. A driver that is not in the
// table gets the form of the one that its name begins with ("pgx-traced"), or
// of the dialect's first; an unknown dialect's gets a plain URL.
func (t target) dsn(driver string) (string, error) {
	d, ok := lookupDialect(t.dialect)
	if !ok {
		return plainURL(t)
	}
	return d.driver(driver, t.hint).dsn(t)
}

// driver finds the row of a driver by its name; of two that register one name,
// the one that the hint means.
func (d dialectInfo) driver(name, hint string) driverInfo {
	var best *driverInfo
	for i, dr := range d.drivers {
		switch {
		case dr.name == name && containsFold(dr.hints, hint):
			return dr
		case dr.name == name && (best == nil || best.name != name):
			best = &d.drivers[i]
		case strings.HasPrefix(name, dr.name) && (best == nil || len(best.name) < len(dr.name)):
			best = &d.drivers[i]
		}
	}
	if best == nil {
		return d.drivers[0]
	}
	return *best
}
