package rediscache

import (
	"bytes"
	"reflect"
	"testing"
	"time"
)

func rings(t testing.TB) map[string]*ring {
	t.Helper()
	all := make(map[string]*ring)
	for name, key := range map[string]string{"plain": "", "encrypted": "an encryption key, which has to be long enough"} {
		r, err := newRing(testSecret, key)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = r
	}
	return all
}

func someEntry() *entry {
	return &entry{
		shape: [32]byte{1, 2}, created: time.UnixMilli(1_700_000_000_123), ttl: time.Minute, expires: time.UnixMilli(1_700_000_060_000),
		incarnation: [8]byte{3}, epochs: []int64{1 << 60, 7}, value: []byte("what only those who may can read"),
	}
}

func TestEntriesComeBack(t *testing.T) {
	t.Parallel()
	for name, r := range rings(t) {
		for _, e := range []*entry{someEntry(), {created: time.UnixMilli(0), value: []byte{}}} {
			got, err := r.open("name", r.seal("name", e))
			if err != nil {
				t.Fatal(name, err)
			}
			if !reflect.DeepEqual(got, e) {
				t.Errorf("%s: %+v came back as %+v", name, e, got)
			}
		}
	}
}

func TestChangedEntriesAreNone(t *testing.T) {
	t.Parallel()
	all := rings(t)
	for name, r := range all {
		sealed := r.seal("name", someEntry())
		if bytes.Contains(sealed, []byte("what only those")) == r.secret {
			t.Errorf("%s: the value can be read: %v", name, !r.secret)
		}
		for i := range sealed {
			for _, change := range []byte{1, 0x80, 0xff} {
				changed := bytes.Clone(sealed)
				changed[i] ^= change
				if _, err := r.open("name", changed); err == nil {
					t.Errorf("%s: byte %d was changed, and nobody noticed", name, i)
				}
			}
			if _, err := r.open("name", sealed[:i]); err == nil {
				t.Errorf("%s: %d of %d bytes were enough", name, i, len(sealed))
			}
		}
		if _, err := r.open("name", append(bytes.Clone(sealed), 0)); err == nil {
			t.Errorf("%s: it was made longer, and nobody noticed", name)
		}
		if _, err := r.open("nam2", sealed); err == nil {
			t.Errorf("%s: it was put in the place of another, and nobody noticed", name)
		}
		for otherName, other := range all {
			if other != r {
				if _, err := other.open("name", sealed); err == nil {
					t.Errorf("%s: it was opened by who expects %s ones", name, otherName)
				}
			}
		}
	}
	foreign, err := newRing("the secret of somebody else, of the same length", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := foreign.open("name", all["plain"].seal("name", someEntry())); err == nil {
		t.Error("it was opened with another secret")
	}
}

func TestNoTwoEntriesAreSealedAlike(t *testing.T) {
	t.Parallel()
	for name, r := range rings(t) {
		if e := someEntry(); bytes.Equal(r.seal("name", e), r.seal("name", e)) {
			t.Errorf("%s: they are the same", name)
		}
	}
}

func TestSecretsHaveToBeLong(t *testing.T) {
	t.Parallel()
	for _, keys := range [][2]string{{"", ""}, {"short", ""}, {testSecret, "short"}} {
		if _, err := newRing(keys[0], keys[1]); err == nil {
			t.Errorf("%q were taken", keys)
		} else if bytes.Contains([]byte(err.Error()), []byte(keys[0]+keys[1])) && keys[0]+keys[1] != "" {
			t.Error(err)
		}
	}
}

func TestMarksAreOfTheSecretAndTheParts(t *testing.T) {
	t.Parallel()
	r, other := rings(t)["plain"], rings(t)["encrypted"]
	foreign, err := newRing("the secret of somebody else, of the same length", "")
	if err != nil {
		t.Fatal(err)
	}
	parts := func(all ...string) (b [][]byte) {
		for _, p := range all {
			b = append(b, []byte(p))
		}
		return b
	}
	if r.mark(parts("a", "b")) != other.mark(parts("a", "b")) {
		t.Error("marks differ between those who encrypt and those who do not, and so would the ends that they tell each other of")
	}
	seen := make(map[string]bool)
	for _, mark := range []string{
		r.mark(parts("a", "b")), r.mark(parts("ab")), r.mark(parts("a", "b", "")), r.mark(parts("b", "a")), r.mark(nil), r.mark(parts("")),
		foreign.mark(parts("a", "b")),
	} {
		if seen[mark] {
			t.Error("two have one mark")
		}
		seen[mark] = true
	}
}

func FuzzOpen(f *testing.F) {
	all := rings(f)
	f.Add(all["plain"].seal("name", someEntry()))
	f.Add(all["encrypted"].seal("name", someEntry()))
	f.Add([]byte{entryVersion, flagPlain})
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, r := range all {
			if e, err := r.open("name", b); err == nil && e.ttl != time.Minute { // one of the seeds
				t.Errorf("%s: an entry was made without the secret: %+v", name, e)
			}
		}
	})
}
