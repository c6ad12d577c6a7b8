package main

// Requests and limits count of pods that run or are about to: a finished one holds nothing.
func reserved(what, resource, by string) string {
	return `sum` + by + ` (max by (namespace, pod, container) (kube_pod_container_resource_` + what + `{job="kube-state-metrics",resource="` + resource + `"})` +
		` * on (namespace, pod) group_left () (max by (namespace, pod) (kube_pod_status_phase{job="kube-state-metrics",phase=~"Pending|Running"}) == 1))`
}

func allocatable(resource string) string {
	return `sum(max by (node) (kube_node_status_allocatable{job="kube-state-metrics",resource="` + resource + `"}))`
}

const (
	cpuUsed    = `sum(namespace_pod:cpu_usage:rate5m)`
	memoryUsed = `sum(namespace_pod_container:memory_working_set:bytes)`
)

// cluster is what the cluster has, what is reserved of it, and what is used.
func cluster() *board {
	b := newBoard("obs-cluster", "Cluster capacity", "What the cluster has, what is reserved of it, what is used, and by whom.", "cluster").
		mark(`alertname=~"Node.+|Kube.+|Volume.+"`)
	share := func(title, about, part, whole string) {
		b.number(panel{title: title, about: about, unit: "percentunit", empty: "not known", decimals: digits(0),
			queries: []query{{part + ` / (` + whole + ` > 0)`, ""}}, steps: rising(0.8, 0.95)})
	}
	b.number(panel{
		title: "Nodes not ready", unit: "none", empty: "not known", decimals: digits(0),
		about:   "Nodes whose condition Ready is not true.",
		queries: []query{{`count(max by (node) (kube_node_status_condition{job="kube-state-metrics",condition="Ready",status="true"}) == 0) or vector(0)`, ""}},
		steps:   none(),
	}).number(panel{
		title: "Pods not ready", unit: "none", empty: "not known", decimals: digits(0),
		about:   "Pods that run and are not ready, and pods that wait for a place or an image.",
		queries: []query{{`count(max by (namespace, pod) (kube_pod_status_phase{job="kube-state-metrics",phase=~"Pending|Unknown"}) == 1 or (max by (namespace, pod) (kube_pod_status_ready{job="kube-state-metrics",condition="false"}) == 1 and on (namespace, pod) max by (namespace, pod) (kube_pod_status_phase{job="kube-state-metrics",phase="Running"}) == 1)) or vector(0)`, ""}},
		steps:   rising(1, 5),
	})
	share("CPU reserved", "Share of the processors that pods requested.", reserved("requests", "cpu", ""), allocatable("cpu"))
	share("CPU used", "Share of the processors that containers use.", cpuUsed, allocatable("cpu"))
	share("Memory reserved", "Share of the memory that pods requested.", reserved("requests", "memory", ""), allocatable("memory"))
	share("Memory used", "Share of the memory that containers use.", memoryUsed, allocatable("memory"))

	three := []colour{{"used", used, false, false}, {"requested", requested, true, false}, {"limits", plain, true, false}, {"there is", limit, true, false}}
	b.row("Capacity").lines(panel{
		title: "CPU", unit: "short", empty: "not known",
		about: "Processors: used, requested, and what there is. Limits may add up to more.",
		queries: []query{
			{cpuUsed, "used"}, {reserved("requests", "cpu", ""), "requested"}, {reserved("limits", "cpu", ""), "limits"}, {allocatable("cpu"), "there is"},
		},
		colours: three,
	}).lines(panel{
		title: "Memory", unit: "bytes", empty: "not known",
		about: "Memory: used, requested, and what there is. Limits that add up to more are a risk.",
		queries: []query{
			{memoryUsed, "used"}, {reserved("requests", "memory", ""), "requested"}, {reserved("limits", "memory", ""), "limits"}, {allocatable("memory"), "there is"},
		},
		colours: three,
	})

	b.row("By whom").list(panel{
		title: "Namespaces", width: 24, height: 9, empty: "not known",
		about: "What the pods of each namespace use now, and what they requested.",
		queries: []query{
			{`count by (namespace) (max by (namespace, pod) (kube_pod_status_phase{job="kube-state-metrics",phase="Running"}) == 1)`, ""},
			{`sum by (namespace) (namespace_pod:cpu_usage:rate5m)`, ""},
			{reserved("requests", "cpu", " by (namespace)"), ""},
			{`sum by (namespace) (namespace_pod_container:memory_working_set:bytes)`, ""},
			{reserved("requests", "memory", " by (namespace)"), ""},
		},
	}, []string{"namespace"}, []column{
		{field: "namespace", name: "Namespace", link: to("obs-workloads", "namespace", field("Namespace"))},
		{field: "Value #A", name: "Pods", unit: "none"},
		{field: "Value #B", name: "CPU", unit: "short"},
		{field: "Value #C", name: "CPU requested", unit: "short"},
		{field: "Value #D", name: "Memory", unit: "bytes"},
		{field: "Value #E", name: "Memory requested", unit: "bytes"},
	}, "Memory").stack(panel{
		title: "Pods by phase", unit: "none", empty: "not known", decimals: digits(0),
		about:   "All pods, by what Kubernetes says of them.",
		queries: []query{{`sum by (phase) (max by (namespace, pod, phase) (kube_pod_status_phase{job="kube-state-metrics"}))`, "{{phase}}"}},
		colours: []colour{{"Running", good, false, false}, {"Pending", warning, false, false}, {"Failed", bad, false, false}, {"Unknown", bad, false, false}, {"Succeeded", plain, false, false}},
	}).list(panel{
		title: "Volumes", empty: "no volumes that their driver measures",
		about: "How full the volumes of claims are. Local volumes show the whole disk behind them.",
		queries: []query{
			{`max by (namespace, persistentvolumeclaim) (kubelet_volume_stats_used_bytes{job="kubelet"})`, ""},
			{`max by (namespace, persistentvolumeclaim) (kubelet_volume_stats_capacity_bytes{job="kubelet"})`, ""},
			{`max by (namespace, persistentvolumeclaim) (kubelet_volume_stats_used_bytes{job="kubelet"}) / (max by (namespace, persistentvolumeclaim) (kubelet_volume_stats_capacity_bytes{job="kubelet"}) > 0)`, ""},
		},
	}, []string{"namespace", "persistentvolumeclaim"}, []column{
		{field: "namespace", name: "Namespace"},
		{field: "persistentvolumeclaim", name: "Claim"},
		{field: "Value #A", name: "Used", unit: "bytes", width: 90},
		{field: "Value #B", name: "Size", unit: "bytes", width: 90},
		{field: "Value #C", name: "Full", unit: "percentunit", bar: true, steps: rising(0.75, 0.9)},
	}, "Full")

	const watch = `verb!~"WATCH|CONNECT"`
	b.row("Kubernetes' API").stack(panel{
		title: "Requests", unit: "reqps", empty: "the API server is not scraped", width: 8,
		about:   "Requests to the API server, by the class of the answer.",
		queries: []query{{`sum by (class) (label_replace(rate(apiserver_request_total{job="kube-apiserver"}[$__rate_interval]), "class", "${1}xx", "code", "(.).*"))`, "{{class}}"}},
		colours: []colour{{"2xx", good, false, false}, {"3xx", neutral, false, false}, {"4xx", warning, false, false}, {"5xx", bad, false, false}},
	}).lines(panel{
		title: "Share of errors", unit: "percentunit", empty: "the API server is not scraped", width: 8,
		about:   "Requests that the API server itself failed to answer.",
		queries: []query{{`(sum(rate(apiserver_request_total{job="kube-apiserver",code=~"5.."}[$__rate_interval])) or vector(0)) / (sum(rate(apiserver_request_total{job="kube-apiserver"}[$__rate_interval])) > 0)`, "errors"}},
		colours: []colour{{"errors", bad, false, false}},
		steps:   rising(0.01, 0.03),
	}).lines(panel{
		title: "Mean duration", unit: "s", empty: "the API server is not scraped", width: 8,
		about:   "How long requests take on average, by what they do; watches last as long as they like and are left out.",
		queries: []query{{`sum by (verb) (rate(apiserver_request_duration_seconds_sum{job="kube-apiserver",` + watch + `}[$__rate_interval])) / (sum by (verb) (rate(apiserver_request_duration_seconds_count{job="kube-apiserver",` + watch + `}[$__rate_interval])) > 0)`, "{{verb}}"}},
	})
	return b
}
