# frozen_string_literal: true

# Sends records to Loki's push API.
#
# A push is at most 1 MiB before compression and holds a stretch of its chunk, in order. What Loki would
# refuse is found before it is sent and set aside with the reason. 429, 5xx, 401, 403 and connections that
# break repeat the same bytes, and only the pushes that were not taken. Of what a 400 refuses only the named
# entries are set aside: Loki has stored the others. The core is plain Ruby.

require "json"
require_relative "obs_core"
require_relative "obs_refusals"

module Obs
  class Loki
    # ns, labels, line, metadata; index: place in its chunk
    Entry = Struct.new(:ns, :labels, :line, :meta, :index)

    LIMITS = {
      "line" => 262_144, "age" => 604_800, "future" => 600, "labels" => 15, "labelName" => 1024,
      "labelValue" => 2048, "metadataBytes" => 65_536, "metadataEntries" => 128
    }.freeze
    PUSH = "/loki/api/v1/push"
    # How long a stream that Loki has no room for holds up the others
    STREAM_LIMIT_PATIENCE = 900
    # Loki takes what is up to an hour older than the newest of its stream (max_chunk_age / 2)
    BEHIND = 3_600 * 1_000_000_000

    attr_reader :name

    def initialize(settings, aside:, progress:, http: nil, clock: -> { Time.now }, log: nil, metrics: METRICS)
      @settings = settings
      @name = settings.fetch("name")
      @limits = LIMITS.merge(settings["limits"] || {})
      @labels = settings["labels"] || { "namespace" => "namespace", "pod" => "pod", "container" => "container", "app" => "app", "stream" => "stream" }
      @extra = settings["extraLabels"] || {}
      @metadata = settings["metadata"] || {}
      @batch = settings["batchBytes"] || 1_048_576
      @gzip = settings.fetch("gzip", true)
      @aside = aside
      @progress = progress
      @clock = clock
      @log = log
      @quiet = Quiet.new(every: 30)
      @metrics = metrics
      headers = { "Content-Type" => "application/json" }
      headers["X-Scope-OrgID"] = settings["tenant"] if settings["tenant"] && !settings["tenant"].empty?
      @http = http || Http.new(settings.merge("headers" => headers), name: @name, metrics: metrics)
      @newest = {}
      @plain_until = nil
    end

    # What becomes of a record: [ns, labels, line, metadata, place in its file].
    def entry(ns, record)
      labels = {}
      @labels.each do |label, source|
        value = look_up(record, source)
        labels[label] = value if value && !value.empty?
      end
      labels.merge!(@extra)
      # Loki loses an entry without labels, and says nothing
      labels["job"] = "kubectl-obs" if labels.empty?
      meta = {}
      meta["detected_level"] = record["level"] if record["level"]
      @metadata.each do |key, source|
        value = look_up(record, source)
        meta[key] = value if value && !value.empty?
      end
      meta["cut"] = record["cut"].to_s if record["cut"]
      meta["unfinished"] = "true" if record["unfinished"]
      meta["pipeline_error"] = Text.first(record["pipeline_error"], 1000) if record["pipeline_error"]
      [ns, labels, Text.clean(record["message"].to_s), meta, record["offset"]]
    end

    # Sends the entries of a chunk. Returns when all are stored or set aside; raises Retry when the rest has to
    # be sent later, with the same entries and the same id.
    def write(id, list)
      state = @progress.load(id)
      state["now"] ||= (@clock.call.to_r * 1_000_000_000).to_i
      entries = numbered(list)
      entries = checked(entries, state)
      begin
        batches(entries, state).each { |batch| push(batch, state) }
      rescue Retry => e
        @progress.save(id)
        @metrics.add("obs_fluentd_store_retries_total", 1, { store: @name, reason: @reason || "connection" })
        @quiet.say(@reason || e.class) { @log&.call(:warn, "#{@name} does not take logs now, they stay in the buffer: #{e.message}") }
        raise
      ensure
        @reason = nil
      end
      @progress.forget(id)
    end

    def close
      @http.close
    end

    # Body of a push.
    def body(entries)
      streams = entries.group_by(&:labels).map do |labels, list|
        { "stream" => labels, "values" => list.map { |entry| entry.meta.empty? ? [entry.ns.to_s, entry.line] : [entry.ns.to_s, entry.line, entry.meta] } }
      end
      JSON.generate({ "streams" => streams })
    end

    private

    def look_up(record, source)
      value = source.start_with?("label:") ? (record["labels"] || {})[source.delete_prefix("label:")] : field(record, source)
      value.nil? ? nil : Text.clean(value.to_s.dup)
    end

    def field(record, source)
      return record[source] unless source == "job"

      [record["namespace"], record["app"] || record["container"]].compact.join("/")
    end

    # Equal lines of one moment are one to Loki: each further one is a nanosecond later. What was read twice
    # from the same place is one. The same chunk gives the same times again.
    def numbered(list)
      seen = {}
      list.each_with_index.filter_map do |(ns, labels, line, meta, offset), index|
        places = (seen[[ns, labels, line].hash] ||= [])
        next if offset && places.include?(offset)

        places << offset
        Entry.new(ns + places.size - 1, labels, line, meta, index)
      end
    end

    # Without those that Loki would refuse, which are set aside, once.
    def checked(entries, state)
      now = state["now"]
      refused = []
      good = entries.select do |entry|
        reason = refusal(entry, now)
        if reason && !reason.empty?
          refused << [entry, reason]
          false
        else
          true
        end
      end
      unless refused.empty? || state["checked"]
        put_aside(refused.map { |entry, reason| [entry, "refused", reason] })
      end
      state["checked"] = true
      good
    end

    def refusal(entry, now)
      if entry.line.bytesize > @limits["line"]
        return "the line has #{entry.line.bytesize} bytes, the store takes #{@limits["line"]}"
      end
      return "#{entry.labels.size} labels, the store takes #{@limits["labels"]}" if entry.labels.size > @limits["labels"]

      entry.labels.each do |name, value|
        return "label #{name} is no name of a label" unless name.match?(/\A[A-Za-z_][A-Za-z0-9_]*\z/) && name.bytesize <= @limits["labelName"]
        return "the value of label #{name} has #{value.bytesize} bytes, the store takes #{@limits["labelValue"]}" if value.bytesize > @limits["labelValue"]
      end
      size = entry.meta.sum { |key, value| key.bytesize + value.bytesize }
      return "structured metadata of #{size} bytes, the store takes #{@limits["metadataBytes"]}" if size > @limits["metadataBytes"]
      return "#{entry.meta.size} fields of structured metadata, the store takes #{@limits["metadataEntries"]}" if entry.meta.size > @limits["metadataEntries"]

      out_of_range(entry, now)
    end

    def out_of_range(entry, now)
      reason = if entry.ns < now - @limits["age"] * 1_000_000_000
                 "older than the store takes (#{@limits["age"]}s)"
               elsif entry.ns > now + @limits["future"] * 1_000_000_000
                 "its time is ahead of the clock by more than #{@limits["future"]}s: is the node's clock right?"
               end
      return nil unless reason
      return reason unless @settings["outOfRange"] == "arrival"

      entry.meta = entry.meta.merge("orig_time" => Obs.iso(entry.ns))
      entry.ns = now + entry.index
      nil
    end

    # Stretches of entries that are not stored yet, each as large as a push may be.
    def batches(entries, state)
      done = state["done"]
      out = []
      current = []
      bytes = 0
      labels = {}
      entries.each do |entry|
        next if done.any? { |from, to| entry.index >= from && entry.index < to }

        size = estimate(entry)
        unless labels[entry.labels]
          labels[entry.labels] = true
          size += entry.labels.sum { |key, value| key.bytesize + value.bytesize + 8 } + 30
        end
        if bytes + size > @batch && !current.empty?
          out << current
          current = []
          bytes = 0
          labels = { entry.labels => true }
        end
        current << entry
        bytes += size
      end
      out << current unless current.empty?
      out
    end

    # Bytes of an entry in the body: quotes and control characters grow.
    def estimate(entry)
      entry.line.bytesize + entry.line.count("\"\\\n\r\t") + 5 * entry.line.count("\x00-\x08\x0b\x0c\x0e-\x1f") + 32 +
        entry.meta.sum { |key, value| key.bytesize + value.bytesize + 8 }
    end

    def push(entries, state)
      text = body(entries)
      answer = transmit(text)
      case answer.code
      when 200..204 then stored(entries, text, state)
      when 413 then halve(entries, state, answer)
      when 415 then again_plain(entries, state, answer)
      when 400, 422
        if compressed? && answer.body.match?(/gzip|content-encoding|decompress/i)
          again_plain(entries, state, answer)
        else
          refused(entries, state, answer)
        end
      when 429
        stream_limit(entries, state, answer) || later(answer, "rate-limit")
      when 500..599
        if answer.body.match?(/larger than max|ResourceExhausted.*message/i)
          halve(entries, state, answer)
        else
          later(answer, "server-error")
        end
      when 401, 403 then later(answer, "unauthorized")
      else later(answer, "unexpected-answer")
      end
    end

    def compressed?
      @gzip && (@plain_until.nil? || @clock.call > @plain_until)
    end

    def transmit(text)
      if compressed?
        wire = Obs.gzip(text)
        answer = @http.post(PUSH, wire, { "Content-Encoding" => "gzip" })
      else
        wire = text
        answer = @http.post(PUSH, wire)
      end
      @metrics.add("obs_fluentd_store_bytes_total", text.bytesize, { store: @name, form: "raw" })
      @metrics.add("obs_fluentd_store_bytes_total", wire.bytesize, { store: @name, form: "wire" })
      answer
    end

    def stored(entries, _text, state, except: 0)
      finished(entries, state)
      entries.each { |entry| @newest[entry.labels] = entry.ns if entry.ns > (@newest[entry.labels] || 0) }
      @newest.shift while @newest.size > 5000
      @metrics.add("obs_fluentd_store_records_total", entries.size - except, { store: @name })
      @metrics.set("obs_fluentd_store_last_success_timestamp_seconds", @clock.call.to_i, { store: @name })
    end

    def finished(entries, state)
      entries.slice_when { |one, next_one| next_one.index != one.index + 1 }.each do |range|
        state["done"] << [range.first.index, range.last.index + 1]
      end
      merged = state["done"].sort.each_with_object([]) do |range, out|
        out.last && out.last[1] == range[0] ? out.last[1] = range[1] : out << range
      end
      state["done"] = merged
    end

    def later(answer, reason)
      @reason = reason
      hint = case answer.code
             when 401, 403
               answer.body.match?(/no org id/i) ? "; it wants a tenant: set it" : "; are user, password or token right?"
             when 404, 405 then "; the URL is the base address of Loki, without a path"
             when 300..399 then "; it redirects to #{answer.headers["location"]}"
             else ""
             end
      raise Retry, "it answered #{answer.code}: #{brief(answer.body)}#{hint}"
    end

    def brief(text)
      Text.first(text.strip.gsub(/\s+/, " "), 500)
    end

    def halve(entries, state, answer)
      if entries.size == 1
        put_aside([[entries[0], "too-large", "#{answer.code}: #{brief(answer.body)}"]])
        return finished(entries, state)
      end
      entries.each_slice((entries.size + 1) / 2) { |half| push(half, state) }
    end

    def again_plain(entries, state, answer)
      return refused(entries, state, answer) unless compressed?

      @log&.call(:warn, "#{@name} does not take gzip (#{answer.code}: #{brief(answer.body)}); an hour without")
      @plain_until = @clock.call + 3600
      push(entries, state)
    end

    # A stream more than Loki keeps: for a quarter of an hour it may be temporary. Then each stream goes alone,
    # and those without a place are set aside. nil: not (yet) so.
    def stream_limit(entries, state, answer)
      return nil unless answer.body.match?(/stream limit/i)

      @reason = "stream-limit"
      now = @clock.call.to_f
      since = (state["streamLimitSince"] ||= now)
      return nil if now - since < STREAM_LIMIT_PATIENCE

      groups = entries.group_by(&:labels).values
      if groups.size == 1
        put_aside(entries.map { |entry| [entry, "stream-limit", "the store has no room for another stream: #{brief(answer.body)}"] })
        finished(entries, state)
      else
        groups.each { |group| push(group, state) }
      end
      true
    end

    # What a 400 says: those it names are set aside, the others are stored.
    def refused(entries, state, answer)
      named = Refusals.new(entries, answer.body, @newest).result
      if named.nil?
        # It could not be read at all, so nothing is stored: one of them is the reason
        if entries.size == 1
          put_aside([[entries[0], "refused", "#{answer.code}: #{brief(answer.body)}"]])
          return finished(entries, state)
        end
        return entries.each_slice((entries.size + 1) / 2) { |half| push(half, state) }
      end
      put_aside(named.map { |entry, (kind, reason)| [entry, kind, "#{answer.code}: #{Text.first(reason, 500)}"] })
      stored(entries, nil, state, except: named.size)
    end

    def put_aside(list)
      @aside.put(@name, list.map do |entry, kind, reason|
        { "time" => entry.ns, "kind" => kind, "reason" => reason, "labels" => entry.labels, "line" => entry.line, "metadata" => entry.meta }
      end)
      kinds = list.map { |_, kind, _| kind }.tally
      @quiet.say("aside #{kinds.keys}") { @log&.call(:warn, "#{@name} refuses records, they were set aside: #{list[0][2]} (#{kinds.map { |kind, count| "#{count} #{kind}" }.join(", ")})") }
    rescue SystemCallError => e
      raise Retry, "records cannot be set aside: #{e.message}"
    end
  end

  module_function

  # A time in nanoseconds as RFC 3339.
  def iso(ns)
    Time.at(ns / 1_000_000_000, ns % 1_000_000_000, :nsec).utc.strftime("%Y-%m-%dT%H:%M:%S.%NZ")
  end
end

if defined?(Fluent::Plugin)
  require "fluent/plugin/output"
  require_relative "obs_output"

  module Fluent
    module Plugin
      # <match> @type obs_loki; settings /path/to/pipeline.json; store loki </match>
      class ObsLokiOutput < Output
        Fluent::Plugin.register_output("obs_loki", self)
        include ObsOutput

        def make(settings, **options)
          Obs::Loki.new(settings, **options)
        end
      end
    end
  end
end
