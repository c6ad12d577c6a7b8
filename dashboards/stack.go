package main

// stack is whether the stack itself is well: what it scrapes, evaluates, keeps and shows.
func stack() *board {
	const (
		job  = `job="prometheus"`
		rate = `[$__rate_interval]`
	)
	b := newBoard("obs-stack", "The stack's own health", "Is everything scraped, are rules evaluated in time, is there room, and how much does it cost?", "stack").
		mark(`alertname=~"Prometheus.+|Alertmanager.+|Grafana.+|TargetDown|KubeStateMetrics.+|.+Exporter.+"`)
	b.number(panel{
		title: "Targets down", unit: "none", decimals: digits(0), empty: "not known",
		about:   "Targets that cannot be scraped.",
		queries: []query{{`count(up == 0) or vector(0)`, ""}},
		steps:   none(),
	}).number(panel{
		title: "Series", unit: "short", empty: "not known",
		about:   "Series of the last hours that Prometheus holds in memory, about 4 KiB each.",
		queries: []query{{`max(prometheus_tsdb_head_series{` + job + `})`, ""}},
		steps:   rising(7e5, 1e6),
	}).number(panel{
		title: "Samples per second", unit: "short", empty: "not known",
		about:   "Samples that each Prometheus stores per second.",
		queries: []query{{`max(rate(prometheus_tsdb_head_samples_appended_total{` + job + `}` + rate + `))`, ""}},
	}).number(panel{
		title: "Rules that failed, 1h", unit: "none", decimals: digits(0), empty: "not known",
		about:   "Evaluations of rules that failed within an hour. Alerts may be missing.",
		queries: []query{{`round(sum(increase(prometheus_rule_evaluation_failures_total{` + job + `}[1h])))`, ""}},
		steps:   none(),
	}).number(panel{
		title: "Configuration", unit: "bool_yes_no", empty: "not known",
		about:   "Yes: all servers work with the configuration that they were given last.",
		queries: []query{{`min({__name__=~"prometheus_config_last_reload_successful|alertmanager_config_last_reload_successful",job=~"prometheus|alertmanager"})`, ""}},
		steps:   falling(1, 1),
	}).number(panel{
		title: "Room for data", unit: "percentunit", decimals: digits(0), empty: "no limit",
		about:   "Share of retention.size that is in use. At 100 % the oldest data goes before its time.",
		queries: []query{{`max(prometheus_tsdb_storage_blocks_bytes{` + job + `} / (prometheus_tsdb_retention_limit_bytes{` + job + `} > 0))`, ""}},
		steps:   rising(0.9, 0.98),
	})

	b.row("Scraping").list(panel{
		title: "Jobs", height: 9, empty: "nothing is scraped",
		about: "Each job with its targets, those that are down, what one round of scraping brings, and how long the slowest takes.",
		queries: []query{
			{`count by (job) (up)`, ""},
			{`count by (job) (up == 0) or 0 * count by (job) (up)`, ""},
			{`sum by (job) (scrape_samples_post_metric_relabeling)`, ""},
			{`max by (job) (scrape_duration_seconds)`, ""},
		},
	}, []string{"job"}, []column{
		{field: "job", name: "Job"},
		{field: "Value #A", name: "Targets", unit: "none", width: 80},
		{field: "Value #B", name: "Down", unit: "none", width: 70, steps: none()},
		{field: "Value #C", name: "Samples", unit: "short", width: 90},
		{field: "Value #D", name: "Slowest", unit: "s", width: 90, steps: rising(5, 9)},
	}, "Samples").lines(panel{
		title: "Targets down", unit: "none", empty: "all targets answered in this time", height: 9, decimals: digits(0),
		about:   "Targets that could not be scraped, by job.",
		queries: []query{{`count by (job) (up == 0)`, "{{job}}"}},
	}).lines(panel{
		title: "Samples by job", unit: "short", empty: "no data in this time",
		about:   "What one round of scraping brings, the ten largest jobs.",
		queries: []query{{`topk(10, sum by (job) (scrape_samples_post_metric_relabeling))`, "{{job}}"}},
	}).lines(panel{
		title: "How long scrapes take", unit: "s", empty: "no data in this time",
		about:   "The slowest target of each job, the ten slowest jobs.",
		queries: []query{{`topk(10, max by (job) (scrape_duration_seconds))`, "{{job}}"}},
		steps:   rising(5, 9),
	})

	b.row("Prometheus").lines(panel{
		title: "Series in memory", unit: "short", empty: "no data in this time", width: 8,
		about:   "Series of the last hours, by server.",
		queries: []query{{`max by (pod) (prometheus_tsdb_head_series{` + job + `})`, "{{pod}}"}},
	}).lines(panel{
		title: "Memory", unit: "bytes", empty: "no data in this time", width: 8,
		about:   "Memory of the stack's own processes.",
		queries: []query{{`max by (job, instance) (process_resident_memory_bytes{job=~"prometheus|alertmanager|grafana|blackbox-exporter"})`, "{{job}} {{instance}}"}},
	}).lines(panel{
		title: "Slowest groups of rules", unit: "s", empty: "no data in this time", width: 8,
		about:   "How long an evaluation takes, the five slowest groups. Longer than the interval, and evaluations are left out.",
		queries: []query{{`topk(5, max by (rule_group) (label_replace(prometheus_rule_group_last_duration_seconds{` + job + `}, "rule_group", "$1", "rule_group", ".*;(.*)")))`, "{{rule_group}}"}},
	}).lines(panel{
		title: "Disk", unit: "bytes", empty: "no data in this time", width: 8,
		about: "Blocks, the log of the last hours, and what retention.size allows.",
		queries: []query{
			{`max(prometheus_tsdb_storage_blocks_bytes{` + job + `})`, "blocks"},
			{`max(prometheus_tsdb_wal_storage_size_bytes{` + job + `})`, "log"},
			{`max(prometheus_tsdb_retention_limit_bytes{` + job + `}) > 0`, "retention.size"},
		},
		colours: []colour{{"blocks", used, false, false}, {"log", requested, false, false}, {"retention.size", limit, true, false}},
	}).lines(panel{
		title: "Queries", unit: "s", empty: "no queries in this time", width: 8,
		about:   "How long the slowest of ten queries and rules take, by part of the work (p90).",
		queries: []query{{`max by (slice) (prometheus_engine_query_duration_seconds{` + job + `,quantile="0.9"})`, "{{slice}}"}},
	}).lines(panel{
		title: "Alerts handed over", unit: "short", empty: "no Alertmanager", width: 8,
		about: "Alerts per second that Prometheus hands to Alertmanager, and those that it could not.",
		queries: []query{
			{`sum(rate(prometheus_notifications_sent_total{` + job + `}` + rate + `))`, "sent"},
			{`sum(rate(prometheus_notifications_errors_total{` + job + `}` + rate + `))`, "failed"},
		},
		colours: []colour{{"sent", good, false, false}, {"failed", bad, false, false}},
	})

	b.row("Alertmanager and Grafana").lines(panel{
		title: "Alertmanager's peers", unit: "none", empty: "none, or one alone", width: 8, decimals: digits(0),
		about:   "How many replicas each one knows; less than there are, and messages are sent twice.",
		queries: []query{{`max by (pod) (alertmanager_cluster_members{job="alertmanager"})`, "{{pod}}"}},
	}).stack(panel{
		title: "Grafana's requests", unit: "reqps", empty: "no Grafana", width: 8,
		about:   "Requests of browsers to Grafana, by the class of the answer.",
		queries: []query{{`sum by (class) (label_replace(rate(grafana_http_request_duration_seconds_count{job="grafana"}` + rate + `), "class", "${1}xx", "status_code", "(.).*"))`, "{{class}}"}},
		colours: []colour{{"2xx", good, false, false}, {"3xx", neutral, false, false}, {"4xx", warning, false, false}, {"5xx", bad, false, false}},
	}).lines(panel{
		title: "Grafana's queries", unit: "s", empty: "no Grafana, or nobody looks", width: 8,
		about:   "Mean time of queries from Grafana, by kind of data source.",
		queries: []query{{`sum by (datasource_type) (rate(grafana_datasource_request_duration_seconds_sum{job="grafana"}` + rate + `)) / (sum by (datasource_type) (rate(grafana_datasource_request_duration_seconds_count{job="grafana"}` + rate + `)) > 0)`, "{{datasource_type}}"}},
	})
	return b
}
