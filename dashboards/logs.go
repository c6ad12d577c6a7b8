package main

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

// logView is what containers write, where Loki keeps it: how much, how much of it is trouble, and the lines.
// Templates provision it only where the stack has Loki.
func logView() *board {
	const (
		own     = `{namespace="$namespace",app=~"$app"}`
		trouble = own + ` | detected_level=~"(?i)(err|error|crit|critical|fatal|alert|emerg|panic)"`
		auto    = `[$__auto]`
	)
	b := boardOn("loki", "Loki", "obs-logs", "Logs", "What containers write: how much, how much of it is trouble, and the lines themselves.", "apps").
		ask("namespace", "Namespace", `{namespace=~".+"}`, "namespace").
		choose("app", "Application", `{namespace="$namespace"}`, "app")
	b.WithVariable(dashboard.NewTextBoxVariableBuilder("search").
		Label("Search").
		Description("A regular expression; upper and lower case are the same.").
		DefaultValue(dashboard.StringOrMap{String: new(string)}))

	b.number(panel{
		title: "Lines per second", unit: "short", empty: "nothing was written", width: 6,
		about:   "Lines that the chosen applications write.",
		queries: []query{{`sum(rate(` + own + auto + `))`, ""}},
	}).number(panel{
		title: "Errors per second", unit: "short", empty: "0", width: 6,
		about:   "Lines whose severity is error or worse.",
		queries: []query{{`sum(rate(` + trouble + ` ` + auto + `))`, ""}},
	}).number(panel{
		title: "Share of errors", unit: "percentunit", empty: "0 %", width: 6,
		about:   "How many of the lines are an error or worse.",
		queries: []query{{`sum(rate(` + trouble + ` ` + auto + `)) / (sum(rate(` + own + auto + `)) > 0)`, ""}},
		steps:   rising(0.05, 0.2),
	}).number(panel{
		title: "Volume", unit: "Bps", empty: "nothing was written", width: 6,
		about:   "Bytes per second that the chosen applications write.",
		queries: []query{{`sum(bytes_rate(` + own + auto + `))`, ""}},
	})

	b.row("How much").stack(panel{
		title: "Lines by severity", unit: "short", empty: "nothing was written in this time", decimals: digits(0),
		about:   "How many lines were written, by severity. Without one: the line names none that is known.",
		queries: []query{{`sum by (detected_level) (count_over_time(` + own + auto + `))`, "{{detected_level}}"}},
		colours: []colour{
			{"/^(err|error|crit|critical|fatal|alert|emerg|panic)$/i", bad, false, false},
			{"/^(warn|warning)$/i", warning, false, false},
			{"/^(info|notice|information)$/i", neutral, false, false},
			{"/^(debug|trace|unknown)?$/i", plain, false, false},
		},
	}).lines(panel{
		title: "Errors by application", unit: "short", empty: "no errors in this time",
		about:   "Lines per second whose severity is error or worse.",
		queries: []query{{`sum by (app) (rate(` + trouble + ` ` + auto + `))`, "{{app}}"}},
	}).lines(panel{
		title: "Volume by pod", unit: "Bps", empty: "nothing was written in this time", width: 24,
		about:   "Bytes per second, the ten pods that write most.",
		queries: []query{{`topk(10, sum by (pod) (bytes_rate(` + own + auto + `)))`, "{{pod}}"}},
	})
	b.row("Lines").log(panel{
		title: "Lines", empty: "no line is like this in this time",
		about:   "Lines in which the search is found, the newest first.",
		queries: []query{{own + " |~ `(?i)$search`", ""}},
	})
	return b
}
