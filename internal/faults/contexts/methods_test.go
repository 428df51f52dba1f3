package contexts_test

import (
	"context"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/auth"
	"github.com/streamconn/streamconn/supabase/storage"
)

// id serves wherever a text is wanted: an id, a name, a path, a code.
const id = "11111111-1111-4111-8111-111111111111"

// known are the arguments that have to make sense, by their type.
var known = byType(
	auth.Credentials{Email: "a@example.com", Password: "correct horse"},
	auth.SignUp{Email: "a@example.com", Password: "correct horse"},
	auth.OTP{Email: "a@example.com"},
	auth.Recovery{Email: "a@example.com"},
	auth.Resend{Type: auth.VerifySignUp, Email: "a@example.com"},
	auth.IDToken{Provider: "google", Token: "a.b.c"},
	auth.OAuth{Provider: "google"},
	auth.SSO{Domain: "example.com"},
	auth.Verification{Type: auth.VerifyEmail, Email: "a@example.com", Token: "123456"},
	auth.UserUpdate{Email: "b@example.com"},
	auth.NewUser{Email: "a@example.com"},
	auth.NewLink{Type: auth.LinkMagicLink, Email: "a@example.com"},
	auth.Invitation{Email: "a@example.com"},
	auth.NewFactor{Type: auth.TOTP, FriendlyName: "phone"},
	auth.SSOSettings{MetadataURL: "https://example.com/metadata", Domains: []string{"example.com"}},
	auth.AuditFilter{},
	auth.Page{Size: 10},
	auth.NewPKCE(),
	&supabase.Invocation{Body: "x"},
	storage.BucketUpdate{Public: new(true)},
	time.Hour,
	[]string{id},
	[]byte("text"),
)

func byType(values ...any) map[reflect.Type]any {
	found := map[reflect.Type]any{}
	for _, v := range values {
		found[reflect.TypeOf(v)] = v
	}
	return found
}

// methods makes a call of each method of a type that takes a context. of makes the receiver, as a case
// sees it; special are the arguments of single methods, by their place behind the context.
func methods[T any](prefix string, of func(t *testing.T, f *far) T, adjust func(c *call), special map[string]map[int]any) []call {
	var all []call
	typ := reflect.TypeFor[T]()
	for m := range typ.Methods() {
		if m.Type.NumIn() < 2 || m.Type.In(1) != reflect.TypeFor[context.Context]() {
			continue
		}
		c := call{name: prefix + "." + m.Name, do: func(t *testing.T, ctx context.Context, f *far) error {
			receiver := reflect.ValueOf(of(t, f))
			args := []reflect.Value{receiver, reflect.ValueOf(&ctx).Elem()}
			in := m.Type.NumIn()
			if m.Type.IsVariadic() && m.Type.In(in-1) != reflect.TypeFor[[]string]() {
				in-- // options
			}
			for i := 2; i < in; i++ {
				if v, ok := special[m.Name][i-2]; ok {
					args = append(args, reflect.ValueOf(v))
					continue
				}
				args = append(args, argument(t, m.Type.In(i)))
			}
			if m.Type.IsVariadic() && len(args) == in && in == m.Type.NumIn() {
				return outcome(m.Func.CallSlice(args))
			}
			return outcome(m.Func.Call(args))
		}}
		if adjust != nil {
			adjust(&c)
		}
		all = append(all, c)
	}
	return all
}

func argument(t *testing.T, typ reflect.Type) reflect.Value {
	t.Helper()
	if v, ok := known[typ]; ok {
		return reflect.ValueOf(v)
	}
	switch {
	case typ.Kind() == reflect.String:
		return reflect.ValueOf(id).Convert(typ)
	case typ == reflect.TypeFor[io.Reader]():
		return reflect.ValueOf(strings.NewReader("text"))
	case typ == reflect.TypeFor[io.Writer]():
		return reflect.ValueOf(io.Discard)
	default:
		return reflect.Zero(typ)
	}
}

// outcome is how a call ended: what it streams is read to its end.
func outcome(results []reflect.Value) error {
	last := results[len(results)-1]
	if last.Kind() == reflect.Func { // iter.Seq2 of something and an error
		for _, v := range last.Seq2() {
			if err, ok := reflect.TypeAssert[error](v); ok {
				return err
			}
		}
		return nil
	}
	if err, ok := reflect.TypeAssert[error](last); ok {
		return err
	}
	for _, result := range results {
		if r, ok := reflect.TypeAssert[io.ReadCloser](result); ok {
			_, err := io.Copy(io.Discard, r)
			return errors.Join(err, r.Close())
		}
	}
	return nil
}
