# frozen_string_literal: true

# How many lines of 200 bytes the plugins take per second on one core, stage by stage: from the file to a record,
# to the form in the buffer, to the body of a push. No store is asked. ruby tests/fluentd/bench.rb [LINES]

require "json"
require "msgpack"
require "tmpdir"

plugins = File.expand_path("../../charts/fluentd/files/plugins", __dir__)
%w[obs_core obs_join in_obs_containers filter_obs_record out_obs_loki out_obs_bulk].each { |file| require File.join(plugins, file) }

lines = (ARGV[0] || 200_000).to_i
folder = Dir.mktmpdir("obs-bench")
at_exit { FileUtils.rm_rf(folder) }
now = Time.now.to_i * 1_000_000_000
log = File.join(folder, "pods/shop_web-1_0a1b/app/0.log")
FileUtils.mkdir_p([File.dirname(log), File.join(folder, "state")])
File.open(log, "w") do |file|
  lines.times do |n|
    text = n.even? ? "{\"level\":\"info\",\"path\":\"/checkout\",\"user_id\":#{n},\"msg\":\"#{"x" * 100}\"}" : "2026-11-28 10:00:00 INFO #{n} #{"y" * 120}"
    file.write("#{Obs.iso(now + n)} stdout F #{text.ljust(160, ".")}\n")
  end
end

def stage(name, count, bytes = nil)
  began = Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID)
  result = yield
  spent = Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID) - began
  puts format("%-28s %9d lines/s%s", name, count / spent, bytes ? format("  %6.1f MB/s", bytes / spent / 1e6) : "")
  $total = ($total || 0) + spent
  result
end

# Takes whatever it is sent.
sink = Object.new
def sink.post(_path, body, _headers = {})
  @bytes = (@bytes || 0) + body.bytesize
  Obs::Http::Answer.new(204, '{"items":[]}', {})
end

def sink.bytes = @bytes

records = []
tail = Obs::Tail.new({ "root" => File.join(folder, "pods"), "state" => File.join(folder, "state"), "backfill" => 3600 }) { |identity, list| list.each { |record| records << [identity, record] } }
stage("read, parse, join", lines, File.size(log)) do
  tail.scan
  nil while tail.step.positive?
end
records = records.map do |identity, record|
  [record.ns, { "message" => record.text, "stream" => record.stream, "namespace" => identity.namespace, "pod" => identity.pod, "container" => identity.container, "uid" => identity.uid, "restart" => 0, "offset" => record.mark[1], "app" => "web" }]
end
stage("fields and level", lines) { records.each { |_, record| Obs::Record.refine(record) } }

loki = Obs::Loki.new({ "name" => "loki", "url" => "http://x" }, aside: nil, progress: Obs::Progress.new(folder), http: sink)
chunks = stage("to the buffer (Loki)", lines) { records.map { |ns, record| loki.entry(ns, record).to_msgpack }.each_slice(3000).map(&:join) }
stage("to pushes (Loki)", lines) { chunks.each_with_index { |chunk, n| loki.write(format("%016d", n), MessagePack::Unpacker.new(StringIO.new(chunk)).each.to_a) } }
puts format("%-28s %9d lines/s, %.0f bytes a line on the wire", "all of it, to Loki", lines / $total, sink.bytes.to_f / lines)

before = $total
bulk = Obs::Bulk.new({ "name" => "search", "index" => "logs", "url" => "http://x" }, aside: nil, progress: Obs::Progress.new(folder), http: sink)
entries = stage("to the buffer (bulk)", lines) { records.map { |ns, record| bulk.entry(ns, record).to_msgpack } }
stage("to bulks", lines) do
  entries.each_slice(5000) { |slice| bulk.body(bulk.__send__(:identified, MessagePack::Unpacker.new(StringIO.new(slice.join)).each.to_a)).then { |body| Obs.gzip(body) } }
end
puts format("%-28s %9d lines/s", "both stores", lines / $total) if before
