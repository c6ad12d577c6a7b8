package image

import (
	"devcluster/internal/recipe"
)

// Image is one image of the cluster, under the name that charts give it.
type Image struct {
	Name    string
	Targets []recipe.Target // whose programs are in it
	Parts   []Part          // what else is
	Files   func(built []recipe.Built) ([]File, error)
	Config  Config
	// Version is raised when Files gives something else for the same programs.
	Version int
}

// Part is something else than a program of Go's that an image is made of. Files gets
// the parts after the targets.
type Part interface {
	Ensure() (recipe.Built, error)
}

// PauseName is the image that every pod's sandbox runs.
const PauseName = "devcluster.local/pause:1"

// All images, in the order in which a starting cluster needs them.
var All = []Image{
	{
		Name:    PauseName,
		Targets: []recipe.Target{recipe.Pause},
		Files: func(b []recipe.Built) ([]File, error) {
			return []File{program("/pause", b[0].Program("pause"))}, nil
		},
		Config: Config{User: "65535:65535", Entrypoint: []string{"/pause"}},
	},
	{
		Name:    "registry.k8s.io/coredns/coredns:v1.12.4",
		Targets: []recipe.Target{recipe.CoreDNS},
		Files: func(b []recipe.Built) ([]File, error) {
			return root(program("/coredns", b[0].Program("coredns"))), nil
		},
		Config: Config{User: "nonroot:nonroot", WorkingDir: "/", Entrypoint: []string{"/coredns"}, Ports: ports("53/tcp", "53/udp")},
	},
	{
		Name:    "docker.io/library/busybox:1.36",
		Parts:   []Part{busyboxTree},
		Files:   func(b []recipe.Built) ([]File, error) { return busybox(b[0]) },
		Config:  Config{Cmd: []string{"sh"}},
		Version: 2,
	},
	postgres, redis, shop, grafana, // see services.go, shop.go, grafana.go
	{
		Name:    "quay.io/prometheus/prometheus:v3.15.0",
		Targets: []recipe.Target{recipe.Prometheus},
		Files: func(b []recipe.Built) ([]File, error) {
			return root(
				program("/bin/prometheus", b[0].Program("prometheus")),
				program("/bin/promtool", b[0].Program("promtool")),
				File{Path: "/etc/prometheus/prometheus.yml", Text: prometheusConfig},
				File{Path: "/prometheus", Dir: true, Mode: 0o755, UID: nobody, GID: nobody},
			), nil
		},
		Config: Config{
			User: "nobody", WorkingDir: "/prometheus", Ports: ports("9090/tcp"), Volumes: ports("/prometheus"),
			Entrypoint: []string{"/bin/prometheus"},
			Cmd:        []string{"--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"},
		},
	},
	{
		Name:    "registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.20.0",
		Targets: []recipe.Target{recipe.KubeStateMetrics},
		Files: func(b []recipe.Built) ([]File, error) {
			return root(program("/kube-state-metrics", b[0].Program("kube-state-metrics"))), nil
		},
		Config: Config{
			User: "nobody", WorkingDir: "/", Ports: ports("8080/tcp", "8081/tcp"),
			Entrypoint: []string{"/kube-state-metrics", "--port=8080", "--telemetry-port=8081"},
		},
	},
	{
		Name:    "quay.io/prometheus/node-exporter:v1.12.1",
		Targets: []recipe.Target{recipe.NodeExporter},
		Files: func(b []recipe.Built) ([]File, error) {
			return root(program("/bin/node_exporter", b[0].Program("node_exporter"))), nil
		},
		Config: Config{User: "nobody", WorkingDir: "/", Entrypoint: []string{"/bin/node_exporter"}, Ports: ports("9100/tcp")},
	},
	{
		Name:    "quay.io/prometheus/alertmanager:v0.34.2",
		Targets: []recipe.Target{recipe.Alertmanager},
		Files: func(b []recipe.Built) ([]File, error) {
			return root(
				program("/bin/alertmanager", b[0].Program("alertmanager")),
				File{Path: "/etc/alertmanager/alertmanager.yml", Text: alertmanagerConfig},
				File{Path: "/alertmanager", Dir: true, Mode: 0o755, UID: nobody, GID: nobody},
			), nil
		},
		Config: Config{
			User: "nobody", WorkingDir: "/alertmanager", Ports: ports("9093/tcp"), Volumes: ports("/alertmanager"),
			Entrypoint: []string{"/bin/alertmanager"},
			Cmd:        []string{"--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/alertmanager"},
		},
	},
	{
		Name:    "quay.io/prometheuscommunity/postgres-exporter:v0.19.1",
		Targets: []recipe.Target{recipe.PostgresExporter},
		Files: func(b []recipe.Built) ([]File, error) {
			return root(program("/bin/postgres_exporter", b[0].Program("postgres_exporter"))), nil
		},
		Config: Config{User: "nobody", WorkingDir: "/", Entrypoint: []string{"/bin/postgres_exporter"}, Ports: ports("9187/tcp")},
	},
	{
		Name:    "quay.io/oliver006/redis_exporter:v1.88.0",
		Targets: []recipe.Target{recipe.RedisExporter},
		Files: func(b []recipe.Built) ([]File, error) {
			return root(program("/redis_exporter", b[0].Program("redis_exporter"))), nil
		},
		Config: Config{User: "59000:59000", WorkingDir: "/", Entrypoint: []string{"/redis_exporter"}, Ports: ports("9121/tcp")},
	},
	{
		Name:    "quay.io/prometheus/blackbox-exporter:v0.28.0",
		Targets: []recipe.Target{recipe.BlackboxExporter},
		Files: func(b []recipe.Built) ([]File, error) {
			return root(
				program("/bin/blackbox_exporter", b[0].Program("blackbox_exporter")),
				File{Path: "/etc/blackbox_exporter/config.yml", Text: "modules: {http_2xx: {prober: http}}\n"},
			), nil
		},
		Config: Config{
			WorkingDir: "/", Ports: ports("9115/tcp"), Entrypoint: []string{"/bin/blackbox_exporter"},
			Cmd: []string{"--config.file=/etc/blackbox_exporter/config.yml"},
		},
	},
}

const (
	nobody = 65534

	passwd = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"
	group  = "root:x:0:\ntty:x:5:\nstaff:x:50:\nnobody:x:65534:\nnonroot:x:65532:\n"

	prometheusConfig = `global:
  scrape_interval: 15s
scrape_configs:
- job_name: prometheus
  static_configs:
  - targets: [localhost:9090]
`

	alertmanagerConfig = `route: {receiver: nobody}
receivers: [{name: nobody}]
`
)

// root is what every image has besides its programs.
func root(files ...File) []File {
	return append([]File{
		{Path: "/etc/passwd", Text: passwd},
		{Path: "/etc/group", Text: group},
		// Names come from the pod's /etc/hosts first, then from the cluster's DNS.
		{Path: "/etc/nsswitch.conf", Text: "hosts: files dns\n"},
		{Path: "/tmp", Dir: true, Mode: 0o1777},
		{Path: "/root", Dir: true, Mode: 0o700},
		{Path: "/home/nonroot", Dir: true, Mode: 0o700, UID: 65532, GID: 65532},
		{Path: "/var/run", Link: "/run"},
		{Path: "/run", Dir: true, Mode: 0o755},
	}, files...)
}

func program(path, host string) File { return File{Path: path, Mode: 0o755, Host: host} }

func ports(names ...string) map[string]struct{} {
	set := map[string]struct{}{}
	for _, name := range names {
		set[name] = struct{}{}
	}
	return set
}
