package main

// probes is what endpoints answer when blackbox-exporter asks them.
func probes() *board {
	const job = `job="probes",probe=~"$probe"`
	b := newBoard("obs-probes", "Probes", "Endpoints that are asked from the cluster: do they answer, how fast, and until when is their certificate good?", "stack").
		choose("probe", "Probe", `probe_success{job="probes"}`, "probe").
		mark(`probe=~"$probe"`)
	b.list(panel{
		title: "Endpoints", width: 24, height: 7, empty: "no probes: set blackboxExporter.probes",
		about: "What the last probe found, how reliable the last day was, and how long the certificate is good.",
		queries: []query{
			{`min by (probe, instance) (probe_success{` + job + `})`, ""},
			{`min by (probe, instance) (avg_over_time(probe_success{` + job + `}[1d]))`, ""},
			{`max by (probe, instance) (probe_duration_seconds{` + job + `})`, ""},
			{`max by (probe, instance) (probe_http_status_code{` + job + `})`, ""},
			{`(min by (probe, instance) (probe_ssl_earliest_cert_expiry{` + job + `}) - time()) / 86400`, ""},
		},
	}, []string{"probe", "instance"}, []column{
		{field: "probe", name: "Probe", link: to("obs-probes", "probe", field("Probe"))},
		{field: "instance", name: "Endpoint"},
		{field: "Value #A", name: "Answers", unit: "bool_yes_no", width: 90, steps: falling(1, 1)},
		{field: "Value #B", name: "Over a day", unit: "percentunit", width: 110, steps: falling(0.99, 0.999)},
		{field: "Value #C", name: "Duration", unit: "s", width: 100},
		{field: "Value #D", name: "Status", unit: "none", width: 80},
		{field: "Value #E", name: "Certificate, days", unit: "none", width: 140, steps: falling(7, 14)},
	}, "")
	b.row("Over time").times(panel{
		title: "Answers", unit: "none", empty: "no probes in this time",
		about:   "When endpoints answered as they should.",
		queries: []query{{`min by (probe) (probe_success{` + job + `})`, "{{probe}}"}},
	}, map[string]state{"0": {"fails", bad}, "1": {"answers", good}}).lines(panel{
		title: "Duration", unit: "s", empty: "no probes in this time",
		about:   "How long the whole probe takes.",
		queries: []query{{`max by (probe) (probe_duration_seconds{` + job + `})`, "{{probe}}"}},
	}).stack(panel{
		title: "Where the time goes", unit: "s", empty: "no HTTP probes in this time",
		about:   "Parts of an HTTP probe, the mean of those that are chosen: looking up the name, connecting, encryption, waiting for the answer, receiving it.",
		queries: []query{{`avg by (phase) (sum by (probe, phase) (probe_http_duration_seconds{` + job + `}))`, "{{phase}}"}},
		colours: []colour{{"resolve", half, false, false}, {"connect", most, false, false}, {"tls", late, false, false}, {"processing", requested, false, false}, {"transfer", good, false, false}},
	}).lines(panel{
		title: "Certificates", unit: "d", empty: "no endpoints with a certificate",
		about:   "Days until the first certificate of an endpoint's chain ends.",
		queries: []query{{`(min by (probe) (probe_ssl_earliest_cert_expiry{` + job + `}) - time()) / 86400`, "{{probe}}"}},
		steps:   falling(7, 14),
	})
	return b
}
