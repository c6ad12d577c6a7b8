// Package selftest is devcluster's description by example. It only uses what
// people use: the wrapper script and kubectl.
//
// Which tests run: those for a node on the cluster "dev", if it is up
// (`devcluster selftest` sees to it), those without a node with
// DEVCLUSTER_SELFTEST=no-node, and those that start and kill nodes with
// `devcluster selftest --lifecycle`. With OBS_REQUIRE_CLUSTER=1 there is no
// skipping.
package selftest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// bench is a cluster and a test that uses it.
type bench struct {
	t         *testing.T
	name      string
	namespace string
	env       []string
}

// onNode gives the running node cluster, with a namespace that ends with the test.
func onNode(t *testing.T) *bench {
	t.Helper()
	name := os.Getenv("DEVCLUSTER_SELFTEST_NAME")
	if name == "" {
		name = "dev"
	}
	b := &bench{t: t, name: name}
	if mode := os.Getenv("DEVCLUSTER_SELFTEST"); mode != "" && mode != "node" {
		t.Skipf("DEVCLUSTER_SELFTEST is %q", mode)
	}
	if _, stderr, err := b.run("", "kubeconfig", "--name", name); err != nil {
		skip(t, "no node cluster is up (devcluster selftest starts one): "+stderr)
	}
	b.namespace = "selftest-" + strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	b.kubectl("create", "namespace", b.namespace)
	t.Cleanup(func() {
		if t.Failed() {
			b.describe()
		}
		b.kubectl("delete", "namespace", b.namespace, "--wait=false")
	})
	// The first pod of a namespace needs it.
	b.eventually(10*time.Second, "the namespace has a service account", func() error {
		_, err := b.try("get", "serviceaccount", "default")
		return err
	})
	return b
}

// alone gives a bench with a state folder of its own, so that it neither sees nor
// disturbs the clusters of others.
func alone(t *testing.T, mode string) *bench {
	t.Helper()
	if os.Getenv("DEVCLUSTER_SELFTEST") != mode {
		t.Skipf("runs with `devcluster selftest --%s`", mode)
	}
	if runtime.GOOS != "linux" {
		skip(t, "devcluster runs on linux")
	}
	if mode == "lifecycle" && os.Geteuid() != 0 {
		skip(t, "a node needs root")
	}
	b := &bench{t: t, env: []string{"XDG_STATE_HOME=" + t.TempDir()}}
	t.Cleanup(func() { b.must("down", "--all") })
	return b
}

// step is a part of a test that reads as a sentence of its own.
func (b *bench) step(sentence string, test func(b *bench)) {
	b.t.Run(sentence, func(t *testing.T) {
		inner := *b
		inner.t = t
		test(&inner)
	})
}

func skip(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("OBS_REQUIRE_CLUSTER") == "1" {
		t.Fatalf("OBS_REQUIRE_CLUSTER=1, but %s", reason)
	}
	t.Skip(reason)
}

// run starts devcluster and gives both its outputs.
func (b *bench) run(stdin string, args ...string) (stdout, stderr string, err error) {
	wrapper := os.Getenv("OBS_DEVCLUSTER")
	if wrapper == "" {
		wrapper = filepath.Join("..", "devcluster")
	}
	var out, talk bytes.Buffer
	cmd := exec.Command(wrapper, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &talk
	cmd.Env = append(os.Environ(), b.env...)
	err = cmd.Run()
	return out.String(), talk.String(), err
}

// must is run for what has to work; it gives stdout.
func (b *bench) must(args ...string) string {
	b.t.Helper()
	stdout, stderr, err := b.run("", args...)
	if err != nil {
		b.t.Fatalf("devcluster %s: %v\n%s%s", strings.Join(args, " "), err, stdout, stderr)
	}
	return strings.TrimSpace(stdout)
}

// try runs kubectl in the test's namespace.
func (b *bench) try(args ...string) (string, error) {
	stdout, stderr, err := b.run("", b.kubectlArgs(args)...)
	if err != nil {
		return stdout, fmt.Errorf("kubectl %s: %w: %s%s", strings.Join(args, " "), err, stderr, stdout)
	}
	return strings.TrimSpace(stdout), nil
}

func (b *bench) kubectlArgs(args []string) []string {
	all := []string{"kubectl", "--name", b.name, "--"}
	if b.namespace != "" {
		all = append(all, "--namespace", b.namespace)
	}
	return append(all, args...)
}

func (b *bench) kubectl(args ...string) string {
	b.t.Helper()
	out, err := b.try(args...)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

func (b *bench) apply(manifest string) {
	b.t.Helper()
	manifest = strings.ReplaceAll(manifest, "NAMESPACE", b.namespace)
	if stdout, stderr, err := b.run(manifest, b.kubectlArgs([]string{"apply", "--server-side", "-f", "-"})...); err != nil {
		b.t.Fatalf("kubectl apply: %v\n%s%s", err, stdout, stderr)
	}
}

// ready waits for pods, or for other objects, and shows them if they are not.
func (b *bench) ready(what ...string) {
	b.t.Helper()
	b.kubectl(append([]string{"wait", "--for=condition=Ready", "--timeout=60s"}, what...)...)
}

func (b *bench) eventually(limit time.Duration, what string, check func() error) {
	b.t.Helper()
	started := time.Now()
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Since(started) > limit {
			b.t.Fatalf("not within %s: %s: %v", limit, what, err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// describe prints what a person would look at.
func (b *bench) describe() {
	for _, args := range [][]string{
		{"get", "pods,pvc,services", "-o", "wide"},
		{"get", "events", "--sort-by=.lastTimestamp"},
	} {
		out, _ := b.try(args...)
		b.t.Logf("kubectl %s\n%s", strings.Join(args, " "), out)
	}
}

func equal(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s\n got: %s\nwant: %s", what, got, want)
	}
}

func contains(text, part string) error {
	if !strings.Contains(text, part) {
		return fmt.Errorf("%q is not in:\n%s", part, text)
	}
	return nil
}
