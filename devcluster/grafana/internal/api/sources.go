package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"time"

	"devcluster/grafana/internal/store"
)

func (s *Server) routesOfSources() {
	s.routes.HandleFunc("GET /api/datasources", s.may("datasources:read", true, s.sources))
	s.routes.HandleFunc("GET /api/datasources/uid/{uid}", s.may("datasources:read", true, s.source))
	s.routes.HandleFunc("GET /api/datasources/name/{name}", s.may("datasources:read", true, s.source))
	s.routes.HandleFunc("DELETE /api/datasources/uid/{uid}", s.may("datasources:delete", true, s.deleteSource))
	s.routes.HandleFunc("GET /api/datasources/uid/{uid}/health", s.signedIn(s.sourceHealth))
	s.routes.HandleFunc("/api/datasources/proxy/uid/{uid}/{rest...}", s.signedIn(s.proxy))
	s.routes.HandleFunc("POST /api/ds/query", s.signedIn(s.query))
}

// find gives the data source that a path names, or says that there is none.
func (s *Server) find(w http.ResponseWriter, uid, name string) (store.Source, bool) {
	source, err := s.store.Source(func(source store.Source) bool {
		return uid != "" && source.UID == uid || name != "" && source.Name == name
	})
	if err != nil {
		say(w, http.StatusNotFound, "Data source not found")
	}
	return source, err == nil
}

func describe(d store.Source) object {
	return object{
		"id": d.ID, "uid": d.UID, "orgId": 1, "name": d.Name, "type": d.Type,
		"typeLogoUrl": "public/app/plugins/datasource/" + d.Type + "/img/" + d.Type + "_logo.svg",
		"access":      d.Access, "url": d.URL, "user": d.User, "database": d.Database, "basicAuth": d.BasicAuth,
		"isDefault": d.IsDefault, "jsonData": d.JSONData, "readOnly": d.ReadOnly,
	}
}

func (s *Server) sources(w http.ResponseWriter, _ *http.Request, _ store.User) {
	list := []object{}
	for _, source := range s.store.Sources() {
		one := describe(source)
		one["typeName"] = strings.ToUpper(source.Type[:1]) + source.Type[1:]
		list = append(list, one)
	}
	reply(w, http.StatusOK, list)
}

// source never gives a secret, only which there are.
func (s *Server) source(w http.ResponseWriter, r *http.Request, _ store.User) {
	source, found := s.find(w, r.PathValue("uid"), r.PathValue("name"))
	if !found {
		return
	}
	one := describe(source)
	secure := map[string]bool{}
	for key, value := range source.Secure {
		secure[key] = value != ""
	}
	one["basicAuthUser"], one["withCredentials"], one["secureJsonFields"], one["version"] =
		source.BasicAuthUser, source.WithCredentials, secure, source.Version
	reply(w, http.StatusOK, one)
}

func (s *Server) deleteSource(w http.ResponseWriter, r *http.Request, _ store.User) {
	source, found := s.find(w, r.PathValue("uid"), "")
	if !found {
		return
	}
	if source.ReadOnly {
		say(w, http.StatusForbidden, "Cannot delete read-only data source")
		return
	}
	if _, err := s.store.DeleteSources(func(other store.Source) bool { return other.UID == source.UID }); err != nil {
		s.fail(w, err, "Failed to delete datasource")
		return
	}
	reply(w, http.StatusOK, object{"id": source.ID, "message": "Data source deleted"})
}

// sourceHealth asks a Prometheus; types that have no backend in Grafana, as Alertmanager,
// have no health there.
func (s *Server) sourceHealth(w http.ResponseWriter, r *http.Request, _ store.User) {
	source, found := s.find(w, r.PathValue("uid"), "")
	if !found {
		return
	}
	if source.Type != "prometheus" {
		sayID(w, http.StatusInternalServerError, "plugin.unavailable", "Plugin unavailable")
		return
	}
	_, err := s.ask(r.Context(), source, "api/v1/query", url.Values{"query": {"1+1"}, "time": {"4"}})
	if err != nil {
		reply(w, http.StatusBadRequest, object{
			"message": err.Error() + " - There was an error returned querying the Prometheus API.", "status": "ERROR", "details": object{},
		})
		return
	}
	reply(w, http.StatusOK, object{
		"message": "Successfully queried the Prometheus API.", "status": "OK",
		"details": object{"application": "Prometheus", "features": object{"rulerApiEnabled": false}},
	})
}

// answered is what Prometheus' API gives.
type answered struct {
	Status, Error string
	Data          struct {
		ResultType string
		Result     json.RawMessage
	}
}

// ask sends a question to a Prometheus, in its data source's name.
func (s *Server) ask(ctx context.Context, source store.Source, path string, form url.Values) (answered, error) {
	var given answered
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(source.URL, "/")+"/"+path, strings.NewReader(form.Encode()))
	if err != nil {
		return given, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	authorize(request, source)
	started := time.Now()
	response, err := s.client.Do(request)
	if err != nil {
		s.metrics.toSource(source.Name, source.Type, request.Method, http.StatusBadGateway, time.Since(started))
		return given, err
	}
	defer response.Body.Close()
	s.metrics.toSource(source.Name, source.Type, request.Method, response.StatusCode, time.Since(started))
	text, err := io.ReadAll(io.LimitReader(response.Body, 64<<20))
	if err != nil {
		return given, err
	}
	if err := json.Unmarshal(text, &given); err != nil {
		return given, fmt.Errorf("%s: no answer of a Prometheus: %w", response.Status, err)
	}
	if given.Status != "success" {
		return given, fmt.Errorf("%s: %s", response.Status, given.Error)
	}
	return given, nil
}

// authorize adds what the data source is configured with.
func authorize(r *http.Request, source store.Source) {
	if source.BasicAuth {
		r.SetBasicAuth(source.BasicAuthUser, source.Secure["basicAuthPassword"])
	}
	for i := 1; ; i++ {
		name, _ := source.JSONData["httpHeaderName"+strconv.Itoa(i)].(string)
		if name == "" {
			return
		}
		r.Header.Set(name, source.Secure["httpHeaderValue"+strconv.Itoa(i)])
	}
}

// proxy hands a request on, without what is Grafana's own: the login and the cookies.
func (s *Server) proxy(w http.ResponseWriter, r *http.Request, _ store.User) {
	source, found := s.find(w, r.PathValue("uid"), "")
	if !found {
		return
	}
	target, err := url.Parse(source.URL)
	if err != nil || target.Host == "" {
		say(w, http.StatusBadRequest, "Data source url is invalid")
		return
	}
	started := time.Now()
	status := http.StatusBadGateway
	hand := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Path, p.Out.URL.RawPath = "/"+r.PathValue("rest"), ""
			p.SetURL(target)
			p.SetXForwarded()
			p.Out.Header.Del("Authorization")
			p.Out.Header.Del("Cookie")
			authorize(p.Out, source)
		},
		ModifyResponse: func(response *http.Response) error {
			status = response.StatusCode
			response.Header.Del("Set-Cookie")
			// Once, and ours.
			for name := range w.Header() {
				response.Header.Del(name)
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			of(w).reason = err
			say(w, http.StatusBadGateway, "Bad gateway")
		},
	}
	hand.ServeHTTP(w, r)
	s.metrics.toSource(source.Name, source.Type, r.Method, status, time.Since(started))
}
