package api

import (
	"compress/gzip"
	"crypto/rand"
	"net/http"
	"strings"
)

// headers sets those that [security] of grafana.ini switches on.
func (s *Server) headers(h http.Header) {
	h.Set("Cache-Control", "no-store")
	if s.settings.ContentTypeOptions {
		h.Set("X-Content-Type-Options", "nosniff")
	}
	if s.settings.XSSProtection {
		h.Set("X-XSS-Protection", "1; mode=block")
	}
	if !s.settings.AllowEmbedding {
		h.Set("X-Frame-Options", "deny")
	}
	if s.settings.HSTS != "" {
		h.Set("Strict-Transport-Security", s.settings.HSTS)
	}
	if s.settings.CSP != "" {
		h.Set("Content-Security-Policy", s.policy(""))
	}
}

// policy fills the template in: $NONCE is new for each answer, and $ROOT_PATH is the
// address without its protocol.
func (s *Server) policy(nonce string) string {
	if nonce == "" {
		nonce = rand.Text()
	}
	root := s.settings.RootURL.Host + strings.TrimSuffix(s.settings.RootURL.Path, "/")
	return strings.NewReplacer("$NONCE", "'nonce-"+nonce+"'", "$ROOT_PATH", root, "\n", " ").Replace(s.settings.CSP)
}

type squeezed struct {
	http.ResponseWriter
	gzip *gzip.Writer
}

func (w *squeezed) WriteHeader(status int) {
	if w.gzip == nil && w.Header().Get("Content-Encoding") == "" && status != http.StatusNoContent && status != http.StatusNotModified {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Add("Vary", "Accept-Encoding")
		w.Header().Del("Content-Length")
		w.gzip = gzip.NewWriter(w.ResponseWriter)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *squeezed) Write(data []byte) (int, error) {
	if w.gzip == nil && w.Header().Get("Content-Encoding") == "" {
		if w.Header().Get("Content-Type") == "" {
			w.Header().Set("Content-Type", http.DetectContentType(data))
		}
		w.WriteHeader(http.StatusOK)
	}
	if w.gzip == nil {
		return w.ResponseWriter.Write(data)
	}
	return w.gzip.Write(data)
}

func (w *squeezed) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// compressed wraps an answer where enable_gzip is on and the client takes it; what
// data sources answer and probes ask for stays as it is.
func (s *Server) compressed(w http.ResponseWriter, r *http.Request) (out http.ResponseWriter, done func()) {
	if !s.settings.EnableGzip || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") ||
		strings.HasPrefix(r.URL.Path, "/api/datasources/proxy") || r.URL.Path == "/metrics" || r.URL.Path == "/healthz" {
		return w, func() {}
	}
	wrapped := &squeezed{ResponseWriter: w}
	return wrapped, func() {
		if wrapped.gzip != nil {
			_ = wrapped.gzip.Close()
		}
	}
}
