package main

// pods is what single pods use, against what they requested and may.
func pods() *board {
	const (
		objects = `job="kube-state-metrics",namespace="$namespace",pod=~"$pod"`
		seen    = `job="kubelet-cadvisor",namespace="$namespace",pod=~"$pod"`
		own     = `{namespace="$namespace",pod=~"$pod"}`
	)
	resource := func(what, resource string) string {
		return `sum by (pod, container) (max by (namespace, pod, container) (kube_pod_container_resource_` + what + `{` + objects + `,resource="` + resource + `"}))`
	}
	b := newBoard("obs-pods", "Pods", "What the pods of a namespace use, against what they requested and what they may.", "cluster").
		ask("namespace", "Namespace", `kube_namespace_status_phase{job="kube-state-metrics"}`, "namespace").
		choose("pod", "Pod", `kube_pod_info{job="kube-state-metrics",namespace="$namespace"}`, "pod").
		mark(`namespace="$namespace",pod=~"$pod"`)

	b.list(panel{
		title: "Pods", width: 24, height: 9, empty: "no pods",
		about: "What the pods use now, and how often their containers were started again.",
		queries: []query{
			{`max by (pod) (kube_pod_status_ready{` + objects + `,condition="true"})`, ""},
			{`sum by (pod) (max by (namespace, pod, container) (kube_pod_container_status_restarts_total{` + objects + `}))`, ""},
			{`sum by (pod) (namespace_pod:cpu_usage:rate5m` + own + `)`, ""},
			{`sum by (pod) (max by (namespace, pod, container) (kube_pod_container_resource_requests{` + objects + `,resource="cpu"}))`, ""},
			{`sum by (pod) (namespace_pod_container:memory_working_set:bytes` + own + `)`, ""},
			{`sum by (pod) (max by (namespace, pod, container) (kube_pod_container_resource_requests{` + objects + `,resource="memory"}))`, ""},
			{`time() - max by (pod) (kube_pod_start_time{` + objects + `})`, ""},
		},
	}, []string{"pod"}, []column{
		{field: "pod", name: "Pod", link: to("obs-pods", "namespace", "${namespace}", "pod", field("Pod"))},
		{field: "Value #A", name: "Ready", unit: "bool_yes_no", width: 80, steps: falling(1, 1)},
		{field: "Value #B", name: "Restarts", unit: "none", width: 90, steps: rising(1, 10)},
		{field: "Value #C", name: "CPU", unit: "short", width: 90},
		{field: "Value #D", name: "CPU requested", unit: "short", width: 130},
		{field: "Value #E", name: "Memory", unit: "bytes", width: 100},
		{field: "Value #F", name: "Memory requested", unit: "bytes", width: 150},
		{field: "Value #G", name: "Age", unit: "dtdurations", width: 160},
	}, "Memory")

	b.row("CPU and memory").lines(panel{
		title: "CPU", unit: "short", empty: "no pods in this time",
		about: "Processors in use by container; dashed, what was requested and what it may.",
		queries: []query{
			{`sum by (pod, container) (namespace_pod_container:cpu_usage:rate5m` + own + `)`, "{{pod}} {{container}}"},
			{resource("requests", "cpu"), "requested: {{pod}} {{container}}"},
			{resource("limits", "cpu"), "limit: {{pod}} {{container}}"},
		},
		colours: []colour{{"/^requested: .*/", requested, true, false}, {"/^limit: .*/", limit, true, false}},
	}).lines(panel{
		title: "Memory", unit: "bytes", empty: "no pods in this time",
		about: "Memory that cannot be given back (working set) by container; dashed, what was requested and where it is killed.",
		queries: []query{
			{`sum by (pod, container) (namespace_pod_container:memory_working_set:bytes` + own + `)`, "{{pod}} {{container}}"},
			{resource("requests", "memory"), "requested: {{pod}} {{container}}"},
			{resource("limits", "memory"), "limit: {{pod}} {{container}}"},
		},
		colours: []colour{{"/^requested: .*/", requested, true, false}, {"/^limit: .*/", limit, true, false}},
	}).lines(panel{
		title: "Held back", unit: "percentunit", empty: "no container has a CPU limit",
		about:   "Share of the time slices in which a container reached its CPU limit.",
		queries: []query{{`sum by (pod, container) (increase(container_cpu_cfs_throttled_periods_total{` + seen + `,container!=""}[$__rate_interval])) / (sum by (pod, container) (increase(container_cpu_cfs_periods_total{` + seen + `,container!=""}[$__rate_interval])) > 0)`, "{{pod}} {{container}}"}},
		steps:   rising(0.25, 0.5),
	}).stack(panel{
		title: "What memory holds", unit: "bytes", empty: "no pods in this time",
		about: "Memory of the processes, and files of the disk that are kept in memory and go first.",
		queries: []query{
			{`sum(container_memory_rss{` + seen + `,container!=""})`, "processes"},
			{`sum(container_memory_cache{` + seen + `,container!=""})`, "files"},
		},
		colours: []colour{{"processes", used, false, false}, {"files", plain, false, false}},
	})

	b.row("Network and disk").lines(panel{
		title: "Network", unit: "Bps", empty: "no pods in this time",
		about: "Received above the line, sent below.",
		queries: []query{
			{`sum by (pod) (rate(container_network_receive_bytes_total{` + seen + `}[$__rate_interval]))`, "{{pod}} received"},
			{`sum by (pod) (rate(container_network_transmit_bytes_total{` + seen + `}[$__rate_interval]))`, "{{pod}} sent"},
		},
		colours: []colour{{"/ received$/", incoming, false, false}, {"/ sent$/", outgoing, false, true}},
	}).lines(panel{
		title: "Packets lost", unit: "pps", empty: "no pods in this time",
		about: "Packets that were dropped or broken, in both directions.",
		queries: []query{
			{`sum by (pod) (rate(container_network_receive_packets_dropped_total{` + seen + `}[$__rate_interval]) + rate(container_network_receive_errors_total{` + seen + `}[$__rate_interval]))`, "{{pod}} received"},
			{`sum by (pod) (rate(container_network_transmit_packets_dropped_total{` + seen + `}[$__rate_interval]) + rate(container_network_transmit_errors_total{` + seen + `}[$__rate_interval]))`, "{{pod}} sent"},
		},
	}).lines(panel{
		title: "Disk", unit: "Bps", empty: "the pods use no disk that is measured",
		about: "Read above the line, written below.",
		queries: []query{
			{`sum by (pod) (rate(container_fs_reads_bytes_total{` + seen + `,container!=""}[$__rate_interval]))`, "{{pod}} read"},
			{`sum by (pod) (rate(container_fs_writes_bytes_total{` + seen + `,container!=""}[$__rate_interval]))`, "{{pod}} written"},
		},
		colours: []colour{{"/ read$/", incoming, false, false}, {"/ written$/", outgoing, false, true}},
	}).times(panel{
		title: "Ready", unit: "none", empty: "no pods in this time",
		about:   "When the pods were ready to be used.",
		queries: []query{{`max by (pod) (kube_pod_status_ready{` + objects + `,condition="true"})`, "{{pod}}"}},
	}, map[string]state{"0": {"not ready", bad}, "1": {"ready", good}})
	return b
}
