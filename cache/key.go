package cache

// Key names one read within a [Scope]: a text, such as a statement, and its encoded arguments.
// The type of the result is added to it by [Get]. The zero Key names nothing: what is loaded
// under it is not cached.
type Key struct {
	text   string
	args   string
	stable bool
}

// KeyOf is the key of some values, in their order. A string that comes first is its text; the
// rest is encoded by [AppendArg]. If one of them has no stable form, the key is not cacheable.
func KeyOf(parts ...any) Key {
	k := Key{stable: true}
	var room [128]byte
	args := room[:0]
	if text, ok := first(parts).(string); ok {
		k.text, parts = text, parts[1:]
	} else {
		args = append(args, tagNoText)
	}
	for _, p := range parts {
		var ok bool
		if args, ok = AppendArg(args, p); !ok {
			return Key{}
		}
	}
	k.args = string(args)
	return k
}

func first(parts []any) any {
	if len(parts) == 0 {
		return nil
	}
	return parts[0]
}

// MakeKey is the key of a text and of arguments that [AppendArg] has encoded. The arguments are
// copied, so that their buffer can be used again.
func MakeKey(text string, args []byte) Key {
	return Key{text: text, args: string(args), stable: true}
}

// Cacheable reports whether results can be stored under the key.
func (k Key) Cacheable() bool { return k.stable }
