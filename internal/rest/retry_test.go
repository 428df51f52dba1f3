package rest

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

var errReset = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}

func TestOnlyReadsAreTriedAgainAndOnlyAfterFaultsThatPass(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) roundTripper {
		return func(r *http.Request) (*http.Response, error) { return answerWith(r, status, body), nil }
	}
	fails := func(err error) roundTripper {
		return func(*http.Request) (*http.Response, error) { return nil, err }
	}
	tests := []struct {
		name   string
		method string
		first  roundTripper
		change func(*Config, *Request)
		again  bool
	}{
		{"GET, 503", "GET", answer(503, ""), nil, true},
		{"HEAD, 503", "HEAD", answer(503, ""), nil, true},
		{"GET, 520", "GET", answer(520, "<html>"), nil, true},
		{"GET, no database", "GET", answer(503, `{"code":"PGRST000"}`), nil, true},
		{"GET, a database that died", "GET", answer(400, `{"code":"","details":null,"hint":null,"message":""}`), nil, true},
		{"GET, no connection of the pool is free", "GET", answer(504, `{"code":"PGRST003"}`), nil, true},
		{"GET, storage's database is busy", "GET", answer(400, `{"statusCode":"544","code":"DatabaseTimeout"}`), nil, true},
		{"GET, storage is busy", "GET", answer(429, `{"statusCode":"429","code":"SlowDown"}`), nil, true},
		{"GET, reset", "GET", fails(errReset), nil, true},
		{"GET, end of the connection", "GET", fails(io.EOF), nil, true},
		{"GET, half a body", "GET", func(r *http.Request) (*http.Response, error) {
			resp := answerWith(r, 200, "")
			resp.Body = io.NopCloser(io.MultiReader(strings.NewReader("half"), errReader{io.ErrUnexpectedEOF}))
			return resp, nil
		}, nil, true},
		{"GET, 500", "GET", answer(500, ""), nil, false},
		{"GET, 501", "GET", answer(501, ""), nil, false},
		{"GET, 525", "GET", answer(525, ""), nil, false},
		{"GET, 429", "GET", answer(429, ""), nil, false},
		{"GET, statement timeout", "GET", answer(500, `{"code":"57014"}`), nil, false},
		{"GET, syntax", "GET", answer(400, `{"code":"PGRST100"}`), nil, false},
		{"GET, untrusted certificate", "GET", fails(x509.UnknownAuthorityError{}), nil, false},
		{"GET, a transport that says no", "GET", fails(finalError{}), nil, false},
		{"POST, 503", "POST", answer(503, ""), nil, false},
		{"POST, a database that died", "POST", answer(400, `{"code":"","details":null,"hint":null,"message":""}`), nil, false},
		{"POST, reset", "POST", fails(errReset), nil, false},
		{"PATCH, 503", "PATCH", answer(503, ""), nil, false},
		{"PUT, 503", "PUT", answer(503, ""), nil, false},
		{"DELETE, 520", "DELETE", answer(520, ""), nil, false},
		{"GET, retries elsewhere", "GET", answer(503, ""), func(c *Config, _ *Request) { c.Retry.Disabled = true }, false},
		{"POST that only asks, 503", "POST", answer(503, ""), func(_ *Config, r *Request) { r.Idempotent = true }, true},
		{"GET, not this one", "GET", answer(503, ""), func(_ *Config, r *Request) { r.NoRetry = true }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				cfg := Config{BaseURL: "http://project.test", HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
					if tries++; tries == 1 {
						return tt.first(r)
					}
					return answerWith(r, 200, "[]"), nil
				})}}
				r := &Request{Method: tt.method, Path: "t"}
				if tt.change != nil {
					tt.change(&cfg, r)
				}
				_, err := newClient(t, cfg).Do(t.Context(), r)
				if again := tries == 2 && err == nil; again != tt.again || tries > 2 {
					t.Errorf("%d tries: %v", tries, err)
				}
				if e, ok := errors.AsType[*Error](err); !tt.again && (!ok || tt.method == "GET" && e.Transient() && tt.change == nil) {
					t.Errorf("%v, transient %v", err, ok && e.Transient())
				}
			})
		})
	}
}

// What a gateway says of the server behind it says nothing of what became of a write.
func TestWhatGatewaysSayIsTriedAgainForReadsAndNeverForWrites(t *testing.T) {
	t.Parallel()
	for _, status := range []int{502, 503, 504, 520, 521, 522, 523, 524} {
		for method, want := range map[string]int{"GET": 3, "HEAD": 3, "POST": 1, "PATCH": 1, "PUT": 1, "DELETE": 1} {
			t.Run(fmt.Sprint(status, " ", method), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					tries := 0
					c := over(t, func(r *http.Request) (*http.Response, error) {
						if tries++; tries < 3 {
							return answerWith(r, status, "<html><title>Bad gateway</title>"), nil
						}
						return answerWith(r, 200, "[]"), nil
					})
					_, err := c.Do(t.Context(), &Request{Method: method, Path: "t"})
					if tries != want || (err == nil) != (want == 3) {
						t.Errorf("%d tries: %v", tries, err)
					}
					if e, ok := errors.AsType[*Error](err); err != nil && (!ok || e.Status != status || !e.Transient()) {
						t.Errorf("%#v", err)
					}
				})
			})
		}
	}
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }

type finalError struct{}

func (finalError) Error() string   { return "no" }
func (finalError) Transient() bool { return false }

// failing is a client whose server always answers 503, and the times at which it was asked.
func failing(t *testing.T, header ...string) (*Client, *[]time.Duration) {
	t.Helper()
	start := time.Now()
	var at []time.Duration
	return over(t, func(r *http.Request) (*http.Response, error) {
		at = append(at, time.Since(start))
		return answerWith(r, 503, "", header...), nil
	}), &at
}

func TestPausesDoubleUpToASecondUntilFiveHavePassed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, at := failing(t)
		_, err := c.Do(t.Context(), get("t"))
		if e, ok := errors.AsType[*Error](err); !ok || e.Status != 503 {
			t.Fatal(err)
		}
		for i, pause := range pauses(*at) {
			longest := min(50*time.Millisecond<<i, time.Second)
			if pause > longest || pause < longest/2 {
				t.Errorf("pause %d is %v, want %v to %v", i, pause, longest/2, longest)
			}
		}
		if last := (*at)[len(*at)-1]; last < 4*time.Second || last >= 5*time.Second {
			t.Errorf("the last try was after %v", last)
		}
	})
}

func pauses(at []time.Duration) []time.Duration {
	var p []time.Duration
	for i := 1; i < len(at); i++ {
		p = append(p, at[i]-at[i-1])
	}
	return p
}

func TestTheCallersDeadlineIsTheWindow(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]time.Duration{"shorter": time.Second, "longer": 20 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, at := failing(t)
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				_, err := c.Do(ctx, get("t"))
				// The last answer, not the end of a context that nobody waited for.
				if e, ok := errors.AsType[*Error](err); !ok || e.Status != 503 || ctx.Err() != nil {
					t.Errorf("%v, %v", err, ctx.Err())
				}
				if last := (*at)[len(*at)-1]; last >= limit || last < limit-1100*time.Millisecond {
					t.Errorf("the last try was after %v of %v", last, limit)
				}
			})
		})
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		header func() string
		want   []time.Duration // of the tries, rounded to seconds
	}{
		"seconds":            {func() string { return "2" }, []time.Duration{0, 2 * time.Second, 4 * time.Second}},
		"a date":             {func() string { return time.Now().Add(3 * time.Second).UTC().Format(http.TimeFormat) }, []time.Duration{0, 3 * time.Second}},
		"longer than we try": {func() string { return "5" }, []time.Duration{0}},
		"without end":        {func() string { return "99999999999999999999" }, nil},
		"huge":               {func() string { return "9999999999" }, []time.Duration{0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, at := failing(t, "Retry-After", tt.header())
				if _, err := c.Do(t.Context(), get("t")); err == nil {
					t.Fatal("no error")
				}
				for i := range *at {
					(*at)[i] = (*at)[i].Round(time.Second)
				}
				if name == "a date" { // which then lies in the past, and counts for nothing
					*at = (*at)[:2]
				}
				if tt.want != nil && !slices.Equal(*at, tt.want) {
					t.Errorf("tried at %v, want %v", *at, tt.want)
				}
				if tt.want == nil && len(*at) < 5 { // what is no number counts for nothing
					t.Errorf("tried at %v", *at)
				}
			})
		})
	}
}

func TestRetryAfterZeroIsNoHammer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, at := failing(t, "Retry-After", "0") // as PostgREST at its start
		if _, err := c.Do(t.Context(), get("t")); err == nil || len(*at) > 20 {
			t.Errorf("%d tries, %v", len(*at), err)
		}
	})
}

func TestTheContextEndsAPauseAndSaysWhatWasWaitedOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := failing(t, "Retry-After", "3")
		shutdown := errors.New("shutting down")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(shutdown) })
		start := time.Now()
		_, err := c.Do(ctx, get("t"))
		if !errors.Is(err, context.Canceled) || !errors.Is(err, shutdown) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if !strings.Contains(err.Error(), "503") {
			t.Errorf("%v does not say what was waited on", err)
		}
		if e, ok := errors.AsType[*Error](err); !ok || e.Transient() || e.Status != 0 {
			t.Errorf("%#v", err)
		}
	})
}

// hangs is a transport that answers nothing until its request's context ends.
func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestAnAttemptHasATimeOfItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		c := over(t, func(r *http.Request) (*http.Response, error) {
			if tries++; tries < 3 {
				return hangs(r)
			}
			return answerWith(r, 200, "late"), nil
		}, func(c *Config) { c.AttemptTimeout = time.Second })
		resp, err := c.Do(t.Context(), get("t"))
		if err != nil || string(resp.Body) != "late" || tries != 3 {
			t.Fatalf("%v after %d", err, tries)
		}
		tries = 0
		start := time.Now()
		_, err = c.Do(t.Context(), &Request{Method: "POST", Path: "t"})
		if !errors.Is(err, ErrTimeout) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
			tries != 1 || time.Since(start) != time.Second || !strings.Contains(err.Error(), "1s") {
			t.Errorf("%v after %d in %v", err, tries, time.Since(start))
		}
		if e, ok := errors.AsType[*Error](err); !ok || !e.Timeout() || !e.Transient() {
			t.Errorf("%#v", err)
		}
	})
}

func TestTheDefaultTimeoutEndsAHangWithoutADeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := over(t, hangs).Do(t.Context(), get("t"))
		if !errors.Is(err, ErrTimeout) || time.Since(start) != DefaultAttemptTimeout {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestTheCallersDeadlineEndsAHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := over(t, hangs).Do(ctx, get("t"))
		if e, ok := errors.AsType[*Error](err); !ok || !errors.Is(err, context.DeadlineExceeded) || e.Transient() || !e.Timeout() {
			t.Errorf("%v", err)
		}
		if _, err = over(t, hangs).Do(ctx, get("t")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("already over: %v", err)
		}
	})
}

// slowBody gives a byte each second, n of them.
type slowBody struct {
	ctx context.Context //nolint:containedctx // the request's, as a transport's body has it
	n   int
}

func (s *slowBody) Read(p []byte) (int, error) {
	if s.n == 0 {
		return 0, io.EOF
	}
	select {
	case <-time.After(time.Second):
		s.n--
		p[0] = 'x'
		return 1, nil
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	}
}
func (*slowBody) Close() error { return nil }

func slow(status, seconds int) roundTripper {
	return func(r *http.Request) (*http.Response, error) {
		resp := answerWith(r, status, "")
		resp.Body, resp.ContentLength = &slowBody{r.Context(), seconds}, -1
		return resp, nil
	}
}

func TestTheAttemptsTimeCountsForAWholeBodyAndNotForAStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := over(t, slow(200, 100))
		_, err := c.Do(t.Context(), get("t"))
		if !errors.Is(err, ErrTimeout) {
			t.Errorf("Do: %v", err)
		}
		s, err := c.Stream(t.Context(), get("t"))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(s.Body); err != nil || len(b) != 100 {
			t.Errorf("Stream: %d bytes, %v", len(b), err)
		}
		_ = s.Body.Close()
	})
}

func TestAnErrorsBodyThatTricklesDoesNotHoldTheCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := over(t, slow(418, 1000))
		for _, r := range []*Request{get("t"), {Method: "PUT", Open: func() (io.ReadCloser, error) { return http.NoBody, nil }}} {
			start := time.Now()
			_, err := c.Stream(t.Context(), r)
			if e, ok := errors.AsType[*Error](err); !ok || e.Status != 418 || time.Since(start) > DefaultAttemptTimeout {
				t.Errorf("%v after %v", err, time.Since(start))
			}
		}
	})
}

func TestAnUploadMayLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := over(t, func(r *http.Request) (*http.Response, error) {
			n, err := io.Copy(io.Discard, r.Body)
			if err != nil || n != 3600 || r.Context().Err() != nil {
				t.Errorf("%d bytes, %v", n, err)
			}
			return answerWith(r, 200, ""), nil
		})
		ctx := t.Context()
		_, err := c.Do(ctx, &Request{Method: "PUT", Open: func() (io.ReadCloser, error) { return &slowBody{ctx, 3600}, nil }})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestObserverSeesEachAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var seen []Event
		tries := 0
		c := over(t, func(r *http.Request) (*http.Response, error) {
			switch tries++; tries {
			case 1:
				return nil, errReset
			case 2:
				return answerWith(r, 503, "", "Retry-After", "2"), nil
			}
			return answerWith(r, 206, "[]"), nil
		}, func(c *Config) { c.Observe = func(e Event) { seen = append(seen, e) } })
		if _, err := c.Do(t.Context(), &Request{Method: "GET", Path: "users", Query: "email=eq.planted"}); err != nil {
			t.Fatal(err)
		}
		for i, want := range []Event{{Status: 0}, {Status: 503, Pause: 2 * time.Second}, {Status: 206}} {
			e := seen[i]
			if e.Method != "GET" || e.Path != "/rest/v1/users" || e.Status != want.Status || e.Attempt != i+1 ||
				(e.Err == nil) != (i == 2) || want.Pause != 0 && e.Pause != want.Pause || (e.Pause == 0) != (i == 2) {
				t.Errorf("attempt %d: %+v", i+1, e)
			}
		}
		if len(seen) != 3 || !errors.Is(seen[0].Err, syscall.ECONNRESET) {
			t.Errorf("%+v", seen)
		}
	})
}
