package api

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"devcluster/grafana/internal/settings"
	"devcluster/grafana/internal/store"
)

func (s *Server) routesOfPages() {
	s.routes.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("Ok"))
	})
	s.routes.HandleFunc("GET /api/health", s.health)
	if s.settings.Metrics {
		s.routes.HandleFunc("GET /metrics", s.serveMetrics)
	}
	s.routes.HandleFunc("GET /login", s.loginPage)
	s.routes.HandleFunc("POST /login", s.postLogin)
	s.routes.HandleFunc("GET /logout", s.logout)
	s.routes.HandleFunc("GET /{$}", s.page(s.home))
	s.routes.HandleFunc("GET /d/{uid}", s.page(s.dashboardPage))
	s.routes.HandleFunc("GET /d/{uid}/{slug}", s.page(s.dashboardPage))
	s.routes.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			// What there is not is not told to just anybody.
			s.signedIn(func(w http.ResponseWriter, _ *http.Request, _ store.User) { say(w, http.StatusNotFound, "Not found") })(w, r)
			return
		}
		s.page(func(w http.ResponseWriter, _ *http.Request) {
			s.show(w, http.StatusNotFound, "Page not found", "<p>There is nothing here.</p>")
		})(w, r)
	})
}

// health needs no login; it fails when what is stored cannot be read.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	status, database := http.StatusOK, "ok"
	if !s.store.Healthy() {
		status, database = http.StatusServiceUnavailable, "failing"
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	text, _ := json.MarshalIndent(object{"database": database, "version": settings.Version, "commit": "plays-grafana"}, "", "  ")
	_, _ = w.Write(text)
}

// page sends those who are not logged in to the login.
func (s *Server) page(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user, err := s.who(r)
		if err != nil {
			target := s.settings.LinkPath + "/login"
			if r.URL.Path != "/" {
				target += "?redirectTo=" + template.URLQueryEscaper(s.settings.LinkPath+r.URL.RequestURI())
			}
			http.Redirect(w, r, target, http.StatusFound)
			return
		}
		of(w).user = &user
		next(w, r)
	}
}

// show writes a page that says what it is.
func (s *Server) show(w http.ResponseWriter, status int, title, content string) {
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<!doctype html><html lang="en"><meta charset="utf-8"><title>%s - plays Grafana</title>
<style>body { font: 16px/1.5 sans-serif; margin: 3rem auto; max-width: 42rem } small { color: #666 } input { display: block; margin: .5rem 0 }</style>
<h1>%s</h1>
%s
<p><small>This is not Grafana: it plays the HTTP API of Grafana %s in a development cluster.</small></p></html>
`, template.HTMLEscapeString(title), template.HTMLEscapeString(title), content, settings.Version)
}

const loginForm = `<form><input name="user" placeholder="username" autocomplete="username" autofocus>
<input name="password" type="password" placeholder="password" autocomplete="current-password"><button>Log in</button> <output></output></form>
<script nonce="NONCE">
document.querySelector("form").addEventListener("submit", async event => {
  event.preventDefault();
  const {user, password} = Object.fromEntries(new FormData(event.target));
  const answer = await fetch("ROOT/login", {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({user, password})});
  const {message, redirectUrl} = await answer.json();
  if (!answer.ok) { document.querySelector("output").textContent = message; return; }
  const wanted = new URLSearchParams(location.search).get("redirectTo");
  location.assign(wanted && wanted.startsWith("/") && !wanted.startsWith("//") ? wanted : redirectUrl);
});
</script>`

func (s *Server) loginPage(w http.ResponseWriter, _ *http.Request) {
	nonce := rand.Text()
	if s.settings.CSP != "" {
		w.Header().Set("Content-Security-Policy", s.policy(nonce))
	}
	s.show(w, http.StatusOK, "Log in", strings.NewReplacer("NONCE", nonce, "ROOT", s.settings.LinkPath).Replace(loginForm))
}

// home is the page that [users] home_page names, or the list of all dashboards.
func (s *Server) home(w http.ResponseWriter, r *http.Request) {
	if s.settings.HomePage != "" {
		http.Redirect(w, r, s.settings.LinkPath+s.settings.HomePage, http.StatusFound)
		return
	}
	s.show(w, http.StatusOK, "Dashboards", s.list())
}

func (s *Server) list() string {
	var list strings.Builder
	folders := append(s.store.Folders(), store.Folder{})
	for _, folder := range folders {
		fmt.Fprintf(&list, "<h2>%s</h2><ul>", template.HTMLEscapeString(folder.Title))
		for _, d := range s.store.Dashboards() {
			if d.FolderUID == folder.UID {
				fmt.Fprintf(&list, `<li><a href="%s">%s</a></li>`, s.url(d), template.HTMLEscapeString(d.Title))
			}
		}
		list.WriteString("</ul>")
	}
	return list.String()
}

// dashboardPage names the panels; it draws none.
func (s *Server) dashboardPage(w http.ResponseWriter, r *http.Request) {
	d, err := s.store.Dashboard(r.PathValue("uid"))
	if err != nil {
		s.show(w, http.StatusNotFound, "Dashboard not found", s.list())
		return
	}
	content := "<ul>"
	panels, _ := d.Body["panels"].([]any)
	for _, panel := range panels {
		fields, _ := panel.(map[string]any)
		if title, _ := fields["title"].(string); title != "" {
			content += "<li>" + template.HTMLEscapeString(title) + "</li>"
		}
	}
	content += fmt.Sprintf(`</ul><p><a href="%s/api/dashboards/uid/%s">as JSON</a></p>`, s.settings.LinkPath, d.UID)
	s.show(w, http.StatusOK, d.Title, content+s.list())
}
