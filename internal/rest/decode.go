package rest

import (
	"bytes"
	"encoding/json"
	"html"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxText bounds, in bytes, each text of an Error.
const maxText = 1024

// decode makes an Error of an answer. The body is PostgREST's, GoTrue's or storage's JSON, or
// whatever a gateway puts in its place, or nothing; none of it is trusted.
func decode(status int, header http.Header, body []byte, s *secrets, now time.Time) *Error {
	e := &Error{
		Status: status,
		answer: hide(&answer{header: header, body: body, retryAfter: parseRetryAfter(header.Get("Retry-After"), now)}),
	}
	if !e.fromJSON(body) {
		e.Message = plainText(body)
	}
	// What a HEAD cannot say in a body.
	if e.Code == "" {
		e.Code = proxyStatus(header.Get("Proxy-Status"))
	}
	// GoTrue's header goes before its body, of which there are two generations.
	if code := header.Get("X-Sb-Error-Code"); code != "" {
		e.Code = code
	}
	// All is masked before it is cut: half a key is a secret as well.
	e.Code = s.text(e.Code)
	e.Message = s.text(e.Message)
	e.Details = s.text(e.Details)
	e.Hint = s.text(e.Hint)
	return e
}

// fromJSON reads a JSON object; false if it is none. Of the shapes
//
//	{"code":"PGRST116","message":…,"details":…,"hint":…}                        PostgREST
//	{"code":400,"error_code":"bad_jwt","msg":…}, {"code":"bad_jwt","message":…}  GoTrue
//	{"error":"invalid_grant","error_description":…}                             OAuth
//	{"statusCode":"404","error":"not_found","message":…,"code":"NoSuchKey"}      storage
//	{"message":"Route … not found","error":"Not Found","statusCode":404}         its router
//	{"message":…,"hint":…}, {"message":…,"error":"ECONNREFUSED"}                 gateways
//
// each field may be missing, null, or of another type.
func (e *Error) fromJSON(body []byte) bool {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil || fields == nil {
		return false
	}
	text := func(names ...string) string {
		for _, name := range names {
			if s := jsonText(fields[name]); s != "" {
				return s
			}
		}
		return ""
	}
	e.Code = text("error_code")
	if e.Code == "" {
		if code := text("code"); code != strconv.Itoa(e.Status) { // GoTrue's number repeats the status
			e.Code = code
		}
	}
	e.Message = text("message", "msg", "error_description", "error")
	e.Details = text("details", "detail")
	e.Hint = text("hint")

	// PostgREST's way to say that its database went away in the middle: an error of the database
	// without any word of it, as 400.
	if e.Status == http.StatusBadRequest && string(fields["code"]) == `""` && string(fields["message"]) == `""` {
		e.Message = "the server lost its database before it had an answer"
		e.answer.get().lost = true
	}

	// Storage sends nearly everything as 400, and says in the body what it means.
	if meant, err := strconv.Atoi(text("statusCode")); err == nil && meant >= 400 && meant <= 599 && e.Status == http.StatusBadRequest {
		e.Status = meant
	}
	// OAuth's code, and that of gateways; the routers' is the name of the status, and no code.
	if name := text("error"); e.Code == "" && name != e.Message && name != http.StatusText(e.Status) {
		e.Code = name
	}
	return true
}

// jsonText is a string, number or boolean as text; nothing for null and what is missing; other
// values as they are written.
func jsonText(raw json.RawMessage) string {
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	if raw[0] == '"' {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return ""
		}
		return s
	}
	return string(raw)
}

// plainText makes a message of a body that is no JSON: the title of a page of HTML, else the
// first of what there is to read.
func plainText(body []byte) string {
	if !utf8.Valid(body) {
		body = bytes.ToValidUTF8(body, nil)
	}
	trimmed := bytes.TrimSpace(body)
	if len(trimmed) == 0 {
		return ""
	}
	if trimmed[0] != '<' {
		return string(trimmed)
	}
	lower := bytes.ToLower(trimmed[:min(len(trimmed), 64<<10)])
	for _, tag := range []string{"title", "h1"} {
		start := bytes.Index(lower, []byte("<"+tag))
		if start < 0 {
			continue
		}
		open := bytes.IndexByte(lower[start:], '>')
		if open < 0 {
			continue
		}
		start += open + 1
		if end := bytes.Index(lower[start:], []byte("</"+tag)); end > 0 && start+end <= len(trimmed) {
			if title := strings.TrimSpace(html.UnescapeString(string(trimmed[start : start+end]))); title != "" {
				return title
			}
		}
	}
	return "" // markup says nothing; the status does
}

// oneLine makes text fit for a log: without control characters, and of bounded length.
func oneLine(text string) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) || unicode.IsSpace(r) || r == utf8.RuneError
	}), " ")
	if len(text) <= maxText {
		return text
	}
	cut := maxText
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

// proxyStatus finds the code in "PostgREST; error=PGRST205" (RFC 9209).
func proxyStatus(value string) string {
	for part := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ';' || r == ',' }) {
		if code, ok := strings.CutPrefix(strings.TrimSpace(part), "error="); ok {
			return strings.Trim(code, `"`)
		}
	}
	return ""
}

// parseRetryAfter reads seconds or a date; what is neither, or in the past, is 0.
func parseRetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0
	}
	const longest = 24 * time.Hour // longer than anybody waits, and no overflow
	if seconds, err := strconv.ParseUint(value, 10, 63); err == nil {
		return time.Duration(min(seconds, uint64(longest/time.Second))) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return min(max(date.Sub(now), 0), longest)
	}
	return 0
}
