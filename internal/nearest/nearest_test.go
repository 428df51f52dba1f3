package nearest_test

import (
	"strings"
	"testing"

	"github.com/streamconn/streamconn/internal/nearest"
)

func TestName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		want  string
		names []string
		near  string
	}{
		{"username", []string{"usrname", "password"}, "usrname"},
		{"username", []string{"user_name", "usrname"}, "user_name"},
		{"url", []string{"ulr", "uri"}, "ulr"},
		{"SUPABASE_URL", []string{"supabase-url"}, "supabase-url"},
		{"host", []string{"port", "ghost"}, "ghost"},
		{"host", []string{"database"}, ""},
		{"k", []string{"j"}, ""},
		{"host", nil, ""},
		{"", []string{"a"}, ""},
		{"host", []string{strings.Repeat("h", 1<<20)}, ""},
	} {
		if got := nearest.Name(c.want, c.names); got != c.near {
			t.Errorf("Name(%q) of %d names = %.20q, want %q", c.want, len(c.names), got, c.near)
		}
	}
}
