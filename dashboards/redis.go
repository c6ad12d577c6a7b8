package main

// redis is how Redis and Valkey servers are, as redis-exporter sees them.
func redis() *board {
	const (
		job  = `job="redis",database="$database"`
		rate = `[$__rate_interval]`
	)
	hits := `sum(rate(redis_keyspace_hits_total{` + job + `}` + rate + `)) / (sum(rate(redis_keyspace_hits_total{` + job + `}` + rate + `)) + sum(rate(redis_keyspace_misses_total{` + job + `}` + rate + `)) > 0)`
	full := `max(redis_memory_used_bytes{` + job + `}) / (max(redis_memory_max_bytes{` + job + `}) > 0)`
	b := newBoard("obs-redis", "Redis", "A Redis or Valkey server: commands, memory, evictions, hits, and how long commands take.", "databases").
		ask("database", "Server", `redis_up{job="redis"}`, "database").
		mark(`database="$database"`)

	b.number(panel{
		title: "Server", unit: "none", empty: "no exporter", decimals: digits(0),
		about: "Whether the exporter can log in to the server.", names: upDown,
		queries: []query{{`min(redis_up{` + job + `})`, ""}},
		steps:   falling(1, 1),
	}).number(panel{
		title: "Commands", unit: "ops", empty: "no data",
		about:   "Commands per second.",
		queries: []query{{`sum(rate(redis_commands_processed_total{` + job + `}` + rate + `))`, ""}},
	}).number(panel{
		title: "Found", unit: "percentunit", empty: "nothing was looked up", decimals: digits(0),
		about:   "Share of the look-ups whose key was there.",
		queries: []query{{hits, ""}},
		steps:   falling(0.5, 0.8),
	}).number(panel{
		title: "Memory, of maxmemory", unit: "percentunit", empty: "no limit", decimals: digits(0),
		about:   "How much of maxmemory is in use. At 100 % keys are evicted, or writes refused. Empty: maxmemory is not set.",
		queries: []query{{full, ""}},
		steps:   rising(0.8, 0.9),
	}).number(panel{
		title: "Evicted", unit: "ops", empty: "no data",
		about:   "Keys per second that go to make room for others.",
		queries: []query{{`sum(rate(redis_evicted_keys_total{` + job + `}` + rate + `))`, ""}},
		steps:   rising(0.1, 10),
	}).number(panel{
		title: "Clients", unit: "none", empty: "no data", decimals: digits(0),
		about:   "Connections to the server.",
		queries: []query{{`sum(redis_connected_clients{` + job + `})`, ""}},
	})

	b.row("Commands").lines(panel{
		title: "Commands", unit: "ops", empty: "no commands in this time",
		about:   "Commands per second, the ten most frequent.",
		queries: []query{{`topk(10, sum by (cmd) (rate(redis_commands_total{` + job + `}` + rate + `)) > 0)`, "{{cmd}}"}},
	}).lines(panel{
		title: "Duration", unit: "s", empty: "no commands in this time",
		about:   "How long commands take on average, the ten slowest. The network is not in it.",
		queries: []query{{`topk(10, sum by (cmd) (rate(redis_commands_duration_seconds_total{` + job + `}` + rate + `)) / (sum by (cmd) (rate(redis_commands_total{` + job + `}` + rate + `)) > 0))`, "{{cmd}}"}},
	}).lines(panel{
		title: "Duration, p99", unit: "s", empty: "no commands in this time, or a server before Redis 7",
		about:   "One of a hundred commands takes longer, the ten slowest kinds.",
		queries: []query{{`topk(10, histogram_quantile(0.99, sum by (le, cmd) (rate(redis_commands_latencies_usec_bucket{` + job + `}` + rate + `))) / 1e6)`, "{{cmd}}"}},
	}).lines(panel{
		title: "Look-ups", unit: "ops", empty: "nothing was looked up in this time",
		about: "Look-ups per second whose key was there, and those whose key was not.",
		queries: []query{
			{`sum(rate(redis_keyspace_hits_total{` + job + `}` + rate + `))`, "found"},
			{`sum(rate(redis_keyspace_misses_total{` + job + `}` + rate + `))`, "missed"},
		},
		colours: []colour{{"found", good, false, false}, {"missed", warning, false, false}},
	})

	b.row("Memory and keys").lines(panel{
		title: "Memory", unit: "bytes", empty: "no data in this time", width: 8,
		about: "Used by data, taken from the system, and what may be used. Taken much more than used is fragmentation.",
		queries: []query{
			{`max(redis_memory_used_bytes{` + job + `})`, "used"},
			{`max(redis_memory_used_rss_bytes{` + job + `})`, "taken"},
			{`max(redis_memory_max_bytes{` + job + `}) > 0`, "maxmemory"},
		},
		colours: []colour{{"used", used, false, false}, {"taken", requested, false, false}, {"maxmemory", limit, true, false}},
	}).stack(panel{
		title: "Keys", unit: "none", empty: "no data in this time", width: 8, decimals: digits(0),
		about:   "Keys of each numbered database that has some.",
		queries: []query{{`sum by (db) (redis_db_keys{` + job + `}) > 0`, "{{db}}"}},
	}).lines(panel{
		title: "Keys that go", unit: "ops", empty: "no data in this time", width: 8,
		about: "Keys per second that end because their time is over, and those that go to make room.",
		queries: []query{
			{`sum(rate(redis_expired_keys_total{` + job + `}` + rate + `))`, "expired"},
			{`sum(rate(redis_evicted_keys_total{` + job + `}` + rate + `))`, "evicted"},
		},
		colours: []colour{{"expired", neutral, false, false}, {"evicted", bad, false, false}},
	})

	b.row("Clients and network").lines(panel{
		title: "Clients", unit: "none", empty: "no data in this time", width: 8, decimals: digits(0),
		about: "Connections, and those that wait in a blocking command.",
		queries: []query{
			{`sum(redis_connected_clients{` + job + `})`, "connected"},
			{`sum(redis_blocked_clients{` + job + `})`, "blocked"},
		},
		colours: []colour{{"connected", used, false, false}, {"blocked", warning, false, false}},
	}).lines(panel{
		title: "Connections refused", unit: "none", empty: "no data in this time", width: 8, decimals: digits(0),
		about:   "Connections within five minutes that were refused because maxclients is reached.",
		queries: []query{{`sum(increase(redis_rejected_connections_total{` + job + `}[5m]))`, "refused"}},
		colours: []colour{{"refused", bad, false, false}},
	}).lines(panel{
		title: "Network", unit: "Bps", empty: "no data in this time", width: 8,
		about: "Received above the line, sent below.",
		queries: []query{
			{`sum(rate(redis_net_input_bytes_total{` + job + `}` + rate + `))`, "received"},
			{`sum(rate(redis_net_output_bytes_total{` + job + `}` + rate + `))`, "sent"},
		},
		colours: []colour{{"received", incoming, false, false}, {"sent", outgoing, false, true}},
	}).lines(panel{
		title: "Slow commands", unit: "none", empty: "no data in this time", decimals: digits(0),
		about:   "Commands within an hour that took longer than slowlog-log-slower-than and are in the slow log.",
		queries: []query{{`sum(increase(redis_slowlog_last_id{` + job + `}[1h]))`, "slow"}},
		colours: []colour{{"slow", warning, false, false}},
	}).lines(panel{
		title: "Replicas", unit: "none", empty: "no data in this time", decimals: digits(0),
		about: "Replicas that are connected to this server; and of a replica, 1 as long as its primary answers.",
		queries: []query{
			{`sum(redis_connected_slaves{` + job + `})`, "replicas"},
			{`min(redis_master_link_up{` + job + `})`, "primary answers"},
		},
		colours: []colour{{"replicas", used, false, false}, {"primary answers", good, false, false}},
	})
	return b
}
