package fakestorage

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"hash"
	"io"
	"os"
	"path/filepath"
)

// A blob is the bytes of an object, in memory or in a file. It does not change.
type blob struct {
	data []byte
	file string // empty if the bytes are data
	size int64
}

func (b *blob) open() (io.ReadSeekCloser, error) {
	if b.file == "" {
		return nopCloser{bytes.NewReader(b.data)}, nil
	}
	return os.Open(b.file)
}

type nopCloser struct{ io.ReadSeeker }

func (nopCloser) Close() error { return nil }

// remove takes the file away. Who reads it still can go on.
func (b *blob) remove() {
	if b.file != "" {
		_ = os.Remove(b.file) // what is left is in the caller's folder
	}
}

// A sink takes the bytes of an object that is being uploaded.
type sink struct {
	memory bytes.Buffer
	file   *os.File
	sum    hash.Hash
	size   int64
}

func (s *Server) newSink() (*sink, error) {
	k := &sink{sum: md5.New()}
	if s.cfg.Dir == "" {
		return k, nil
	}
	var err error
	k.file, err = os.Create(filepath.Join(s.cfg.Dir, newUUID())) // never a name that a client gave
	return k, err
}

func (k *sink) Write(p []byte) (int, error) {
	if k.file != nil {
		if _, err := k.file.Write(p); err != nil {
			return 0, err
		}
	} else {
		k.memory.Write(p)
	}
	k.sum.Write(p)
	k.size += int64(len(p))
	return len(p), nil
}

// fill reads what there is to read, and no more than limit.
func (k *sink) fill(r io.Reader, limit int64) error {
	n, err := io.Copy(k, io.LimitReader(r, limit+1))
	if err == nil && n > limit {
		err = tooLarge()
	}
	return err
}

// abort gives up what was taken.
func (k *sink) abort() {
	if k.file != nil {
		_ = k.file.Close()
		_ = os.Remove(k.file.Name())
	}
}

// done is the object's bytes and its ETag.
func (k *sink) done() (blob, string, error) {
	b := blob{data: k.memory.Bytes(), size: k.size}
	if k.file != nil {
		b.data, b.file = nil, k.file.Name()
		if err := k.file.Close(); err != nil {
			return b, "", err
		}
	}
	return b, `"` + hex.EncodeToString(k.sum.Sum(nil)) + `"`, nil
}
