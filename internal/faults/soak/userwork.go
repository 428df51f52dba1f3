//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/supabase"
)

// useSessions signs users in and out, and reads as them, while their tokens are renewed.
func useSessions(w *work, name string, app func(context.Context) (*supabase.Conn, error), p *places) {
	signIns := w.kind(name+": sign-ins and sign-outs", true)
	reads := w.kind(name+": each user's own rows", true)
	for user := range p.IDs {
		by := supabase.Credentials{Email: p.Emails[user], Password: p.Passwords[user]}
		var current atomic.Pointer[supabase.Session] // as a cookie would hold it
		w.goes(signIns, time.Second, func(ctx context.Context) error {
			conn, err := app(ctx)
			if err != nil {
				return err
			}
			if s := current.Load(); s != nil && rand.IntN(20) == 0 {
				current.Store(nil)
				return conn.As(s).Auth().SignOut(ctx)
			}
			s, err := conn.CachedSignInWithPassword(ctx, by)
			if err == nil {
				current.Store(s)
			}
			return err
		})
		for range 2 {
			w.goes(reads, 20*time.Millisecond, func(ctx context.Context) error {
				s := current.Load()
				if s == nil {
					return nil
				}
				conn, err := app(ctx)
				if err != nil {
					return err
				}
				mine := conn.As(s, supabase.OnSession(func(_ context.Context, next *supabase.Session) {
					current.CompareAndSwap(s, next)
				}))
				err = readNotes(ctx, mine.WithTTL([]time.Duration{0, time.Second, cache.Forever}[rand.IntN(3)]), user)
				if errors.Is(err, supabase.ErrSignInAgain) {
					current.CompareAndSwap(s, nil)
				}
				return err
			})
		}
	}
}

const (
	bucket = "files"
	kept   = 8 // files of a writer, the newest: the others are removed
)

// files is the account of a writer of files.
type files struct {
	w           int
	ledger      ledger
	latest      atomic.Int64 // one more than the newest
	going, gone atomic.Int64 // those below were to be removed, and were told to have been
}

func (f *files) path(n int) string { return fmt.Sprintf("writer-%d/%d.bin", f.w, n) }

// useFiles uploads and removes files, and reads them back in all ways.
func useFiles(w *work, name string, conn *supabase.Conn, writers []*files) {
	uploads := w.kind(name+": uploads", true)
	removals := w.kind(name+": removals", true)
	reads := w.kind(name+": downloads", false)
	lists := w.kind(name+": lists", false)
	for _, f := range writers {
		w.goes(uploads, 50*time.Millisecond, func(ctx context.Context) (err error) {
			n, ok := f.ledger.next()
			if !ok {
				return nil
			}
			data := content(f.w, n)
			switch n % 3 {
			case 0:
				_, err = conn.UploadBytes(ctx, bucket, f.path(n), data)
			case 1:
				_, err = conn.Upload(ctx, bucket, f.path(n), io.MultiReader(bytes.NewReader(data)))
			default:
				_, err = conn.UploadResumable(ctx, bucket, f.path(n), bytes.NewReader(data))
			}
			if err == nil {
				f.ledger.acked.add(n)
				f.latest.Store(int64(n) + 1)
			}
			return err
		})
		// What is older than the last few is removed again.
		w.goes(removals, 50*time.Millisecond, func(ctx context.Context) error {
			from := int(f.gone.Load())
			to := min(int(f.latest.Load())-kept, from+100)
			if to <= from {
				return nil
			}
			var paths []string
			for n := from; n < to; n++ {
				paths = append(paths, f.path(n))
			}
			f.going.Store(int64(to))
			if _, err := conn.Remove(ctx, bucket, paths...); err != nil {
				return err
			}
			f.gone.Store(int64(to))
			there, err := conn.WithTTL(time.Second).Exists(ctx, bucket, f.path(to-1))
			if err == nil && there && f.ledger.acked.has(to-1) {
				return wrong("%s is there after it was removed", f.path(to-1))
			}
			return err
		})
		w.goes(reads, 20*time.Millisecond, func(ctx context.Context) error {
			n := int(f.latest.Load()) - 1 // which is there until so many more have come
			if n < 0 {
				return nil
			}
			data, err := download(ctx, conn, f.path(n))
			switch {
			case errors.Is(err, supabase.ErrNotFound) && f.latest.Load() > int64(n)+kept:
				return nil // this took so long
			case err != nil:
				return err
			case !bytes.Equal(data, content(f.w, n)):
				return wrong("%s: %d bytes that are not what was uploaded", f.path(n), len(data))
			}
			return nil
		})
		w.goes(lists, 100*time.Millisecond, func(ctx context.Context) error {
			n := int(f.latest.Load()) - 1
			objects, err := conn.WithTTL(time.Second).ListObjects(ctx, bucket, fmt.Sprintf("writer-%d", f.w), &supabase.ListOptions{Limit: 1000})
			if err != nil || n < 0 || f.latest.Load() > int64(n)+kept {
				return err
			}
			for _, o := range objects {
				if o.Name == fmt.Sprintf("%d.bin", n) {
					return nil
				}
			}
			return wrong("%s is not in the list, which has %d", f.path(n), len(objects))
		})
	}
}

// download reads a file in one of the ways that there are.
func download(ctx context.Context, conn *supabase.Conn, path string) (data []byte, err error) {
	switch rand.IntN(3) {
	case 0:
		f, err := conn.WithTTL(time.Second).Download(ctx, bucket, path)
		return f.Data, err
	case 1:
		var buf bytes.Buffer
		_, err := conn.DownloadTo(ctx, bucket, path, &buf)
		return buf.Bytes(), err
	}
	r, err := conn.NewReader(ctx, bucket, path)
	if err != nil {
		return nil, err
	}
	data, err = io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

// useFunctions calls an edge function.
func useFunctions(w *work, name string, conn *supabase.Conn) {
	w.goes(w.kind(name+": edge functions", true), 50*time.Millisecond, func(ctx context.Context) error {
		said := fmt.Sprint("echo ", rand.Int())
		answer, err := conn.Functions().Invoke(ctx, "echo", &supabase.Invocation{Body: said})
		if err == nil && string(answer.Body) != said {
			return wrong("%q was said, and %q answered", said, answer.Body)
		}
		return err
	})
}
