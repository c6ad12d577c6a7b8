package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"devcluster/grafana/internal/logs"
	"devcluster/grafana/internal/settings"
	"devcluster/grafana/internal/store"
)

// What Grafana's client does not ask for; the rest is in contract/.

func server(t *testing.T) (*Server, string) {
	t.Helper()
	data := t.TempDir()
	t.Setenv("GF_PATHS_CONFIG", "")
	t.Setenv("GF_PATHS_DATA", data)
	config, err := settings.Load()
	if err != nil {
		t.Fatal(err)
	}
	kept, err := store.Open(data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kept.EnsureAdmin("admin", "admin@localhost", "password"); err != nil {
		t.Fatal(err)
	}
	log, err := logs.New(io.Discard, "info", "json")
	if err != nil {
		t.Fatal(err)
	}
	return New(config, kept, log), data
}

func TestOnlyItsOwnPagesMaySendWhatABrowserKeeps(t *testing.T) {
	s, _ := server(t)
	login := httptest.NewRecorder()
	s.ServeHTTP(login, httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(`{"user":"admin","password":"password"}`)))
	if login.Code != http.StatusOK {
		t.Fatalf("login: %d %s", login.Code, login.Body)
	}
	for origin, want := range map[string]int{
		"": http.StatusOK, "http://grafana.example": http.StatusOK, "http://evil.example": http.StatusForbidden, "null": http.StatusForbidden,
	} {
		r := httptest.NewRequest(http.MethodPut, "http://grafana.example/api/user/password", strings.NewReader(`{"oldPassword":"password","newPassword":"password"}`))
		for _, cookie := range login.Result().Cookies() {
			r.AddCookie(cookie)
		}
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, r); w.Code != want {
			t.Errorf("from %q: %d %s", origin, w.Code, w.Body)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/api/org", nil)
	r.AddCookie(&http.Cookie{Name: sessionCookie, Value: "made-up"})
	w := httptest.NewRecorder()
	if s.ServeHTTP(w, r); w.Code != http.StatusUnauthorized {
		t.Errorf("a cookie that nobody gave: %d", w.Code)
	}
}

func TestHealthFailsWithoutWhatIsStored(t *testing.T) {
	s, data := server(t)
	ask := func(path string) int {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code
	}
	if code := ask("/api/health"); code != http.StatusOK {
		t.Errorf("health: %d", code)
	}
	if err := os.Remove(filepath.Join(data, "plays-grafana.json")); err != nil {
		t.Fatal(err)
	}
	if code := ask("/api/health"); code != http.StatusServiceUnavailable {
		t.Errorf("health without the file: %d", code)
	}
	if code := ask("/healthz"); code != http.StatusOK {
		t.Errorf("it runs all the same: %d", code)
	}
}
