package cluster

import (
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"devcluster/internal/talk"
)

// needed programs, with the Debian package that has each.
var needed = []struct{ program, debian string }{
	{"containerd", "containerd"}, {"ctr", "containerd"}, {"containerd-shim-runc-v2", "containerd"}, {"runc", "runc"},
	{"iptables", "iptables"}, {"iptables-save", "iptables"}, {"conntrack", "conntrack"},
	{"losetup", "mount"}, {"mount", "mount"}, {"blkid", "util-linux"}, {"nsenter", "util-linux"}, {"unshare", "util-linux"},
	{"mkfs.ext4", "e2fsprogs"}, {"resize2fs", "e2fsprogs"}, {"ip", "iproute2"},
}

// requirements sees that the machine can host a node, and installs what is missing
// where that is possible.
func requirements() error {
	if err := CanHostNode(); err != nil {
		return err
	}
	// Root's PATH may lack the folders of administration.
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin")
	missing, packages := findMissing()
	if len(missing) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return incomplete(missing)
	}
	talk.Sayf("installing %s", strings.Join(packages, " "))
	_ = aptGet("update")
	if err := aptGet(append([]string{"install", "-y", "--no-install-recommends"}, packages...)...); err != nil {
		return err
	}
	if missing, _ = findMissing(); len(missing) > 0 {
		return incomplete(missing)
	}
	return nil
}

func incomplete(missing []string) error {
	for _, line := range missing {
		talk.Sayf("missing: %s", line)
	}
	return talk.Failf("%d programs that a node needs are missing", len(missing)).
		Hinted("install them; Debian's packages are named above")
}

// findMissing gives lines for a person, and the packages to install.
func findMissing() (lines, packages []string) {
	add := func(what, debian string) {
		lines = append(lines, what+" (package "+debian+")")
		if !slices.Contains(packages, debian) {
			packages = append(packages, debian)
		}
	}
	for _, n := range needed {
		if _, err := exec.LookPath(n.program); err != nil {
			add(n.program, n.debian)
		}
	}
	if _, err := exec.LookPath("mkfs.xfs"); err != nil && volumeFilesystem() == "xfs" {
		add("mkfs.xfs", "xfsprogs")
	}
	if cniPlugins() == "" {
		add("the CNI plugins bridge, portmap, firewall, host-local and loopback", "containernetworking-plugins")
	}
	return lines, packages
}

// volumeFilesystem is what volumes are formatted with. Growing a mounted ext4
// needs CAP_SYS_RESOURCE, which root in a container or a sandbox may not have;
// growing an xfs does not.
func volumeFilesystem() string {
	const capSysResource = 24
	status, _ := os.ReadFile("/proc/self/status")
	_, after, _ := strings.Cut(string(status), "CapEff:")
	line, _, _ := strings.Cut(after, "\n")
	effective, err := strconv.ParseUint(strings.TrimSpace(line), 16, 64)
	if err == nil && effective&(1<<capSysResource) == 0 {
		return "xfs"
	}
	return "ext4"
}

func aptGet(args ...string) error {
	cmd := exec.Command("apt-get", append([]string{"-q"}, args...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return talk.Failf("apt-get %s: %w\n%s", strings.Join(args, " "), err, strings.TrimSpace(string(out))).
			Hinted("install the packages by hand, then try again")
	}
	return nil
}

// CanHostNode says why this user cannot have a node; programs that are missing do
// not count, for they are installed.
func CanHostNode() error {
	if os.Geteuid() != 0 {
		return talk.Failf("a cluster with a node needs root").
			Hinted("run it with sudo, or use a cluster without one: --no-node")
	}
	return nil
}
