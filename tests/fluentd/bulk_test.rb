# frozen_string_literal: true

# The output to OpenSearch and Elasticsearch: each document once, whatever is repeated; each item of an answer
# by itself.

require_relative "support"
require_relative "server"

class BulkTest < Minitest::Test
  NOW = Time.utc(2026, 11, 28, 12)
  BASE = NOW.to_i * 1_000_000_000
  BUSY = [429, { "type" => "es_rejected_execution_exception", "reason" => "rejected execution of coordinating operation" }].freeze
  MAPPING = [400, { "type" => "mapper_parsing_exception", "reason" => "failed to parse", "caused_by" => { "type" => "illegal_argument_exception", "reason" => "Limit of total fields [1000] has been exceeded" } }].freeze

  def setup
    @folder = Dir.mktmpdir("obs-bulk")
    @store = FakeBulk.new
    @server = Server.new
    @server.handler = @store
    @aside = Obs::Aside.new(File.join(@folder, "aside"))
    @said = []
    make
  end

  def teardown
    @server.down
    FileUtils.rm_rf(@folder)
  end

  def make(**settings)
    @settings = { "name" => "opensearch", "type" => "opensearch", "url" => @server.url, "index" => "logs", "timeout" => 2 }.merge(settings.transform_keys(&:to_s))
    @bulk = Obs::Bulk.new(@settings, aside: @aside, progress: Obs::Progress.new(File.join(@folder, "progress")), clock: -> { NOW }, log: ->(_, message) { @said << message })
  end

  def record(text, **more)
    { "message" => text, "stream" => "stdout", "namespace" => "shop", "pod" => "web-1", "container" => "app", "uid" => "u", "restart" => 0 }.merge(more.transform_keys(&:to_s))
  end

  def entries(count, from: 0)
    Array.new(count) { |n| @bulk.entry(BASE + from + n, record("line #{from + n}")) }
  end

  def write(list, id: "chunk-0123456789", tries: 30)
    tries.times do
      @bulk.write(id, list)
      return
    rescue Obs::Retry
      next
    end
    flunk "not taken: #{@said.last}"
  end

  def aside
    @aside.files.flat_map { |path| File.readlines(path).map { |line| JSON.parse(line) } }
  end

  def lines
    @store.order.map { |document| document["message"] }
  end

  def test_what_arrives
    write([@bulk.entry(BASE + 5, record("{}", node: "n1", app: "web", level: "error", labels: { "app.kubernetes.io/name" => "web", "app" => "x" }, fields: { "user_id" => 7 }, offset: 99))])
    document = @store.documents.values[0]
    assert_equal "2026-11-28T12:00:00.000000005Z", document["@timestamp"]
    assert_equal({ "namespace_name" => "shop", "pod_name" => "web-1", "container_name" => "app", "pod_id" => "u", "node_name" => "n1", "app" => "web", "labels" => { "app.kubernetes.io/name" => "web", "app" => "x" } }, document["kubernetes"])
    assert_equal ["error", { "user_id" => 7 }, "stdout", 99], document.values_at("detected_level", "fields", "stream", "seq")
    request = @server.requests[0]
    assert_equal ["/logs/_bulk?filter_path=items.*.status,items.*.error", "application/x-ndjson", "gzip"], [request.path, *request.headers.values_at("content-type", "content-encoding")]
  end

  def test_no_field_of_an_application_reaches_the_action
    write([@bulk.entry(BASE, record("{}", fields: { "_index" => "other", "_id" => "1", "@timestamp" => "x", "kubernetes" => { "namespace" => "y" } }))])
    action = JSON.parse(@server.requests[0].body.lines[0])
    assert_equal ["_id"], action["create"].keys
    assert_equal "shop", @store.documents.values[0]["kubernetes"]["namespace_name"]
  end

  def test_text_that_is_no_utf8_or_no_json
    write([@bulk.entry(BASE, record("a\x80b".b, fields: { "k\xff".b => Float::INFINITY, "n\u0000" => "\u0000" }))])
    document = @store.documents.values[0]
    assert_equal ["a\uFFFDb", { "k\uFFFD" => "Infinity", "n\u0000" => "\u0000" }], document.values_at("message", "fields")
  end

  def test_one_of_ten_is_busy_and_then_refused
    states = [BUSY, MAPPING]
    @store.judge = ->(document) { document["message"] == "line 4" ? states.shift : nil }
    write(entries(10))
    assert_equal 9, lines.size
    assert_equal 2, @server.requests.size
    assert_equal 2, @server.requests[1].body.lines.size
    assert_equal [["refused", "400: mapper_parsing_exception: failed to parse; illegal_argument_exception: Limit of total fields [1000] has been exceeded"]], aside.map { |entry| entry.values_at("kind", "reason") }
  end

  def test_three_of_ten_are_rejected_twice
    refusals = 6
    @store.judge = ->(document) { document["message"].match?(/line [123]\z/) && (refusals -= 1) >= 0 ? BUSY : nil }
    write(entries(10))
    assert_equal 3, @server.requests.size
    assert_equal [20, 6, 6], @server.requests.map { |request| request.body.lines.size }
    assert_equal 10, @store.documents.size
    assert_empty aside
  end

  def test_stored_but_the_answer_is_lost
    @store.moods = [:stored_then_reset, :stored_then_reset, 503, 429, 502, :reset]
    write(entries(50))
    assert_equal 50, @store.documents.size
    assert_equal 1, @server.requests.map(&:raw).uniq.size
    assert_empty aside
  end

  def test_the_same_chunk_from_another_process_doubles_nothing
    @store.moods = [:stored_then_reset]
    assert_raises(Obs::Retry) { @bulk.write("a" * 16, entries(50)) }
    make
    write(entries(50), id: "a" * 16)
    assert_equal 50, @store.documents.size
  end

  def test_a_thousand_equal_lines_of_one_moment_in_order
    @store.moods = [:stored_then_reset]
    write(Array.new(1000) { |n| @bulk.entry(BASE, record("same", offset: n)) } + [@bulk.entry(BASE, record("same", offset: 7))])
    assert_equal 1000, @store.documents.size
    assert_equal (0...1000).to_a, @store.documents.values.map { |document| document["seq"] }.sort
  end

  def test_equal_lines_of_two_containers_are_two
    write([@bulk.entry(BASE, record("x")), @bulk.entry(BASE, record("x", uid: "v")), @bulk.entry(BASE, record("x", restart: 1))])
    assert_equal 3, @store.documents.size
  end

  def test_413_halves
    @store.max_body = 3_000
    write(entries(100) + [@bulk.entry(BASE + 500, record("z" * 5_000))])
    assert_equal 100, lines.size
    assert_equal ["too-large"], aside.map { |entry| entry["kind"] }
  end

  def test_the_shard_limit_is_set_aside_to_be_replayed
    @store.judge = ->(_) { [400, { "type" => "validation_exception", "reason" => "Validation Failed: 1: this action would add [2] shards, but this cluster currently has [1000]/[1000] maximum shards open;" }] }
    write(entries(3))
    assert_equal ["store-state"], aside.map { |entry| entry["kind"] }.uniq
    @store.judge = nil
    out = StringIO.new
    tool = Obs::AsideTool.new({ "state" => @folder, "stores" => [@settings] }, out: out)
    assert_equal 0, tool.run(%w[list])
    assert_match(/opensearch +store-state +3 .*maximum shards/, out.string)
    assert_equal 0, tool.run(%w[replay opensearch])
    assert_match(/3 records sent again/, out.string)
    assert_equal ["line 0", "line 1", "line 2"], lines
    assert_empty aside
  end

  def test_an_index_that_is_blocked_is_waited_for
    blocked = [403, { "type" => "cluster_block_exception", "reason" => "index [logs] blocked by: [FORBIDDEN/12/index read-only / allow delete (api)]" }]
    left = 5
    @store.judge = ->(_) { (left -= 1) >= 0 ? blocked : nil }
    write(entries(5))
    assert_equal 5, lines.size
    assert_empty aside
  end

  [401, 403, 404, 500].each do |code|
    define_method("test_#{code}_for_a_bulk_is_repeated") do
      @store.moods = [code, code]
      write(entries(3))
      assert_equal 3, lines.size
      assert_empty aside
    end
  end

  def test_a_bulk_that_is_refused_as_a_whole_is_searched
    @store.moods = [400, 400]
    @bulk.instance_variable_set(:@gzip, false)
    write(entries(4))
    assert_operator lines.size, :>=, 2
    assert_equal 4, lines.size + aside.size
  end

  def test_nothing_is_sent_before_the_data_stream_is_there
    @store.missing = true
    error = assert_raises(Obs::Retry) { @bulk.write("m" * 16, entries(3)) }
    assert_match(/there is no data stream \(or index\) logs yet/, error.message)
    assert_empty @server.requests
    @store.missing = false
    write(entries(3), id: "m" * 16)
    assert_equal 3, lines.size
  end

  NOT_FOUND = { "type" => "index_not_found_exception", "reason" => "no such index [logs]" }.freeze

  # Somebody deletes the data stream while lines come: item by item, or for the bulk as a whole
  def test_an_index_that_goes_away_is_waited_for
    write(entries(3))
    gone = true
    @store.judge = ->(_) { gone ? [404, NOT_FOUND] : nil }
    assert_raises(Obs::Retry) { @bulk.write("g" * 16, entries(3, from: 3)) }
    # and until it is there nothing is sent, which would make an index of another form
    sent = @server.requests.size
    @store.missing = true
    error = assert_raises(Obs::Retry) { @bulk.write("g" * 16, entries(3, from: 3)) }
    assert_match(/there is no data stream \(or index\) logs yet/, error.message)
    assert_equal sent, @server.requests.size
    gone = @store.missing = false
    write(entries(3, from: 3), id: "g" * 16)
    assert_equal Array.new(6) { |n| "line #{n}" }, lines
    assert_empty aside
  end

  def test_a_404_for_a_bulk_says_what_is_missing
    @store.moods = [[404, JSON.generate("error" => NOT_FOUND, "status" => 404)], 404]
    @bulk.write("n" * 16, entries(3))
    flunk "taken"
  rescue Obs::Retry => e
    assert_match(/it answered 404: .*no such index \[logs\].*\z/, e.message)
    refute_match(/base address/, e.message)
    error = assert_raises(Obs::Retry) { @bulk.write("n" * 16, entries(3)) }
    assert_match(/base address/, error.message)
    write(entries(3), id: "n" * 16)
    assert_equal 3, lines.size
    assert_empty aside
  end

  def test_gzip_refused
    @store.moods = [415]
    write(entries(3))
    assert_nil @server.requests[1].headers["content-encoding"]
    assert_equal 3, lines.size
  end

  def test_bulks_are_bounded
    make(batchBytes: 5_000)
    write(entries(200))
    assert_equal Array.new(200) { |n| "line #{n}" }, lines
    assert_operator @server.requests.map { |request| request.body.bytesize }.max, :<, 6_000
  end

  def test_a_hundred_thousand_lines_in_order_under_all_of_it
    random = Random.new(5)
    written = 0
    50.times do |chunk|
      @store.moods = Array.new(random.rand(0..2)) { [429, 503, :reset, :stored_then_reset].sample(random: random) }
      write(entries(2000, from: written), id: format("%016d", chunk))
      written += 2000
      make if random.rand < 0.1
    end
    assert_equal 100_000, @store.documents.size
    assert_equal Array.new(100_000) { |n| "line #{n}" }, lines
  end
end
