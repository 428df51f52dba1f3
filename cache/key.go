package cache

import "bytes"

// Key names one read within a [Scope]: a text, such as a statement, and its encoded arguments.
// The type of the result is added to it by [Get]. The zero Key names nothing: what is loaded
// under it is not cached.
type Key struct {
	text   string
	args   []byte // never changed
	stable bool
}

// KeyOf is the key of some values, in their order. A string that comes first is its text; the
// rest is encoded by [AppendArg]. If one of them has no stable form, the key is not cacheable.
func KeyOf(parts ...any) Key {
	k := Key{stable: true}
	if len(parts) > 0 {
		if text, ok := parts[0].(string); ok {
			k.text, parts = text, parts[1:]
			if len(parts) == 0 {
				return k
			}
		} else {
			k.args = append(k.args, tagNoText)
		}
	} else {
		k.args = append(k.args, tagNoText)
	}
	for _, p := range parts {
		if k.args, k.stable = AppendArg(k.args, p); !k.stable {
			return Key{}
		}
	}
	return k
}

// MakeKey is the key of a text and of arguments that [AppendArg] has encoded. The arguments are
// copied, so that their buffer can be used again.
func MakeKey(text string, args []byte) Key {
	return Key{text: text, args: bytes.Clone(args), stable: true}
}

// Cacheable reports whether results can be stored under the key.
func (k Key) Cacheable() bool { return k.stable }
