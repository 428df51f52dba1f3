package secrets

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
)

// pathsVariable names the environment variable that lists further files and
// folders, separated as PATH is (a colon, on Windows a semicolon).
const pathsVariable = "STREAMCONN_SECRETS"

// An Option tells [Load] where to look. Options that name places are read in
// the order in which they are given, and later ones win. A nil Option is
// ignored.
type Option func(*config)

type config struct {
	paths      []*source
	values     []map[string]any
	defaults   bool
	home       func() (string, error)
	workingDir func() (string, error)
	lookupEnv  func(string) (string, bool)
	logger     *slog.Logger
	onError    func(error)
}

// WithPath adds a TOML file, recognised by its ending .toml, or a folder of
// mounted secrets. A relative path starts at the working directory. The file
// or folder must be there: without it Load fails, and when it disappears later
// [Store.Refresh] reports that and the last good values stay.
func WithPath(path string) Option {
	// The source is made when the option is applied: one option may serve
	// several stores, which must not share what they read.
	return func(c *config) { c.paths = append(c.paths, &source{path: path, required: true}) }
}

// WithOptionalPath is [WithPath] for a file or folder that need not be there.
// It may appear later, and when it disappears its values do as well.
func WithOptionalPath(path string) Option {
	return func(c *config) { c.paths = append(c.paths, &source{path: path}) }
}

// WithValues adds values given by the program. They win over every file, and
// later ones over earlier ones, key by key. The map is copied, so that changing
// it later changes nothing. It may hold what TOML can: booleans, numbers,
// strings (as string, []byte or [Secret]), times, and maps and slices of those;
// also a [time.Duration]. Load refuses anything else with an error that names
// its key.
func WithValues(values map[string]any) Option {
	return func(c *config) { c.values = append(c.values, values) }
}

// WithoutDefaults leaves out the places that nobody named in code: the file of
// the home directory, the file of the working directory, and those that
// $STREAMCONN_SECRETS lists.
func WithoutDefaults() Option {
	return func(c *config) { c.defaults = false }
}

// WithHome looks for .streamlit/secrets.toml in dir instead of the user's home
// directory. An empty dir means that there is no home.
func WithHome(dir string) Option {
	return func(c *config) {
		c.home = func() (string, error) {
			if dir == "" {
				return "", errors.New("no home directory")
			}
			return dir, nil
		}
	}
}

// WithWorkingDir looks for .streamlit/secrets.toml in dir, and lets relative
// paths start there, instead of the working directory of the process.
func WithWorkingDir(dir string) Option {
	return func(c *config) {
		c.workingDir = func() (string, error) { return filepath.Abs(dir) }
	}
}

// WithEnviron reads $STREAMCONN_SECRETS through lookup, which is called as
// [os.LookupEnv] is. A nil lookup is an empty environment.
func WithEnviron(lookup func(key string) (value string, ok bool)) Option {
	return func(c *config) {
		if lookup == nil {
			lookup = func(string) (string, bool) { return "", false }
		}
		c.lookupEnv = lookup
	}
}

// WithLogger takes the log of [Store.Watch]: a warning when a reload fails, one
// line at Info when values changed. Values are never logged. Without it, or
// with nil, that is [slog.Default].
func WithLogger(logger *slog.Logger) Option {
	return func(c *config) { c.logger = logger }
}

// WithErrorHandler has handle called by [Store.Watch] when a reload fails, once
// for each new failure, from the goroutine of Watch. The error is what
// [Store.Refresh] returns.
func WithErrorHandler(handle func(error)) Option {
	return func(c *config) { c.onError = handle }
}

func newConfig(opts []Option) *config {
	c := &config{
		defaults:   true,
		home:       os.UserHomeDir,
		workingDir: os.Getwd,
		lookupEnv:  os.LookupEnv,
	}
	for _, opt := range opts {
		if opt != nil {
			opt(c)
		}
	}
	return c
}

// sources is the precedence of places, lowest first: home, project, the
// environment variable, code.
func (c *config) sources() ([]*source, error) {
	var all []*source
	if c.defaults {
		// Whoever has no home, as in many containers, has no file there.
		if home, err := c.home(); err == nil {
			all = append(all, &source{path: filepath.Join(home, ".streamlit", "secrets.toml")})
		}
		all = append(all, &source{path: filepath.Join(".streamlit", "secrets.toml")})

		list, _ := c.lookupEnv(pathsVariable)
		for _, path := range filepath.SplitList(list) {
			if path != "" {
				all = append(all, &source{path: path, required: true, via: "$" + pathsVariable})
			}
		}
	}
	all = append(all, c.paths...)

	for _, src := range all {
		path, err := c.absolute(src.path)
		if err != nil {
			return nil, err
		}
		src.path = path
	}
	return withoutRepeats(all), nil
}

func (c *config) absolute(path string) (string, error) {
	if path == "" {
		return "", errors.New("secrets: an empty path was given: name a .toml file or a folder")
	}
	if filepath.IsAbs(path) {
		return filepath.Clean(path), nil
	}
	dir, err := c.workingDir()
	if err != nil {
		return "", fmt.Errorf("secrets: %s is relative and the working directory is unknown: %w", path, err)
	}
	return filepath.Join(dir, path), nil
}

// withoutRepeats keeps the last of several sources of one path, which is the
// one that decides. The home and the project file are one when a program runs
// in the home directory.
func withoutRepeats(all []*source) []*source {
	last := make(map[string]*source, len(all))
	for _, src := range all {
		if earlier := last[src.path]; earlier != nil && earlier.required {
			src.required = true
			if src.via == "" {
				src.via = earlier.via
			}
		}
		last[src.path] = src
	}
	kept := all[:0]
	for _, src := range all {
		if last[src.path] == src {
			kept = append(kept, src)
		}
	}
	return kept
}
