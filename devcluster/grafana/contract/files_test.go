package contract

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-openapi-client-go/client/search"
)

// What files decide: these tests change and break them, and need no real Grafana to
// be compared with.

const (
	config      = "/etc/grafana/config/grafana.ini"
	sourcesFile = "/etc/grafana/config/provisioning/datasources/obs.yaml"
	boardsFile  = "/etc/grafana/config/provisioning/dashboards/obs.yaml"
	secretFile  = "/etc/grafana/secrets/obs-grafana-admin/password"
	apps        = "/etc/grafana/dashboards/apps/"
)

func local(t *testing.T, args ...string) *pod {
	t.Helper()
	t.Parallel()
	return mount(t, render(t, args...), upstreams(t)...)
}

func TestAServerThatCannotWorkDoesNotStart(t *testing.T) {
	for _, example := range []struct {
		name  string
		spoil func(*pod)
		says  string
	}{
		{"a line of grafana.ini that is none", func(p *pod) { p.edit(config, "[users]", "[users]\nallow_sign_up") }, "key-value delimiter not found"},
		{"a section that does not end", func(p *pod) { p.edit(config, "[users]", "[users") }, "unclosed section"},
		{"a Secret that is not mounted", func(p *pod) { p.edit(config, "obs-grafana-admin", "obs-grafana-nothing") }, "expanding security.admin_password"},
		{"data sources that are no YAML", func(p *pod) { p.edit(sourcesFile, "name: Prometheus", "name: Prometheus: x") }, "Datasource provisioning error"},
		{"a data source without a name", func(p *pod) { p.edit(sourcesFile, "name: Prometheus", "title: Prometheus") }, "Datasource provisioning error"},
		{"two default data sources", func(p *pod) { p.edit(sourcesFile, "isDefault: false", "isDefault: true") }, "Only one datasource per organization can be marked as default"},
		{"one uid for two data sources", func(p *pod) { p.edit(sourcesFile, "uid: obs-alertmanager\n", "uid: obs-prometheus\n") }, "same uid already exists"},
		{"providers of dashboards that are no YAML", func(p *pod) { p.edit(boardsFile, "providers:", "providers: {") }, "provision dashboards"},
		{"a provider without a path", func(p *pod) { p.edit(boardsFile, "options: {path:", "options: {way:") }, "path param is not a string"},
		{"an organization that nobody made", func(p *pod) { p.edit(boardsFile, "orgId: 1", "orgId: 7") }, "org not found"},
		{"alerting that is no YAML", func(p *pod) { p.write("/etc/grafana/config/provisioning/alerting/obs.yaml", "a: b: c") }, "alerting provisioning error"},
	} {
		t.Run(example.name, func(t *testing.T) {
			p := local(t)
			example.spoil(p)
			if said := p.refused(); !strings.Contains(said, example.says) || strings.Contains(said, password) {
				t.Errorf("it says\n%s\nand not %q", said, example.says)
			}
		})
	}
}

func TestTheFirstPasswordStays(t *testing.T) {
	p := local(t)
	g := p.start("")
	if _, err := g.admin().Org.GetCurrentOrg(); err != nil {
		t.Fatal(err)
	}
	g.stop()
	p.write(secretFile, "another-secret")
	g = p.start("")
	if _, err := g.admin().Org.GetCurrentOrg(); err != nil {
		t.Errorf("the password of the first start: %v", err)
	}
	_, err := g.as("admin", "another-secret").Org.GetCurrentOrg()
	refusal(t, err, http.StatusUnauthorized, "Invalid username or password")
	if strings.Contains(g.log.String(), password) || strings.Contains(p.read("/var/lib/grafana/plays-grafana.json"), password) {
		t.Error("the password is in the log or in the data folder")
	}
}

func TestFiveWrongPasswordsLockTheRightOneOut(t *testing.T) {
	g := local(t).start("")
	for range 5 {
		_, err := g.as("admin", "wrong").Org.GetCurrentOrg()
		refusal(t, err, http.StatusUnauthorized, "Invalid username or password")
	}
	_, err := g.admin().Org.GetCurrentOrg()
	refusal(t, err, http.StatusUnauthorized, "Invalid username or password")
}

func (g *grafana) title(uid string) (string, error) {
	board, err := g.admin().Dashboards.GetDashboardByUID(uid)
	if err != nil {
		return "", err
	}
	model, _ := board.Payload.Dashboard.(map[string]any)
	return fmt.Sprint(model["title"]), nil
}

func (g *grafana) hasTitle(uid, want string) {
	g.t.Helper()
	g.within(4*time.Second, uid+" is titled "+want, func() error {
		if title, err := g.title(uid); err != nil || title != want {
			return fmt.Errorf("it is %q (%v)", title, err)
		}
		return nil
	})
}

func (g *grafana) isGone(uid string) {
	g.t.Helper()
	g.within(4*time.Second, uid+" is gone", func() error {
		if title, err := g.title(uid); err == nil {
			return fmt.Errorf("it is titled %q", title)
		}
		return nil
	})
}

func board(uid, title string) string {
	text, _ := json.Marshal(map[string]any{"uid": uid, "title": title, "panels": []any{}, "schemaVersion": 41})
	return string(text)
}

func TestDashboardsFollowTheirFiles(t *testing.T) {
	p := local(t)
	g := p.start("")
	before := given(g.admin().Dashboards.GetDashboardByUID("obs-app"))(t).Payload.Meta
	p.write(apps+"app.json", board("obs-app", "Changed"))
	g.hasTitle("obs-app", "Changed")
	if after := given(g.admin().Dashboards.GetDashboardByUID("obs-app"))(t).Payload.Meta; after.Version != before.Version+1 || after.URL != "/d/obs-app/changed" {
		t.Errorf("version %d and %s became %d and %s", before.Version, before.URL, after.Version, after.URL)
	}
	p.write(apps+"more.json", board("more", "More"))
	g.hasTitle("more", "More")
	// A bad file keeps what was there, and no other from being read.
	p.write(apps+"app.json", "{")
	p.write(apps+"more.json", board("more", "Still more"))
	g.hasTitle("more", "Still more")
	g.hasTitle("obs-app", "Changed")
	p.write(apps+"untitled.json", `{"dashboard": {"uid": "wrapped", "title": "Wrapped"}}`)
	g.within(4*time.Second, "it says what is wrong", func() error {
		for _, said := range []string{"failed to load dashboard from", "Dashboard title cannot be empty"} {
			if !strings.Contains(g.log.String(), said) {
				return fmt.Errorf("not said: %s", said)
			}
		}
		return nil
	})
	if err := os.Remove(p.path(apps + "more.json")); err != nil {
		t.Fatal(err)
	}
	g.isGone("more")
	if g.process == nil || strings.Contains(g.log.String(), "Shutdown") {
		t.Error("the server was restarted")
	}
}

func TestWhatIsThereTwiceIsNotWritten(t *testing.T) {
	p := local(t)
	g := p.start("")
	old, err := g.title("obs-app")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"uid": board("obs-app", "Twin"), "title": board("twin", old)} {
		p.write(apps+"twin.json", text)
		p.write(apps+"other.json", board("other-"+name, "Other"))
		g.within(4*time.Second, "it says so", func() error {
			if !strings.Contains(g.log.String(), "no database write permissions because of duplicates") {
				return fmt.Errorf("the log is silent")
			}
			return nil
		})
		time.Sleep(1500 * time.Millisecond) // one more look
		if title, err := g.title("obs-app"); err != nil || title != old {
			t.Errorf("the same %s twice: the first is now %q (%v)", name, title, err)
		}
		if title, err := g.title("other-" + name); err == nil {
			t.Errorf("the same %s twice: %q of the same folder was written", name, title)
		}
		if _, err := g.title("obs-nodes"); err != nil {
			t.Errorf("another folder suffers: %v", err)
		}
		if err := os.Remove(p.path(apps + "twin.json")); err != nil {
			t.Fatal(err)
		}
		g.hasTitle("other-"+name, "Other")
	}
}

func TestDataSourcesAreReadAtStartAndPruned(t *testing.T) {
	p := local(t)
	g := p.start("")
	text := p.read(sourcesFile)
	kept, _, found := strings.Cut(text, "  - name: Alertmanager")
	if !found {
		t.Fatalf("no Alertmanager in\n%s", text)
	}
	p.env = append(p.env, "REGION=north")
	p.write(sourcesFile, kept+`  - name: Costs $$
    uid: costs
    type: prometheus
    url: http://costs.$REGION.example:9090
    basicAuth: true
    basicAuthUser: reader
    secureJsonData: {basicAuthPassword: "$__file{`+p.path(secretFile)+`}"}
`)
	time.Sleep(1500 * time.Millisecond)
	if _, err := g.admin().Datasources.GetDataSourceByUID("obs-alertmanager"); err != nil {
		t.Errorf("a changed file counts without a restart: %v", err)
	}
	g.stop()
	g = p.start("")
	_, err := g.admin().Datasources.GetDataSourceByUID("obs-alertmanager")
	refusal(t, err, http.StatusNotFound, "Data source not found")
	costs := given(g.admin().Datasources.GetDataSourceByUID("costs"))(t).Payload
	if costs.Name != "Costs $" || costs.URL != "http://costs.north.example:9090" || !costs.SecureJSONFields["basicAuthPassword"] {
		t.Errorf("data source %+v", costs)
	}
	if status, _, body := g.get("/api/datasources/uid/costs", true); status != http.StatusOK || strings.Contains(body, password) {
		t.Errorf("the secret is told: %s", body)
	}
	if status, _, body := g.get("/api/datasources/proxy/uid/costs/api/v1/query", true); status != http.StatusBadGateway {
		t.Errorf("a data source that is not there: %d %s", status, body)
	}
}

func TestEverythingIsServedBelowAPath(t *testing.T) {
	p := local(t, "--set", "grafana.expose.path=/grafana", "--set", "grafana.expose.host=obs.example.com", "--set", "grafana.log.format=text")
	g := p.start("/grafana")
	health(t, g)
	foldersAndDashboards(t, g)
	beside := *g
	beside.address = &url.URL{Scheme: "http", Host: g.address.Host}
	status, header, _ := beside.get("/healthz", false)
	if status != http.StatusMovedPermanently || header.Get("Location") != "/grafana/healthz" {
		t.Errorf("beside the path: %d to %s", status, header.Get("Location"))
	}
	_, header, _ = g.get("/login", false)
	if !strings.Contains(header.Get("Content-Security-Policy"), "wss://obs.example.com/grafana") || header.Get("Strict-Transport-Security") != "max-age=86400" {
		t.Errorf("headers %v", header)
	}
	status, header, body := g.send(http.MethodPost, "/login", `{"user":"admin","password":"`+password+`"}`, false)
	cookie := header.Get("Set-Cookie")
	if status != http.StatusOK || !strings.Contains(body, "Logged in") ||
		!strings.Contains(cookie, "Secure") || !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "Path=/grafana") {
		t.Errorf("login: %d %s %s", status, body, cookie)
	}
	if !strings.Contains(g.log.String(), `logger=http.server `) || !strings.Contains(g.log.String(), `msg="HTTP Server Listen"`) {
		t.Errorf("the log is not text:\n%s", g.log)
	}
}

func TestTheLogIsJSON(t *testing.T) {
	g := local(t).start("")
	_, _ = g.as("admin", "wrong").Org.GetCurrentOrg()
	for _, line := range strings.Split(strings.TrimSpace(g.log.String()), "\n") {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil || fields["logger"] == nil || fields["level"] == nil || fields["msg"] == nil || fields["t"] == nil {
			t.Errorf("%v: %s", err, line)
		}
	}
	if !strings.Contains(g.log.String(), `"msg":"Request Completed"`) {
		t.Errorf("a refused request is not logged:\n%s", g.log)
	}
}

func TestFoldersOfFiles(t *testing.T) {
	p := local(t, "--set-json", `grafana.dashboards.discover.namespaces=["shop"]`)
	p.write("/var/lib/grafana-found/Shop/orders.json", board("shop-orders", "Orders"))
	p.write("/var/lib/grafana-found/loose.json", board("loose", "Loose"))
	p.write("/var/lib/grafana-found/..2026/orders.json", board("shop-orders", "Orders of yesterday"))
	g := p.start("")
	meta := given(g.admin().Dashboards.GetDashboardByUID("shop-orders"))(t).Payload.Meta
	if meta.FolderTitle != "Shop" || meta.ProvisionedExternalID != "Shop/orders.json" {
		t.Errorf("meta %+v", meta)
	}
	root := given(g.admin().Search.Search(search.NewSearchParams().WithFolderUIDs([]string{""})))(t).Payload
	if len(root) != 1 || root[0].UID != "loose" {
		t.Errorf("at the root: %d", len(root))
	}
}
