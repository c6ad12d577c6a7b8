package recipe

// Kubernetes is every part of the control plane and the node, kubectl and the
// storage provisioner, in one program with a symlink for each role.
var Kubernetes = Target{
	Name:     "kubernetes",
	Version:  "v1.34.4",
	Module:   "kubernetes",
	Programs: []Program{{Package: ".", File: "kube"}},
	// Without these the server calls itself v0.0.0-master+$Format:%H$, which no
	// client can parse.
	Set: map[string]string{
		"k8s.io/component-base/version.gitVersion":   "v1.34.4",
		"k8s.io/component-base/version.gitMajor":     "1",
		"k8s.io/component-base/version.gitMinor":     "34",
		"k8s.io/component-base/version.gitTreeState": "clean",
		"k8s.io/client-go/pkg/version.gitVersion":    "v1.34.4",
		"k8s.io/client-go/pkg/version.gitMajor":      "1",
		"k8s.io/client-go/pkg/version.gitMinor":      "34",
	},
	Roles: []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler",
		"kube-proxy", "kubelet", "kubectl", "storage"},
	Packages: 1900,
	Seconds:  255,
}

// The components that run in the cluster as images, and the tools. Each has a
// module of its own, since their requirements contradict each other.
var (
	CoreDNS = Target{
		Name: "coredns", Version: "v1.12.4", Module: "components/coredns",
		Programs: []Program{{Package: "github.com/coredns/coredns", File: "coredns"}},
		Packages: 1450, Seconds: 93,
	}
	Prometheus = Target{
		Name: "prometheus", Version: "v3.15.0", Module: "components/prometheus",
		Programs: []Program{
			{Package: "github.com/prometheus/prometheus/cmd/prometheus", File: "prometheus"},
			{Package: "github.com/prometheus/prometheus/cmd/promtool", File: "promtool"},
		},
		Set:      prometheusVersion("3.15.0"),
		Packages: 1900, Seconds: 296,
	}
	KubeStateMetrics = Target{
		Name: "kube-state-metrics", Version: "v2.20.0", Module: "components/kube-state-metrics",
		Programs: []Program{{Package: "k8s.io/kube-state-metrics/v2", File: "kube-state-metrics"}},
		Set:      prometheusVersion("v2.20.0"),
		Packages: 950, Seconds: 82,
	}
	NodeExporter = Target{
		Name: "node_exporter", Version: "v1.12.1", Module: "components/node_exporter",
		Programs: []Program{{Package: "github.com/prometheus/node_exporter", File: "node_exporter"}},
		Set:      prometheusVersion("1.12.1"),
		Packages: 400, Seconds: 15,
	}
	// The server embeds its web UI, which the published module does not have: an empty page stands in.
	Alertmanager = Target{
		Name: "alertmanager", Version: "v0.34.2", Module: "components/alertmanager",
		Programs: []Program{{Package: "github.com/prometheus/alertmanager/cmd/alertmanager", File: "alertmanager"}},
		Set:      prometheusVersion("0.34.2"),
		Lacks: Lacks{Module: "github.com/prometheus/alertmanager", Files: map[string]string{
			"ui/app/dist/index.html": "<!doctype html><title>Alertmanager</title>the web UI is not built here\n",
		}},
		Packages: 650, Seconds: 45,
	}
	Amtool = Target{
		Name: "amtool", Version: "v0.34.2", Module: "components/alertmanager",
		Programs: []Program{{Package: "github.com/prometheus/alertmanager/cmd/amtool", File: "amtool"}},
		Set:      prometheusVersion("0.34.2"),
		Packages: 650, Seconds: 40,
	}
	PostgresExporter = Target{
		Name: "postgres_exporter", Version: "v0.19.1", Module: "components/postgres_exporter",
		Programs: []Program{{Package: "github.com/prometheus-community/postgres_exporter/cmd/postgres_exporter", File: "postgres_exporter"}},
		Set:      prometheusVersion("0.19.1"),
		Packages: 350, Seconds: 7,
	}
	RedisExporter = Target{
		Name: "redis_exporter", Version: "v1.88.0", Module: "components/redis_exporter",
		Programs: []Program{{Package: "github.com/oliver006/redis_exporter", File: "redis_exporter"}},
		Set:      map[string]string{"main.BuildVersion": "v1.88.0"},
		Packages: 250, Seconds: 4,
	}
	BlackboxExporter = Target{
		Name: "blackbox_exporter", Version: "v0.28.0", Module: "components/blackbox_exporter",
		Programs: []Program{{Package: "github.com/prometheus/blackbox_exporter", File: "blackbox_exporter"}},
		Set:      prometheusVersion("0.28.0"),
		Packages: 450, Seconds: 15,
	}
	Pint = Target{
		Name: "pint", Version: "v0.87.0", Module: "components/pint",
		Programs: []Program{{Package: "github.com/cloudflare/pint/cmd/pint", File: "pint"}},
		Set:      map[string]string{"main.version": "0.87.0"},
		Packages: 900, Seconds: 60,
	}
	Helm = Target{
		Name: "helm", Version: "v4.3.1", Module: "components/helm",
		Programs: []Program{{Package: "helm.sh/helm/v4/cmd/helm", File: "helm"}},
		Set: map[string]string{
			"helm.sh/helm/v4/internal/version.version":      "v4.3.1",
			"helm.sh/helm/v4/internal/version.gitTreeState": "clean",
		},
		Packages: 1000, Seconds: 102,
	}
	// Grafana is not Grafana, which is under the AGPL and nothing to build here: a program
	// of the repository's own plays its HTTP API (see grafana/main.go).
	Grafana = Target{
		Name: "plays-grafana", Version: "13.2.0", Module: "grafana",
		Programs: []Program{{Package: ".", File: "plays-grafana"}},
		Packages: 200, Seconds: 15,
	}
	// Pause holds a pod's namespaces; it is a program of this very module.
	Pause = Target{
		Name: "pause", Version: "1", Module: ".", Sources: "pause",
		Programs: []Program{{Package: "./pause", File: "pause"}},
		Packages: 60, Seconds: 3,
	}
)

// All is what `devcluster build` builds.
var All = []Target{Kubernetes, Pause, CoreDNS, NodeExporter, KubeStateMetrics, Prometheus, Alertmanager,
	PostgresExporter, RedisExporter, BlackboxExporter, Grafana, Amtool, Pint, Helm}

var tools = map[string]Target{
	"alertmanager": Alertmanager, "amtool": Amtool, "helm": Helm, "kubectl": Kubernetes, "pint": Pint, "promtool": Prometheus,
}

// Tool finds a program that people and tests call by name.
func Tool(name string) (Target, bool) {
	target, ok := tools[name]
	return target, ok
}

// Tools are their names.
func Tools() []string { return sortedKeys(tools) }

func prometheusVersion(version string) map[string]string {
	return map[string]string{
		"github.com/prometheus/common/version.Version":  version,
		"github.com/prometheus/common/version.Revision": "devcluster",
		"github.com/prometheus/common/version.Branch":   "HEAD",
	}
}
