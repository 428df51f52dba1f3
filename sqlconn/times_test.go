package sqlconn_test

import (
	"testing"
	"time"

	"github.com/streamconn/streamconn/sqlconn"
)

// One instant is one text, whatever zone it is given in: SQLite compares texts.
func TestInstantsOfSQLiteCompareInEveryZone(t *testing.T) {
	t.Parallel()
	c := memory(t)
	exec(t, c, `create table t (at datetime, day date)`)
	utc := time.Date(2026, 7, 1, 22, 30, 0, 5e8, time.UTC)
	zones := []*time.Location{time.UTC, time.FixedZone("CEST", 2*3600), time.FixedZone("", -11*3600)}
	for _, zone := range zones {
		exec(t, c, `insert into t values (:at, '2026-07-02')`, sqlconn.Params{"at": utc.In(zone)})
	}
	for _, zone := range zones {
		for cond, want := range map[string]int{
			"at = :t": 3, "at > :t": 0, "at >= :t": 3, "at > :before": 3, "at < :after": 3, "datetime(at) = datetime(:t)": 3,
		} {
			params := sqlconn.Params{"t": utc.In(zone), "before": utc.Add(-time.Minute).In(zone), "after": utc.Add(time.Second / 2).In(zone)}
			got := one[int](t, c, `select count(*) from t where `+cond+` and :t = :t and :before = :before and :after = :after`, params)
			if got != want {
				t.Errorf("%s in %v finds %d rows, want %d", cond, zone, got, want)
			}
		}
	}
	for _, row := range query[struct{ At, Day time.Time }](t, c, `select * from t`) {
		if at, day := row.At.String(), row.Day.String(); at != utc.String() || day != "2026-07-02 00:00:00 +0000 UTC" { // the zone counts
			t.Errorf("they come back as %s and %s", at, day)
		}
	}
	// A text without an offset is UTC, to datetime() too.
	exec(t, c, `insert into t values ('2026-07-01 22:30:01', null)`)
	if n := one[int](t, c, `select count(*) from t where datetime(at) = datetime(:t)`, sqlconn.Params{"t": utc.Add(time.Second / 2).In(zones[1])}); n != 1 {
		t.Errorf("datetime() finds %d rows, want 1", n)
	}
}
