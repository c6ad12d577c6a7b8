package api

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"devcluster/grafana/internal/settings"
)

// metrics are the few of Grafana's that dashboards and alerts ask for, and those that
// every program in Go has.
type metrics struct {
	mutex     sync.Mutex
	started   time.Time
	requests  map[string]*histogram // by labels
	toSources map[string]*histogram
	inFlight  int
}

type histogram struct {
	counts [len(bounds) + 1]uint64
	sum    float64
}

var bounds = [...]float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

func newMetrics() *metrics {
	return &metrics{started: time.Now(), requests: map[string]*histogram{}, toSources: map[string]*histogram{}}
}

func (m *metrics) observe(family map[string]*histogram, labels string, took time.Duration) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	h := family[labels]
	if h == nil {
		h = &histogram{}
		family[labels] = h
	}
	at, _ := slices.BinarySearch(bounds[:], took.Seconds())
	h.counts[at]++
	h.sum += took.Seconds()
}

func (m *metrics) request(r *http.Request, status int, took time.Duration) {
	if status == 0 {
		status = http.StatusOK
	}
	m.observe(m.requests, fmt.Sprintf(`handler=%q,method=%q,slo_group="none",status_code="%d",status_source="server"`, handler(r), r.Method, status), took)
}

func (m *metrics) toSource(name, kind, method string, status int, took time.Duration) {
	m.observe(m.toSources, fmt.Sprintf(`code="%d",datasource=%q,datasource_type=%q,method=%q`, status, name, kind, strings.ToLower(method)), took)
}

// serve writes the text format.
func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) {
	if s.settings.MetricsUser != "" {
		if user, password, _ := r.BasicAuth(); user != s.settings.MetricsUser || password != s.settings.MetricsPassword {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
	}
	var out bytes.Buffer
	m := s.metrics
	m.mutex.Lock()
	histograms(&out, "grafana_http_request_duration_seconds", "Histogram of latencies for HTTP requests.", m.requests)
	histograms(&out, "grafana_datasource_request_duration_seconds", "Histogram of durations of requests to data sources.", m.toSources)
	m.mutex.Unlock()
	one := func(name, kind, help string, value any) {
		metric, _, _ := strings.Cut(name, "{")
		fmt.Fprintf(&out, "# HELP %s %s\n# TYPE %s %s\n%s %v\n", metric, help, metric, kind, name, value)
	}
	one(fmt.Sprintf(`grafana_build_info{branch="HEAD",edition="oss",goversion=%q,revision="plays-grafana",version=%q}`, runtime.Version(), settings.Version),
		"gauge", "What is played, and by what.", 1)
	one("grafana_instance_start_total", "counter", "Starts of this instance.", 1)
	one("grafana_stat_totals_dashboard", "gauge", "Number of dashboards.", len(s.store.Dashboards()))
	one("grafana_stat_totals_datasource", "gauge", "Number of data sources.", len(s.store.Sources()))
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	one("go_goroutines", "gauge", "Number of goroutines.", runtime.NumGoroutine())
	one("go_memstats_alloc_bytes", "gauge", "Bytes in use.", memory.Alloc)
	process(one, m.started)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(out.Bytes())
}

func histograms(out *bytes.Buffer, name, help string, family map[string]*histogram) {
	fmt.Fprintf(out, "# HELP %s %s\n# TYPE %s histogram\n", name, help, name)
	labels := make([]string, 0, len(family))
	for set := range family {
		labels = append(labels, set)
	}
	slices.Sort(labels)
	for _, set := range labels {
		h, total := family[set], uint64(0)
		for i, count := range h.counts {
			total += count
			bound := "+Inf"
			if i < len(bounds) {
				bound = strconv.FormatFloat(bounds[i], 'g', -1, 64)
			}
			fmt.Fprintf(out, "%s_bucket{%s,le=%q} %d\n", name, set, bound, total)
		}
		fmt.Fprintf(out, "%s_sum{%s} %g\n%s_count{%s} %d\n", name, set, h.sum, name, set, total)
	}
}

// process writes the process_ metrics, as far as /proc has them.
func process(one func(name, kind, help string, value any), started time.Time) {
	one("process_start_time_seconds", "gauge", "When the process started.", float64(started.UnixMilli())/1000)
	// The second field of stat is a name in parentheses, and may hold anything.
	stat, err := os.ReadFile("/proc/self/stat")
	if _, rest, found := strings.Cut(string(stat), ") "); err == nil && found {
		if fields := strings.Fields(rest); len(fields) > 21 {
			user, _ := strconv.ParseFloat(fields[11], 64)
			system, _ := strconv.ParseFloat(fields[12], 64)
			pages, _ := strconv.Atoi(fields[21])
			size, _ := strconv.Atoi(fields[20])
			one("process_cpu_seconds_total", "counter", "Time of the processor.", (user+system)/100)
			one("process_resident_memory_bytes", "gauge", "Resident memory.", pages*os.Getpagesize())
			one("process_virtual_memory_bytes", "gauge", "Virtual memory.", size)
		}
	}
	if files, err := os.ReadDir("/proc/self/fd"); err == nil {
		one("process_open_fds", "gauge", "Open files.", len(files))
	}
}
