package cluster

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"devcluster/internal/talk"
)

// cgroup is the one that all pods are below, in each hierarchy.
func (c *Cluster) cgroup() string { return "kubectl-obs-dev/" + c.Name }

// sysctls that the node's parts change.
var sysctls = []string{
	"net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables",
	"net.ipv4.conf.all.route_localnet", "vm.overcommit_memory", "vm.panic_on_oom",
	"kernel.panic", "kernel.panic_on_oops", "kernel.keys.root_maxkeys", "kernel.keys.root_maxbytes",
}

// paths outside our folders that the node's parts make: the kubelet's and CNI's
// libraries have them compiled in.
var foreignPaths = []string{
	"/var/lib/kubelet", "/var/lib/cni", "/var/log/pods", "/var/log/containers",
	"/run/containerd", "/etc/cni", "/opt/cni", "/opt/containerd", "/usr/libexec/kubernetes",
}

func inspectMachine() before {
	b := before{Sysctls: map[string]string{}, Chains: ownChains(nil)}
	for _, name := range sysctls {
		if value, err := os.ReadFile(sysctlFile(name)); err == nil {
			b.Sysctls[name] = strings.TrimSpace(string(value))
		}
	}
	for _, path := range foreignPaths {
		// The topmost folder that is missing is the one to delete.
		for dir := path; ; dir = filepath.Dir(dir) {
			if _, err := os.Lstat(filepath.Dir(dir)); err == nil {
				if _, err := os.Lstat(dir); err != nil && !slices.Contains(b.Absent, dir) {
					b.Absent = append(b.Absent, dir)
				}
				break
			}
		}
	}
	entries, _ := os.ReadDir("/var/log/pods")
	for _, entry := range entries {
		b.Logs = append(b.Logs, entry.Name())
	}
	return b
}

// setUpMachine gives the machine the node's address, forwarding and cgroups.
func (c *Cluster) setUpMachine() error {
	for _, module := range []string{"overlay", "br_netfilter"} {
		_ = exec.Command("modprobe", module).Run() // built in, on many kernels
	}
	if err := setUpNetwork(); err != nil {
		return err
	}
	if err := setSysctl("net.ipv4.ip_forward", "1"); err != nil {
		return err
	}
	// Without it, pods on one bridge bypass iptables, and with that Services. A
	// kernel without the module has no such bypass to close.
	if err := setSysctl("net.bridge.bridge-nf-call-iptables", "1"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, dir := range hierarchies() {
		if err := os.MkdirAll(filepath.Join(dir, c.cgroup()), 0o755); err != nil {
			return talk.Failf("cannot make a cgroup: %w", err).
				Hinted("a node needs to write below /sys/fs/cgroup; in a container, give it --privileged and its own cgroup namespace")
		}
	}
	return c.enableControllers()
}

// hierarchies are the folders of cgroups: one with cgroup v2, one for each
// controller with v1.
func hierarchies() (dirs []string) {
	const root = "/sys/fs/cgroup"
	if _, err := os.Stat(root + "/cgroup.controllers"); err == nil {
		return []string{root}
	}
	entries, _ := os.ReadDir(root)
	for _, entry := range entries {
		if entry.IsDir() {
			dirs = append(dirs, filepath.Join(root, entry.Name()))
		}
	}
	return dirs
}

// enableControllers passes the controllers on to pods, which v2 wants said.
func (c *Cluster) enableControllers() error {
	const root = "/sys/fs/cgroup"
	controllers, err := os.ReadFile(root + "/cgroup.controllers")
	if err != nil {
		return nil // v1
	}
	for _, dir := range []string{root, filepath.Join(root, filepath.Dir(c.cgroup())), filepath.Join(root, c.cgroup())} {
		for _, controller := range strings.Fields(string(controllers)) {
			_ = os.WriteFile(dir+"/cgroup.subtree_control", []byte("+"+controller), 0o644)
		}
	}
	return nil
}

func sysctlFile(name string) string {
	return "/proc/sys/" + strings.ReplaceAll(name, ".", "/")
}

func setSysctl(name, value string) error {
	return os.WriteFile(sysctlFile(name), []byte(value), 0o644)
}

func run(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return talk.Failf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
