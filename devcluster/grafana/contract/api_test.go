package contract

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-openapi/runtime"
	"github.com/grafana/grafana-openapi-client-go/client/search"
	"github.com/grafana/grafana-openapi-client-go/models"
)

// TestAPI is every call, in the same words to the played server and to a real one.
func TestAPI(t *testing.T) {
	g := &grafana{t: t, user: os.Getenv("GRAFANA_USER"), password: os.Getenv("GRAFANA_PASSWORD")}
	if address := os.Getenv("GRAFANA_URL"); address != "" {
		var err error
		if g.address, err = url.Parse(strings.TrimSuffix(address, "/")); err != nil || g.address.Host == "" {
			t.Fatalf("GRAFANA_URL is %q (%v)", address, err)
		}
	} else {
		g = mount(t, render(t), upstreams(t)...).start("")
	}
	for _, part := range []struct {
		name string
		test func(*testing.T, *grafana)
	}{
		{"health", health}, {"who may", whoMay}, {"users", users}, {"data sources", dataSources}, {"proxy", proxies},
		{"query", query}, {"folders and dashboards", foldersAndDashboards}, {"search", searches}, {"passwords", passwords},
		{"metrics", metrics},
	} {
		t.Run(part.name, func(t *testing.T) {
			here := *g
			here.t, here.process = t, nil
			part.test(t, &here)
		})
	}
}

// refusal sees that a call was refused with that status and, somewhere in it, that text.
func refusal(t *testing.T, err error, status int, text string) {
	t.Helper()
	var known interface {
		Code() int
		GetPayload() *models.ErrorResponseBody
	}
	var other *runtime.APIError
	switch {
	case errors.As(err, &known):
		message := ""
		if payload := known.GetPayload(); payload != nil && payload.Message != nil {
			message = *payload.Message
		}
		if known.Code() != status || !strings.Contains(strings.ToLower(message), strings.ToLower(text)) {
			t.Errorf("refused with %d %q, not with %d %q", known.Code(), message, status, text)
		}
	case errors.As(err, &other):
		if other.Code != status {
			t.Errorf("refused with %d, not with %d", other.Code, status)
		}
	default:
		t.Errorf("not refused with %d %q: %v", status, text, err)
	}
}

func must[T any](t *testing.T, value T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func health(t *testing.T, g *grafana) {
	// No login, as for a probe.
	answer, err := g.as("", "").Health.GetHealth()
	body := must(t, answer, err).Payload
	if body.Database != "ok" || !strings.HasPrefix(body.Version, "13.") {
		t.Errorf("health is %+v", body)
	}
	if status, header, text := g.get("/healthz", false); status != http.StatusOK || text != "Ok" || !strings.HasPrefix(header.Get("Content-Type"), "text/plain") {
		t.Errorf("healthz: %d %q %v", status, text, header)
	}
	status, header, page := g.get("/login", false)
	if status != http.StatusOK || !strings.HasPrefix(header.Get("Content-Type"), "text/html") || !strings.Contains(page, "Grafana") {
		t.Errorf("login: %d %v %.300s", status, header, page)
	}
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "deny", "X-Xss-Protection": "1; mode=block", "Cache-Control": "no-store",
	} {
		if header.Get(name) != want {
			t.Errorf("%s is %q, not %q", name, header.Get(name), want)
		}
	}
	policy := header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "'nonce-") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.ContainsAny(policy, "$\n") {
		t.Errorf("Content-Security-Policy is %q", policy)
	}
	status, header, _ = g.get("/", false)
	if status != http.StatusFound || !strings.HasSuffix(header.Get("Location"), "/login") {
		t.Errorf("the first page: %d to %q", status, header.Get("Location"))
	}
}

func whoMay(t *testing.T, g *grafana) {
	_, err := g.as("", "").Org.GetCurrentOrg()
	refusal(t, err, http.StatusUnauthorized, "Unauthorized")
	// Twice in all of the tests: five times would lock the administrator out.
	_, err = g.as(g.user, "wrong").Org.GetCurrentOrg()
	refusal(t, err, http.StatusUnauthorized, "Invalid username or password")
	_, err = g.as("nobody", "wrong").Org.GetCurrentOrg()
	refusal(t, err, http.StatusUnauthorized, "Invalid username or password")

	made, err := g.admin().AdminUsers.AdminCreateUser(&models.AdminCreateUserForm{Login: "contract-viewer", Email: "viewer@localhost", Password: "viewer-password"})
	id := must(t, made, err).Payload.ID
	t.Cleanup(func() {
		if _, err := g.admin().AdminUsers.AdminDeleteUser(id); err != nil {
			t.Error(err)
		}
	})
	viewer := g.as("contract-viewer", "viewer-password")
	me, err := viewer.SignedInUser.GetSignedInUser()
	if user := must(t, me, err).Payload; user.ID != id || user.IsGrafanaAdmin {
		t.Errorf("the new user is %+v", user)
	}
	_, err = viewer.Users.GetUserByLoginOrEmail("admin")
	refusal(t, err, http.StatusForbidden, "additional permissions")
	_, err = viewer.AdminUsers.AdminUpdateUserPassword(1, &models.AdminUpdateUserPasswordForm{Password: "taken-over"})
	refusal(t, err, http.StatusForbidden, "additional permissions")
	_, err = viewer.Datasources.GetDataSources()
	refusal(t, err, http.StatusForbidden, "additional permissions")
	if _, err := viewer.Dashboards.GetDashboardByUID("obs-app"); err != nil {
		t.Errorf("a viewer cannot view: %v", err)
	}
	status, _, _ := g.get("/api/nothing-of-the-kind", true)
	if status != http.StatusNotFound {
		t.Errorf("a call that does not exist: %d", status)
	}
}

func users(t *testing.T, g *grafana) {
	organization, err := g.admin().Org.GetCurrentOrg()
	if o := must(t, organization, err).Payload; o.ID != 1 || o.Name != "Main Org." {
		t.Errorf("the organization is %+v", o)
	}
	me, err := g.admin().SignedInUser.GetSignedInUser()
	user := must(t, me, err).Payload
	if user.Login != g.user || user.OrgID != 1 || !user.IsGrafanaAdmin || user.IsDisabled {
		t.Errorf("the administrator is %+v", user)
	}
	found, err := g.admin().Users.GetUserByLoginOrEmail(g.user)
	if other := must(t, found, err).Payload; other.ID != user.ID || other.Login != user.Login {
		t.Errorf("found %+v instead of %+v", other, user)
	}
	_, err = g.admin().Users.GetUserByLoginOrEmail("nobody")
	refusal(t, err, http.StatusNotFound, "not found")
}

func dataSources(t *testing.T, g *grafana) {
	answer, err := g.admin().Datasources.GetDataSources()
	kinds := map[string]string{}
	for _, source := range must(t, answer, err).Payload {
		kinds[source.UID] = source.Type
		if source.Access != "proxy" || !source.ReadOnly || source.IsDefault != (source.UID == "obs-prometheus") {
			t.Errorf("data source %+v", source)
		}
	}
	if kinds["obs-prometheus"] != "prometheus" || kinds["obs-alertmanager"] != "alertmanager" {
		t.Errorf("the data sources are %v", kinds)
	}
	one, err := g.admin().Datasources.GetDataSourceByUID("obs-prometheus")
	prometheus := must(t, one, err).Payload
	data, _ := prometheus.JSONData.(map[string]any)
	if prometheus.Name != "Prometheus" || prometheus.URL == "" || data["httpMethod"] != "POST" || data["alertmanagerUid"] != "obs-alertmanager" {
		t.Errorf("data source %+v", prometheus)
	}
	_, err = g.admin().Datasources.GetDataSourceByUID("nothing")
	refusal(t, err, http.StatusNotFound, "Data source not found")
	state, err := g.admin().Datasources.CheckDatasourceHealthWithUID("obs-prometheus")
	if message := must(t, state, err).Payload.Message; message != "Successfully queried the Prometheus API." {
		t.Errorf("Prometheus' health: %q", message)
	}
	// It has no backend in Grafana, and is fine all the same.
	_, err = g.admin().Datasources.CheckDatasourceHealthWithUID("obs-alertmanager")
	refusal(t, err, http.StatusInternalServerError, "Plugin unavailable")
	_, err = g.admin().Datasources.DeleteDataSourceByUID("obs-prometheus")
	refusal(t, err, http.StatusForbidden, "read-only")
}

func proxies(t *testing.T, g *grafana) {
	if _, err := g.admin().Datasources.DatasourceProxyGETByUIDcalls("obs-prometheus", "api/v1/status/buildinfo"); err != nil {
		t.Error(err)
	}
	if status, _, body := g.get("/api/datasources/proxy/uid/obs-prometheus/api/v1/query?query=up", true); status != http.StatusOK || !strings.Contains(body, `"status":"success"`) {
		t.Errorf("Prometheus through the proxy: %d %s", status, body)
	}
	if status, _, body := g.get("/api/datasources/proxy/uid/obs-alertmanager/api/v2/status", true); status != http.StatusOK || !strings.Contains(body, "cluster") {
		t.Errorf("Alertmanager through the proxy: %d %s", status, body)
	}
	_, err := g.admin().Datasources.DatasourceProxyGETByUIDcalls("nothing", "api/v1/query")
	refusal(t, err, http.StatusNotFound, "")
	_, err = g.as("", "").Datasources.DatasourceProxyGETByUIDcalls("obs-prometheus", "api/v1/query")
	refusal(t, err, http.StatusUnauthorized, "Unauthorized")
}

func query(t *testing.T, g *grafana) {
	from, to := "now-5m", "now"
	ask := func(expr, uid string) *models.MetricRequest {
		return &models.MetricRequest{From: &from, To: &to, Queries: []models.JSON{map[string]any{
			"refId": "A", "expr": expr, "range": true, "intervalMs": 15000, "maxDataPoints": 100, "datasource": map[string]string{"uid": uid},
		}}}
	}
	if _, _, err := g.admin().Datasources.QueryMetricsWithExpressions(ask("up", "obs-prometheus")); err != nil {
		t.Error(err)
	}
	// The client has other names for the parts of a frame than the server sends.
	body, _ := json.Marshal(ask("up", "obs-prometheus"))
	status, _, text := g.send(http.MethodPost, "/api/ds/query", string(body), true)
	var answer struct {
		Results map[string]struct {
			Frames []struct {
				Schema struct{ Fields []struct{ Name, Type string } }
				Data   struct{ Values [][]any }
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &answer); status != http.StatusOK || err != nil || len(answer.Results["A"].Frames) == 0 {
		t.Fatalf("query: %d %v %s", status, err, text)
	}
	frame := answer.Results["A"].Frames[0]
	if len(frame.Schema.Fields) != 2 || frame.Schema.Fields[0].Type != "time" || len(frame.Data.Values) != 2 || len(frame.Data.Values[0]) != len(frame.Data.Values[1]) {
		t.Errorf("frame %+v", frame)
	}
	_, _, err := g.admin().Datasources.QueryMetricsWithExpressions(ask("up", "nothing"))
	refusal(t, err, http.StatusNotFound, "")
}

func foldersAndDashboards(t *testing.T, g *grafana) {
	answer, err := g.admin().Folders.GetFolders(nil)
	titles := map[string]string{}
	for _, folder := range must(t, answer, err).Payload {
		titles[folder.UID] = folder.Title
	}
	for uid, title := range map[string]string{"obs-folder-apps": "Applications", "obs-folder-cluster": "Cluster", "obs-folder-stack": "Observability"} {
		if titles[uid] != title {
			t.Errorf("folder %s is %q, not %q", uid, titles[uid], title)
		}
	}
	folder, err := g.admin().Folders.GetFolderByUID("obs-folder-apps")
	if f := must(t, folder, err).Payload; f.Title != "Applications" || f.URL == "" {
		t.Errorf("folder %+v", f)
	}
	_, err = g.admin().Folders.GetFolderByUID("nothing")
	refusal(t, err, http.StatusNotFound, "not found")

	board, err := g.admin().Dashboards.GetDashboardByUID("obs-app")
	full := must(t, board, err).Payload
	if m := full.Meta; !m.Provisioned || m.ProvisionedExternalID != "app.json" || m.FolderUID != "obs-folder-apps" || m.FolderTitle != "Applications" ||
		!strings.HasPrefix(m.URL, g.address.Path+"/d/obs-app/") || m.Slug == "" || m.Version < 1 {
		t.Errorf("the dashboard's meta is %+v", m)
	}
	model, _ := full.Dashboard.(map[string]any)
	if panels, _ := model["panels"].([]any); model["uid"] != "obs-app" || model["title"] == "" || len(panels) == 0 {
		t.Errorf("the dashboard has uid %v, title %v and %d panels", model["uid"], model["title"], len(panels))
	}
	_, err = g.admin().Dashboards.GetDashboardByUID("nothing")
	refusal(t, err, http.StatusNotFound, "not found")
	_, err = g.admin().Dashboards.DeleteDashboardByUID("obs-app")
	refusal(t, err, http.StatusBadRequest, "")
}

func searches(t *testing.T, g *grafana) {
	hits := func(edit func(*search.SearchParams)) (uids []string) {
		t.Helper()
		params := search.NewSearchParams()
		edit(params)
		answer, err := g.admin().Search.Search(params)
		for _, hit := range must(t, answer, err).Payload {
			uids = append(uids, hit.UID)
			if hit.Title == "" || hit.URL == "" || hit.Type != "dash-db" && hit.Type != "dash-folder" {
				t.Errorf("hit %+v", hit)
			}
			if hit.Type == "dash-db" && strings.HasPrefix(hit.UID, "obs-") && (hit.FolderUID == "" || hit.FolderTitle == "") {
				t.Errorf("%s is in no folder", hit.UID)
			}
		}
		return uids
	}
	dashboards, folders := "dash-db", "dash-folder"
	all := hits(func(*search.SearchParams) {})
	if !slices.Contains(all, "obs-app") || !slices.Contains(all, "obs-folder-apps") {
		t.Errorf("all: %v", all)
	}
	if found := hits(func(p *search.SearchParams) { p.Type = &dashboards }); !slices.Contains(found, "obs-app") || slices.Contains(found, "obs-folder-apps") {
		t.Errorf("dashboards: %v", found)
	}
	if found := hits(func(p *search.SearchParams) { p.Type = &folders }); slices.Contains(found, "obs-app") || !slices.Contains(found, "obs-folder-apps") {
		t.Errorf("folders: %v", found)
	}
	if found := hits(func(p *search.SearchParams) { p.FolderUIDs = []string{"obs-folder-apps"} }); !slices.Equal(found, []string{"obs-app"}) {
		t.Errorf("in Applications: %v", found)
	}
	if found := hits(func(p *search.SearchParams) { p.DashboardUIDs = []string{"obs-app", "obs-alerts"} }); len(found) != 2 {
		t.Errorf("by uid: %v", found)
	}
	board := given(g.admin().Dashboards.GetDashboardByUID("obs-app"))(t).Payload
	model, _ := board.Dashboard.(map[string]any)
	title, _ := model["title"].(string)
	text := strings.ToLower(title)
	if found := hits(func(p *search.SearchParams) { p.Query = &text }); !slices.Contains(found, "obs-app") {
		t.Errorf("%q: %v", text, found)
	}
	tags, _ := model["tags"].([]any)
	if len(tags) == 0 {
		t.Fatal("the dashboard has no tags")
	}
	tag, _ := tags[0].(string)
	if found := hits(func(p *search.SearchParams) { p.Tag = []string{tag} }); !slices.Contains(found, "obs-app") || slices.Contains(found, "obs-folder-apps") {
		t.Errorf("tag %s: %v", tag, found)
	}
	if found := hits(func(p *search.SearchParams) { p.Tag = []string{tag, "nothing"} }); len(found) != 0 {
		t.Errorf("two tags: %v", found)
	}
	one, second := int64(1), int64(2)
	first := hits(func(p *search.SearchParams) { p.Type, p.Limit = &dashboards, &one })
	next := hits(func(p *search.SearchParams) { p.Type, p.Limit, p.Page = &dashboards, &one, &second })
	if len(first) != 1 || len(next) != 1 || first[0] == next[0] {
		t.Errorf("pages of one: %v, %v", first, next)
	}
}

func given[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T { t.Helper(); return must(t, value, err) }
}

// passwords changes the administrator's, and changes it back.
func passwords(t *testing.T, g *grafana) {
	me := given(g.admin().SignedInUser.GetSignedInUser())(t).Payload
	set := func(password string) error {
		_, err := g.admin().AdminUsers.AdminUpdateUserPassword(me.ID, &models.AdminUpdateUserPasswordForm{Password: models.Password(password)})
		return err
	}
	change := func(old, password string) error {
		_, err := g.admin().SignedInUser.ChangeUserPassword(&models.ChangeUserPasswordCommand{OldPassword: models.Password(old), NewPassword: models.Password(password)})
		return err
	}
	original := g.password
	for _, weak := range []string{"", "abc"} {
		refusal(t, set(weak), http.StatusBadRequest, "password")
		refusal(t, change(original, weak), http.StatusBadRequest, "password")
	}
	refusal(t, change("not-the-old-one", "long-enough"), http.StatusUnauthorized, "old password")
	if err := set("another-password"); err != nil {
		t.Fatal(err)
	}
	_, err := g.admin().Org.GetCurrentOrg()
	refusal(t, err, http.StatusUnauthorized, "Invalid username or password")
	g.password = "another-password"
	if err := change("another-password", original); err != nil {
		t.Fatal(err)
	}
	g.password = original
	if _, err := g.admin().Org.GetCurrentOrg(); err != nil {
		t.Error(err)
	}
}

func metrics(t *testing.T, g *grafana) {
	status, _, text := g.get("/metrics", false)
	if status != http.StatusOK {
		t.Fatalf("metrics: %d", status)
	}
	for _, name := range []string{
		"grafana_build_info{", "grafana_http_request_duration_seconds_count{", "grafana_http_request_duration_seconds_bucket{",
		"grafana_datasource_request_duration_seconds_count{", "grafana_datasource_request_duration_seconds_sum{",
		"process_resident_memory_bytes", "process_cpu_seconds_total", "process_start_time_seconds",
	} {
		if !strings.Contains(text, "\n"+name) {
			t.Errorf("there is no %s", strings.TrimSuffix(name, "{"))
		}
	}
	for _, label := range []string{`status_code="401"`, `handler="/api/dashboards/uid/:uid"`, `datasource_type="prometheus"`} {
		if !strings.Contains(text, label) {
			t.Errorf("no series has %s", label)
		}
	}
}
