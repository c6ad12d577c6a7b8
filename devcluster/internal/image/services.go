package image

import (
	"embed"
	"fmt"
	"path/filepath"

	"devcluster/internal/debian"
	"devcluster/internal/recipe"
)

// What applications stand on: servers from Debian, under the names of the upstream
// images and started like these, so that manifests work with either.

//go:embed services
var services embed.FS

const (
	server       = 999 // the user of the upstream images
	serverPasswd = passwd + "postgres:x:999:999::/var/lib/postgresql:/bin/sh\n"
	serverGroup  = group + "postgres:x:999:\n"
)

var (
	postgresTree = debian.Tree{
		Name: "postgres", Packages: []string{"postgresql"},
		// No just-in-time compiler: it is as large as all the rest.
		Without: []string{"libllvm*", "libz3*", "locales*", "libc-l10n", "openssl", "ssl-cert", "postgresql-common*",
			"postgresql-client-common", "libdb5*", "libgdbm*", "libncurses*"},
	}
	redisTree = debian.Tree{Name: "redis", Packages: []string{"redis-server"}, Without: []string{"libdb5*", "libgdbm*"}}
)

var postgres = Image{
	Name:  "docker.io/library/postgres:15-bookworm",
	Parts: []Part{postgresTree, busyboxTree},
	Files: func(b []recipe.Built) ([]File, error) {
		files, err := unpacked(b[0], "/usr/lib/postgresql/*/lib/bitcode", "/usr/lib/postgresql/*/lib/llvmjit*", "/usr/share/postgresql/*/man",
			"/usr/share/zoneinfo/posix", "/usr/share/zoneinfo/right")
		if err != nil {
			return nil, err
		}
		bins, err := filepath.Glob(filepath.Join(debian.Root(b[0]), "usr/lib/postgresql/*/bin"))
		if err != nil || len(bins) != 1 {
			return nil, fmt.Errorf("debian's package postgresql has %d versions of the server (%v)", len(bins), err)
		}
		version := filepath.Base(filepath.Dir(bins[0]))
		entrypoint, err := services.ReadFile("services/postgres-entrypoint.sh")
		if err != nil {
			return nil, err
		}
		files = append(root(files...), shell(b[1], "sh", "cat", "chmod", "mkdir", "mv", "rm", "sleep", "env", "id")...)
		for _, name := range []string{"postgres", "initdb", "pg_ctl", "pg_isready", "psql", "createdb", "pg_dump", "pgbench"} {
			// Relative links, and not over what is a file of the package.
			files = append(files, File{Path: "/usr/local/bin/" + name, Link: "../../lib/postgresql/" + version + "/bin/" + name})
		}
		return append(files,
			File{Path: "/usr/local/bin/docker-entrypoint.sh", Mode: 0o755, Text: string(entrypoint)},
			File{Path: "/etc/passwd", Text: serverPasswd}, File{Path: "/etc/group", Text: serverGroup},
			File{Path: "/docker-entrypoint-initdb.d", Dir: true, Mode: 0o755},
			File{Path: "/var/lib/postgresql/data", Dir: true, Mode: 0o777, UID: server, GID: server},
			File{Path: "/run/postgresql", Dir: true, Mode: 0o777, UID: server, GID: server},
		), nil
	},
	Config: Config{
		User: "999:999", Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin", "PGDATA=/var/lib/postgresql/data"},
		Entrypoint: []string{"docker-entrypoint.sh"}, Cmd: []string{"postgres"},
		Ports: ports("5432/tcp"), Volumes: ports("/var/lib/postgresql/data"),
		StopSignal: "SIGINT", // with SIGTERM it waits until all clients have gone
	},
	Version: 3,
}

var redis = Image{
	Name:  "docker.io/library/redis:7.0-bookworm",
	Parts: []Part{redisTree, busyboxTree},
	Files: func(b []recipe.Built) ([]File, error) {
		files, err := unpacked(b[0])
		if err != nil {
			return nil, err
		}
		return append(append(root(files...), shell(b[1], "sh", "cat", "sleep", "env", "id")...),
			File{Path: "/etc/passwd", Text: serverPasswd}, File{Path: "/etc/group", Text: serverGroup},
			File{Path: "/data", Dir: true, Mode: 0o777, UID: server, GID: server},
		), nil
	},
	Config: Config{
		User: "999:999", Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin"}, WorkingDir: "/data",
		Cmd: []string{"redis-server", "--protected-mode", "no"}, Ports: ports("6379/tcp"), Volumes: ports("/data"),
	},
}
