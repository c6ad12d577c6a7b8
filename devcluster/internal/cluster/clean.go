package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"devcluster/internal/process"
	"devcluster/internal/talk"
)

func holdsNode(c *Cluster) bool {
	h := loadHolder()
	return h != nil && h.is(c)
}

// cleanNode removes everything that a node leaves on a machine. Each step looks
// at what is there, so that it does not matter how the node ended.
func cleanNode(c *Cluster) error {
	h := loadHolder()
	if h == nil || !h.is(c) {
		return nil // it failed before it touched the machine, or was cleaned before
	}
	if err := killContainers(c); err != nil {
		return err
	}
	err := errors.Join(unmountBelow(c.Dir(), c.runDir()), detachLoops(c.Dir("volumes")), c.removeCgroups())
	c.cleanNetwork(h.Saved)
	for name, value := range h.Saved.Sysctls {
		if now, readErr := os.ReadFile(sysctlFile(name)); readErr == nil && strings.TrimSpace(string(now)) != value {
			err = errors.Join(err, setSysctl(name, value))
		}
	}
	removeShimSockets(c)
	removePodLogs(h.Saved.Logs)
	for _, path := range h.Saved.Absent {
		removeFolder(path)
	}
	if err != nil {
		return err // the record is needed to try again
	}
	return errors.Join(os.RemoveAll(c.runDir()), os.Remove(holderFile))
}

// killContainers ends the shims and all that runs in the pods' cgroups. New ones
// cannot appear: kubelet and containerd were ended before.
func killContainers(c *Cluster) error {
	for end := time.Now().Add(15 * time.Second); ; {
		refs := process.WithArguments("containerd-shim-runc-v2", c.socket())
		for _, dir := range hierarchies() {
			refs = append(refs, inCgroup(filepath.Join(dir, c.cgroup()))...)
		}
		refs = slices.DeleteFunc(refs, func(r process.Ref) bool { return !r.Alive() })
		if len(refs) == 0 {
			return nil
		}
		if err := process.Stop(0, refs...); err != nil {
			return err
		}
		if time.Now().After(end) {
			return talk.Failf("containers keep appearing in the cgroup %s", c.cgroup())
		}
	}
}

func inCgroup(dir string) (refs []process.Ref) {
	_ = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.Name() != "cgroup.procs" {
			return nil
		}
		pids, _ := os.ReadFile(path)
		for _, field := range strings.Fields(string(pids)) {
			if pid, err := strconv.Atoi(field); err == nil {
				refs = append(refs, process.Find(pid))
			}
		}
		return nil
	})
	return refs
}

// unmountBelow unmounts, innermost first.
func unmountBelow(dirs ...string) error {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var points []string
	for _, line := range strings.Split(string(mounts), "\n") {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		point := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\134`, `\`).Replace(fields[4])
		for _, dir := range dirs {
			if strings.HasPrefix(point, dir+"/") {
				points = append(points, point)
			}
		}
	}
	slices.Reverse(points)
	var failed error
	for _, point := range points {
		if run("umount", point) != nil {
			failed = errors.Join(failed, run("umount", "--lazy", point))
		}
	}
	return failed
}

// detachLoops frees the loop devices of the volumes; also those whose file was
// deleted already, which the kernel marks.
func detachLoops(dir string) error {
	files, _ := filepath.Glob("/sys/block/loop*/loop/backing_file")
	var failed error
	for _, file := range files {
		backing, err := os.ReadFile(file)
		if err == nil && strings.HasPrefix(string(backing), dir+"/") {
			device := "/dev/" + strings.Split(file, "/")[3]
			failed = errors.Join(failed, run("losetup", "--detach", device))
		}
	}
	return failed
}

// removeCgroups deletes the pods' cgroups, deepest first. The kernel needs a
// moment after the last process of one has ended.
func (c *Cluster) removeCgroups() error {
	var failed error
	for _, hierarchy := range hierarchies() {
		root := filepath.Join(hierarchy, c.cgroup())
		var dirs []string
		_ = filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		slices.Reverse(dirs)
		for _, dir := range dirs {
			err := os.Remove(dir)
			for end := time.Now().Add(5 * time.Second); err != nil && !os.IsNotExist(err) && time.Now().Before(end); {
				time.Sleep(10 * time.Millisecond)
				err = os.Remove(dir)
			}
			if err != nil && !os.IsNotExist(err) {
				failed = errors.Join(failed, err)
			}
		}
		_ = os.Remove(filepath.Dir(root)) // if empty
	}
	return failed
}

// removeShimSockets deletes the sockets of shims that were killed. Their place is
// compiled into containerd; each shim's folder says which one is its.
func removeShimSockets(c *Cluster) {
	files, _ := filepath.Glob(filepath.Join(c.runDir(), "containerd/io.containerd.runtime.v2.task/k8s.io/*/address"))
	for _, file := range files {
		if address, err := os.ReadFile(file); err == nil {
			_ = os.Remove(strings.TrimPrefix(strings.TrimSpace(string(address)), "unix://"))
		}
	}
}

// removePodLogs deletes what was not there before, and the links to it.
func removePodLogs(earlier []string) {
	entries, _ := os.ReadDir("/var/log/pods")
	for _, entry := range entries {
		if !slices.Contains(earlier, entry.Name()) {
			_ = os.RemoveAll(filepath.Join("/var/log/pods", entry.Name()))
		}
	}
	links, _ := filepath.Glob("/var/log/containers/*.log")
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, "/var/log/pods/") {
			if _, err := os.Stat(link); os.IsNotExist(err) {
				_ = os.Remove(link)
			}
		}
	}
}

// removeFolder deletes a folder that the node's parts made. The kubelet's may go
// with what is in it; in the others, somebody else may have put something since.
func removeFolder(path string) {
	if path == "/var/lib/kubelet" {
		_ = os.RemoveAll(path)
		return
	}
	var dirs []string
	_ = filepath.WalkDir(path, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	slices.Reverse(dirs)
	for _, dir := range dirs {
		_ = os.Remove(dir) // only if empty
	}
}
