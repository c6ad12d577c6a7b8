package selftest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const writer = `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 64Mi}}
---
apiVersion: v1
kind: Pod
metadata: {name: writer}
spec:
  terminationGracePeriodSeconds: 0
  securityContext: {runAsUser: 1000, runAsNonRoot: true, fsGroup: 2000}
  containers:
  - name: writer
    image: busybox:1.36
    command: [sh, -c, "date >> /data/starts && exec sleep 1d"]
    volumeMounts: [{name: data, mountPath: /data}]
  volumes:
  - name: data
    persistentVolumeClaim: {claimName: data}
`

func TestVolumes(t *testing.T) {
	b := onNode(t)
	b.apply(writer)
	b.ready("pod/writer")
	volume := b.kubectl("get", "pvc", "data", "-o", "jsonpath={.spec.volumeName}")

	b.step("fsGroup lets a user other than root write", func(b *bench) {
		equal(b.t, "owner of the file", b.kubectl("exec", "writer", "--", "stat", "-c", "%u:%g", "/data/starts"), "1000:2000")
	})
	b.step("a larger claim is a larger file system", func(b *bench) {
		before := size(b)
		b.kubectl("patch", "pvc", "data", "-p", `{"spec":{"resources":{"requests":{"storage":"512Mi"}}}}`)
		b.eventually(90*time.Second, "the pod sees 400 MiB or more", func() error {
			if now := size(b); now < 400<<10 {
				return fmt.Errorf("it was %d KiB and is %d KiB", before, now)
			}
			return nil
		})
		b.eventually(30*time.Second, "the claim says so", func() error {
			return contains(b.kubectl("get", "pvc", "data", "-o", "jsonpath={.status.capacity.storage}"), "512Mi")
		})
	})
	b.step("data survives the pod", func(b *bench) {
		b.kubectl("delete", "pod", "writer", "--wait")
		b.apply(writer[strings.Index(writer, "---"):])
		b.ready("pod/writer")
		equal(b.t, "starts", b.kubectl("exec", "writer", "--", "sh", "-c", "wc -l < /data/starts"), "2")
	})
	b.step("the kubelet has statistics of it", func(b *bench) {
		series := fmt.Sprintf(`kubelet_volume_stats_used_bytes{namespace="%s",persistentvolumeclaim="data"}`, b.namespace)
		b.eventually(90*time.Second, series, func() error {
			return contains(b.kubectl("get", "--raw", "/api/v1/nodes/"+b.name+"-node/proxy/metrics"), series)
		})
	})
	b.step("deletion really deletes", func(b *bench) {
		file := filepath.Join(filepath.Dir(b.must("kubeconfig", "--name", b.name)), "volumes", volume+".img")
		if _, err := os.Stat(file); err != nil {
			b.t.Fatalf("the volume's file: %v", err)
		}
		b.kubectl("delete", "pod/writer", "pvc/data")
		b.eventually(30*time.Second, file+" is gone", func() error {
			if _, err := os.Stat(file); err == nil {
				return fmt.Errorf("it exists")
			}
			return nil
		})
		b.eventually(10*time.Second, "no loop device has it", func() error {
			backing, _ := filepath.Glob("/sys/block/loop*/loop/backing_file")
			for _, path := range backing {
				if data, _ := os.ReadFile(path); strings.Contains(string(data), volume) {
					return fmt.Errorf("%s: %s", path, data)
				}
			}
			return nil
		})
	})
}

func TestStorageClasses(t *testing.T) {
	b := onNode(t)
	claim := func(name, class string) string {
		return fmt.Sprintf("---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: %s}\nspec: {storageClassName: %s, accessModes: [ReadWriteOnce], resources: {requests: {storage: 32Mi}}}\n", name, class)
	}
	b.apply(claim("now", "standard-immediate") + claim("later", "standard") + claim("fixed", "fixed"))

	b.step("standard-immediate binds without a pod", func(b *bench) {
		b.kubectl("wait", "--for=jsonpath={.status.phase}=Bound", "pvc/now", "--timeout=30s")
	})
	b.step("standard waits for its first pod", func(b *bench) {
		equal(b.t, "phase", b.kubectl("get", "pvc", "later", "-o", "jsonpath={.status.phase}"), "Pending")
	})
	b.step("fixed does not expand", func(b *bench) {
		_, err := b.try("patch", "pvc", "fixed", "-p", `{"spec":{"resources":{"requests":{"storage":"64Mi"}}}}`)
		if err == nil {
			b.t.Error("the larger claim was accepted")
		}
	})
	b.step("standard is the default", func(b *bench) {
		equal(b.t, "annotation", b.kubectl("get", "storageclass", "standard", "-o",
			`jsonpath={.metadata.annotations.storageclass\.kubernetes\.io/is-default-class}`), "true")
	})
}

// size of the volume in KiB, as the pod sees it.
func size(b *bench) int {
	b.t.Helper()
	fields := strings.Fields(b.kubectl("exec", "writer", "--", "sh", "-c", "df -k /data | tail -1"))
	if len(fields) < 2 {
		b.t.Fatalf("df says %q", fields)
	}
	kib, err := strconv.Atoi(fields[1])
	if err != nil {
		b.t.Fatal(err)
	}
	return kib
}
