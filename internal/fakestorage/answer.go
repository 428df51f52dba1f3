package fakestorage

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"
)

// A failure is an error as the service writes it. Its status is in the body: the answer's own is
// 400, whatever it means.
type failure struct {
	StatusCode string `json:"statusCode"`
	Name       string `json:"error"`
	Message    string `json:"message"`
	Code       string `json:"code"`
}

func (f *failure) Error() string { return f.Message }

func invalid(message string) error { return &failure{"400", "Error", message, "InvalidRequest"} }
func noBucket() error {
	return &failure{"404", "Bucket not found", "Bucket not found", "NoSuchBucket"}
}
func noKey() error { return &failure{"404", "not_found", "Object not found", "NoSuchKey"} }
func duplicate(code string) error {
	return &failure{"409", "Duplicate", "The resource already exists", code}
}

func denied(message string) error { return &failure{"403", "Unauthorized", message, "AccessDenied"} }
func violates() error             { return denied("new row violates row-level security policy") }
func tooLarge() error {
	return &failure{"413", "Payload too large", "The object exceeded the maximum allowed size", "EntityTooLarge"}
}

func badType(message string) error {
	return &failure{"415", "invalid_mime_type", message, "InvalidMimeType"}
}

const jsonType = "application/json; charset=utf-8"

func answer(w http.ResponseWriter, status int, v any) { answerAs(w, status, jsonType, v) }

func answerAs(w http.ResponseWriter, status int, contentType string, v any) {
	body, err := marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"statusCode":"500","error":"Internal","message":"Internal Server Error","code":"InternalError"}`)
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// marshal writes JSON as JavaScript does, with < and & as they are.
func marshal(v any) ([]byte, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return []byte(strings.TrimSuffix(b.String(), "\n")), err
}

func fail(w http.ResponseWriter, err error) {
	f, ok := errors.AsType[*failure](err)
	if !ok {
		answer(w, http.StatusInternalServerError, failure{"500", "Internal", "Internal Server Error", "InternalError"})
		return
	}
	status := http.StatusBadRequest
	if f.StatusCode == "501" {
		status = http.StatusNotImplemented
	}
	answer(w, status, f)
}

func done(w http.ResponseWriter, v any) error {
	answer(w, http.StatusOK, v)
	return nil
}

func message(w http.ResponseWriter, text string) error {
	return done(w, map[string]string{"message": text})
}

// maxJSON is how long a body of JSON may be.
const maxJSON = 1 << 20

// fields are those of a body of JSON, so that one that is null is told from one that is absent.
type fields map[string]json.RawMessage

func (f fields) has(name string) bool { _, ok := f[name]; return ok }

// read decodes a body of JSON, of which some fields are required.
func read(r *http.Request, into any, required ...string) (fields, error) {
	data, err := io.ReadAll(io.LimitReader(r.Body, maxJSON))
	if err != nil {
		return nil, err
	}
	if len(data) == 0 {
		data = []byte("{}")
	}
	var f fields
	if err := json.Unmarshal(data, &f); err != nil || f == nil {
		return nil, invalid("Body is not valid JSON but content-type is set to 'application/json'")
	}
	for _, name := range required {
		if !f.has(name) {
			return nil, invalid("body must have required property '" + name + "'")
		}
	}
	if err := json.Unmarshal(data, into); err != nil {
		if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return nil, invalid("body/" + strings.ReplaceAll(t.Field, ".", "/") + " must be " + schemaType(t.Type.Kind()))
		}
		return nil, invalid("body is not valid")
	}
	return f, nil
}

// schemaType is what JSON Schema calls a kind.
func schemaType(k reflect.Kind) string {
	switch k {
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int64:
		return "integer"
	case reflect.Slice:
		return "array"
	case reflect.Struct, reflect.Map:
		return "object"
	}
	return "string"
}

// stamp is a time as the service writes it, nil for none.
type stamp time.Time

// MarshalJSON writes milliseconds.
func (t stamp) MarshalJSON() ([]byte, error) {
	return []byte(`"` + time.Time(t).UTC().Format("2006-01-02T15:04:05.000Z") + `"`), nil
}
