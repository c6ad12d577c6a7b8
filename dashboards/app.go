package main

// app is what an application of `apps:` looks like to its users: rate, errors, duration, the promise
// (SLO), and below that what it depends on. The recorded series have the same names and labels whatever
// library the application uses: charts/prometheus/templates/_apps.yaml.
func app() *board {
	const (
		own   = `{namespace="$namespace",app="$app"}`
		job   = `job="app-$app",namespace="$namespace"`
		pods  = `group by (namespace, pod) (up{` + job + `})`
		dbSum = `database_query_duration_seconds`
	)
	b := newBoard("obs-app", "Application", "Requests, errors and durations of an application, what is left of its promise, and what it depends on.", "apps").
		ask("namespace", "Namespace", `up{job=~"app-.+"}`, "namespace").
		ask("app", "Application", `up{job=~"app-.+",namespace="$namespace"}`, "app").
		know("histogram", `{__name__=~"(flask_)?http_request_duration(_highr)?_seconds_bucket",`+job+`}`, "__name__").
		mark(`namespace="$namespace",app="$app"`)

	b.number(panel{
		title: "Requests", unit: "reqps", empty: "no requests",
		about:   "Requests per second over the last five minutes.",
		queries: []query{{`app:http_requests:total_rate5m` + own, ""}},
		steps:   nil,
	}).number(panel{
		title: "Errors", unit: "percentunit", empty: "no requests",
		about:   "Share of the requests that failed on the server's side over the last five minutes. Without requests there is no share.",
		queries: []query{{`app:http_request_errors:ratio_rate5m` + own, ""}},
		steps:   rising(0.01, 0.05),
	}).number(panel{
		title: "Slowest 5 %", unit: "s", empty: "no requests",
		about:   "One of twenty requests takes longer than this (p95).",
		queries: []query{{`app:http_request_duration_seconds:p95_5m` + own, ""}},
		steps:   rising(1, 2),
	}).number(panel{
		title: "Error budget left", unit: "percentunit", empty: "no promise",
		about:   "What is left of the failures that slo.availability allows within its window. Below zero the promise is broken; twice as many as it allows are shown as -100 %, and so are more. Empty: the application has no slo.availability.",
		queries: []query{{`clamp_min(app:slo_availability:budget_remaining` + own + `, -1)`, ""}},
		steps:   falling(0, 0.25),
	}).number(panel{
		title: "Pods", unit: "none", empty: "no pods", decimals: digits(0),
		about: "Pods that answer the scrape, of those that are there.",
		queries: []query{
			{`sum(up{` + job + `})`, "up"},
			{`count(up{` + job + `})`, "of"},
		},
	}).number(panel{
		title: "Alerts", unit: "none", decimals: digits(0), empty: "0",
		about:   "Alerts of this application that fire now.",
		queries: []query{{`count(ALERTS{alertstate="firing",namespace="$namespace",app="$app"}) or vector(0)`, ""}},
		steps:   none(),
	})

	status := []colour{{"/^1/", plain, false, false}, {"/^2/", good, false, false}, {"/^3/", neutral, false, false}, {"/^4/", warning, false, false}, {"/^5/", bad, false, false}}
	b.row("Requests and errors").stack(panel{
		title: "Requests by status", unit: "reqps", empty: "no requests in this time",
		about:   "All requests, by the status of the answer.",
		queries: []query{{`sum by (status) (app:http_requests:rate5m` + own + `)`, "{{status}}"}},
		colours: status,
	}).lines(panel{
		title: "Share of errors", unit: "percentunit", empty: "no requests in this time",
		about:   "Share of the requests that failed on the server's side. The dashed line is where HighErrorRate warns unless the application says otherwise.",
		queries: []query{{`app:http_request_errors:ratio_rate5m` + own, "errors"}},
		colours: []colour{{"errors", bad, false, false}},
		steps:   rising(0.05, 0.1),
	}).lines(panel{
		title: "Requests by path", unit: "reqps", empty: "no requests in this time, or no label for the path",
		about:   "The ten busiest paths at each moment.",
		queries: []query{{`topk(10, sum by (path) (app:http_requests:rate5m` + own + `))`, "{{path}}"}},
	}).stack(panel{
		title: "Errors by path", unit: "reqps", empty: "no errors in this time",
		about:   "Answers that are the client's (4xx) or the server's (5xx) fault, by path and status.",
		queries: []query{{`sum by (path, status) (app:http_requests:rate5m{namespace="$namespace",app="$app",status=~"[45].."})`, "{{status}} {{path}}"}},
		colours: []colour{},
	})

	b.row("Durations").lines(panel{
		title: "Duration", unit: "s", empty: "no requests in this time",
		about: "Half of the requests are faster than p50, and one of a hundred is slower than p99.",
		queries: []query{
			{`app:http_request_duration_seconds:p50_5m` + own, "p50"},
			{`app:http_request_duration_seconds:p90_5m` + own, "p90"},
			{`app:http_request_duration_seconds:p95_5m` + own, "p95"},
			{`app:http_request_duration_seconds:p99_5m` + own, "p99"},
		},
		colours: []colour{{"p50", half, false, false}, {"p90", most, false, false}, {"p95", late, false, false}, {"p99", worst, false, false}},
	}).heat(panel{
		title: "How durations are spread", unit: "s", empty: "no requests in this time, or a histogram that no preset knows",
		about:   "Requests by duration: the darker, the more.",
		queries: []query{{`sum by (le) (increase($histogram{` + job + `}[$__rate_interval]))`, "{{le}}"}},
	}).lines(panel{
		title: "p95 by path", unit: "s", empty: "no requests in this time, or no histogram by path", width: 24,
		about:   "The ten slowest paths at each moment: one of twenty of their requests takes longer.",
		queries: []query{{`topk(10, histogram_quantile(0.95, sum by (le, handler, path) (rate({__name__=~"(flask_)?http_request_duration_seconds_bucket",` + job + `}[$__rate_interval]))))`, "{{handler}}{{path}}"}},
	})

	b.row("Promise (SLO)").lines(panel{
		title: "Budget left", unit: "percentunit", signed: true, empty: "the application promises nothing: set its slo",
		about: "What is left of the failures, and of the slow requests, that the promise allows within its window. Twice as many as it allows are drawn as -100 %, and so are more.",
		queries: []query{
			{`clamp_min(app:slo_availability:budget_remaining` + own + `, -1)`, "availability"},
			{`clamp_min(app:slo_latency:budget_remaining` + own + `, -1)`, "latency"},
		},
		colours: []colour{{"availability", neutral, false, false}, {"latency", late, false, false}},
		steps:   falling(0, 0.25),
	}).lines(panel{
		title: "Requests that break the promise", unit: "percentunit", empty: "the application promises nothing: set its slo",
		about: "Share of the requests that failed or were too slow, over an hour and over six: what alerts on the budget look at.",
		queries: []query{
			{`app:slo_availability:error_ratio_rate1h` + own, "failed, 1h"},
			{`app:slo_availability:error_ratio_rate6h` + own, "failed, 6h"},
			{`app:slo_latency:error_ratio_rate1h` + own, "slow, 1h"},
			{`app:slo_latency:error_ratio_rate6h` + own, "slow, 6h"},
		},
		colours: []colour{{"failed, 1h", bad, false, false}, {"failed, 6h", bad, true, false}, {"slow, 1h", late, false, false}, {"slow, 6h", late, true, false}},
	})

	b.row("What it works on").lines(panel{
		title: "Requests in progress", unit: "none", empty: "the application does not count them", width: 8, decimals: digits(0),
		about:   "Requests that wait for their answer, by pod (http_requests_inprogress or http_requests_in_progress).",
		queries: []query{{`sum by (pod) ({__name__=~"http_requests_in_?progress",` + job + `})`, "{{pod}}"}},
	}).lines(panel{
		title: "Database queries", unit: "s", empty: "the application does not measure them", width: 8,
		about: "How long queries take on average, by kind; dashed, what one of twenty of them all exceeds (database_query_duration_seconds).",
		queries: []query{
			{`sum by (operation) (rate(` + dbSum + `_sum{` + job + `}[$__rate_interval])) / (sum by (operation) (rate(` + dbSum + `_count{` + job + `}[$__rate_interval])) > 0)`, "{{operation}}"},
			{`histogram_quantile(0.95, sum by (le) (rate(` + dbSum + `_bucket{` + job + `}[$__rate_interval])))`, "p95 of all"},
		},
		colours: []colour{{"p95 of all", late, true, false}},
	}).stack(panel{
		title: "Connections to the database", unit: "none", empty: "the application does not count them", width: 8, decimals: digits(0),
		about:   "Connections of the application's pools, used and idle (database_pool_connections).",
		queries: []query{{`sum by (state) (database_pool_connections{` + job + `})`, "{{state}}"}},
		colours: []colour{{"used", used, false, false}, {"idle", plain, false, false}},
	})

	const seen = `job="kubelet-cadvisor",namespace="$namespace"`
	traffic := func(metric, more string) string {
		return `sum(rate(container_` + metric + `{` + seen + more + `}[$__rate_interval]) and on (namespace, pod) ` + pods + `)`
	}
	b.row("Its pods").lines(panel{
		title: "CPU", unit: "short", empty: "no pods in this time", width: 8,
		about:   "Processors in use, by pod.",
		queries: []query{{`sum by (pod) (namespace_pod:cpu_usage:rate5m{namespace="$namespace"} and on (namespace, pod) ` + pods + `)`, "{{pod}}"}},
	}).lines(panel{
		title: "Memory", unit: "bytes", empty: "no pods in this time", width: 8,
		about:   "Memory that cannot be given back (working set), by pod.",
		queries: []query{{`sum by (pod) (namespace_pod_container:memory_working_set:bytes{namespace="$namespace"} and on (namespace, pod) ` + pods + `)`, "{{pod}}"}},
	}).lines(panel{
		title: "Restarts", unit: "none", empty: "no pods in this time", width: 8, decimals: digits(0),
		about:   "Containers that were started again within the last hour, by pod.",
		queries: []query{{`sum by (pod) (max by (namespace, pod, container) (increase(kube_pod_container_status_restarts_total{job="kube-state-metrics",namespace="$namespace"}[1h])) and on (namespace, pod) ` + pods + `)`, "{{pod}}"}},
	}).lines(panel{
		title: "Network", unit: "Bps", empty: "no pods in this time",
		about: "Received above the line, sent below; all its pods together.",
		queries: []query{
			{traffic("network_receive_bytes_total", ""), "received"},
			{traffic("network_transmit_bytes_total", ""), "sent"},
		},
		colours: []colour{{"received", incoming, false, false}, {"sent", outgoing, false, true}},
	}).lines(panel{
		title: "Disk", unit: "Bps", empty: "the pods use no disk that is measured",
		about: "Read above the line, written below; all its pods together.",
		queries: []query{
			{traffic("fs_reads_bytes_total", `,container!=""`), "read"},
			{traffic("fs_writes_bytes_total", `,container!=""`), "written"},
		},
		colours: []colour{{"read", incoming, false, false}, {"written", outgoing, false, true}},
	})
	return b
}
