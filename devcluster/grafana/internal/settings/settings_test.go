package settings

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestValuesAreReadAsTheLibraryOfGrafanaReadsThem(t *testing.T) {
	found, err := readINI(file(t, "grafana.ini", `; comment
# comment
app_mode = production
[ server ]
domain = "grafana.example.com" ; where
root_url: https://%(domain)s/
plain = a b  c
tick = `+"`a#b;c`"+`
long = """one;
two"""
joined = one \
  two
empty =
[auth.generic_oauth]
name = Single sign-on
`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"DEFAULT.app_mode": "production", "server.domain": "grafana.example.com", "server.root_url": "https://%(domain)s/",
		"server.plain": "a b  c", "server.tick": "a#b;c", "server.long": "one;\ntwo", "server.joined": "one two", "server.empty": "",
		"auth.generic_oauth.name": "Single sign-on",
	} {
		r := reader{ini: found}
		if got := r.text(name); got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
	if url, err := found.references("server", found["server"]["root_url"]); err != nil || url != "https://grafana.example.com/" {
		t.Errorf("root_url refers to %q (%v)", url, err)
	}
	for _, bad := range []string{"[server\n", "[server]\nport\n", "= x\n", "a = \"\"\"x\n"} {
		if _, err := readINI(file(t, "grafana.ini", bad)); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestVariablesAreReplaced(t *testing.T) {
	secret := file(t, "secret", "  s3cret$$x\n")
	t.Setenv("CITY", "Bern")
	for text, want := range map[string]string{
		"$__file{" + secret + "}": "s3cret$$x", "in $__env{CITY}": "in Bern", "${CITY}": "Bern", "$CITY": "$CITY", "$NONCE;": "$NONCE;",
	} {
		if got, err := Expand(text); err != nil || got != want {
			t.Errorf("%s gives %q (%v), not %q", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"$CITY/${CITY}/$$CITY": "Bern/Bern/$CITY", "$__file{" + secret + "}": "s3cret$$x", "a $NOTHING b": "a  b",
	} {
		if got, err := ExpandProvisioned(text); err != nil || got != want {
			t.Errorf("%s gives %q (%v), not %q", text, got, err, want)
		}
	}
	for _, bad := range []string{"$__file{/nothing/here}", "$__vault{x}"} {
		if _, err := Expand(bad); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

func TestTheEnvironmentReplacesKeys(t *testing.T) {
	t.Setenv("GF_PATHS_CONFIG", file(t, "grafana.ini", "[log.console]\nformat = json\n[security]\nadmin_user = root\n"))
	t.Setenv("GF_LOG_CONSOLE_FORMAT", "text")
	t.Setenv("GF_SERVER_HTTP_PORT", "3001")
	t.Setenv("GF_SECURITY_ADMIN_PASSWORD__FILE", file(t, "password", "secret\n"))
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if s.LogFormat != "text" || s.Port != 3001 || s.AdminUser != "root" || s.AdminPassword != "secret" || s.RootURL.String() != "http://localhost:3001/" {
		t.Errorf("%+v", s)
	}
	t.Setenv("GF_SECURITY_ADMIN_PASSWORD", "another")
	if _, err := Load(); err == nil || !strings.Contains(err.Error(), "exclusive") {
		t.Errorf("two passwords: %v", err)
	}
	t.Setenv("GF_SECURITY_ADMIN_PASSWORD", "")
	t.Setenv("GF_SECURITY_COOKIE_SECURE", "perhaps")
	if _, err := Load(); err == nil || !strings.Contains(err.Error(), "security.cookie_secure") {
		t.Errorf("no flag: %v", err)
	}
}
