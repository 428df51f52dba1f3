package supabasetest

import (
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/streamconn/streamconn/internal/fakejwt"
)

// split tells the service of a path and the path below the service's own.
func split(path string) (Service, string) {
	for _, service := range []Service{Rest, Auth, Storage, Functions} {
		if rest, ok := strings.CutPrefix(path, "/"+string(service)+"/v1"); ok && (rest == "" || rest[0] == '/') {
			return service, rest
		}
	}
	return "", path
}

// serve is what every request goes through: the log, the faults, then the gateway.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	service, path := split(r.URL.Path)
	asked := s.requests.add(Request{
		Service: service, Method: r.Method, Path: path, Query: r.URL.Query(), Header: r.Header.Clone(), Time: s.clock.Now(),
	})
	r.Body = &overheard{r.Body, asked}
	out := &watched{w, asked}

	_, port := r.Context().Value(connKey{}).(*net.TCPConn)
	fault := s.faults.take(service, r.Method, path, func(f *Fault) bool { return port || !f.Refuse })
	switch {
	case fault == nil:
		s.gateway(out, r, service, path)
	case !fault.wait(r.Context()), fault.Refuse, fault.Cut == CutBefore:
		cut(out)
	case fault.Status != 0 && fault.Cut == NoCut:
		fault.answer(out, service)
	case fault.Cut != NoCut:
		answer := &held{header: make(http.Header)}
		if fault.Status != 0 {
			fault.answer(answer, service)
		} else {
			s.gateway(answer, r, service, path)
		}
		if fault.Cut == CutHalf && answer.body.Len() > 1 && r.Method != http.MethodHead {
			answer.half(out)
		}
		cut(out)
	default:
		s.gateway(out, r, service, path)
	}
}

// open are the paths of auth that a browser follows, without a key.
var open = []string{"/verify", "/callback", "/authorize", "/.well-known/jwks.json", "/.well-known/openid-configuration", "/sso/saml/acs", "/sso/saml/metadata"}

// gateway checks the key, makes new keys into tokens, and passes the request on.
func (s *Server) gateway(w http.ResponseWriter, r *http.Request, service Service, path string) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" && service != Storage {
		h.Set("Access-Control-Allow-Methods", "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS")
		h.Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if service == "" {
		for _, name := range []string{"realtime", "graphql", "pg"} {
			if strings.HasPrefix(path, "/"+name+"/") {
				message(w, http.StatusNotImplemented, "supabasetest does not have "+name)
				return
			}
		}
		message(w, http.StatusNotFound, "no Route matched with those values")
		return
	}
	key := r.Header.Get("apikey")
	if key == "" {
		key = r.URL.Query().Get("apikey")
	}
	role := s.keys.role(key)
	needed := service == Rest || service == Auth
	if service == Auth {
		for _, p := range open {
			needed = needed && path != p
		}
	}
	switch {
	case role == "" && key == "" && needed:
		jsonAnswer(w, http.StatusUnauthorized, `{"message":"No API key found in request","hint":"No `+"`apikey`"+` request header or url param was found."}`)
		return
	case role == "" && (needed || strings.HasPrefix(key, "sb_")):
		jsonAnswer(w, http.StatusUnauthorized, `{"message":"Invalid API key","hint":"Double check your Supabase `+"`anon` or `service_role`"+` API key."}`)
		return
	case strings.HasPrefix(key, "sb_secret_") && strings.Contains(r.UserAgent(), "Mozilla/"):
		w.WriteHeader(http.StatusUnauthorized) // secret keys are not for browsers
		return
	}
	r = r.Clone(r.Context())
	if q := r.URL.Query(); q.Has("apikey") {
		q.Del("apikey")
		r.URL.RawQuery = q.Encode()
	}
	if token, ok := bearerOf(r.Header.Get("Authorization")); strings.HasPrefix(key, "sb_") && (!ok || strings.HasPrefix(token, "sb_")) {
		jwt := s.keys.anon
		if role == "service_role" {
			jwt = s.keys.service
		}
		r.Header.Set("Authorization", "Bearer "+jwt)
	}
	http.StripPrefix("/"+string(service)+"/v1", s.service(service)).ServeHTTP(w, r)
}

func (s *Server) service(name Service) http.Handler {
	switch name {
	case Rest:
		return s.rest
	case Auth:
		return s.auth
	case Storage:
		return s.storage
	default:
		return http.HandlerFunc(s.function)
	}
}

func bearerOf(authorization string) (string, bool) {
	scheme, token, ok := strings.Cut(authorization, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return token, true
}

func message(w http.ResponseWriter, status int, text string) {
	jsonAnswer(w, status, fmt.Sprintf(`{"message":%q}`, text))
}

func jsonAnswer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

// verified are the claims of a token that the project has signed.
func (s *Server) verified(token string) (fakejwt.Claims, error) {
	return s.keyring.Verify(token, s.clock.Now())
}

// function runs a function for whoever shows a token of the project.
func (s *Server) function(w http.ResponseWriter, r *http.Request) {
	name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	run := s.funcs[name]
	if run == nil {
		jsonAnswer(w, http.StatusNotFound, `{"code":"NOT_FOUND","message":"Requested function was not found"}`)
		return
	}
	token, ok := bearerOf(r.Header.Get("Authorization"))
	if !ok {
		jsonAnswer(w, http.StatusUnauthorized, `{"code":401,"message":"Missing authorization header"}`)
		return
	}
	if _, err := s.verified(token); err != nil {
		jsonAnswer(w, http.StatusUnauthorized, `{"code":401,"message":"Invalid JWT"}`)
		return
	}
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p)
		default:
			jsonAnswer(w, http.StatusInternalServerError, `{"code":"WORKER_ERROR","message":"Function exited due to an error (please check logs)"}`)
		}
	}()
	run.ServeHTTP(w, r)
}
