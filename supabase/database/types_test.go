package database_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/streamconn/streamconn/supabase/database"
)

// columns are of the types that encoding/json has no Go type for.
type columns struct {
	Day  database.Date      `json:"day"`
	Wall database.Timestamp `json:"wall"`
	Raw  database.Bytea     `json:"raw"`
}

func TestTypesOfColumns(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"day":"2026-01-02","wall":"2026-01-02T03:04:05.123456","raw":"\\xdeadbeef"}`,
		`{"day":"0001-12-31","wall":"0001-01-01T00:00:00","raw":"\\x"}`,
		`{"day":"5874897-12-31","wall":"294276-12-31T23:59:59.999999","raw":null}`,
		`{"day":"2024-02-29","wall":"12026-02-28T12:00:00.5","raw":"\\x00"}`,
	} {
		c, err := database.One[columns](t.Context(), answer(t, 200, text).Table("t"))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if again, err := json.Marshal(c); string(again) != text || err != nil {
			t.Errorf("%s, want %s; %v", again, text, err)
		}
	}
	noon := time.Date(2026, 1, 2, 12, 0, 0, 5, time.FixedZone("", -3600))
	for want, v := range map[string]any{
		"2026-01-02":                    database.DateOf(noon),
		"2026-01-02T12:00:00.000000005": database.Timestamp(noon),
		`\x00ff`:                        database.Bytea{0, 255},
		`\x`:                            database.Bytea(nil),
	} {
		r, err := database.Table[any](nil, "t").Eq("c", v).Request()
		query, _ := url.QueryUnescape(r.Query)
		if got := fmt.Sprint(v); err != nil || query != "c=eq."+want || got != want {
			t.Errorf("%T: %s, %s, want %s; %v", v, r.Query, got, want, err)
		}
	}
	if at := database.DateOf(noon).Time(); !at.Equal(time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)) {
		t.Error(at)
	}
	if at := database.Timestamp(noon).Time(); !at.Equal(noon) {
		t.Error(at)
	}
}

func TestWhatIsNoValueOfAType(t *testing.T) {
	t.Parallel()
	for _, v := range []any{
		database.Date{},
		database.Date{Year: 2026, Month: 2, Day: 29},
		database.Date{Year: 2026, Month: 13, Day: 1},
		database.Date{Year: 5874898, Month: 1, Day: 1},
		database.Timestamp(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)),
		database.Timestamp(time.Date(294277, 1, 1, 0, 0, 0, 0, time.UTC)),
	} {
		if err := database.Table[any](nil, "t").Eq("c", v).Err(); !errors.Is(err, database.ErrInvalid) {
			t.Errorf("%T %v: %v", v, v, err)
		}
		if _, err := json.Marshal(v); err == nil {
			t.Errorf("%T %v is written", v, v)
		}
	}
	for _, text := range []string{
		"", "infinity", "-infinity", "0044-03-15 BC", "0000-01-01", "2026-02-29", "2026-1-2", "26-01-02", "+2026-01-02", "2026-01-02-03",
		"02026-01-02", "5874898-01-01", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00", "2026-01-02T24:00:00", "2026-01-02 03:04:05", `\x0`, "3q0=", "xdead",
	} {
		d, w, b := database.Date{Year: 1}, database.Timestamp(time.Unix(1, 0)), database.Bytea("kept")
		if d.UnmarshalText([]byte(text)) == nil || w.UnmarshalText([]byte(text)) == nil || b.UnmarshalText([]byte(text)) == nil {
			t.Errorf("%q is read", text)
		}
		if d.Year != 1 || w.Time().Unix() != 1 || string(b) != "kept" {
			t.Errorf("%q changes what is there", text)
		}
	}
}

// An answer that does not fit says where, and what would take it.
func TestWhatCannotBeDecoded(t *testing.T) {
	t.Parallel()
	type row struct {
		ID  int       `json:"id"`
		At  time.Time `json:"at"`
		Raw []byte    `json:"raw"`
	}
	all := func(body string) error {
		_, err := database.All[row](t.Context(), answer(t, 200, body).Table("t"))
		return err
	}
	one := func(body string) error {
		_, err := database.One[row](t.Context(), answer(t, 200, body).Table("t"))
		return err
	}
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"a date":        {all(`[{"id":1,"at":"2026-01-02T03:04:05Z"},{"id":2,"at":"2026-01-02"}]`), `database: the answer to GET t: column "at": parsing time "2026-01-02" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T"; a date is read into a database.Date`},
		"a timestamp":   {one(`{"id":1,"at":"2026-01-02T03:04:05.5"}`), `; a timestamp without a time zone is read into a database.Timestamp`},
		"infinity":      {one(`{"at":"-infinity"}`), `; infinity and years before Christ are read into a string`},
		"a bytea":       {all(`[{"raw":"\\xdeadbeef"}]`), `column "raw": illegal base64 data at input byte 0; a bytea is read into a database.Bytea`},
		"a text":        {all(`[{"id":"x","at":"2026-01-02T03:04:05Z"}]`), `database: the answer to GET t: column "id": json: cannot unmarshal string into Go struct field row.id of type int`},
		"a page":        {all(`<html>`), `database: the answer to GET t: invalid character '<' looking for beginning of value; is the URL the project's?`},
		"nothing":       {one(``), `database: the answer to GET t: it has no body`},
		"one of a page": {one(`<html>`), `; is the URL the project's?`},
		"a row": {func() error {
			_, err := database.One[string](t.Context(), answer(t, 200, `{"email":"a@example.com"}`).Table("t").Select("email"))
			return err
		}(), `database: the answer to GET t: json: cannot unmarshal object into Go value of type string; a row is an object: use a struct or a map`},
		"a map's column": {func() error {
			_, err := database.All[map[string]string](t.Context(), answer(t, 200, `[{"email":"a@example.com","extra":{}}]`).Table("t"))
			return err
		}(), `column "extra": json: cannot unmarshal object into Go value of type string`},
		"JSON in a text": {func() error {
			_, err := database.All[struct{ Doc document }](t.Context(), answer(t, 200, `[{"id":1,"doc":"{"}]`).Table("t"))
			return err
		}(), `column "doc": unexpected end of JSON input`},
		"rows": {func() error {
			_, err := database.All[string](t.Context(), answer(t, 200, `[{"email":"a@example.com"}]`).Table("t").Select("email"))
			return err
		}(), `; a row is an object: use a struct or a map`},
		"a function's date": {func() error {
			_, err := database.One[time.Time](t.Context(), answer(t, 200, `"2026-01-02"`).RPC("today", nil))
			return err
		}(), `; a date is read into a database.Date`},
	} {
		if tt.err == nil || !strings.HasSuffix(tt.err.Error(), tt.want) || strings.Count(tt.err.Error(), "database: ") != 1 {
			t.Errorf("%s: %v\nwant %s", name, tt.err, tt.want)
		}
	}
}

// document is JSON that a column of type text holds.
type document map[string]any

func (d *document) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), (*map[string]any)(d))
}
