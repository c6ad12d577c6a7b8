package selftest

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestTwoClustersWithoutANodeSideBySide(t *testing.T) {
	b := alone(t, "no-node")
	started := time.Now()
	first := b.must("up", "--no-node", "--name", "one")
	took := time.Since(started)
	second := b.must("up", "--no-node", "--name", "two")

	b.step("up is quick", func(b *bench) {
		if took > 10*time.Second { // 3 to 5 on an idle machine
			b.t.Errorf("up took %s", took)
		}
	})
	b.step("up prints the kubeconfig", func(b *bench) {
		equal(b.t, "kubeconfig one", first, b.must("kubeconfig", "--name", "one"))
		equal(b.t, "kubeconfig two", second, b.must("kubeconfig", "--name", "two"))
	})
	b.step("they do not share objects", func(b *bench) {
		b.name = "one"
		b.kubectl("create", "configmap", "note", "--from-literal=of=one")
		b.name = "two"
		if _, err := b.try("get", "configmap", "note"); err == nil {
			b.t.Error("two has one's ConfigMap")
		}
	})
	b.step("they listen on loopback only", func(b *bench) {
		out, err := exec.Command("ss", "-Hltnp").Output()
		if err != nil {
			b.t.Skip("ss is not installed")
		}
		for _, line := range strings.Split(string(out), "\n") {
			fields := strings.Fields(line)
			if strings.Contains(line, "kube-apiserver") && !strings.HasPrefix(fields[3], "127.0.0.1:") && !strings.HasPrefix(fields[3], "10.99.0.1:") {
				b.t.Errorf("%s", line)
			}
		}
	})
	b.step("up again finds it", func(b *bench) {
		started := time.Now()
		equal(b.t, "kubeconfig", b.must("up", "--no-node", "--name", "one"), first)
		if took := time.Since(started); took > 2*time.Second {
			b.t.Errorf("it took %s", took)
		}
	})
	b.step("a context is named after the cluster", func(b *bench) {
		b.name = "two"
		equal(b.t, "context", b.kubectl("config", "current-context"), "devcluster-two")
	})
	b.step("controllers work", func(b *bench) {
		b.name = "one"
		b.kubectl("create", "deployment", "web", "--image=busybox:1.36", "--replicas=2")
		b.eventually(20*time.Second, "two pods exist, and wait for a node", func() error {
			return contains(b.kubectl("get", "pods", "-o", "jsonpath={.items[*].status.phase}"), "Pending Pending")
		})
	})
	b.step("down ends one and leaves the other", func(b *bench) {
		b.must("down", "--name", "one")
		if _, err := os.Stat(first); err == nil {
			b.t.Errorf("%s is still there", first)
		}
		b.name = "two"
		b.kubectl("get", "namespaces")
	})
}

func TestWith(t *testing.T) {
	b := alone(t, "no-node")

	b.step("it names the cluster to the command, and passes its exit code on", func(b *bench) {
		stdout, stderr, err := b.run("", "with", "--no-node", "--name", "guest", "--",
			"sh", "-c", `test -s "$KUBECONFIG_TEST" && echo "$OBS_TEST_CONTEXT" && "$OBS_DEVCLUSTER" status >&2; exit 7`)
		equal(b.t, "stdout", strings.TrimSpace(stdout), "devcluster-guest")
		if err == nil || err.Error() != "exit status 7" {
			b.t.Errorf("got %v, want exit status 7\n%s", err, stderr)
		}
	})
	b.step("it ends what it started", func(b *bench) {
		equal(b.t, "clusters", b.must("status"), "")
	})
	b.step("it leaves what ran before", func(b *bench) {
		b.must("up", "--no-node", "--name", "host")
		b.must("with", "--no-node", "--name", "host", "--", "true")
		b.name = "host"
		b.kubectl("get", "namespaces")
	})
}

func TestErrorsSayWhatToDo(t *testing.T) {
	b := alone(t, "no-node")
	for _, example := range []struct{ args, says string }{
		{"kubeconfig --name nobody", "error: cluster nobody is not running\nhint: start it: devcluster up --name nobody\n"},
		{"up --name Up", "error: \"Up\" cannot be the name of a cluster\nhint: use up to 30 lower-case letters, digits and hyphens\n"},
		{"tool hammer", "error: there is no tool \"hammer\"\nhint: one of helm, promtool, kubectl\n"},
		{"fly", "error: there is no command \"fly\"\nhint: devcluster help lists the commands\n"},
	} {
		b.step(example.args, func(b *bench) {
			stdout, stderr, err := b.run("", strings.Fields(example.args)...)
			if err == nil || stdout != "" {
				b.t.Errorf("it succeeded, or wrote %q", stdout)
			}
			equal(b.t, "stderr", stderr, example.says)
		})
	}
}

func TestUpAfterEverythingWasKilled(t *testing.T) {
	b := alone(t, "no-node")
	b.must("up", "--no-node", "--name", "api")
	killAll(b, "api")
	b.eventually(10*time.Second, "status says so", func() error { return contains(b.must("status"), "dead") })
	b.must("up", "--no-node", "--name", "api")
	b.name = "api"
	b.kubectl("get", "namespaces")
}
