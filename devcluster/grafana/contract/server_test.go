package contract

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-openapi/strfmt"
	"github.com/grafana/grafana-openapi-client-go/client"
)

// build compiles the server once.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "plays-grafana-*")
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "plays-grafana")
	command := exec.Command("go", "build", "-o", program, ".")
	command.Dir = ".."
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly")
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return program, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if program, err := build(); err == nil {
		os.RemoveAll(filepath.Dir(program))
	}
	os.Exit(code)
}

// grafana is a server to ask.
type grafana struct {
	t        *testing.T
	address  *url.URL // with the path below which it is served
	user     string
	password string
	log      *buffer
	process  *exec.Cmd
	ended    chan error
}

type buffer struct {
	mutex sync.Mutex
	bytes.Buffer
}

func (b *buffer) Write(data []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.Buffer.Write(data)
}

func (b *buffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.Buffer.String()
}

// command gives the server's process, not started, and the port that it will have.
func (p *pod) command(out io.Writer) (*exec.Cmd, string) {
	p.t.Helper()
	program, err := build()
	if err != nil {
		p.t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(free.Addr().String())
	free.Close()
	command := exec.Command(program)
	command.Env = append(p.env, "GF_SERVER_HTTP_PORT="+port)
	command.Stdout, command.Stderr = out, out
	return command, port
}

// start runs the server until the test ends, and waits until it answers.
func (p *pod) start(path string) *grafana {
	p.t.Helper()
	g := &grafana{t: p.t, user: "admin", password: password, log: &buffer{}, ended: make(chan error, 1)}
	var port string
	g.process, port = p.command(g.log)
	g.address = &url.URL{Scheme: "http", Host: "127.0.0.1:" + port, Path: path}
	started := time.Now()
	if err := g.process.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() { g.ended <- g.process.Wait() }()
	p.t.Cleanup(func() {
		g.stop()
		if p.t.Failed() {
			p.t.Logf("the server's log:\n%s", g.log)
		}
	})
	g.within(10*time.Second, "the server is ready", func() error {
		select {
		case err := <-g.ended:
			g.ended <- err
			p.t.Fatalf("the server ended: %v\n%s", err, g.log)
		default:
		}
		status, _, body := g.get("/api/health", false)
		if status != http.StatusOK {
			return fmt.Errorf("%d %s", status, body)
		}
		return nil
	})
	if took := time.Since(started); took > 3*time.Second {
		p.t.Errorf("it took %s until the server was ready", took)
	}
	return g
}

// stop asks the server to leave, as the kubelet does.
func (g *grafana) stop() {
	if g.process == nil {
		return
	}
	_ = g.process.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-g.ended:
		if err != nil {
			g.t.Errorf("the server left with %v", err)
		}
	case <-time.After(5 * time.Second):
		g.t.Error("the server does not leave")
		_ = g.process.Process.Kill()
	}
	g.process = nil
}

// refused runs a server that must not start, and gives what it says.
func (p *pod) refused() string {
	p.t.Helper()
	var out buffer
	command, _ := p.command(&out)
	if err := command.Start(); err != nil {
		p.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	var exit *exec.ExitError
	select {
	case err := <-ended:
		if !errors.As(err, &exit) || exit.ExitCode() != 1 {
			p.t.Errorf("the server left with %v, not with 1", err)
		}
	case <-time.After(3 * time.Second):
		_ = command.Process.Kill()
		p.t.Errorf("the server starts all the same")
	}
	return out.String()
}

// as gives Grafana's client for a user; without a name, for nobody.
func (g *grafana) as(user, password string) *client.GrafanaHTTPAPI {
	config := &client.TransportConfig{
		Host: g.address.Host, BasePath: g.address.Path + "/api", Schemes: []string{g.address.Scheme},
	}
	if user != "" {
		config.BasicAuth, config.OrgID = url.UserPassword(user, password), 1
	}
	return client.NewHTTPClientWithConfig(strfmt.Default, config)
}

func (g *grafana) admin() *client.GrafanaHTTPAPI { return g.as(g.user, g.password) }

// get asks without the client, where it gives no body or is not the one that asks.
func (g *grafana) get(path string, signedIn bool) (int, http.Header, string) {
	return g.send(http.MethodGet, path, "", signedIn)
}

func (g *grafana) send(method, path, body string, signedIn bool) (int, http.Header, string) {
	request, err := http.NewRequest(method, g.address.String()+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if signedIn {
		request.SetBasicAuth(g.user, g.password)
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		return 0, nil, err.Error()
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, response.Header, string(text)
}

func (g *grafana) within(limit time.Duration, what string, check func() error) {
	g.t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			g.t.Fatalf("not within %s: %s: %v", limit, what, err)
		}
		time.Sleep(30 * time.Millisecond)
	}
}

// upstreams play Prometheus and Alertmanager, as far as Grafana asks them.
func upstreams(t *testing.T) (edits []string) {
	prometheus := http.NewServeMux()
	prometheus.HandleFunc("/api/v1/query", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization")+r.Header.Get("Cookie") != "" {
			t.Error("Prometheus is handed the login")
		}
		w.Header().Set("Content-Type", "application/json")
		if r.FormValue("query") == "nonsense(" {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"status":"error","errorType":"bad_data","error":"parse error"}`)
			return
		}
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"grafana"},"value":[1700000000,"1"]}]}}`)
	})
	prometheus.HandleFunc("/api/v1/query_range", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"job":"grafana"},"values":[[1700000000,"1"],[1700000030,"NaN"]]}]}}`)
	})
	prometheus.HandleFunc("/api/v1/status/buildinfo", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"status":"success","data":{"version":"3.15.0"}}`)
	})
	alertmanager := http.NewServeMux()
	alertmanager.HandleFunc("/api/v2/status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"cluster":{"status":"ready"}}`)
	})
	for service, handler := range map[string]http.Handler{
		"obs-prometheus.observability.svc:9090": prometheus, "obs-alertmanager.observability.svc:9093": alertmanager,
	} {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		edits = append(edits, service, strings.TrimPrefix(server.URL, "http://"))
	}
	return append(edits, "updateIntervalSeconds: 10", "updateIntervalSeconds: 1")
}
