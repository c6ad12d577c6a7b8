package selftest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"
)

// busy has what leaves traces: pods, a Service, a volume, a port of the host.
var busy = web + writer + `---
apiVersion: v1
kind: Pod
metadata: {name: host-port}
spec:
  containers:
  - {name: sleep, image: busybox:1.36, command: [sleep, 1d], ports: [{containerPort: 80, hostPort: 18080}]}
`

func TestANodeLeavesNothingBehind(t *testing.T) {
	b := alone(t, "lifecycle")
	before := traces(b)
	b.must("up", "--name", "life")
	use(b)
	b.must("down", "--name", "life")
	same(t, before, traces(b))
}

func TestUpAfterANodeWasKilled(t *testing.T) {
	b := alone(t, "lifecycle")
	before := traces(b)
	b.must("up", "--name", "life")
	use(b)
	killAll(b, "life")
	b.must("up", "--name", "life")
	use(b)
	b.must("down", "--name", "life")
	same(t, before, traces(b))
}

func TestOneNodePerMachine(t *testing.T) {
	b := alone(t, "lifecycle")
	b.must("up", "--name", "first")
	_, stderr, err := b.run("", "up", "--name", "second")
	if err == nil {
		t.Fatal("a second node started")
	}
	if err := contains(stderr, "the machine has a node already: cluster first"); err != nil {
		t.Error(err)
	}
	other := &bench{t: t, env: []string{"XDG_STATE_HOME=" + t.TempDir()}}
	_, stderr, err = other.run("", "up", "--name", "first")
	if err == nil || !strings.Contains(stderr, "the machine has a node already") {
		t.Errorf("another user's node started: %v\n%s", err, stderr)
	}
	started := time.Now()
	b.must("up", "--name", "first")
	if took := time.Since(started); took > 2*time.Second {
		t.Errorf("up of a node that is up took %s", took)
	}
}

func use(b *bench) {
	b.t.Helper()
	b.name, b.namespace = "life", "default"
	b.apply(busy)
	b.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
	b.ready("pod/writer", "pod/host-port")
	b.eventually(10*time.Second, "the machine itself reaches Services", func() error {
		ip := b.kubectl("get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")
		response, err := (&http.Client{Timeout: time.Second}).Get("http://" + ip)
		if err == nil {
			response.Body.Close()
		}
		return err
	})
}

// killAll ends every process of a cluster, as a crash would.
func killAll(b *bench, name string) {
	b.t.Helper()
	file := filepath.Join(filepath.Dir(b.must("kubeconfig", "--name", name)), "cluster.json")
	data, err := os.ReadFile(file)
	if err != nil {
		b.t.Fatal(err)
	}
	var record struct{ Processes []struct{ PID int } }
	if err := json.Unmarshal(data, &record); err != nil {
		b.t.Fatal(err)
	}
	if len(record.Processes) < 4 {
		b.t.Fatalf("%s names only %d processes", file, len(record.Processes))
	}
	for _, process := range record.Processes {
		_ = syscall.Kill(process.PID, syscall.SIGKILL)
	}
}

// traces lists what a node could leave on the machine.
func traces(b *bench) map[string]bool {
	b.t.Helper()
	found := map[string]bool{}
	add := func(kind string, lines ...string) {
		for _, line := range lines {
			if line = strings.TrimSpace(line); line != "" {
				found[kind+": "+line] = true
			}
		}
	}
	output := func(name string, args ...string) []string {
		out, err := exec.Command(name, args...).Output()
		if err != nil {
			b.t.Logf("%s %s: %v", name, strings.Join(args, " "), err)
		}
		return strings.Split(string(out), "\n")
	}
	for _, program := range []string{"iptables", "ip6tables"} {
		for _, line := range output(program + "-save") {
			// Tables and built-in chains come into being by being listed.
			if strings.HasPrefix(line, "-A") || strings.HasPrefix(line, ":") && strings.Contains(line, " - ") {
				add(program, line)
			}
		}
	}
	for _, line := range output("ip", "-oneline", "address") {
		if fields := strings.Fields(line); len(fields) > 3 {
			add("address", fields[1]+" "+fields[3])
		}
	}
	for _, line := range output("ip", "-oneline", "link") {
		if fields := strings.Fields(line); len(fields) > 1 {
			add("link", fields[1])
		}
	}
	add("rule", output("ip", "rule")...)
	add("route", output("ip", "route", "show", "table", "all")...)
	state := strings.TrimPrefix(b.env[0], "XDG_STATE_HOME=")
	for _, line := range output("cat", "/proc/self/mountinfo") {
		if fields := strings.Fields(line); len(fields) > 4 {
			add("mount", fields[4])
		}
	}
	files, _ := filepath.Glob("/sys/block/loop*/loop/backing_file")
	for _, file := range files {
		if data, _ := os.ReadFile(file); strings.Contains(string(data), state) {
			add("loop device", string(data))
		}
	}
	for _, dir := range []string{"/var/log/pods", "/var/log/containers", "/var/lib/kubelet", "/var/lib/cni", "/run/containerd",
		"/usr/libexec/kubernetes", "/etc/cni", "/opt", "/run/netns", "/run/kubectl-obs-dev", state} {
		_ = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
			// Locks stay: to delete one that somebody waits for would be a race.
			if err == nil && !strings.Contains(path, "/locks") && !strings.HasSuffix(path, ".lock") && path != "/run/kubectl-obs-dev" &&
				path != filepath.Join(state, "kubectl-obs-dev") {
				add("file", path)
			}
			return nil
		})
	}
	cgroups, _ := filepath.Glob("/sys/fs/cgroup/*/kubectl-obs-dev/life*")
	add("cgroup", cgroups...)
	commands, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range commands {
		line, _ := os.ReadFile(file)
		if text := strings.ReplaceAll(string(line), "\x00", " "); strings.Contains(text, state) || strings.Contains(text, "/run/kubectl-obs-dev/life/") {
			add("process", text)
		}
	}
	for _, name := range []string{"net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables", "vm/overcommit_memory", "kernel/panic"} {
		value, _ := os.ReadFile("/proc/sys/" + name)
		add("sysctl", name+"="+string(value))
	}
	return found
}

func same(t *testing.T, before, after map[string]bool) {
	t.Helper()
	var changes []string
	for line := range after {
		if !before[line] {
			changes = append(changes, "left behind: "+line)
		}
	}
	for line := range before {
		if !after[line] {
			changes = append(changes, "gone: "+line)
		}
	}
	sort.Strings(changes)
	if len(changes) > 0 {
		t.Error(fmt.Sprintf("down changed the machine (%d):\n%s", len(changes), strings.Join(changes, "\n")))
	}
}
