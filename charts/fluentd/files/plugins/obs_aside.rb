# frozen_string_literal: true

# Lists, shows, replays and deletes the records that were set aside on this node. To be run in the pod:
#
#   kubectl exec -n NAMESPACE POD -- ruby /fluentd/obs/obs_aside.rb list
#
# Plain Ruby: it sends by itself, with the same code and settings as the running Fluentd.

require "json"
require "optparse"
require_relative "obs_core"
require_relative "out_obs_loki"
require_relative "out_obs_bulk"

module Obs
  class AsideTool
    USAGE = <<~TEXT
      usage: obs_aside.rb list                      what was set aside, by store and reason
             obs_aside.rb show STORE [--limit N]    the records themselves, one JSON object a line
             obs_aside.rb replay STORE [--kind K]   send them again; what is refused again stays aside
             obs_aside.rb delete STORE [--kind K]   delete them for good
      kinds: refused, too-large, store-state, stream-limit, maybe-stored, internal-error, cut
    TEXT

    def initialize(settings, out: $stdout, err: $stderr)
      @settings = settings
      @root = File.join(settings.fetch("state"), "aside")
      @aside = Aside.new(@root)
      @out = out
      @err = err
    end

    # Exit code.
    def run(words)
      options = { limit: nil, kind: nil }
      parser = OptionParser.new
      parser.on("--limit N", Integer) { |n| options[:limit] = n }
      parser.on("--kind K") { |kind| options[:kind] = kind }
      verb, store, *rest = parser.parse(words)
      return usage unless rest.empty? && %w[list show replay delete].include?(verb) && (verb == "list") == store.nil?

      public_send(verb, *[store].compact, **options)
    rescue OptionParser::ParseError => e
      @err.puts "error: #{e.message}"
      usage
    end

    def list(**)
      groups = {}
      files.each do |path|
        each(path) do |entry|
          group = groups[[entry["store"], entry["kind"]]] ||= { count: 0, first: entry["at"], reason: nil, last: nil }
          group[:count] += 1
          group[:last] = entry["at"]
          group[:reason] = entry["reason"]
        end
      end
      if groups.empty?
        @out.puts "nothing is set aside on this node"
        return 0
      end
      rows = [%w[STORE KIND RECORDS FIRST LAST REASON]]
      groups.each { |(store, kind), group| rows << [store, kind || "refused", group[:count].to_s, group[:first], group[:last], Text.first(group[:reason].to_s, 200)] }
      widths = rows.transpose.map { |column| column.map { |text| text.to_s.length }.max }
      rows.each { |row| @out.puts row.zip(widths).map { |text, width| text.to_s.ljust(width) }.join("  ").rstrip }
      0
    end

    def show(store, limit: nil, kind: nil)
      left = limit
      files(store).each do |path|
        each(path) do |entry|
          next if kind && entry["kind"] != kind
          return 0 if left&.zero?

          @out.puts JSON.generate(entry)
          left -= 1 if left
        end
      end
      0
    end

    def delete(store, kind: nil, **)
      gone = 0
      files(store).each do |path|
        keep = []
        each(path) { |entry| kind && entry["kind"] != kind ? keep << entry : gone += 1 }
        File.delete(path)
        @aside.put(store, keep)
      end
      @out.puts "#{gone} records deleted"
      0
    end

    # What may be stored already, and what was cut and is stored so, only goes again when its kind is named.
    def replay(store, kind: nil, **)
      entry = @settings.fetch("stores").find { |candidate| candidate["name"] == store }
      unless entry
        @err.puts "error: there is no store #{store}: #{@settings.fetch("stores").map { |one| one["name"] }.join(", ")}"
        return 2
      end
      progress = Progress.new(File.join(@settings.fetch("state"), "progress", "replay"))
      core = (entry["type"] == "loki" ? Loki : Bulk).new(entry.merge("outOfRange" => "arrival"), aside: @aside, progress: progress, log: ->(_, message) { @err.puts message })
      sent = 0
      (files(store) + Dir.glob(File.join(@root, store, "*.replaying"))).each do |path|
        sent += replay_file(core, progress, store, path, kind)
      end
      @out.puts "#{sent} records sent again"
      0
    rescue Retry => e
      @err.puts "error: #{store} does not take them now, they stay aside: #{e.message}"
      1
    end

    private

    # Moved out of the way first: what is refused again is written to the folder meanwhile.
    def replay_file(core, progress, store, path, kind)
      moved = path.end_with?(".replaying") ? path : "#{path}.replaying"
      File.rename(path, moved) unless moved == path
      chosen = []
      others = []
      each(moved) do |entry|
        own = entry["kind"] || "refused"
        (kind ? own == kind : !%w[maybe-stored cut].include?(own)) ? chosen << entry : others << entry
      end
      list = chosen.map { |entry| again(entry) }
      id = Digest::SHA256.digest(JSON.generate(list)).byteslice(0, 16)
      core.write(id, list) unless list.empty?
      @aside.put(store, others)
      File.delete(moved)
      list.size
    rescue Retry
      # What was stored is known by the content, so that it is not sent again
      progress.save(id) if id
      raise
    end

    def again(entry)
      return entry["entry"] if entry["entry"]
      return [entry["time"], entry["labels"] || {}, entry["line"].to_s, entry["metadata"] || {}] unless entry["document"]

      [entry["time"], entry["id"], entry["document"]]
    end

    def files(store = nil)
      @aside.files.select { |path| store.nil? || File.basename(File.dirname(path)) == store }
    end

    def each(path)
      File.foreach(path) do |line|
        yield JSON.parse(line)
      rescue JSON::ParserError
        next # torn by a full disk or a kill
      end
    end

    def usage
      @err.puts USAGE
      2
    end
  end
end

if $PROGRAM_NAME == __FILE__
  settings = ENV["OBS_SETTINGS"] || "/fluentd/etc/pipeline.json"
  exit Obs::AsideTool.new(JSON.parse(File.read(settings))).run(ARGV)
end
