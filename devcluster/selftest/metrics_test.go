package selftest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"testing"
	"time"
)

// A Prometheus as charts install it: it finds its targets through the API, with
// its service account's token and the cluster's certificate authority.
const prometheus = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: prometheus}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: NAMESPACE}
rules:
- {apiGroups: [""], resources: [nodes, nodes/metrics, nodes/proxy, services, endpoints, pods, namespaces], verbs: [get, list, watch]}
- {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [get, list, watch]}
- {nonResourceURLs: [/metrics], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: NAMESPACE}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: NAMESPACE}
subjects:
- {kind: ServiceAccount, name: prometheus, namespace: NAMESPACE}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: prometheus}
data:
  prometheus.yml: |
    global: {scrape_interval: 2s}
    scrape_configs:
    - job_name: kubelet
      scheme: https
      authorization: &token {credentials_file: /var/run/secrets/kubernetes.io/serviceaccount/token}
      tls_config: &tls {ca_file: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt}
      kubernetes_sd_configs: [{role: node}]
    - job_name: cadvisor
      scheme: https
      metrics_path: /metrics/cadvisor
      authorization: *token
      tls_config: *tls
      kubernetes_sd_configs: [{role: node}]
    - job_name: apiserver
      scheme: https
      authorization: *token
      tls_config: *tls
      kubernetes_sd_configs: [{role: endpointslice, namespaces: {names: [default]}}]
      relabel_configs:
      - {source_labels: [__meta_kubernetes_service_name], regex: kubernetes, action: keep}
    - job_name: kube-state-metrics
      static_configs: [{targets: [kube-state-metrics:8080]}]
    - job_name: node-exporter
      static_configs: [{targets: [node-exporter:9100]}]
---
apiVersion: v1
kind: Pod
metadata: {name: prometheus}
spec:
  serviceAccountName: prometheus
  terminationGracePeriodSeconds: 0
  securityContext: {runAsNonRoot: true, runAsUser: 65534}
  containers:
  - name: prometheus
    image: quay.io/prometheus/prometheus:v3.15.0
    args: [--config.file=/config/prometheus.yml, --storage.tsdb.path=/prometheus]
    readinessProbe: {httpGet: {path: /-/ready, port: 9090}, periodSeconds: 1}
    volumeMounts: [{name: config, mountPath: /config}]
  volumes: [{name: config, configMap: {name: prometheus}}]
---
apiVersion: v1
kind: Service
metadata: {name: kube-state-metrics}
spec: {selector: {app: kube-state-metrics}, ports: [{port: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: kube-state-metrics, labels: {app: kube-state-metrics}}
spec:
  serviceAccountName: prometheus
  terminationGracePeriodSeconds: 0
  securityContext: {runAsNonRoot: true, runAsUser: 65534}
  containers:
  - name: kube-state-metrics
    image: registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.20.0
    args: [--resources=pods]
    readinessProbe: {httpGet: {path: /readyz, port: 8081}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: node-exporter}
spec: {selector: {app: node-exporter}, ports: [{port: 9100}]}
---
apiVersion: v1
kind: Pod
metadata: {name: node-exporter, labels: {app: node-exporter}}
spec:
  terminationGracePeriodSeconds: 0
  securityContext: {runAsNonRoot: true, runAsUser: 65534}
  containers:
  - name: node-exporter
    image: quay.io/prometheus/node-exporter:v1.12.1
    args: [--path.rootfs=/host]
    volumeMounts: [{name: root, mountPath: /host, readOnly: true, mountPropagation: HostToContainer}]
    readinessProbe: {httpGet: {path: /, port: 9100}, periodSeconds: 1}
  volumes: [{name: root, hostPath: {path: /}}]
`

func TestPrometheusScrapesTheCluster(t *testing.T) {
	b := onNode(t)
	t.Cleanup(func() {
		b.kubectl("delete", "clusterrole/"+b.namespace, "clusterrolebinding/"+b.namespace)
	})
	b.apply(prometheus)
	b.ready("pod", "--all")
	for sentence, query := range map[string]string{
		"the kubelet":                            `up{job="kubelet"} == 1`,
		"cAdvisor":                               `up{job="cadvisor"} == 1`,
		"the API server":                         `up{job="apiserver"} == 1`,
		"kube-state-metrics":                     `up{job="kube-state-metrics"} == 1`,
		"node-exporter":                          `up{job="node-exporter"} == 1`,
		"containers have their label":            fmt.Sprintf(`container_memory_working_set_bytes{container="prometheus",namespace="%s"} > 0`, b.namespace),
		"processor time per container":           fmt.Sprintf(`container_cpu_usage_seconds_total{container="prometheus",namespace="%s"}`, b.namespace),
		"kube-state-metrics knows pods":          fmt.Sprintf(`kube_pod_status_ready{namespace="%s",pod="prometheus",condition="true"} == 1`, b.namespace),
		"requests to the API server are counted": `apiserver_request_total{verb="LIST"}`,
	} {
		b.step(sentence, func(b *bench) {
			b.eventually(60*time.Second, query+" gives data", func() error { return b.query(query) })
		})
	}
}

// query asks the test's Prometheus through the API server's proxy.
func (b *bench) query(promQL string) error {
	out, err := b.try("get", "--raw", fmt.Sprintf("/api/v1/namespaces/%s/pods/prometheus:9090/proxy/api/v1/query?query=%s",
		b.namespace, url.QueryEscape(promQL)))
	if err != nil {
		return err
	}
	var answer struct {
		Data struct{ Result []any }
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		return err
	}
	if len(answer.Data.Result) == 0 {
		return fmt.Errorf("no series")
	}
	return nil
}
