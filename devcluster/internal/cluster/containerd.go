package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"devcluster/internal/image"
	"devcluster/internal/place"
	"devcluster/internal/process"
	"devcluster/internal/talk"
)

const (
	network = "devcluster" // of CNI
	bridge  = "devcluster0"
)

// runDir holds sockets and what containerd forgets on restart.
func (c *Cluster) runDir() string { return filepath.Join(place.Run, c.Name) }

func (c *Cluster) socket() string { return filepath.Join(c.runDir(), "containerd.sock") }

// containerd is an instance of our own: the machine's, if it has one, is
// another, with another socket, root and state.
//
// It gets a mount namespace of its own, in which all mounts are shared, as systemd
// makes them on most machines: pods that mount / with propagation (node-exporter
// does) are refused otherwise. It also keeps the pods' mounts from the machine.
func (c *Cluster) containerd() process.Spec {
	return process.Spec{
		Name: "containerd", Program: which("unshare"), Dir: c.Dir("home"), Log: c.Log("containerd"),
		Args: []string{"--mount", "--propagation", "slave", "sh", "-c", `mount --make-rshared / && exec containerd "$@"`,
			"containerd", "--config", c.Dir("containerd.toml")},
	}
}

// besideContainerd runs a program in containerd's mount namespace.
func (c *Cluster) besideContainerd(spec process.Spec, program string) process.Spec {
	for _, ref := range c.Processes {
		if ref.Name == "containerd" {
			spec.Args = append([]string{"--target", strconv.Itoa(ref.PID), "--mount", "--wdns=" + spec.Dir, "--", program}, spec.Args...)
		}
	}
	spec.Program = which("nsenter")
	return spec
}

func (c *Cluster) writeContainerd() error {
	if err := os.MkdirAll(c.runDir(), 0o711); err != nil {
		return err
	}
	return os.WriteFile(c.Dir("containerd.toml"), fmt.Appendf(nil, `version = 2
root = %[1]q
state = %[2]q
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp",
]
[grpc]
  address = %[3]q
[plugins."io.containerd.internal.v1.opt"]
  path = %[4]q
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %[5]q
  # Where CAP_SYS_RESOURCE is missing, a lower score than our own is refused, and
  # runc reports it as "can't get final child's PID from pipe: EOF".
  restrict_oom_score_adj = true
  # /var/run/netns belongs to the machine.
  netns_mounts_under_state_dir = true
  # As containerd 2 does: port 53 without root.
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %[6]q
    conf_dir = %[7]q
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      Root = %[8]q
      SystemdCgroup = false
`, c.Dir("containerd"), filepath.Join(c.runDir(), "containerd"), c.socket(), c.Dir("containerd", "opt"),
		image.PauseName, cniPlugins(), c.Dir("cni"), filepath.Join(c.runDir(), "runc")), 0o644)
}

// writeCNI connects pods by a bridge. The firewall plugin accepts their traffic
// where the machine's policy is to drop it, as Docker's is.
func (c *Cluster) writeCNI() error {
	if err := os.MkdirAll(c.Dir("cni"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(c.Dir("cni", "10-devcluster.conflist"), fmt.Appendf(nil, `{
  "cniVersion": "0.4.0",
  "name": %[1]q,
  "plugins": [
    {
      "type": "bridge", "bridge": %[2]q, "isGateway": true, "hairpinMode": true,
      "ipam": {
        "type": "host-local", "dataDir": %[3]q,
        "ranges": [[{"subnet": "10.244.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}, "conditionsV4": ["-d", "%[4]s/32"], "snat": false},
    {"type": "firewall", "backend": "iptables"}
  ]
}
`, network, bridge, c.Dir("cni-addresses"), nodeIP), 0o644)
}

// Ctr runs ctr in the namespace that the kubelet uses.
func (c *Cluster) Ctr(args ...string) (string, error) {
	cmd := exec.Command("ctr", append([]string{"--address", c.socket(), "--namespace", "k8s.io"}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", talk.Failf("ctr %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

// which gives a program's path; requirements has seen that it is there.
func which(program string) string {
	path, _ := exec.LookPath(program)
	return path
}

// cniPlugins is where Debian keeps them, or where most others do.
func cniPlugins() string {
	for _, dir := range []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"} {
		if _, err := os.Stat(filepath.Join(dir, "bridge")); err == nil {
			return dir
		}
	}
	return ""
}

// BuildImages packs all images.
func BuildImages() error {
	_, err := image.Ensure()
	return err
}
