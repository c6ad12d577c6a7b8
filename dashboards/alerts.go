package main

// alerts is what fires, and whether anybody hears of it.
func alerts() *board {
	const (
		job    = `job="alertmanager"`
		firing = `ALERTS{alertstate="firing",alertname!~"Watchdog|InfoInhibitor"}`
		rate   = `[$__rate_interval]`
	)
	b := newBoard("obs-alerts", "Alerts", "What fires, since when, and whether anybody hears of it.", "stack")
	severity := func(title, name string, steps float64) {
		b.number(panel{
			title: title, unit: "none", decimals: digits(0), empty: "0",
			about:   "Alerts of severity " + name + " that fire now.",
			queries: []query{{`count(ALERTS{alertstate="firing",severity="` + name + `",alertname!~"Watchdog|InfoInhibitor"}) or vector(0)`, ""}},
			steps:   rising(1, steps),
		})
	}
	severity("Critical", "critical", 1)
	severity("Warnings", "warning", 10)
	severity("For information", "info", 100)
	b.number(panel{
		title: "Pending", unit: "none", decimals: digits(0), empty: "0",
		about:   "Alerts whose condition holds, but not yet for long enough.",
		queries: []query{{`count(ALERTS{alertstate="pending"}) or vector(0)`, ""}},
	}).number(panel{
		title: "Silenced", unit: "none", decimals: digits(0), empty: "no Alertmanager",
		about:   "Alerts that Alertmanager keeps to itself because of a silence or a graver alert.",
		queries: []query{{`max(alertmanager_alerts{` + job + `,state="suppressed"})`, ""}},
	}).number(panel{
		title: "Messages that failed, 1h", unit: "none", decimals: digits(0), empty: "no Alertmanager",
		about:   "Messages to people that could not be delivered within an hour.",
		queries: []query{{`round(sum(increase(alertmanager_notifications_failed_total{` + job + `}[1h])))`, ""}},
		steps:   none(),
	})
	b.row("What fires").list(panel{
		title: "Now", width: 24, height: 9, empty: "nothing fires",
		about:   "Alerts that fire now.",
		queries: []query{{`max by (severity, alertname, namespace, app, pod, container, node, database, instance) (` + firing + `)`, ""}},
	}, []string{"severity", "alertname", "namespace", "app", "pod", "container", "node", "database", "instance"}, []column{
		{field: "severity", name: "Severity", width: 100},
		{field: "alertname", name: "Alert"},
		{field: "namespace", name: "Namespace", link: to("obs-workloads", "namespace", field("Namespace"))},
		{field: "app", name: "Application", link: to("obs-app", "namespace", field("Namespace"), "app", field("Application"))},
		{field: "pod", name: "Pod"},
		{field: "container", name: "Container"},
		{field: "node", name: "Node", link: to("obs-nodes", "node", field("Node"))},
		{field: "database", name: "Database"},
		{field: "instance", name: "Instance"},
		{field: "Value", hidden: true},
	}, "").stack(panel{
		title: "By severity", unit: "none", empty: "nothing fired in this time", decimals: digits(0),
		about:   "How many alerts fired.",
		queries: []query{{`count by (severity) (` + firing + `)`, "{{severity}}"}},
		colours: []colour{{"critical", bad, false, false}, {"warning", warning, false, false}, {"info", neutral, false, false}},
	}).times(panel{
		title: "By name", unit: "none", empty: "nothing fired in this time",
		about:   "When which alert fired: as many as that, everywhere together.",
		queries: []query{{`count by (alertname) (` + firing + `)`, "{{alertname}}"}},
		steps:   none(),
	}, nil)
	b.row("Who is told").stack(panel{
		title: "Messages", unit: "none", empty: "nobody was told anything in this time", decimals: digits(1), width: 8,
		about:   "Messages within five minutes, by kind of receiver.",
		queries: []query{{`sum by (integration) (increase(alertmanager_notifications_total{` + job + `}[5m])) > 0`, "{{integration}}"}},
	}).stack(panel{
		title: "Messages that failed", unit: "none", empty: "none failed in this time", decimals: digits(1), width: 8,
		about:   "Messages within five minutes that could not be delivered, by kind of receiver and reason.",
		queries: []query{{`sum by (integration, reason) (increase(alertmanager_notifications_failed_total{` + job + `}[5m])) > 0`, "{{integration}}: {{reason}}"}},
	}).lines(panel{
		title: "How long messages take", unit: "s", empty: "no messages in this time", width: 8,
		about:   "Mean time until a receiver has taken a message, by kind.",
		queries: []query{{`sum by (integration) (rate(alertmanager_notification_latency_seconds_sum{` + job + `}` + rate + `)) / (sum by (integration) (rate(alertmanager_notification_latency_seconds_count{` + job + `}` + rate + `)) > 0)`, "{{integration}}"}},
	})
	b.row("Promises (SLO)").lines(panel{
		title: "Budget left", unit: "percentunit", signed: true, empty: "no application promises anything", width: 24,
		about: "What is left of what each application's promise allows, within its window. Twice as many failures as it allows are drawn as -100 %, and so are more.",
		queries: []query{
			{`clamp_min(min by (namespace, app) (app:slo_availability:budget_remaining), -1)`, "{{namespace}}/{{app}} availability"},
			{`clamp_min(min by (namespace, app) (app:slo_latency:budget_remaining), -1)`, "{{namespace}}/{{app}} latency"},
		},
		steps: falling(0, 0.25),
	})
	return b
}
