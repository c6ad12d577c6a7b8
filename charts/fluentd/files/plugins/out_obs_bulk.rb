# frozen_string_literal: true

# Sends records to the bulk API of OpenSearch or Elasticsearch, into a data stream.
#
# Each document has an id made of where its line stands and what it says, and is only ever created: a bulk
# that is repeated doubles nothing, and 409 means that it is there. Of a bulk's answer each item counts by
# itself: 429 and 5xx are repeated alone, what the mapping refuses is set aside with its cause. The core is
# plain Ruby.

require "digest"
require "json"
require_relative "obs_core"

module Obs
  class Bulk
    # ns, seed of the id, document; index: place in its chunk
    Item = Struct.new(:ns, :id, :document, :index)

    # What a store says with 400 although the document is right: it will take it once somebody has helped.
    STATE = /maximum shards|maximum normal shards|index_closed|cluster_block|this action would add|no write index|illegal_state_exception/i
    # There is no data stream (any more): it will be made again
    GONE = /index_not_found|no such index/i
    # Answers for one item that may change by themselves
    AGAIN = [408, 429, 500, 502, 503, 504].freeze

    attr_reader :name

    def initialize(settings, aside:, progress:, http: nil, clock: -> { Time.now }, log: nil, metrics: METRICS)
      @settings = settings
      @name = settings.fetch("name")
      @index = settings.fetch("index")
      @batch = settings["batchBytes"] || 5 * 1_048_576
      @gzip = settings.fetch("gzip", true)
      @extra = settings["extraFields"] || {}
      @aside = aside
      @progress = progress
      @clock = clock
      @log = log
      @quiet = Quiet.new(every: 30)
      @metrics = metrics
      @http = http || Http.new(settings.merge("headers" => { "Content-Type" => "application/x-ndjson" }), name: @name, metrics: metrics)
      @plain_until = nil
    end

    # What becomes of a record: [ns, seed of its id, document as JSON].
    def entry(ns, record)
      seed = [record["uid"], record["container"], record["restart"], record["stream"], ns, record["offset"]].join("/")
      kubernetes = { "namespace_name" => record["namespace"], "pod_name" => record["pod"], "container_name" => record["container"], "pod_id" => record["uid"] }
      kubernetes["node_name"] = record["node"] if record["node"]
      kubernetes["app"] = record["app"] if record["app"]
      kubernetes["labels"] = record["labels"] if record["labels"] && !record["labels"].empty?
      document = { "@timestamp" => Obs.iso_time(ns), "message" => record["message"], "stream" => record["stream"], "kubernetes" => kubernetes }
      document["detected_level"] = record["level"] if record["level"]
      document["fields"] = record["fields"] if record["fields"]
      # Keeps lines of one moment in order
      document["seq"] = record["offset"] if record["offset"]
      document["cut"] = record["cut"] if record["cut"]
      document["unfinished"] = true if record["unfinished"]
      document["pipeline_error"] = record["pipeline_error"] if record["pipeline_error"]
      document.merge!(@extra)
      [ns, seed, JSON.generate(Text.deep(document))]
    end

    # Sends the entries of a chunk. Returns when all are stored or set aside; raises Retry when some have to be
    # sent later.
    def write(id, list)
      state = @progress.load(id)
      done = state["done"].to_h { |index| [index, true] }
      items = identified(list).reject { |item| done[item.index] }
      begin
        there!
        left = []
        batches(items).each { |batch| left.concat(push(batch, state)) }
        unless left.empty?
          @reason = "rejected-items"
          raise Retry, "#{left.size} of #{items.size} documents were not taken: #{@why}"
        end
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

    def body(items)
      out = +""
      items.each do |item|
        out << "{\"create\":{\"_id\":\"" << item.id << "\"}}\n" << item.document << "\n"
      end
      out
    end

    private

    # A bulk makes an index if there is none, with types of its own guess, and the data stream can never be made
    # again: so not before it is there. Who may not ask does not know, and goes on.
    def there!
      return if @there

      answer = @http.get("/#{@index}?filter_path=none")
      if answer.code == 404
        @reason = "no-index"
        raise Retry, "there is no data stream (or index) #{@index} yet; make it, with its template"
      end
      later(answer, answer.code == 429 ? "rate-limit" : "server-error") if answer.code == 429 || answer.code >= 500
      @there = true
    end

    # The same line, read from the same place, has the same id, however often it comes.
    def identified(list)
      list.each_with_index.map do |(ns, seed, document), index|
        digest = Digest::SHA256.digest("#{seed}\0#{document}")
        Item.new(ns, [digest.byteslice(0, 15)].pack("m0").tr("+/", "-_"), document, index)
      end
    end

    def batches(items)
      size = 0
      items.slice_when do |item, _|
        size += item.document.bytesize + 40
        next false if size < @batch

        size = 0
        true
      end
    end

    # The items that have to be sent again.
    def push(items, state)
      text = body(items)
      answer = transmit(text)
      case answer.code
      when 200, 201 then judge(items, answer, state)
      when 413 then halve(items, state, answer)
      when 415 then again_plain(items, state, answer)
      when 400
        return again_plain(items, state, answer) if compressed? && answer.body.match?(/gzip|content-encoding|decompress|malformed action/i) && !@plain_known

        whole(items, state, answer)
      when 401, 403 then later(answer, "unauthorized")
      when 404
        @there = false
        later(answer, answer.body.match?(GONE) ? "no-index" : "unexpected-answer")
      when 429 then later(answer, "rate-limit")
      when 500..599 then later(answer, "server-error")
      else later(answer, "unexpected-answer")
      end
    end

    def compressed?
      @gzip && (@plain_until.nil? || @clock.call > @plain_until)
    end

    def transmit(text)
      wire = compressed? ? Obs.gzip(text) : text
      # Of the answer only what is looked at
      answer = @http.post("/#{@index}/_bulk?filter_path=items.*.status,items.*.error", wire, compressed? ? { "Content-Encoding" => "gzip" } : {})
      @metrics.add("obs_fluentd_store_bytes_total", text.bytesize, { store: @name, form: "raw" })
      @metrics.add("obs_fluentd_store_bytes_total", wire.bytesize, { store: @name, form: "wire" })
      answer
    end

    def judge(items, answer, state)
      results = JSON.parse(answer.body)["items"]
      raise Retry, "it answered without the items of the bulk" unless results.is_a?(Array) && results.size == items.size

      again = []
      aside = []
      taken = 0
      items.zip(results) do |item, result|
        outcome = result.values.first || {}
        status = outcome["status"].to_i
        cause = why(outcome["error"])
        if status.between?(200, 299) || status == 409
          taken += 1
          state["done"] << item.index
        elsif AGAIN.include?(status) || (status == 403 && cause.match?(STATE)) || (status == 404 && cause.match?(GONE))
          # Before the next bulk it is asked for again: else that would make an index with types of its guess
          @there = false if status == 404
          @why = "#{status} #{cause}"
          again << item
        else
          aside << [item, cause.match?(STATE) ? "store-state" : "refused", "#{status}: #{cause}"]
          state["done"] << item.index
        end
      end
      put_aside(aside) unless aside.empty?
      @metrics.add("obs_fluentd_store_records_total", taken, { store: @name })
      @metrics.set("obs_fluentd_store_last_success_timestamp_seconds", @clock.call.to_i, { store: @name }) if taken.positive?
      again
    rescue JSON::ParserError
      raise Retry, "its answer to a bulk is no JSON"
    end

    # The innermost cause: the outer ones only say that something is wrong.
    def why(error)
      return error.to_s unless error.is_a?(Hash)

      parts = []
      while error.is_a?(Hash)
        parts << "#{error["type"]}: #{error["reason"]}"
        error = error["caused_by"]
      end
      Text.first(parts.uniq.join("; "), 800)
    end

    def halve(items, state, answer)
      if items.size == 1
        put_aside([[items[0], "too-large", "413: #{brief(answer.body)}"]])
        state["done"] << items[0].index
        return []
      end
      items.each_slice((items.size + 1) / 2).flat_map { |half| push(half, state) }
    end

    # A bulk that was refused as a whole: nothing of it is stored.
    def whole(items, state, answer)
      if answer.body.match?(STATE) || items.size == 1
        kind = answer.body.match?(STATE) ? "store-state" : "refused"
        put_aside(items.map { |item| [item, kind, "400: #{brief(answer.body)}"] })
        items.each { |item| state["done"] << item.index }
        return []
      end
      items.each_slice((items.size + 1) / 2).flat_map { |half| push(half, state) }
    end

    def again_plain(items, state, answer)
      return whole(items, state, answer) unless compressed?

      @log&.call(:warn, "#{@name} does not take gzip (#{answer.code}: #{brief(answer.body)}); an hour without")
      @plain_until = @clock.call + 3600
      push(items, state)
    end

    def later(answer, reason)
      @reason = reason
      hint = case answer.code
             when 401, 403 then "; are user, password or token right, and may it write to #{@index}?"
             when 404, 405 then answer.body.match?(GONE) ? "" : "; the URL is the base address of the store, without a path"
             else ""
             end
      raise Retry, "it answered #{answer.code}: #{brief(answer.body)}#{hint}"
    end

    def brief(text)
      Text.first(text.strip.gsub(/\s+/, " "), 500)
    end

    def put_aside(list)
      @aside.put(@name, list.map do |item, kind, reason|
        { "time" => item.ns, "kind" => kind, "reason" => reason, "id" => item.id, "document" => item.document }
      end)
      @quiet.say("aside #{list[0][1]}") { @log&.call(:warn, "#{@name} refuses records, #{list.size} were set aside: #{list[0][2]}") }
    rescue SystemCallError => e
      raise Retry, "records cannot be set aside: #{e.message}"
    end
  end

  module_function

  # RFC 3339 with nanoseconds. Lines of one second share most of it.
  def iso_time(ns)
    second = ns / 1_000_000_000
    cached = Thread.current[:obs_iso]
    cached = Thread.current[:obs_iso] = [second, Time.at(second).utc.strftime("%Y-%m-%dT%H:%M:%S")] unless cached && cached[0] == second
    format("%s.%09dZ", cached[1], ns % 1_000_000_000)
  end
end

if defined?(Fluent::Plugin)
  require "fluent/plugin/output"
  require_relative "obs_output"

  module Fluent
    module Plugin
      # <match> @type obs_bulk; settings /path/to/pipeline.json; store opensearch </match>
      class ObsBulkOutput < Output
        Fluent::Plugin.register_output("obs_bulk", self)
        include ObsOutput

        def make(settings, **options)
          Obs::Bulk.new(settings, **options)
        end
      end
    end
  end
end
