package main

// postgres is how PostgreSQL servers are, as postgres-exporter sees them.
func postgres() *board {
	const (
		job  = `job="postgres",database="$database"`
		own  = job + `,datname=~"$datname"`
		rate = `[$__rate_interval]`
	)
	per := func(metric string) string {
		return `sum by (datname) (rate(pg_stat_database_` + metric + `{` + own + `}` + rate + `))`
	}
	b := newBoard("obs-postgres", "PostgreSQL", "A PostgreSQL server: transactions, connections, cache, locks, and how large its databases are.", "databases").
		ask("database", "Server", `pg_up{job="postgres"}`, "database").
		choose("datname", "Database", `pg_database_size_bytes{job="postgres",database="$database",datname!~"template.*"}`, "datname").
		mark(`database="$database"`)
	connections := `sum(pg_stat_activity_count{` + job + `}) / (max(pg_settings_max_connections{` + job + `}) > 0)`
	hits := `sum(rate(pg_stat_database_blks_hit{` + own + `}` + rate + `)) / (sum(rate(pg_stat_database_blks_hit{` + own + `}` + rate + `)) + sum(rate(pg_stat_database_blks_read{` + own + `}` + rate + `)) > 0)`

	b.number(panel{
		title: "Server", unit: "none", empty: "no exporter", decimals: digits(0),
		about: "Whether the exporter can log in to the server.", names: upDown,
		queries: []query{{`min(pg_up{` + job + `})`, ""}},
		steps:   falling(1, 1),
	}).number(panel{
		title: "Transactions", unit: "short", empty: "no data",
		about:   "Transactions per second, also those that were rolled back.",
		queries: []query{{`sum(rate(pg_stat_database_xact_commit{` + own + `}` + rate + `)) + sum(rate(pg_stat_database_xact_rollback{` + own + `}` + rate + `))`, ""}},
	}).number(panel{
		title: "Connections", unit: "percentunit", empty: "no data", decimals: digits(0),
		about:   "Share of max_connections that is in use.",
		queries: []query{{connections, ""}},
		steps:   rising(0.7, 0.85),
	}).number(panel{
		title: "Found in the cache", unit: "percentunit", empty: "nothing was read", decimals: digits(1),
		about:   "Share of the blocks that were in PostgreSQL's own memory. Below 95 % it often waits for the disk.",
		queries: []query{{hits, ""}},
		steps:   falling(0.9, 0.95),
	}).number(panel{
		title: "Oldest transaction", unit: "s", empty: "none",
		about:   "Age of the oldest transaction that is at work. It holds its locks, and keeps vacuum from cleaning up.",
		queries: []query{{`max(pg_stat_activity_max_tx_duration{` + job + `,state!~"idle|disabled"})`, ""}},
		steps:   rising(60, 600),
	}).number(panel{
		title: "Size", unit: "bytes", empty: "no data",
		about:   "Size of the chosen databases.",
		queries: []query{{`sum(max by (datname) (pg_database_size_bytes{` + own + `}))`, ""}},
	})

	b.row("Work").lines(panel{
		title: "Transactions", unit: "short", empty: "no data in this time",
		about: "Transactions per second: committed, and rolled back.",
		queries: []query{
			{per("xact_commit"), "{{datname}} committed"},
			{per("xact_rollback"), "{{datname}} rolled back"},
		},
		colours: []colour{{"/ rolled back$/", bad, false, false}},
	}).lines(panel{
		title: "Rows", unit: "short", empty: "no data in this time",
		about: "Rows per second, all chosen databases together.",
		queries: []query{
			{`sum(rate(pg_stat_database_tup_fetched{` + own + `}` + rate + `))`, "fetched"},
			{`sum(rate(pg_stat_database_tup_inserted{` + own + `}` + rate + `))`, "inserted"},
			{`sum(rate(pg_stat_database_tup_updated{` + own + `}` + rate + `))`, "updated"},
			{`sum(rate(pg_stat_database_tup_deleted{` + own + `}` + rate + `))`, "deleted"},
		},
		colours: []colour{{"fetched", incoming, false, false}, {"inserted", good, false, false}, {"updated", warning, false, false}, {"deleted", bad, false, false}},
	}).lines(panel{
		title: "Time of statements", unit: "percentunit", empty: "statStatements is off for this server",
		about:   "Where the server's time goes: the ten statements that take most of it. 100 % is one connection that does nothing else. Needs statStatements.",
		queries: []query{{`topk(10, sum by (queryid) (rate(pg_stat_statements_seconds_total{` + own + `}` + rate + `)))`, "{{queryid}}"}},
	}).lines(panel{
		title: "Duration of statements", unit: "s", empty: "statStatements is off for this server",
		about:   "How long a statement takes on average, the ten slowest. The number is its queryid in pg_stat_statements. Needs statStatements.",
		queries: []query{{`topk(10, sum by (queryid) (rate(pg_stat_statements_seconds_total{` + own + `}` + rate + `)) / (sum by (queryid) (rate(pg_stat_statements_calls_total{` + own + `}` + rate + `)) > 0))`, "{{queryid}}"}},
	})

	b.row("Connections and locks").stack(panel{
		title: "Connections by state", unit: "none", empty: "no data in this time", width: 8, decimals: digits(0),
		about:   "Connections: those that work, those that are idle, and those that are idle within a transaction, which hold locks.",
		queries: []query{{`sum by (state) (pg_stat_activity_count{` + own + `}) > 0`, "{{state}}"}},
		colours: []colour{{"active", used, false, false}, {"idle", plain, false, false}, {"idle in transaction", warning, false, false}, {"idle in transaction (aborted)", bad, false, false}},
	}).lines(panel{
		title: "Connections, of the limit", unit: "percentunit", empty: "no data in this time", width: 8,
		about:   "Share of max_connections that is in use.",
		queries: []query{{connections, "in use"}},
		colours: []colour{{"in use", used, false, false}},
		steps:   rising(0.7, 0.85),
	}).lines(panel{
		title: "Locks", unit: "none", empty: "no locks in this time", width: 8, decimals: digits(0),
		about:   "Locks that are held, by kind.",
		queries: []query{{`sum by (mode) (max by (datname, mode) (pg_locks_count{` + own + `})) > 0`, "{{mode}}"}},
	}).lines(panel{
		title: "Deadlocks and conflicts", unit: "none", empty: "no data in this time", width: 8, decimals: digits(0),
		about: "Transactions within an hour that were ended because they waited for each other, or stood in the way of replication.",
		queries: []query{
			{`sum(increase(pg_stat_database_deadlocks{` + own + `}[1h]))`, "deadlocks"},
			{`sum(increase(pg_stat_database_conflicts{` + own + `}[1h]))`, "conflicts"},
		},
		colours: []colour{{"deadlocks", bad, false, false}, {"conflicts", warning, false, false}},
	}).lines(panel{
		title: "Oldest transaction", unit: "s", empty: "no transaction in this time", width: 8,
		about:   "Age of the oldest transaction that is at work, by database.",
		queries: []query{{`max by (datname) (pg_stat_activity_max_tx_duration{` + own + `,state!~"idle|disabled"})`, "{{datname}}"}},
		steps:   rising(60, 600),
	}).lines(panel{
		title: "Behind the primary", unit: "s", empty: "no replica", width: 8,
		about:   "How far a replica is behind its primary. A primary says 0.",
		queries: []query{{`max(pg_replication_lag_seconds{` + job + `})`, "behind"}},
		colours: []colour{{"behind", used, false, false}},
		steps:   rising(30, 60),
	})

	b.row("Memory and disk").lines(panel{
		title: "Found in the cache", unit: "percentunit", empty: "nothing was read in this time",
		about:   "Share of the blocks that were in PostgreSQL's own memory.",
		queries: []query{{hits, "found"}},
		colours: []colour{{"found", used, false, false}},
		steps:   falling(0.9, 0.95),
	}).lines(panel{
		title: "Size", unit: "bytes", empty: "no data in this time",
		about:   "Size of each database on the disk.",
		queries: []query{{`max by (datname) (pg_database_size_bytes{` + own + `})`, "{{datname}}"}},
	}).lines(panel{
		title: "Temporary files", unit: "Bps", empty: "no data in this time", width: 8,
		about:   "What queries write to the disk because work_mem is too small for their sorting.",
		queries: []query{{per("temp_bytes"), "{{datname}}"}},
	}).lines(panel{
		title: "Buffers", unit: "short", empty: "no data in this time", width: 8,
		about: "Blocks per second that the background writer cleans, and those that were newly taken.",
		queries: []query{
			{`sum(rate(pg_stat_bgwriter_buffers_clean_total{` + job + `}` + rate + `))`, "cleaned"},
			{`sum(rate(pg_stat_bgwriter_buffers_alloc_total{` + job + `}` + rate + `))`, "taken"},
		},
		colours: []colour{{"cleaned", outgoing, false, false}, {"taken", incoming, false, false}},
	}).lines(panel{
		title: "Checkpoints", unit: "none", empty: "no data in this time", width: 8, decimals: digits(0),
		about: "Checkpoints within an hour: at their time, and because too much had been written (max_wal_size).",
		queries: []query{
			{`sum(increase({__name__=~"pg_stat_bgwriter_checkpoints_timed_total|pg_stat_checkpointer_num_timed_total",` + job + `}[1h]))`, "at their time"},
			{`sum(increase({__name__=~"pg_stat_bgwriter_checkpoints_req_total|pg_stat_checkpointer_num_requested_total",` + job + `}[1h]))`, "asked for"},
		},
		colours: []colour{{"at their time", good, false, false}, {"asked for", warning, false, false}},
	})
	return b
}
