package main

// nodes is how the machines are: what they do, and what runs out.
func nodes() *board {
	const (
		job  = `job="node-exporter",node=~"$node"`
		disk = job + `,fstype!~"tmpfs|",mountpoint!=""`
		rate = `[$__rate_interval]`
	)
	b := newBoard("obs-nodes", "Nodes", "Processors, memory, disks and network of the machines: what they do, and what runs out.", "cluster").
		choose("node", "Node", `node_uname_info{job="node-exporter"}`, "node").
		mark(`node=~"$node"`)
	full := `max by (node, device, fstype) (1 - node_filesystem_avail_bytes{` + disk + `} / (node_filesystem_size_bytes{` + disk + `} > 0))`

	b.list(panel{
		title: "Nodes", width: 24, height: 7, empty: "no node-exporter answers",
		about: "How busy each machine is now, and its fullest disk.",
		queries: []query{
			{`max by (node) (instance:node_cpu_utilisation:rate5m{` + job + `})`, ""},
			{`max by (node) (instance:node_memory_utilisation:ratio{` + job + `})`, ""},
			{`max by (node) (` + full + `)`, ""},
			{`sum by (node) (node_load5{` + job + `}) / (count by (node) (node_cpu_seconds_total{` + job + `,mode="idle"}) > 0)`, ""},
			{`count by (node) (node_cpu_seconds_total{` + job + `,mode="idle"})`, ""},
			{`sum by (node) (node_memory_MemTotal_bytes{` + job + `})`, ""},
			{`time() - max by (node) (node_boot_time_seconds{` + job + `})`, ""},
		},
	}, []string{"node"}, []column{
		{field: "node", name: "Node", link: to("obs-nodes", "node", field("Node"))},
		{field: "Value #A", name: "CPU", unit: "percentunit", bar: true, steps: rising(0.8, 0.9)},
		{field: "Value #B", name: "Memory", unit: "percentunit", bar: true, steps: rising(0.8, 0.9)},
		{field: "Value #C", name: "Fullest disk", unit: "percentunit", bar: true, steps: rising(0.8, 0.9)},
		{field: "Value #D", name: "Load per processor", unit: "short", width: 150, steps: rising(1, 2)},
		{field: "Value #E", name: "Processors", unit: "none", width: 110},
		{field: "Value #F", name: "Memory size", unit: "bytes", width: 120},
		{field: "Value #G", name: "Up for", unit: "dtdurations", width: 160},
	}, "CPU")

	b.row("Processors and memory").lines(panel{
		title: "CPU", unit: "percentunit", empty: "no data in this time",
		about:   "Share of the processors' time in which they work.",
		queries: []query{{`max by (node) (instance:node_cpu_utilisation:rate5m{` + job + `})`, "{{node}}"}},
		steps:   rising(0.8, 0.9),
	}).stack(panel{
		title: "What processors do", unit: "short", empty: "no data in this time",
		about:   "Processors by what they do, all chosen nodes together. iowait is waiting for disks, steal is time that the hypervisor gave to others.",
		queries: []query{{`sum by (mode) (rate(node_cpu_seconds_total{` + job + `,mode!="idle"}` + rate + `))`, "{{mode}}"}},
		colours: []colour{{"user", used, false, false}, {"system", late, false, false}, {"iowait", warning, false, false}, {"steal", bad, false, false}, {"nice", half, false, false}, {"irq", plain, false, false}, {"softirq", worst, false, false}},
	}).lines(panel{
		title: "Memory", unit: "percentunit", empty: "no data in this time",
		about:   "Share of the memory that is not available to new processes.",
		queries: []query{{`max by (node) (instance:node_memory_utilisation:ratio{` + job + `})`, "{{node}}"}},
		steps:   rising(0.8, 0.9),
	}).lines(panel{
		title: "Load per processor", unit: "short", empty: "no data in this time",
		about:   "Processes that work or wait for a disk, over five minutes. Above 1 they wait for each other.",
		queries: []query{{`sum by (node) (node_load5{` + job + `}) / (count by (node) (node_cpu_seconds_total{` + job + `,mode="idle"}) > 0)`, "{{node}}"}},
		steps:   rising(1, 2),
	})

	b.row("Disks").lines(panel{
		title: "How full they are", unit: "percentunit", empty: "no disks that are measured",
		about:   "By device: where it is mounted several times it counts once.",
		queries: []query{{full, "{{node}} {{device}}"}},
		steps:   rising(0.8, 0.9),
	}).lines(panel{
		title: "How busy they are", unit: "percentunit", empty: "no disks that are measured",
		about:   "Share of the time in which a disk works on something. Near 100 % requests wait.",
		queries: []query{{`sum by (node, device) (rate(node_disk_io_time_seconds_total{` + job + `}` + rate + `))`, "{{node}} {{device}}"}},
		steps:   rising(0.8, 0.95),
	}).lines(panel{
		title: "Read and written", unit: "Bps", empty: "no disks that are measured",
		about: "Read above the line, written below.",
		queries: []query{
			{`sum by (node) (rate(node_disk_read_bytes_total{` + job + `}` + rate + `))`, "{{node}} read"},
			{`sum by (node) (rate(node_disk_written_bytes_total{` + job + `}` + rate + `))`, "{{node}} written"},
		},
		colours: []colour{{"/ read$/", incoming, false, false}, {"/ written$/", outgoing, false, true}},
	}).lines(panel{
		title: "Requests to disks", unit: "iops", empty: "no disks that are measured",
		about: "Reads above the line, writes below.",
		queries: []query{
			{`sum by (node) (rate(node_disk_reads_completed_total{` + job + `}` + rate + `))`, "{{node}} reads"},
			{`sum by (node) (rate(node_disk_writes_completed_total{` + job + `}` + rate + `))`, "{{node}} writes"},
		},
		colours: []colour{{"/ reads$/", incoming, false, false}, {"/ writes$/", outgoing, false, true}},
	})

	b.row("Network and system").lines(panel{
		title: "Network", unit: "Bps", empty: "no data in this time",
		about: "Received above the line, sent below; without the machine's talk to itself.",
		queries: []query{
			{`sum by (node) (rate(node_network_receive_bytes_total{` + job + `,device!="lo"}` + rate + `))`, "{{node}} received"},
			{`sum by (node) (rate(node_network_transmit_bytes_total{` + job + `,device!="lo"}` + rate + `))`, "{{node}} sent"},
		},
		colours: []colour{{"/ received$/", incoming, false, false}, {"/ sent$/", outgoing, false, true}},
	}).lines(panel{
		title: "Packets lost", unit: "pps", empty: "no data in this time",
		about: "Packets that were dropped or broken, in both directions.",
		queries: []query{
			{`sum by (node) (rate(node_network_receive_drop_total{` + job + `,device!="lo"}` + rate + `) + rate(node_network_receive_errs_total{` + job + `,device!="lo"}` + rate + `))`, "{{node}} received"},
			{`sum by (node) (rate(node_network_transmit_drop_total{` + job + `,device!="lo"}` + rate + `) + rate(node_network_transmit_errs_total{` + job + `,device!="lo"}` + rate + `))`, "{{node}} sent"},
		},
	}).lines(panel{
		title: "Pods", unit: "none", empty: "the kubelets are not scraped", width: 8, decimals: digits(0),
		about:   "Pods that each node's kubelet runs.",
		queries: []query{{`max by (node) (kubelet_running_pods{job="kubelet",node=~"$node"})`, "{{node}}"}},
	}).lines(panel{
		title: "Tables of the kernel", unit: "percentunit", empty: "no data in this time", width: 8,
		about: "How full the tables of open files and of tracked connections are. When the second is full, packets are dropped.",
		queries: []query{
			{`max by (node) (node_filefd_allocated{` + job + `} / (node_filefd_maximum{` + job + `} > 0))`, "{{node}} files"},
			{`max by (node) (node_nf_conntrack_entries{` + job + `} / (node_nf_conntrack_entries_limit{` + job + `} > 0))`, "{{node}} connections"},
		},
		steps: rising(0.75, 0.9),
	}).lines(panel{
		title: "Clock", unit: "s", empty: "no data in this time", width: 8,
		about:   "How far the clock may be off, as the kernel reckons. 16 s says that nobody sets it.",
		queries: []query{{`max by (node) (node_timex_maxerror_seconds{` + job + `})`, "{{node}}"}},
		steps:   rising(1, 16),
	}).times(panel{
		title: "What Kubernetes says", unit: "none", empty: "kube-state-metrics is not scraped", width: 24, height: 6,
		about:   "Conditions of the nodes, when they were true: under pressure a node evicts pods, and takes none.",
		queries: []query{{`max by (node, condition) (kube_node_status_condition{job="kube-state-metrics",node=~"$node",status="true",condition!="Ready"})`, "{{node}} {{condition}}"}},
	}, map[string]state{"0": {"no", good}, "1": {"yes", bad}})
	return b
}
