package selftest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

const shopManifests = "../../examples/fastapi/manifests/"

// The example of the repository, on real servers: what its own tests, which have its
// neighbours in memory, cannot show.
func TestTheShop(t *testing.T) {
	b := onNode(t)
	b.kubectl("label", "namespace", b.namespace, "pod-security.kubernetes.io/enforce=restricted")
	redisPassword := rand.Text()
	b.kubectl("create", "secret", "generic", "shop-credentials", "--from-literal=postgres="+rand.Text(),
		"--from-literal=postgres-exporter="+rand.Text(), "--from-literal=redis="+redisPassword)
	// Its manifests name a namespace, and this test has another.
	for _, manifest := range strings.Split(b.kubectl("kustomize", shopManifests+"annotations"), "\n---\n") {
		if !strings.Contains(manifest, "\nkind: Namespace\n") {
			b.apply(strings.ReplaceAll(manifest, "namespace: shop", "namespace: "+b.namespace))
		}
	}
	b.kubectl("rollout", "status", "statefulset/postgres", "--timeout=120s")
	b.kubectl("rollout", "status", "deployment/shop", "--timeout=120s")

	sql := func(b *bench, query string) string {
		b.t.Helper()
		return b.kubectl("exec", "postgres-0", "--", "psql", "-U", "shop", "-d", "shop", "-Atc", query)
	}
	orders := 0
	b.step("it sells, and fails where it is told to", func(b *bench) {
		report := struct {
			Sent, Failed, Skipped int
			WrongIDs              int `json:"wrong_ids"`
			Status                map[string]int
		}{}
		out := b.kubectl("exec", "deployment/shop", "--", "python3", "load.py", "http://shop", "--rate=20", "--duration=4", "--errors=0.3", "--json")
		if err := json.Unmarshal([]byte(out), &report); err != nil {
			b.t.Fatal(err)
		}
		orders = report.Status["201"]
		if report.Sent != 80 || report.Failed+report.Skipped+report.WrongIDs > 0 || report.Status["200"] == 0 || orders == 0 ||
			report.Status["500"] == 0 || report.Status["200"]+orders+report.Status["500"] != report.Sent {
			b.t.Errorf("%+v", report)
		}
	})
	b.step("an order has the id of its request", func(b *bench) {
		equal(b.t, "orders, ids of requests", sql(b, "SELECT count(*), count(DISTINCT request_id) FROM orders WHERE request_id ~ '^[0-9a-f]{32}$'"),
			fmt.Sprintf("%d|%[1]d", orders))
	})
	b.step("what is logged is JSON, and belongs to a request", func(b *bench) {
		levels := map[string]int{}
		for _, line := range strings.Split(b.kubectl("logs", "--selector=app.kubernetes.io/name=shop", "--tail=-1"), "\n") {
			entry := map[string]any{}
			if err := json.Unmarshal([]byte(line), &entry); err != nil {
				b.t.Errorf("%v: %s", err, line)
			}
			if id, _ := entry["request_id"].(string); entry["logger"] == "shop.request" && id == "" {
				b.t.Errorf("no request_id: %s", line)
			}
			levels[fmt.Sprint(entry["level"])]++
		}
		if levels["info"] == 0 || levels["error"] == 0 {
			b.t.Errorf("levels: %v", levels)
		}
	})
	b.step("it counts under the names that the README lists", func(b *bench) {
		metrics := ""
		for _, ip := range strings.Fields(b.kubectl("get", "pods", "--selector=app.kubernetes.io/name=shop", "-o", "jsonpath={.items[*].status.podIP}")) {
			response, err := (&http.Client{Timeout: 10 * time.Second}).Get("http://" + ip + ":8000/metrics")
			if err != nil {
				b.t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			response.Body.Close()
			if err != nil {
				b.t.Fatal(err)
			}
			metrics += string(body)
		}
		for _, line := range []string{
			`http_requests_total\{handler="/items/\{number\}",method="GET",status="2xx"\} [1-9]`,
			`http_request_duration_seconds_bucket\{handler="/items",le="0\.5",method="GET"\} `,
			`http_request_duration_highr_seconds_bucket\{le="2\.0"\} [1-9]`,
			`http_requests_inprogress\{handler="/items",method="GET"\} 0\.0`,
			`database_query_duration_seconds_bucket\{le="\+Inf",operation="order"\} [1-9]`,
			`database_pool_connections\{state="idle"\} [1-9]`,
			`cache_requests_total\{result="hit"\} [1-9]`,
			`cache_requests_total\{result="error"\} 0\.0`,
		} {
			if !regexp.MustCompile(`(?m)^` + line).MatchString(metrics) {
				b.t.Errorf("no line is like %s in\n%s", line, metrics)
			}
		}
	})
	b.step("whoever looks for it finds it: apps in the stack's values, and a ServiceMonitor", func(b *bench) {
		found := func(file, selector, port string) (labels, at string) {
			text, err := os.ReadFile(file)
			if err != nil {
				b.t.Fatal(err)
			}
			match := regexp.MustCompile(`(?ms)^ *` + selector + `: \{(\S+): (\S+)\}$.*^[ -]*` + port + `: (\w+)$`).FindSubmatch(text)
			if match == nil {
				b.t.Fatalf("%s has no %s and %s", file, selector, port)
			}
			return fmt.Sprintf("%s=%s", match[1], match[2]), string(match[3])
		}
		labels, port := found("../../examples/fastapi/values.yaml", "selector", "port")
		equal(b.t, "ports of its pods", b.kubectl("get", "pods", "-l", labels, "-o", "jsonpath={.items[*].spec.containers[*].ports[*].containerPort}"), port+" "+port)
		labels, port = found(shopManifests+"servicemonitor/servicemonitor.yaml", "matchLabels", "port")
		equal(b.t, "ports of its Services", b.kubectl("get", "services", "-l", labels, "-o", "jsonpath={.items[*].spec.ports[*].name}"), port)
	})
	b.step("the exporter's user may look and nothing else", func(b *bench) {
		as := func(user, password, query string) (string, error) {
			return b.try("exec", "postgres-0", "--", "sh", "-c", `PGPASSWORD=`+password+` exec psql -h 127.0.0.1 -d shop -AtU "$1" -c "$2"`, "sh", user, query)
		}
		const own = `$(cat /run/secrets/postgres/exporter)`
		out, err := as("exporter", own, "SELECT count(*) > 0 FROM pg_stat_statements WHERE query LIKE 'INSERT INTO orders%'")
		if err != nil || out != "t" {
			b.t.Errorf("%q %v", out, err)
		}
		for user, query := range map[string]string{"exporter": "DELETE FROM orders", "shop": "SELECT 1"} {
			if out, err := as(user, own, query); err == nil {
				b.t.Errorf("%s with the exporter's password may %s: %s", user, query, out)
			}
		}
	})
	b.step("Redis wants its password", func(b *bench) {
		ask := func(environment ...string) string {
			return b.kubectl(append(append([]string{"exec", "deployment/redis", "--", "env"}, environment...), "redis-cli", "PING")...)
		}
		if err := contains(ask(), "NOAUTH"); err != nil {
			b.t.Error(err)
		}
		equal(b.t, "PING", ask("REDISCLI_AUTH="+redisPassword), "PONG")
	})
	b.step("its orders outlive the database's pod, and the shop goes on", func(b *bench) {
		before := sql(b, "SELECT count(*) FROM orders")
		b.kubectl("delete", "pod", "postgres-0")
		b.kubectl("rollout", "status", "statefulset/postgres", "--timeout=60s")
		equal(b.t, "orders", sql(b, "SELECT count(*) FROM orders"), before)
		b.eventually(30*time.Second, "an order is taken", func() error {
			out, err := b.try("exec", "deployment/shop", "--", "python3", "load.py", "http://shop", "--rate=10", "--duration=1", "--json")
			if err == nil && !strings.Contains(out, `"201"`) {
				err = fmt.Errorf("none was: %s", out)
			}
			return err
		})
	})
}
