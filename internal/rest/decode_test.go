package rest

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// meanings are the sentinels by the names that testdata/answers.json has for them.
var meanings = map[string]error{
	"not found": ErrNotFound, "multiple rows": ErrMultipleRows, "undefined": ErrUndefined, "unauthorized": ErrUnauthorized,
	"forbidden": ErrForbidden, "conflict": ErrConflict, "rate limited": ErrRateLimited, "timeout": ErrTimeout, "too large": ErrTooLarge,
}

func checkMeaning(t *testing.T, err error, want string) {
	t.Helper()
	for name, sentinel := range meanings {
		if got := errors.Is(err, sentinel); got != (name == want) {
			t.Errorf("errors.Is(%v, %v) is %v", err, sentinel, got)
		}
	}
}

// The answers of PostgREST 12, GoTrue 2.196 and Storage 1.70, recorded.
func TestRecordedErrors(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/answers.json")
	if err != nil {
		t.Fatal(err)
	}
	var answers []struct {
		Label, Method, Path string
		Status              int
		Header              map[string]string
		Body                string
		Want                struct {
			Status        int
			Code, Meaning string
		}
	}
	if err := json.Unmarshal(raw, &answers); err != nil || len(answers) < 90 {
		t.Fatalf("%d answers, %v", len(answers), err)
	}
	for _, a := range answers {
		t.Run(a.Label, func(t *testing.T) {
			t.Parallel()
			c := over(t, func(r *http.Request) (*http.Response, error) {
				resp := answerWith(r, a.Status, a.Body)
				for name, value := range a.Header {
					resp.Header.Add(name, value)
				}
				return resp, nil
			}, func(c *Config) { c.Retry.Disabled = true })
			_, err := c.Do(t.Context(), &Request{Method: a.Method, Path: a.Path})
			e, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatal(err)
			}
			if e.Status != a.Want.Status || e.Code != a.Want.Code {
				t.Errorf("%d %q, want %d %q", e.Status, e.Code, a.Want.Status, a.Want.Code)
			}
			checkMeaning(t, err, a.Want.Meaning)
			if string(e.Body()) != a.Body {
				t.Errorf("the body is %q", e.Body())
			}
			// Whatever the shape, what the server says is read.
			var said map[string]any
			if json.Unmarshal([]byte(a.Body), &said) == nil {
				for _, name := range []string{"message", "msg"} {
					if text, ok := said[name].(string); ok && oneLine(text) != e.Message {
						t.Errorf("message %q, want %q", e.Message, text)
					}
				}
			}
			if e.Transient() != (a.Status == 502 || a.Status == 503) {
				t.Errorf("transient is %v", e.Transient())
			}
		})
	}
}

func TestErrorsOfOtherShapes(t *testing.T) {
	t.Parallel()
	h := func(pairs ...string) http.Header {
		header := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			header.Add(pairs[i], pairs[i+1])
		}
		return header
	}
	tests := []struct {
		name    string
		status  int
		header  http.Header
		body    string
		want    Error
		meaning string
	}{
		{
			"a missing table, 14", 404, nil, `{"code":"PGRST205","details":null,"hint":"Perhaps you meant the table 'public.books'","message":"Could not find the table"}`,
			Error{Status: 404, Code: "PGRST205", Message: "Could not find the table", Hint: "Perhaps you meant the table 'public.books'"},
			"undefined",
		},
		{"an expired token, 14", 401, nil, `{"code":"PGRST303","message":"JWT expired"}`, Error{Status: 401, Code: "PGRST303", Message: "JWT expired"}, "unauthorized"},
		{
			"no row, 14", 406, nil, `{"code":"PGRST116","details":"The result contains 0 rows","message":"Cannot coerce the result to a single JSON object"}`,
			Error{Status: 406, Code: "PGRST116", Details: "The result contains 0 rows", Message: "Cannot coerce the result to a single JSON object"},
			"not found",
		},
		{
			"ten rows", 406, nil, `{"code":"PGRST116","details":"The result contains 10 rows","message":"m"}`,
			Error{Status: 406, Code: "PGRST116", Details: "The result contains 10 rows", Message: "m"},
			"multiple rows",
		},
		{"a bad path, 14", 404, nil, `{"code":"PGRST125","message":"Invalid path"}`, Error{Status: 404, Code: "PGRST125", Message: "Invalid path"}, "undefined"},
		{
			"a full pool", 504, nil, `{"code":"PGRST003","message":"Timed out acquiring connection from connection pool."}`,
			Error{Status: 504, Code: "PGRST003", Message: "Timed out acquiring connection from connection pool."},
			"timeout",
		},
		{
			"a database that died, 12", 400, nil, `{"code":"","details":null,"hint":null,"message":""}`,
			Error{Status: 400, Message: "the server lost its database before it had an answer"},
			"",
		},
		{"nothing said, but not by a database", 403, nil, `{"code":"","message":""}`, Error{Status: 403}, "forbidden"},
		{"two functions", 300, nil, `{"code":"PGRST203","message":"Could not choose"}`, Error{Status: 300, Code: "PGRST203", Message: "Could not choose"}, ""},
		{"HEAD, 13 and later", 404, h("Proxy-Status", "PostgREST; error=PGRST205"), "", Error{Status: 404, Code: "PGRST205"}, "undefined"},
		{"HEAD, earlier", 404, nil, "", Error{Status: 404}, "not found"},
		{"the code in GoTrue's header", 422, h("X-Sb-Error-Code", "email_exists"), `{"code":422,"msg":"m"}`, Error{Status: 422, Code: "email_exists", Message: "m"}, "conflict"},
		{
			"a database's error through GoTrue", 400, nil, `{"code":"23505","message":"duplicate","detail":"Key (id)","hint":""}`,
			Error{Status: 400, Code: "23505", Message: "duplicate", Details: "Key (id)"},
			"conflict",
		},
		{"OAuth", 400, nil, `{"error":"invalid_grant","error_description":"The grant is bad"}`, Error{Status: 400, Code: "invalid_grant", Message: "The grant is bad"}, ""},
		{"OAuth, no description", 401, nil, `{"error":"invalid_client"}`, Error{Status: 401, Message: "invalid_client"}, "unauthorized"},
		{"GoTrue is too slow", 504, nil, `{"code":504,"error_code":"request_timeout","msg":"m"}`, Error{Status: 504, Code: "request_timeout", Message: "m"}, "timeout"},
		{"storage, number", 400, nil, `{"statusCode":404,"error":"Not Found","message":"m"}`, Error{Status: 404, Message: "m"}, "not found"},
		{"storage, before it had codes", 400, nil, `{"statusCode":"409","error":"Duplicate","message":"m"}`, Error{Status: 409, Code: "Duplicate", Message: "m"}, "conflict"},
		{"storage, nonsense", 400, nil, `{"statusCode":"200","message":"m"}`, Error{Status: 400, Message: "m"}, ""},
		{"storage, not below another status", 500, nil, `{"statusCode":"404","message":"m"}`, Error{Status: 500, Message: "m"}, ""},
		{
			"the gateway wants a key", 401, nil, `{"message":"No API key found in request","hint":"No apikey was found"}`,
			Error{Status: 401, Message: "No API key found in request", Hint: "No apikey was found"},
			"unauthorized",
		},
		{"a secret key in a browser", 401, nil, "", Error{Status: 401}, "unauthorized"},
		{
			"Cloudflare", 520, nil, "<!DOCTYPE html>\n<html><head>\n<title>x.supabase.co | 520: Web server is\n returning an unknown error</title></head>",
			Error{Status: 520, Message: "x.supabase.co | 520: Web server is returning an unknown error"},
			"",
		},
		{"nginx", 502, nil, "<html><body><center><H1>502 Bad &amp; Gateway</H1></center></body></html>", Error{Status: 502, Message: "502 Bad & Gateway"}, ""},
		{"markup without words", 502, nil, "<html><body>", Error{Status: 502}, ""},
		{"text", 404, nil, "404 page not found\n", Error{Status: 404, Message: "404 page not found"}, "not found"},
		{"text of a gateway", 504, nil, "upstream request timeout", Error{Status: 504, Message: "upstream request timeout"}, "timeout"},
		{"null", 500, nil, "null", Error{Status: 500, Message: "null"}, ""},
		{"an array", 500, nil, `["a"]`, Error{Status: 500, Message: `["a"]`}, ""},
		{"a string", 500, nil, `"a"`, Error{Status: 500, Message: `"a"`}, ""},
		{"half of it", 500, nil, `{"code":"57014","mess`, Error{Status: 500, Message: `{"code":"57014","mess`}, ""},
		{"other types", 500, nil, `{"code":{"a":1},"message":["x"],"details":null,"hint":7}`, Error{Status: 500, Code: `{"a":1}`, Message: `["x"]`, Hint: "7"}, ""},
		{"lines and controls", 500, nil, `{"message":"a\nb\u001b[31mc\r\n\td"}`, Error{Status: 500, Message: "a b [31mc d"}, ""},
		{"a mark of byte order", 400, nil, "\xef\xbb\xbf{\"code\":\"22P02\"}", Error{Status: 400, Code: "22P02"}, ""},
		{"not UTF-8", 500, nil, "\xff\xfeno", Error{Status: 500, Message: "no"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			header := tt.header
			if header == nil {
				header = http.Header{}
			}
			e := decode(tt.status, header, []byte(tt.body), newSecrets(), time.Now())
			got := *e
			got.answer = hidden[answer]{}
			if got != tt.want {
				t.Errorf("got  %#v\nwant %#v", got, tt.want)
			}
			checkMeaning(t, e, tt.meaning)
		})
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]*Error{
		"GET /rest/v1/users: 406 PGRST116: No row (The result contains 0 rows)": {Method: "GET", Path: "/rest/v1/users", Status: 406, Code: "PGRST116", Message: "No row", Details: "The result contains 0 rows"},
		"POST /t: 409 23505: duplicate key; hint: use another":                  {Method: "POST", Path: "/t", Status: 409, Code: "23505", Message: "duplicate key", Details: "Key (email)=(a@b.c) already exists.", Hint: "use another"},
		"HEAD /t: 404: Not Found":                                               {Method: "HEAD", Path: "/t", Status: 404},
		"GET /t: 544: no message":                                               {Method: "GET", Path: "/t", Status: 544},
		"GET /t: broken pipe":                                                   {Method: "GET", Path: "/t", cause: hide(&cause{err: errors.New("broken pipe")})},
		"GET /t: no answer":                                                     {Method: "GET", Path: "/t"},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	zero := &Error{}
	if zero.RetryAfter() != 0 || zero.Body() != nil || zero.Header() != nil || zero.Timeout() || zero.Transient() || zero.Unwrap() != nil {
		t.Error("the zero Error means something")
	}
}

func FuzzDecode(f *testing.F) {
	raw, err := os.ReadFile("testdata/answers.json")
	if err != nil {
		f.Fatal(err)
	}
	var answers []struct {
		Status int
		Body   string
	}
	if err := json.Unmarshal(raw, &answers); err != nil {
		f.Fatal(err)
	}
	for i := 0; i < len(answers); i += 8 {
		f.Add(answers[i].Status, "PostgREST; error=PGRST205", "", "1", []byte(answers[i].Body))
	}
	f.Add(502, "", "bad_jwt", "Fri, 20 Nov 2026 10:17:27 GMT", []byte("<html><title>T&amp;</title>"))
	f.Add(500, "", "", "-1", []byte("<title></title><h1 <h1>İ</h1>"))
	f.Fuzz(func(t *testing.T, status int, proxy, code, after string, body []byte) {
		h := http.Header{"Proxy-Status": {proxy}, "X-Sb-Error-Code": {code}, "Retry-After": {after}}
		const secret = "planted-secret-value"
		e := decode(status, h, body, newSecrets(secret), time.Unix(1e9, 0))
		if e.RetryAfter() < 0 || e.RetryAfter() > 24*time.Hour {
			t.Errorf("retry after %v", e.RetryAfter())
		}
		for _, text := range []string{e.Code, e.Message, e.Details, e.Hint} {
			if !utf8.ValidString(text) || len(text) > maxText+len("…") || strings.ContainsFunc(text, unicode.IsControl) {
				t.Errorf("%q", text)
			}
			if strings.Contains(text, secret) {
				t.Errorf("%q holds the secret", text)
			}
		}
		_ = e.Error()
		e.Is(ErrNotFound)
	})
}

func TestAnswersMeanWhatFilesMean(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status int
		body   string
		want   error
	}{
		{400, `{"statusCode":"404","code":"NoSuchKey"}`, fs.ErrNotExist},
		{404, ``, fs.ErrNotExist},
		{400, `{"statusCode":"409","code":"KeyAlreadyExists"}`, fs.ErrExist},
		{400, `{"statusCode":"409","code":"BucketAlreadyExists"}`, fs.ErrExist},
		{400, `{"statusCode":"409","code":"ResourceAlreadyExists"}`, fs.ErrExist},
		{400, `{"statusCode":"409","code":"ResourceNotEmpty"}`, nil},
		{409, `{"code":"23505"}`, nil},
		{400, `{"statusCode":"403","code":"AccessDenied"}`, fs.ErrPermission},
		{401, ``, fs.ErrPermission},
		{500, ``, nil},
	} {
		c := over(t, func(r *http.Request) (*http.Response, error) { return answerWith(r, tt.status, tt.body), nil })
		_, err := c.Do(t.Context(), &Request{Method: "POST", Path: "x"})
		for _, is := range []error{fs.ErrNotExist, fs.ErrExist, fs.ErrPermission} {
			if got := errors.Is(err, is); got != errors.Is(tt.want, is) {
				t.Errorf("%d %s: errors.Is(%v, %v) is %v", tt.status, tt.body, err, is, got)
			}
		}
	}
}
