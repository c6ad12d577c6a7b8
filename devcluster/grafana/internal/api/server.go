// Package api answers the part of Grafana's HTTP API that kubectl obs, its tests and
// Kubernetes' probes use, with the statuses and bodies that Grafana has.
package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"devcluster/grafana/internal/logs"
	"devcluster/grafana/internal/settings"
	"devcluster/grafana/internal/store"
)

// Server is the handler of everything.
type Server struct {
	settings *settings.Settings
	store    *store.Store
	log      *logs.Logger // of requests
	authn    *logs.Logger
	metrics  *metrics
	routes   *http.ServeMux
	client   *http.Client // to data sources

	mutex    sync.Mutex
	sessions map[string]int64 // token → id of the user
}

// New gives a server of these settings.
func New(c *settings.Settings, s *store.Store, log *logs.Log) *Server {
	server := &Server{
		settings: c, store: s, log: log.Logger("context"), authn: log.Logger("authn.service"),
		metrics: newMetrics(), routes: http.NewServeMux(), sessions: map[string]int64{},
		client: &http.Client{
			Timeout:       c.ProxyTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	server.routesOfPages()
	server.routesOfUsers()
	server.routesOfSources()
	server.routesOfDashboards()
	return server
}

// answer counts what is sent, and remembers what the log line needs.
type answer struct {
	http.ResponseWriter
	status, size int
	user         *store.User
	reason       error
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(data []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(data)
	a.size += n
	return n, err
}

func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// ServeHTTP is what stands in front of every route.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started, path := time.Now(), r.URL.Path
	a := &answer{ResponseWriter: w}
	s.headers(w.Header())
	if below, served := s.below(path); served {
		r.URL.Path = below
		r.URL.RawPath = strings.TrimPrefix(r.URL.RawPath, s.settings.SubPath)
		out, done := s.compressed(a, r)
		s.routes.ServeHTTP(out, r)
		done()
	} else {
		// With serve_from_sub_path, nothing is elsewhere.
		target := *r.URL
		target.Path = s.settings.SubPath + path
		http.Redirect(a, r, target.String(), http.StatusMovedPermanently)
	}
	took := time.Since(started)
	s.metrics.request(r, a.status, took)
	if !s.settings.LogRequests && a.status < 400 {
		return
	}
	user := a.user
	if user == nil {
		user = &store.User{}
	}
	organization := 0
	if user.ID != 0 {
		organization = 1
	}
	line := []any{"userId", user.ID, "orgId", organization, "uname", user.Login, "method", r.Method, "path", path, "status", a.status,
		"remote_addr", host(r.RemoteAddr), "time_ms", took.Milliseconds(), "duration", took.String(), "size", a.size,
		"referer", r.Referer(), "handler", handler(r), "status_source", "server"}
	if a.reason != nil {
		line = append(line, "error", a.reason)
	}
	if a.status >= 500 {
		s.log.Error("Request Completed", line...)
	} else {
		s.log.Info("Request Completed", line...)
	}
}

// below gives the path without the one that everything is served from.
func (s *Server) below(path string) (string, bool) {
	if s.settings.SubPath == "" {
		return path, true
	}
	if path == s.settings.SubPath {
		return "/", true
	}
	rest, found := strings.CutPrefix(path, s.settings.SubPath+"/")
	return "/" + rest, found
}

// handler names the route as Grafana's metrics and logs do: /api/dashboards/uid/:uid
func handler(r *http.Request) string {
	_, path, found := strings.Cut(r.Pattern, " ")
	if !found {
		path = r.Pattern
	}
	path = strings.ReplaceAll(strings.ReplaceAll(path, "{rest...}", "*"), "{$}", "")
	path = strings.NewReplacer("{", ":", "}", "").Replace(path)
	if path == "/" && r.URL.Path != "/" {
		return "notfound"
	}
	return path
}

func host(address string) string {
	if at := strings.LastIndexByte(address, ':'); at > 0 {
		return strings.Trim(address[:at], "[]")
	}
	return address
}

// object is a JSON object.
type object map[string]any

func reply(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"message":"Internal server error"}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// say answers with a message alone, as most of Grafana's errors are.
func say(w http.ResponseWriter, status int, message string) {
	reply(w, status, object{"message": message})
}

// sayID is the form of newer ones, which programs can tell apart.
func sayID(w http.ResponseWriter, status int, id, message string) {
	reply(w, status, object{"message": message, "messageId": id, "statusCode": status})
}
