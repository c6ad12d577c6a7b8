# frozen_string_literal: true

# The output to Loki against a store in every mood: what has to be repeated is the same bytes and only that,
# what is refused is set aside with its reason, and nothing is lost or stored twice.

require_relative "support"
require_relative "server"

class LokiTest < Minitest::Test
  NOW = Time.utc(2026, 11, 28, 12)
  BASE = NOW.to_i * 1_000_000_000

  def setup
    @folder = Dir.mktmpdir("obs-loki")
    @store = FakeLoki.new
    @server = Server.new { |request| @store.call(request) }
    @server.handler = @store
    @aside = Obs::Aside.new(File.join(@folder, "aside"))
    @said = []
    @time = NOW
    make
  end

  def teardown
    @server.down
    FileUtils.rm_rf(@folder)
  end

  def make(**settings)
    settings = settings.transform_keys(&:to_s)
    @loki = Obs::Loki.new({ "name" => "loki", "url" => @server.url, "timeout" => 2 }.merge(settings),
                          aside: @aside, progress: Obs::Progress.new(File.join(@folder, "progress")),
                          clock: -> { @time }, log: ->(_, message) { @said << message })
  end

  def record(text, **more)
    { "message" => text, "stream" => "stdout", "namespace" => "shop", "pod" => "web-1", "container" => "app" }.merge(more.transform_keys(&:to_s))
  end

  def entries(count, from: 0, size: 0)
    Array.new(count) { |n| @loki.entry(BASE + from + n, record("line #{from + n}#{" " * size}".rstrip + "." * size)) }
  end

  # As Fluentd does: until it goes through.
  def write(list, id: "chunk-0123456789", tries: 50)
    tries.times do
      @loki.write(id, list)
      return
    rescue Obs::Retry
      next
    end
    flunk "not taken after #{tries} tries: #{@said.last}"
  end

  def aside
    @aside.files.flat_map { |path| File.readlines(path).map { |line| JSON.parse(line) } }
  end

  def bodies
    @server.requests.map(&:raw)
  end

  def test_what_arrives
    make(tenant: "team", extraLabels: { "cluster" => "prod" }, metadata: { "node" => "node" })
    write([@loki.entry(BASE, record("hi", level: "error", app: "web", node: "n1", cut: 300_000))])
    labels = { "namespace" => "shop", "pod" => "web-1", "container" => "app", "app" => "web", "stream" => "stdout", "cluster" => "prod" }
    assert_equal [labels], @store.streams.keys
    assert_equal({ [BASE, "hi"] => { "detected_level" => "error", "node" => "n1", "cut" => "300000" } }, @store.streams[labels])
    request = @server.requests[0]
    assert_equal ["/loki/api/v1/push", "team", "gzip", "application/json"], [request.path, *request.headers.values_at("x-scope-orgid", "content-encoding", "content-type")]
  end

  def test_labels_from_pod_labels_and_the_preset_of_another_agent
    make(labels: { "team" => "label:example.com/team", "job" => "job", "node_name" => "node", "empty" => "nothing" })
    assert_equal({ "team" => "a", "job" => "shop/app", "node_name" => "n1" }, @loki.entry(BASE, record("x", node: "n1", labels: { "example.com/team" => "a" }))[1])
  end

  def test_there_is_always_a_label
    make(labels: { "x" => "nothing" })
    refute_empty @loki.entry(BASE, record("x"))[1]
  end

  def test_a_storm_of_429_repeats_the_same_bytes
    @store.moods = [429] * 20
    write(entries(100))
    assert_equal 21, @server.requests.size
    assert_equal 1, bodies.uniq.size
    assert_equal Array.new(100) { |n| "line #{n}" }, @store.lines
    assert_empty aside
  end

  [500, 502, 503, 504, 401, 403, 404, 408, 301, 260].each do |code|
    define_method("test_#{code}_is_repeated") do
      @store.moods = [code, code]
      write(entries(3))
      assert_equal 3, @server.requests.size
      assert_equal 1, bodies.uniq.size
      assert_equal 3, @store.lines.size
      assert_empty aside
    end
  end

  def test_only_pushes_that_were_not_taken_are_repeated
    make(batchBytes: 2_000)
    list = entries(100)
    @store.moods = [nil, nil, 500]
    assert_raises(Obs::Retry) { @loki.write("c" * 16, list) }
    first = @server.requests.size
    # Also by another process
    make(batchBytes: 2_000)
    write(list, id: "c" * 16)
    assert_equal @server.requests[first - 1].raw, @server.requests[first].raw
    assert_equal 100, @server.requests.reject.with_index { |_, index| index == first - 1 }.sum { |request| request.json["streams"].sum { |stream| stream["values"].size } }
    assert_equal Array.new(100) { |n| "line #{n}" }, @store.lines
  end

  def test_a_push_is_at_most_a_mebibyte_whatever_the_chunk
    write(entries(300, size: 20_000))
    assert_operator @server.requests.size, :>=, 6
    assert_operator @server.requests.map { |request| request.body.bytesize }.max, :<=, 1_048_576
    assert_equal 300, @store.lines.size
  end

  def test_text_that_grows_as_json_counts_as_what_it_becomes
    write(Array.new(20) { |n| @loki.entry(BASE + n, record("\u0001\"\\" * 30_000)) })
    assert_operator @server.requests.map { |request| request.body.bytesize }.max, :<=, 1_048_576
  end

  def test_a_server_that_is_down_and_comes_back
    @server.down
    assert_raises(Obs::Retry) { @loki.write("d" * 16, entries(5)) }
    @server.up
    write(entries(5), id: "d" * 16)
    assert_equal 5, @store.lines.size
    assert_match(/Connection refused/, @said[0])
  end

  def test_a_restart_in_the_middle_of_a_push
    @store.moods = [:half, :half, :reset]
    write(entries(2000, size: 200))
    assert_equal 2000, @store.lines.size
    assert_equal 1, bodies.uniq.size
  end

  def test_stored_but_the_answer_is_lost
    @store.moods = [:stored_then_reset, :stored_then_reset]
    write(entries(10))
    assert_equal Array.new(10) { |n| "line #{n}" }, @store.lines
    assert_equal 1, bodies.uniq.size
  end

  def test_a_slow_answer_is_waited_for_and_a_too_slow_one_repeated
    make(timeout: 1)
    @store.moods = [{ slow: 0.3 }]
    write(entries(3))
    assert_equal 1, @server.requests.size
    @store.moods = [{ slow: 1.6 }]
    write(entries(3, from: 10), id: "e" * 16)
    assert_equal 6, @store.lines.size
    assert_match(/did not answer within 1s/, @said.last)
  end

  def test_connections_are_kept_and_replaced_when_the_other_side_has_closed_them
    3.times { |n| write(entries(2, from: n * 2), id: n.to_s * 16) }
    assert_equal 1, @server.connections
    @store.moods = [{ close: true }]
    2.times { |n| write(entries(2, from: 10 + n * 2), id: (5 + n).to_s * 16) }
    assert_equal 2, @server.connections
    assert_equal 10, @store.lines.size
  end

  def test_one_of_a_hundred_is_refused
    @store.reject = ->(_, ns, _) { ns == BASE + 42 }
    write(entries(100))
    assert_equal 1, @server.requests.size
    assert_equal 99, @store.lines.size
    assert_equal [["line 42", "refused", BASE + 42]], aside.map { |entry| entry.values_at("line", "kind", "time") }
    assert_match(/400: entry too far behind/, aside[0]["reason"])
    assert_equal "shop", aside[0]["labels"]["namespace"]
  end

  def test_ten_of_twenty_are_named_and_the_time_tells_the_others_apart
    list = Array.new(100) { |n| @loki.entry(BASE - (200 - n) * 1_000_000_000, record("line #{n}")) }
    @store.oldest = list[20][0]
    write(list)
    assert_equal 1, @server.requests.size
    assert_equal Array.new(20) { |n| "line #{n}" }, aside.select { |entry| entry["kind"] == "refused" }.map { |entry| entry["line"] }
    assert_equal ["line 20"], aside.select { |entry| entry["kind"] == "maybe-stored" }.map { |entry| entry["line"] }
    assert_equal 80, @store.lines.size
  end

  def test_ten_of_twenty_are_named_and_the_others_may_be_stored
    @store.reject = ->(_, ns, _) { ns < BASE + 20 }
    write(entries(100))
    assert_equal 1, @server.requests.size
    assert_equal({ "refused" => 10, "maybe-stored" => 90 }, aside.map { |entry| entry["kind"] }.tally)
    assert_equal 80, @store.lines.size
  end

  def test_the_streams_that_a_400_does_not_name_are_stored
    @store.reject = ->(labels, _, _) { labels["pod"] == "bad" }
    list = [@loki.entry(BASE, record("a")), @loki.entry(BASE, record("b", pod: "bad")), @loki.entry(BASE, record("c", pod: "web-2"))]
    write(list)
    assert_equal %w[a c], @store.lines
    assert_equal ["b"], aside.map { |entry| entry["line"] }
  end

  def test_a_push_that_cannot_be_read_is_searched_for_the_entry
    @store.poison = "POISON"
    list = Array.new(64) { |n| @loki.entry(BASE + n, record(n == 17 ? "POISON" : "line #{n}")) }
    write(list)
    assert_equal 63, @store.lines.size
    assert_equal [["POISON", "refused"]], aside.map { |entry| entry.values_at("line", "kind") }
    assert_operator @server.requests.size, :<=, 13
  end

  def test_words_of_the_distributor
    list = [@loki.entry(BASE - 3600 * 1_000_000_000, record("old")), @loki.entry(BASE, record("new"))]
    @store.moods = [->(_) { [400, "entry for stream '{namespace=\"shop\"}' has timestamp too old: 2026-11-28T11:00:00Z, oldest acceptable timestamp is: 2026-11-28T11:30:00Z"] }]
    write(list)
    assert_equal [["old", "refused"]], aside.map { |entry| entry.values_at("line", "kind") }
  end

  def test_words_that_nobody_knows
    @store.moods = [->(_) { [400, "I do not like this"] }]
    write(entries(3))
    assert_equal ["maybe-stored"], aside.map { |entry| entry["kind"] }.uniq
    assert_equal 3, aside.size
    assert_match(/I do not like this/, aside[0]["reason"])
  end

  def test_413_halves_and_one_that_is_too_large_alone_is_set_aside
    @store.max_body = 100_000
    write(entries(20, size: 20_000) + [@loki.entry(BASE + 99, record("z" * 150_000))])
    assert_equal 20, @store.lines.size
    assert_equal ["too-large"], aside.map { |entry| entry["kind"] }
    assert_operator @server.requests.size, :<, 30
  end

  def test_500_that_means_too_large_does_not_repeat_for_ever
    big = ->(request) { request.body.bytesize > 50_000 ? [500, "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (5 vs. 4)"] : nil }
    @store.moods = Array.new(40) { ->(request) { big.call(request) || @store.push(request) } }
    write(entries(20, size: 10_000))
    assert_equal 20, @store.lines.size
    assert_empty aside
  end

  def test_gzip_refused
    @store.gzip = false
    write(entries(5))
    write(entries(5, from: 5), id: "f" * 16)
    assert_equal 3, @server.requests.size
    assert_equal [nil, nil], @server.requests.last(2).map { |request| request.headers["content-encoding"] }
    assert_equal 10, @store.lines.size
  end

  def test_what_a_store_would_refuse_is_not_sent
    make(labels: { "a.b" => "namespace", "pod" => "pod" })
    write([@loki.entry(BASE, record("bad label"))])
    make(limits: { "line" => 100, "age" => 3600, "future" => 600, "labels" => 15, "labelValue" => 20, "metadataBytes" => 100 }, metadata: { "x" => "level" })
    list = [record("fine"), record("y" * 101), record("long label", pod: "p" * 21), record("meta", level: "m" * 101)].map { |one| @loki.entry(BASE, one) }
    list << @loki.entry(BASE - 3601 * 1_000_000_000, record("old")) << @loki.entry(BASE + 601 * 1_000_000_000, record("future"))
    write(list, id: "g" * 16)
    assert_equal ["fine"], @store.lines
    assert_equal ["label a.b is no name of a label", "the line has 101 bytes, the store takes 100", "the value of label pod has 21 bytes, the store takes 20",
                  "structured metadata of 217 bytes, the store takes 100", "older than the store takes (3600s)",
                  "its time is ahead of the clock by more than 600s: is the node's clock right?"], aside.map { |entry| entry["reason"] }
  end

  def test_what_is_refused_before_sending_is_set_aside_once
    @store.moods = [500, 500]
    write([@loki.entry(BASE, record("fine")), @loki.entry(BASE, record("x" * 300_000))])
    assert_equal 1, aside.size
  end

  def test_out_of_range_may_be_stored_at_its_arrival
    make(outOfRange: "arrival")
    write([@loki.entry(BASE - 10 * 86_400 * 1_000_000_000, record("old"))])
    (ns, line), meta = @store.streams.values[0].first
    assert_equal ["old", BASE, "2026-11-18T12:00:00.000000000Z"], [line, ns, meta["orig_time"]]
  end

  def test_a_thousand_equal_lines_of_one_moment
    @store.moods = [500, :stored_then_reset]
    write(Array.new(1000) { |n| @loki.entry(BASE, record("same", offset: n * 50)) })
    assert_equal 1000, @store.lines.size
    assert_equal 1, bodies.uniq.size
  end

  def test_a_line_that_was_read_twice_is_stored_once
    write([0, 50, 0].map { |offset| @loki.entry(BASE, record("same", offset: offset)) })
    write([@loki.entry(BASE, record("same", offset: 0))], id: "k" * 16)
    assert_equal 2, @store.lines.size
  end

  def test_a_stream_too_many_holds_up_the_others_for_a_quarter_of_an_hour_only
    @store.stream_limit = 2
    list = Array.new(5) { |n| @loki.entry(BASE + n, record("line #{n}", pod: "pod-#{n}")) }
    assert_raises(Obs::Retry) { @loki.write("h" * 16, list) }
    @time += 901
    write(list, id: "h" * 16)
    assert_equal ["line 0", "line 1"], @store.lines
    assert_equal ["stream-limit"] * 3, aside.map { |entry| entry["kind"] }
    assert_match(/\{.*pod=/, aside[0]["reason"])
  end

  def test_a_token_that_changes
    token = File.join(@folder, "token")
    File.write(token, "old")
    make(token: token)
    @store.token = "new"
    assert_raises(Obs::Retry) { @loki.write("i" * 16, entries(1)) }
    assert_match(/no org id.*it wants a tenant/, @said[0])
    File.write(token, "new\n")
    write(entries(1), id: "i" * 16)
    assert_equal 1, @store.lines.size
    refute_match(/old|new/, @said.join)
    refute_match(/"new"/, @loki.inspect)
  end

  def test_user_and_password
    File.write(File.join(@folder, "password"), "geheim\n")
    make(user: "obs", password: File.join(@folder, "password"))
    write(entries(1))
    assert_equal "Basic #{["obs:geheim"].pack("m0")}", @server.requests[0].headers["authorization"]
  end

  def test_a_hundred_thousand_lines_in_order_under_all_of_it
    random = Random.new(11)
    faults = [429, 500, 503, :half, :reset, :stored_then_reset, { close: true }, { slow: 0.01 }]
    written = 0
    100.times do |chunk|
      @store.moods = Array.new(random.rand(0..3)) { faults.sample(random: random) }
      write(entries(1000, from: written), id: format("%016d", chunk))
      written += 1000
      make if random.rand < 0.05
    end
    assert_equal 100_000, @store.order.size
    assert_equal Array.new(100_000) { |n| "line #{n}" }, @store.lines
    assert_empty aside
    assert_empty Dir.glob(File.join(@folder, "progress", "*"))
  end

  def test_nothing_is_sent_before_what_is_refused_is_on_the_disk
    File.write(File.join(@folder, "aside"), "a file where the folder should be")
    error = assert_raises(Obs::Retry) { @loki.write("j" * 16, [@loki.entry(BASE, record("x" * 300_000))]) }
    assert_match(/cannot be set aside/, error.message)
  end
end
