package connection

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/streamconn/streamconn/secrets"
)

// Decode fills a struct with parameters, and reports everything that is missing at once.
// Each exported field is one parameter:
//
//	type config struct {
//		URL     string         `param:"url,MYDB_URL"`   // the name, then the environment names
//		Token   secrets.Secret `param:"token,MYDB_TOKEN"`
//		Timeout time.Duration  `param:"timeout,optional"`
//	}
//
// A field without a tag has its own name in snake case; `param:"-"` leaves a field alone.
// An optional field that is given nowhere keeps the value which it has. Besides the types of
// the other methods, fields may be structs, slices and maps, filled as [secrets.Store.Decode] does.
func (p *Params) Decode(dst any) error {
	v := reflect.ValueOf(dst)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("Decode wants a pointer to a struct, not %T", dst)
	}
	v = v.Elem()
	var problems []error
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, env, isOptional := paramTag(field)
		if !field.IsExported() || name == "-" {
			continue
		}
		if field.Type == secretType {
			p.setSecret(name)
		}
		f, ok := p.ask(name, env)
		switch {
		case !ok && isOptional:
			continue
		case !ok:
			problems = append(problems, p.missing(name, env))
		case isEmptyText(f.value) && !isOptional:
			problems = append(problems, &ValueError{Param: name, Place: f.place, Problem: "is empty"})
		default:
			if problem := setField(v.Field(i), f.value); problem != "" {
				problems = append(problems, &ValueError{Param: name, Place: f.place, Problem: problem})
			}
		}
	}
	return errors.Join(problems...)
}

var secretType = reflect.TypeFor[secrets.Secret]()

func paramTag(field reflect.StructField) (name string, env []string, isOptional bool) {
	parts := strings.Split(field.Tag.Get("param"), ",")
	name = parts[0]
	if name == "" {
		name = snakeCase(field.Name)
	}
	for _, part := range parts[1:] {
		if part == "optional" {
			isOptional = true
		} else if part != "" {
			env = append(env, part)
		}
	}
	return name, env, isOptional
}

// setField assigns value to field; what is wrong comes back as a text without the value.
func setField(field reflect.Value, value any) (problem string) {
	switch dst := field.Addr().Interface().(type) {
	case *string:
		*dst, problem = text(value)
	case *int:
		*dst, problem = integer(value)
	case *bool:
		*dst, problem = boolean(value)
	case *secrets.Secret:
		var s string
		s, problem = text(value)
		*dst = secrets.NewSecret(s)
	default:
		if field.Type() == durationType {
			d, problem := duration(value)
			field.SetInt(int64(d))
			return problem
		}
		if given := reflect.ValueOf(value); given.IsValid() && given.Type().AssignableTo(field.Type()) {
			field.Set(given)
			return ""
		}
		holder := reflect.New(reflect.StructOf([]reflect.StructField{
			{Name: "V", Type: field.Type(), Tag: `toml:"v"`},
		}))
		// Not secrets.Of, which panics on what no file can hold: With may give anything.
		store, err := secrets.Load(secrets.WithoutDefaults(), secrets.WithValues(map[string]any{"v": value}))
		if err == nil {
			err = store.Decode(holder.Interface())
		}
		if err != nil {
			return "does not fit " + field.Type().String()
		}
		field.Set(holder.Elem().Field(0))
	}
	return problem
}
