package image

import (
	"devcluster/internal/recipe"
)

const grafanaUser = 472

// grafana has the name, user, environment and paths of Grafana's image, and in it a
// server that plays Grafana. An image of the real one that a person has put into the
// folder for more images takes its place, see Ensure.
var grafana = Image{
	Name:    "docker.io/grafana/grafana:13.2.0",
	Targets: []recipe.Target{recipe.Grafana},
	Files: func(b []recipe.Built) ([]File, error) {
		return root(
			program("/usr/share/grafana/bin/plays-grafana", b[0].Program("plays-grafana")),
			File{Path: "/etc/passwd", Text: passwd + "grafana:x:472:0::/usr/share/grafana:/sbin/nologin\n"},
			File{Path: "/etc/grafana/grafana.ini", Text: "[log]\nmode = console\n"},
			File{Path: "/etc/grafana/provisioning/datasources", Dir: true, Mode: 0o755},
			File{Path: "/etc/grafana/provisioning/dashboards", Dir: true, Mode: 0o755},
			File{Path: "/etc/grafana/provisioning/plugins", Dir: true, Mode: 0o755},
			File{Path: "/etc/grafana/provisioning/alerting", Dir: true, Mode: 0o755},
			File{Path: "/var/lib/grafana", Dir: true, Mode: 0o777, UID: grafanaUser},
			File{Path: "/var/log/grafana", Dir: true, Mode: 0o777, UID: grafanaUser},
		), nil
	},
	Config: Config{
		User: "472", WorkingDir: "/usr/share/grafana", Ports: ports("3000/tcp"),
		Entrypoint: []string{"/usr/share/grafana/bin/plays-grafana"},
		Env: []string{
			"PATH=/usr/share/grafana/bin:/usr/local/bin:/usr/bin:/bin",
			"GF_PATHS_CONFIG=/etc/grafana/grafana.ini", "GF_PATHS_DATA=/var/lib/grafana", "GF_PATHS_HOME=/usr/share/grafana",
			"GF_PATHS_LOGS=/var/log/grafana", "GF_PATHS_PLUGINS=/var/lib/grafana/plugins", "GF_PATHS_PROVISIONING=/etc/grafana/provisioning",
		},
		Labels: map[string]string{
			"org.opencontainers.image.title":       "plays Grafana",
			"org.opencontainers.image.description": "Not Grafana: a server of devcluster's that answers as its HTTP API does",
		},
	},
}
