package supabase

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/rest"
	"github.com/streamconn/streamconn/supabase/database"
)

// The parameters of [Connect].
const (
	paramURL        = "url"
	paramKey        = "key"
	paramSchema     = "schema"
	paramTimeout    = "timeout"
	paramHeaders    = "headers"
	paramHTTPClient = "http_client"
	paramObserver   = "observer"
)

// The names under which Streamlit's st-supabase-connection has them, in the secrets and in the
// environment, in the order of their precedence.
var (
	urlNames = []string{"SUPABASE_URL"}
	keyNames = []string{"SUPABASE_PUBLISHABLE_KEY", "SUPABASE_KEY"}
)

// Connect makes the [Client]. It is a [connection.Factory], for [connection.Register]; [Get] and
// [Open] use it. Its parameters are those of st-supabase-connection 2.2.1, and a few more:
//
//   - url, or SUPABASE_URL: the project's address, https://x.supabase.co.
//   - key, or SUPABASE_PUBLISHABLE_KEY, or SUPABASE_KEY: an API key of the project, of either
//     generation: sb_publishable_…, sb_secret_…, or the JWT of anon or service_role.
//   - schema: where tables and functions are that name none; the server's first, usually public,
//     without it.
//   - timeout: how long one attempt of a request may take, "10s" or seconds; 30 s without it.
//   - headers: a table of headers that every request carries.
//
// Options go before the section of the secrets, which goes before their top level, which goes
// before the environment. It does not dial.
func Connect(_ context.Context, p *connection.Params) (*Client, error) {
	_, urlFrom, _ := p.Lookup(paramURL, urlNames...)
	address, err := p.String(paramURL, urlNames...)
	key, missing := p.Secret(paramKey, keyNames...)
	if err := errors.Join(err, missing); err != nil {
		return nil, err
	}
	_, keyFrom, _ := p.Lookup(paramKey, keyNames...)
	if urlFrom != keyFrom {
		p.Logger().Warn("the project's url and key come from different places: are they of one project?",
			"url", urlFrom.String(), "key", keyFrom.String())
	}
	address, err = projectURL(address)
	if err != nil {
		return nil, err
	}
	cfg, err := readConfig(p)
	if err != nil {
		return nil, err
	}
	cfg.APIKey = key.Reveal()
	return newClient(address, cfg)
}

// projectURL is the project's address without a slash at its end. Its errors do not show it.
func projectURL(address string) (string, error) {
	address = strings.TrimRight(strings.TrimSpace(address), "/")
	if !strings.HasPrefix(address, "https://") && !strings.HasPrefix(address, "http://") {
		return "", errors.New("the project's url must begin with https:// (or http://): https://x.supabase.co")
	}
	for _, service := range []string{pathRest, pathAuth, pathStorage, pathFunctions} {
		if strings.HasSuffix(address, service) {
			return "", fmt.Errorf("the project's url ends in %s, which is the address of one service; leave that away", service)
		}
	}
	if strings.Contains(address, "supabase.com/dashboard") {
		return "", errors.New("the project's url is that of its dashboard; the project's own is https://x.supabase.co")
	}
	return address, nil
}

// readConfig is what the services have in common.
func readConfig(p *connection.Params) (rest.Config, error) {
	cfg := rest.Config{Logger: p.Logger(), Header: http.Header{}}
	schema, err := p.StringOr(paramSchema, "")
	if err != nil {
		return cfg, err
	}
	if schema != "" {
		// A query of a schema that is no name would be refused before it is sent; so is this.
		if err := database.Table[any](nil, "t").Schema(schema).Err(); err != nil {
			return cfg, err
		}
		cfg.Header["Accept-Profile"], cfg.Header["Content-Profile"] = []string{schema}, []string{schema}
	}
	if cfg.AttemptTimeout, err = p.DurationOr(paramTimeout, 0); err != nil {
		return cfg, err
	}
	if cfg.AttemptTimeout < 0 {
		return cfg, errors.New("timeout is negative: give a time such as \"10s\"")
	}
	headers, err := p.Table(paramHeaders)
	if err != nil {
		return cfg, err
	}
	for name, value := range headers {
		text, ok := value.(string)
		if !ok || name == "" || strings.ContainsAny(name+text, "\r\n\x00") {
			return cfg, fmt.Errorf("headers: %q is to be a text on one line", name)
		}
		cfg.Header.Set(name, text)
	}
	if v, _, ok := p.Lookup(paramHTTPClient); ok {
		ref, _ := v.(connection.Ref)
		client, _ := ref.Value().(*http.Client)
		if client == nil {
			return cfg, errors.New("http_client is to be given in code, by supabase.WithHTTPClient")
		}
		cfg.HTTPClient = client
	}
	if v, _, ok := p.Lookup(paramObserver); ok {
		if cfg.Observe, ok = v.(func(Event)); !ok {
			return cfg, errors.New("observer is to be given in code, by supabase.WithObserver")
		}
	}
	return cfg, nil
}

// Event is one attempt of a request, as [WithObserver] sees it.
//
//	Method   string
//	Path     string        // escaped, with the base's, without the query
//	Status   int           // as HTTP gave it; 0: there was no answer
//	Attempt  int           // from 1
//	Duration time.Duration // until the body is read; of what is streamed, until the headers are there
//	Err      error         // nil after a 2xx; what the call would return otherwise
//	Pause    time.Duration // before the next attempt; 0: this was the last
type Event = rest.Event

// WithURL gives the project's address in code: https://x.supabase.co.
func WithURL(url string) connection.Option { return connection.With(paramURL, url) }

// WithKey gives the project's API key in code.
func WithKey(key string) connection.Option { return connection.With(paramKey, key) }

// WithSchema says where tables and functions are that name no schema.
func WithSchema(schema string) connection.Option { return connection.With(paramSchema, schema) }

// WithTimeout bounds each attempt of a request; the context bounds the whole of it.
func WithTimeout(d time.Duration) connection.Option { return connection.With(paramTimeout, d) }

// WithHeaders adds headers to every request. What a request itself says wins over them.
func WithHeaders(headers map[string]string) connection.Option {
	table := make(map[string]any, len(headers))
	for name, value := range headers {
		table[name] = value
	}
	return connection.With(paramHeaders, table)
}

// WithHTTPClient sends all requests through client: its transport, jar and timeout. It is not
// changed, and stays the caller's to close. [Get] shares among those who give the same one.
func WithHTTPClient(client *http.Client) connection.Option {
	return connection.With(paramHTTPClient, connection.RefTo(client))
}

// WithObserver calls observe after each attempt of a request, on the goroutine of the request.
// Functions cannot be compared: [Get] refuses this option, [Open] takes it.
func WithObserver(observe func(Event)) connection.Option {
	return connection.With(paramObserver, observe)
}
