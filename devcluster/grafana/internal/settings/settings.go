package settings

import (
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// Version is the Grafana that is played.
const Version = "13.2.0"

// Settings are those of grafana.ini that change what this server does; the others
// are read, and without effect.
type Settings struct {
	Config       string // the file that was read
	Data         string
	Provisioning string

	Address    string
	Port       int
	RootURL    *url.URL
	LinkPath   string // "" or /grafana: what links begin with
	SubPath    string // the same when everything is served below it, too
	EnableGzip bool

	AdminUser, AdminPassword, AdminEmail string
	SecretKey                            string
	CookieSecure                         bool
	CookieSameSite                       string
	AllowEmbedding                       bool
	HSTS                                 string // the header's value, or ""
	ContentTypeOptions, XSSProtection    bool
	CSP                                  string // template of the header, or ""
	LoginAttempts                        int    // that fail within five minutes; 0: any number
	PasswordPolicy                       bool
	BasicAuth                            bool

	HomePage        string
	Metrics         bool
	MetricsUser     string
	MetricsPassword string
	ProxyTimeout    time.Duration

	LogLevel, LogFormat string
	LogRequests         bool
}

// defaults are Grafana's, of the keys that are read here.
var defaults = map[string]map[string]string{
	"DEFAULT": {"app_mode": "production"},
	"paths":   {"data": "/var/lib/grafana", "provisioning": "/etc/grafana/provisioning", "logs": "/var/log/grafana", "plugins": "/var/lib/grafana/plugins"},
	"server": {
		"protocol": "http", "http_addr": "", "http_port": "3000", "domain": "localhost",
		"root_url": "%(protocol)s://%(domain)s:%(http_port)s/", "serve_from_sub_path": "false",
		"router_logging": "false", "enable_gzip": "false",
	},
	"database": {"type": "sqlite3"},
	"security": {
		"admin_user": "admin", "admin_password": "admin", "admin_email": "admin@localhost", "secret_key": "",
		"disable_brute_force_login_protection": "false", "brute_force_login_protection_max_attempts": "5",
		"cookie_secure": "false", "cookie_samesite": "lax", "allow_embedding": "false",
		"strict_transport_security": "false", "strict_transport_security_max_age_seconds": "86400",
		"strict_transport_security_preload": "false", "strict_transport_security_subdomains": "false",
		"x_content_type_options": "true", "x_xss_protection": "true",
		"content_security_policy": "false", "content_security_policy_template": "",
	},
	"users":       {"home_page": ""},
	"auth.basic":  {"enabled": "true", "password_policy": "false"},
	"dataproxy":   {"timeout": "30"},
	"metrics":     {"enabled": "true", "basic_auth_username": "", "basic_auth_password": ""},
	"log":         {"mode": "console", "level": "info"},
	"log.console": {"level": "", "format": "console"},
}

// Load reads the file that GF_PATHS_CONFIG names. GF_<SECTION>_<KEY> replaces the
// value of a key, and with __FILE at its end names a file that has it.
func Load() (*Settings, error) {
	s := &Settings{Config: os.Getenv("GF_PATHS_CONFIG")}
	all := ini{}
	for section, entries := range defaults {
		for key, value := range entries {
			all.set(section, key, value)
		}
	}
	if s.Config != "" {
		file, err := readINI(s.Config)
		if err != nil {
			return nil, fmt.Errorf("failed to parse %q: %w", s.Config, err)
		}
		for section, entries := range file {
			for key, value := range entries {
				all.set(section, key, value)
			}
		}
	}
	if err := all.environment(); err != nil {
		return nil, err
	}
	expanded := ini{}
	for section, entries := range all {
		for key, value := range entries {
			// Keys refer to each other as they stand; what a secret holds is no reference.
			value, err := all.references(section, value)
			if err == nil {
				value, err = Expand(value)
			}
			if err != nil {
				return nil, fmt.Errorf("got error while expanding %s.%s: %w", section, key, err)
			}
			expanded.set(section, key, value)
		}
	}
	return s, s.take(&reader{ini: expanded})
}

// take sets what this server uses.
func (s *Settings) take(r *reader) error {
	s.Data, s.Provisioning = r.text("paths.data"), r.text("paths.provisioning")
	s.Address, s.Port, s.EnableGzip = r.text("server.http_addr"), r.number("server.http_port"), r.flag("server.enable_gzip")
	root, err := url.Parse(r.text("server.root_url"))
	if err != nil || root.Host == "" {
		return fmt.Errorf("[server] root_url: %q is no address", r.text("server.root_url"))
	}
	s.RootURL, s.LinkPath = root, strings.TrimSuffix(root.Path, "/")
	if r.flag("server.serve_from_sub_path") {
		s.SubPath = s.LinkPath
	}
	s.LogRequests = r.flag("server.router_logging")
	s.AdminUser, s.AdminPassword, s.AdminEmail = r.text("security.admin_user"), r.text("security.admin_password"), r.text("security.admin_email")
	s.SecretKey = r.text("security.secret_key")
	s.CookieSecure, s.CookieSameSite = r.flag("security.cookie_secure"), strings.ToLower(r.text("security.cookie_samesite"))
	s.AllowEmbedding = r.flag("security.allow_embedding")
	s.ContentTypeOptions, s.XSSProtection = r.flag("security.x_content_type_options"), r.flag("security.x_xss_protection")
	if r.flag("security.strict_transport_security") {
		s.HSTS = "max-age=" + strconv.Itoa(r.number("security.strict_transport_security_max_age_seconds"))
		if r.flag("security.strict_transport_security_preload") {
			s.HSTS += "; preload"
		}
		if r.flag("security.strict_transport_security_subdomains") {
			s.HSTS += "; includeSubDomains"
		}
	}
	if r.flag("security.content_security_policy") {
		s.CSP = r.text("security.content_security_policy_template")
	}
	if !r.flag("security.disable_brute_force_login_protection") {
		s.LoginAttempts = r.number("security.brute_force_login_protection_max_attempts")
	}
	s.PasswordPolicy, s.BasicAuth = r.flag("auth.basic.password_policy"), r.flag("auth.basic.enabled")
	s.HomePage = r.text("users.home_page")
	s.Metrics = r.flag("metrics.enabled")
	s.MetricsUser, s.MetricsPassword = r.text("metrics.basic_auth_username"), r.text("metrics.basic_auth_password")
	s.ProxyTimeout = time.Duration(r.number("dataproxy.timeout")) * time.Second
	if s.LogLevel = r.text("log.console.level"); s.LogLevel == "" {
		s.LogLevel = r.text("log.level")
	}
	s.LogFormat = r.text("log.console.format")
	return r.err
}
