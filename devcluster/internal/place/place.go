// Package place says where devcluster keeps things: sources, cache and state.
// Nothing is kept in the repository, and nothing in ~/.kube.
package place

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"devcluster/internal/talk"
)

// Source is the folder devcluster/ of the repository: the wrapper says so, and
// `go test` runs inside it.
func Source() (string, error) {
	if dir := os.Getenv("DEVCLUSTER_SOURCE"); dir != "" {
		return dir, nil
	}
	dir, err := os.Getwd()
	for err == nil && dir != "/" {
		if _, err := os.Stat(filepath.Join(dir, "kubernetes", "go.mod")); err == nil {
			return dir, nil
		}
		dir = filepath.Dir(dir)
	}
	return "", talk.Failf("the sources of devcluster are not found").
		Hinted("run the wrapper script devcluster/devcluster of the repository")
}

// Cache holds what is built, keyed by its recipe. It may be deleted at any time
// when no cluster runs.
func Cache() string {
	if dir := os.Getenv("KUBECTL_OBS_DEV_CACHE"); dir != "" {
		return absolute(dir)
	}
	return filepath.Join(home("XDG_CACHE_HOME", ".cache"), "kubectl-obs-dev")
}

// ExtraImages is the folder whose *.tar are imported when a node starts.
func ExtraImages() string {
	if dir := os.Getenv("OBS_DEV_IMAGES"); dir != "" {
		return absolute(dir)
	}
	return filepath.Join(Cache(), "images")
}

// State holds one folder for each cluster, named after it.
func State() string {
	return filepath.Join(home("XDG_STATE_HOME", ".local/state"), "kubectl-obs-dev")
}

// Cluster is the state folder of one cluster.
func Cluster(name string) string { return filepath.Join(State(), name) }

// Run holds what belongs to the machine rather than to a user: the record of
// who has the one node, and sockets, whose paths must be short (108 bytes).
const Run = "/run/kubectl-obs-dev"

func home(variable, fallback string) string {
	if dir := os.Getenv(variable); dir != "" {
		return absolute(dir)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = filepath.Join(os.TempDir(), "kubectl-obs-dev-"+strconv.Itoa(os.Getuid()))
	}
	return filepath.Join(home, fallback)
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// Lock takes a file lock, waiting for its holder, and gives the function that
// releases it. waiting is called once if there is a holder.
func Lock(path string, waiting func()) (release func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		if waiting != nil {
			waiting()
		}
		for {
			err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
			if err == nil {
				break
			}
			if err != syscall.EINTR {
				file.Close()
				return nil, err
			}
		}
	}
	return func() { file.Close() }, nil
}
