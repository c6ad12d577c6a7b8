package selftest

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

const web = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: web
        image: busybox:1.36
        command: [sh, -c, "mkdir /tmp/www && hostname > /tmp/www/index.html && echo serving && exec httpd -f -p 8080 -h /tmp/www"]
        securityContext: {runAsUser: 1000, runAsNonRoot: true}
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: client, image: busybox:1.36, command: [sleep, 1d]}
`

func TestPodsRunAndFindEachOther(t *testing.T) {
	b := onNode(t)
	b.apply(web)
	b.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
	b.ready("pod/client")

	b.step("a Service has a name", func(b *bench) {
		want := b.kubectl("get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")
		out := b.kubectl("exec", "client", "--", "nslookup", "web."+b.namespace+".svc.cluster.local")
		if err := contains(out, want); err != nil {
			b.t.Error(err)
		}
	})
	b.step("a Service answers, by its short name too", func(b *bench) {
		b.eventually(10*time.Second, "both pods answer", func() error {
			out := ""
			for range 10 {
				line, err := b.try("exec", "client", "--", "wget", "-qO-", "-T2", "http://web")
				if err != nil {
					return err
				}
				out += line + "\n"
			}
			for _, pod := range strings.Fields(b.kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].metadata.name}")) {
				if err := contains(out, pod); err != nil {
					return err
				}
			}
			return nil
		})
	})
	b.step("logs", func(b *bench) {
		equal(b.t, "log of a pod", b.kubectl("logs", "deployment/web", "--tail=1"), "serving")
	})
	b.step("exec", func(b *bench) {
		equal(b.t, "user", b.kubectl("exec", "deployment/web", "--", "id", "-u"), "1000")
	})
	b.step("port-forward", func(b *bench) { portForward(b) })
	b.step("nothing leaves the machine", func(b *bench) {
		// The kernel says "unreachable", but not more than once a second to the same address.
		out, err := b.try("exec", "client", "--", "wget", "-qO-", "-T3", "http://198.51.100.1/")
		if err == nil || !(strings.Contains(err.Error(), "can't connect") || strings.Contains(err.Error(), "timed out")) {
			b.t.Errorf("%v %s", err, out)
		}
	})
	b.step("pod security is enforced where a namespace asks for it", func(b *bench) {
		b.kubectl("label", "namespace", b.namespace, "pod-security.kubernetes.io/enforce=restricted")
		_, err := b.try("run", "naughty", "--image=busybox:1.36", "--privileged")
		if err == nil || !strings.Contains(err.Error(), "violates PodSecurity") {
			b.t.Errorf("a privileged pod was not refused: %v", err)
		}
	})
}

func portForward(b *bench) {
	cmd := exec.Command(b.must("tool", "kubectl"), "--kubeconfig", b.must("kubeconfig", "--name", b.name),
		"--namespace", b.namespace, "port-forward", "--address=127.0.0.1", "service/web", ":80")
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	line, err := bufio.NewReader(out).ReadString('\n')
	match := regexp.MustCompile(`127\.0\.0\.1:(\d+)`).FindStringSubmatch(line)
	if match == nil {
		b.t.Fatalf("kubectl port-forward says %q (%v)", line, err)
	}
	response, err := (&http.Client{Timeout: 5 * time.Second}).Get(fmt.Sprintf("http://127.0.0.1:%s/", match[1]))
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	if !strings.HasPrefix(string(body), "web-") {
		b.t.Errorf("got %q through the tunnel, not a pod's name", body)
	}
}
