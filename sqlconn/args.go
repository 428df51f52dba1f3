package sqlconn

import "reflect"

// ownArgs copies arguments deeply, for a query that may run after its call has returned, when the
// caller may have changed them. Only arguments with a stable form get here, so there is an
// end to them. Unexported fields are taken to be values, as everywhere.
func ownArgs(args []any) []any {
	own := make([]any, len(args))
	for i, arg := range args {
		if arg != nil {
			own[i] = ownValue(reflect.ValueOf(arg)).Interface()
		}
	}
	return own
}

func ownValue(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Map:
		if v.IsNil() {
			return v
		}
	}
	switch v.Kind() {
	case reflect.Interface:
		return ownValue(v.Elem())
	case reflect.Pointer:
		own := reflect.New(v.Type().Elem())
		own.Elem().Set(ownValue(v.Elem()))
		return own.Convert(v.Type())
	case reflect.Slice:
		own := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			own.Index(i).Set(ownValue(v.Index(i)))
		}
		return own
	case reflect.Map:
		own := reflect.MakeMapWithSize(v.Type(), v.Len())
		for it := v.MapRange(); it.Next(); {
			own.SetMapIndex(it.Key(), ownValue(it.Value()))
		}
		return own
	case reflect.Array:
		own := reflect.New(v.Type()).Elem()
		for i := range v.Len() {
			own.Index(i).Set(ownValue(v.Index(i)))
		}
		return own
	case reflect.Struct:
		own := reflect.New(v.Type()).Elem()
		own.Set(v)
		for i := range v.NumField() {
			if field := own.Field(i); field.CanSet() {
				field.Set(ownValue(field))
			}
		}
		return own
	}
	return v
}
