package main

// workloads is what Deployments and the others want, have, and lack.
func workloads() *board {
	const where = `job="kube-state-metrics",namespace=~"$namespace"`
	b := newBoard("obs-workloads", "Workloads", "Deployments, StatefulSets, DaemonSets and Jobs: what they want, what they have, and what their pods use.", "cluster").
		choose("namespace", "Namespace", `kube_namespace_status_phase{job="kube-state-metrics"}`, "namespace").
		mark(`namespace=~"$namespace"`)
	count := func(title, about, expr string, steps float64) {
		b.number(panel{title: title, about: about, unit: "none", decimals: digits(0), empty: "0",
			queries: []query{{expr + ` or vector(0)`, ""}}, steps: rising(1, steps)})
	}
	count("Pods not ready", "Pods that run and are not ready.",
		`count(max by (namespace, pod) (kube_pod_status_ready{`+where+`,condition="false"}) == 1 and on (namespace, pod) max by (namespace, pod) (kube_pod_status_phase{`+where+`,phase="Running"}) == 1)`, 3)
	count("Pods that wait", "Pods without a place, an image or a volume.",
		`count(max by (namespace, pod) (kube_pod_status_phase{`+where+`,phase="Pending"}) == 1)`, 3)
	count("Crash loops", "Containers that crash again and again.",
		`count(max by (namespace, pod, container) (kube_pod_container_status_waiting_reason{`+where+`,reason="CrashLoopBackOff"}) == 1)`, 1)
	count("Restarts, 1h", "Containers that were started again within the last hour.",
		`round(sum(max by (namespace, pod, container) (increase(kube_pod_container_status_restarts_total{`+where+`}[1h]))))`, 5)
	count("Out of memory", "Containers whose last end was that they reached their memory limit.",
		`count(max by (namespace, pod, container) (kube_pod_container_status_last_terminated_reason{`+where+`,reason="OOMKilled"}) == 1)`, 1)
	count("Failed Jobs", "Jobs that failed and are still there.",
		`count(max by (namespace, job_name) (kube_job_failed{`+where+`,condition="true"}) == 1)`, 3)

	b.row("What is wanted, and what is there")
	kinds := []struct{ kind, label, wanted, ready string }{
		{"Deployments", "deployment", "kube_deployment_spec_replicas", "kube_deployment_status_replicas_available"},
		{"StatefulSets", "statefulset", "kube_statefulset_replicas", "kube_statefulset_status_replicas_ready"},
		{"DaemonSets", "daemonset", "kube_daemonset_status_desired_number_scheduled", "kube_daemonset_status_number_ready"},
	}
	for _, k := range kinds {
		by := ` by (namespace, ` + k.label + `) `
		wanted, ready := `max`+by+`(`+k.wanted+`{`+where+`})`, `max`+by+`(`+k.ready+`{`+where+`})`
		b.list(panel{
			title: k.kind, width: 8, empty: "none in these namespaces",
			about:   k.kind + " with the pods that they want, those that are ready, and those that are missing.",
			queries: []query{{wanted, ""}, {ready, ""}, {wanted + ` - ` + ready, ""}},
		}, []string{"namespace", k.label}, []column{
			{field: "namespace", name: "Namespace"},
			{field: k.label, name: "Name", link: to("obs-pods", "namespace", field("Namespace"), "pod", "$__all")},
			{field: "Value #A", name: "Wanted", unit: "none", width: 75},
			{field: "Value #B", name: "Ready", unit: "none", width: 75},
			{field: "Value #C", name: "Missing", unit: "none", width: 80, steps: none()},
		}, "Missing")
	}

	b.row("What pods use").lines(panel{
		title: "CPU", unit: "short", empty: "no pods in this time",
		about:   "Processors in use, the ten busiest pods at each moment.",
		queries: []query{{`topk(10, sum by (namespace, pod) (namespace_pod:cpu_usage:rate5m{namespace=~"$namespace"}))`, "{{namespace}}/{{pod}}"}},
	}).lines(panel{
		title: "Memory", unit: "bytes", empty: "no pods in this time",
		about:   "Memory that cannot be given back (working set), the ten largest pods at each moment.",
		queries: []query{{`topk(10, sum by (namespace, pod) (namespace_pod_container:memory_working_set:bytes{namespace=~"$namespace"}))`, "{{namespace}}/{{pod}}"}},
	}).lines(panel{
		title: "Held back", unit: "percentunit", empty: "no container has a CPU limit",
		about:   "Share of the time slices in which a container reached its CPU limit, the ten worst. It is slower than it could be.",
		queries: []query{{`topk(10, sum by (namespace, pod, container) (increase(container_cpu_cfs_throttled_periods_total{job="kubelet-cadvisor",container!="",namespace=~"$namespace"}[$__rate_interval])) / (sum by (namespace, pod, container) (increase(container_cpu_cfs_periods_total{job="kubelet-cadvisor",container!="",namespace=~"$namespace"}[$__rate_interval])) > 0))`, "{{namespace}}/{{pod}} {{container}}"}},
		steps:   rising(0.25, 0.5),
	}).lines(panel{
		title: "Memory, of the limit", unit: "percentunit", empty: "no container has a memory limit",
		about:   "How much of its memory limit a container uses, the ten nearest. At the limit it is killed.",
		queries: []query{{`topk(10, namespace_pod_container:memory_working_set:bytes{namespace=~"$namespace"} / on (namespace, pod, container) (max by (namespace, pod, container) (kube_pod_container_resource_limits{` + where + `,resource="memory"}) > 0))`, "{{namespace}}/{{pod}} {{container}}"}},
		steps:   rising(0.8, 0.9),
	}).lines(panel{
		title: "Restarts", unit: "none", empty: "no restarts in this time", width: 24, decimals: digits(0),
		about:   "Containers that were started again within the last hour, the ten worst pods.",
		queries: []query{{`topk(10, sum by (namespace, pod) (max by (namespace, pod, container) (increase(kube_pod_container_status_restarts_total{` + where + `}[1h]))) > 0)`, "{{namespace}}/{{pod}}"}},
	})
	return b
}
