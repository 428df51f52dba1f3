//go:build unix

package rediscache

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/goleak"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
)

func TestMain(m *testing.M) {
	if os.Getenv(processVariable) != "" { // one of several processes that a test has started
		os.Exit(runProcess())
	}
	goleak.VerifyTestMain(m)
}

const testSecret = "a secret of the tests, which has to be long enough"

// server is a Redis of the test's own, on loopback, in a folder of its own.
type server struct {
	t      testing.TB
	port   int
	args   []string
	before []string // its file
	dir    string

	mu      sync.Mutex
	process *os.Process
	ended   chan struct{}
}

// startRedis starts a server, and skips the test if there is no program for it.
func startRedis(t testing.TB, args ...string) *server {
	t.Helper()
	s := &server{t: t, port: freePort(t), args: append([]string{"--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"}, args...), dir: t.TempDir()}
	s.start()
	t.Cleanup(s.kill)
	return s
}

// startSentinel starts a sentinel with a file that it may write to.
func startSentinel(t testing.TB, conf string) *server {
	t.Helper()
	s := &server{t: t, port: freePort(t), before: []string{conf}, args: []string{"--sentinel"}, dir: filepath.Dir(conf)}
	s.start()
	t.Cleanup(s.kill)
	return s
}

func redisProgram(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("STREAMCONN_REQUIRE_SERVERS") != "" {
			t.Fatal("redis-server is not installed")
		}
		t.Skip("redis-server is not installed")
	}
	return path
}

// start starts the server again after kill. It has lost what it had, unless its arguments say otherwise.
func (s *server) start() {
	s.t.Helper()
	args := append(slices.Clone(s.before),
		"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.dir, "--logfile", filepath.Join(s.dir, "log"))
	args = append(args, s.args...)
	cmd := exec.Command(redisProgram(s.t), args...)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // killed
	}()
	s.mu.Lock()
	s.process, s.ended = cmd.Process, ended
	s.mu.Unlock()
	eventually(s.t, "Redis answers", func() bool {
		client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.address()}, DisableCache: true, ForceSingleClient: true})
		if client != nil {
			defer client.Close()
		}
		return err == nil && client.Do(context.Background(), client.B().Ping().Build()).Error() == nil
	})
}

func (s *server) signal(sig os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.process.Signal(sig)
}

// kill ends the server at once, and waits for it.
func (s *server) kill() {
	s.signal(syscall.SIGCONT)
	s.signal(syscall.SIGKILL)
	<-s.ended
}

func (s *server) address() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }
func (s *server) url() string     { return "redis://" + s.address() }

// do runs a command on the server.
func (s *server) do(command ...string) rueidis.RedisResult {
	s.t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.address()}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	return client.Do(context.Background(), client.B().Arbitrary(command...).Build())
}

// keys are those of the kind ("e", "r", "l") on the server.
func (s *server) keys(kind string) []string {
	s.t.Helper()
	keys, err := s.do("KEYS", "{*}:"+kind+":*").AsStrSlice()
	if err != nil {
		s.t.Fatal(err)
	}
	return keys
}

func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

var quiet = slog.New(slog.DiscardHandler)

// values are a section for the server, with more in it.
func (s *server) values(more ...map[string]any) map[string]any {
	section := map[string]any{"url": s.url(), "secret": testSecret, "timeout": "2s"}
	for _, m := range more {
		maps.Copy(section, m)
	}
	return section
}

// openTier opens the tier of a process, and waits until it is up.
func openTier(t testing.TB, section map[string]any) *Tier {
	t.Helper()
	tier, err := Open(t.Context(), "shared_cache", isolated(map[string]any{"shared_cache": section})...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tier.Close(); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "the tier is up", func() bool { return tier.Stats().Up })
	return tier
}

// isolated are options that keep the outside out.
func isolated(connections map[string]any) []connection.Option {
	return []connection.Option{
		connection.WithSecrets(secrets.Of(map[string]any{"connections": connections})),
		connection.WithEnviron(func(string) (string, bool) { return "", false }),
		connection.WithLogger(quiet),
	}
}

// database is what connections of the tests lead to: it counts what is read.
type database struct {
	mu    sync.Mutex
	reads map[string]int
	value int
}

type session struct{ db *database }

// process opens a connection to the database with the tier.
func (db *database) process(t testing.TB, tier *Tier, host string, opts ...connection.Option) connection.Connection[*session] {
	t.Helper()
	connect := func(_ context.Context, p *connection.Params) (*session, error) {
		_, err := p.String("host")
		return &session{db}, err
	}
	opts = append(append(isolated(nil), connection.With("host", host), connection.WithSharedCache(tier)), opts...)
	c, err := connection.Open(t.Context(), "pets", connect, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (db *database) read(key string) int {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.reads == nil {
		db.reads = make(map[string]int)
	}
	db.reads[key]++
	return db.value
}

func (db *database) loads(key string) int {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.reads[key]
}

func (db *database) set(value int) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.value = value
}

// read reads through the connection, which must not fail.
func read(t testing.TB, c connection.Connection[*session], key string) int {
	t.Helper()
	v, err := connection.Read(t.Context(), c, key, time.Hour, func(_ context.Context, s *session) (int, error) {
		return s.db.read(key), nil
	})
	if err != nil {
		t.Error(err)
	}
	return v
}

func write(t testing.TB, c connection.Connection[*session], value int) {
	t.Helper()
	if err := connection.Write(t.Context(), c, func(s *session) error { s.db.set(value); return nil }); err != nil {
		t.Error(err)
	}
}

func expect[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
