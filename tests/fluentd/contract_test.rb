# frozen_string_literal: true

# What a Loki stores of a push and how the output understands its words: the same cases against the store that
# plays Loki in these tests, always, and against a real one where LOKI names an executable. A line is stored,
# or set aside; what is set aside as refused is not stored.

require_relative "support"
require_relative "server"

module Contract
  NOW = Time.now.to_i * 1_000_000_000
  SECOND = 1_000_000_000
  LIMITS = { age: 86_400, future: 600, line: 2_000, labels: 15 }.freeze

  def setup
    @folder = Dir.mktmpdir("obs-contract")
    up
    @aside = Obs::Aside.new(File.join(@folder, "aside"))
    # It must be the store that refuses
    settings = { "name" => "loki", "url" => @url, "limits" => { "line" => 1 << 30, "age" => 1 << 31, "future" => 1 << 31, "labels" => 100, "labelName" => 9999, "labelValue" => 9999, "metadataBytes" => 1 << 30, "metadataEntries" => 9999 }, "labels" => {} }
    @said = []
    @loki = Obs::Loki.new(settings, aside: @aside, progress: Obs::Progress.new(File.join(@folder, "progress")), log: ->(_, message) { @said << message })
    @test = "#{self.class}#{name}#{rand}".hash.abs.to_s(36)
  end

  def teardown
    down
    FileUtils.rm_rf(@folder)
  end

  # [line, seconds from now, more labels, metadata]
  def write(*list)
    @chunks = (@chunks || 0) + 1
    entries = list.map { |line, seconds, labels, meta| [NOW + (seconds || 0) * SECOND, { "test" => @test }.merge(labels || {}), line, meta || {}] }
    10.times do
      @loki.write(format("%016d", @chunks), entries)
      return
    rescue Obs::Retry => e
      @last = e
      sleep 0.2
    end
    flunk "not taken: #{@last.message}"
  end

  def aside(kind = nil)
    @aside.files.flat_map { |path| File.readlines(path).map { |line| JSON.parse(line) } }.select { |entry| kind.nil? || entry["kind"] == kind }.map { |entry| entry["line"] }
  end

  def assert_stored(*lines)
    assert_equal lines.sort, stored.sort, @said.inspect
  end

  def test_good_ones
    write(["a"], ["b", 1, nil, { "detected_level" => "error" }], [""], ["x\u0000y 日本"])
    assert_stored("", "a", "b", "x\u0000y 日本")
    assert_empty aside
  end

  def test_the_same_twice_is_one
    write(["a"])
    write(["a"], ["b"])
    assert_stored("a", "b")
  end

  def test_too_old
    write(["old", -90_000], ["good"], ["good too", -10])
    assert_stored("good", "good too")
    assert_equal ["old"], aside("refused")
  end

  def test_too_new
    write(["new", 7_200], ["good"])
    assert_stored("good")
    assert_equal ["new"], aside("refused")
  end

  def test_too_long
    write(["y" * 2_001], ["good"], ["z" * 2_000])
    assert_stored("good", "z" * 2_000)
    assert_equal ["y" * 2_001], aside("refused")
  end

  def test_too_many_labels
    many = (0...20).to_h { |n| ["l#{n}", "x"] }
    write(["bad", 0, many], ["good"])
    assert_stored("good")
    assert_equal ["bad"], aside("refused")
  end

  def test_a_label_value_that_is_too_long
    write(["bad", 0, { "long" => "x" * 3_000 }], ["good"], ["bad too", 1, { "long" => "x" * 3_000 }])
    assert_stored("good")
    assert_equal ["bad", "bad too"], aside("refused")
  end

  def test_metadata_that_is_too_large_or_too_much
    write(["large", 0, nil, { "k" => "v" * 70_000 }], ["good", 1, nil, { "k" => "v" }], ["many", 2, nil, (0...200).to_h { |n| ["k#{n}", "v"] }])
    assert_stored("good")
    assert_equal %w[large many], aside("refused")
  end

  def test_several_reasons_in_several_streams
    write(["old", -90_000], ["y" * 3_000], ["new", 7_200], ["z" * 3_000, 0, { "other" => "1" }], ["good"], ["good", 0, { "other" => "1" }])
    assert_stored("good", "good")
    assert_equal ["new", "old", "y" * 3_000, "z" * 3_000], aside("refused").sort
  end

  def test_far_behind
    write(["newest"])
    write(["late", -3 * 3_600], ["good", -60])
    # With time sharding (which the stack's own Loki has) late ones are taken
    assert_equal ["good", "late", "newest"], (stored + aside).sort
    assert_includes stored, "good"
    assert_empty stored & aside("refused")
  end

  def test_twenty_far_behind_among_others
    write(["newest"])
    write(*Array.new(20) { |n| ["late #{n}", -3 * 3_600 + n] }, *Array.new(5) { |n| ["good #{n}", -n] })
    assert_equal Array.new(5) { |n| "good #{n}" }, (stored - ["newest"]).grep(/good/).sort
    assert_empty stored & aside("refused")
    assert_equal 26, (stored | aside).size
  end

  def test_a_label_that_is_no_identifier_spoils_the_push
    # Never sent: found before
    write(["bad", 0, { "a.b/c" => "x" }], ["good"])
    assert_stored("good")
    assert_equal ["bad"], aside("refused")
  end
end

class FakeContractTest < Minitest::Test
  include Contract

  def up
    @store = FakeLoki.new
    @store.limits = Contract::LIMITS
    @server = Server.new
    @server.handler = @store
    @url = @server.url
  end

  def down
    @server.down
  end

  def stored
    @store.lines
  end
end

class RealContractTest < Minitest::Test
  include Contract

  class << self
    attr_accessor :url

    def start
      folder = Dir.mktmpdir("obs-loki")
      port, grpc = 2.times.map { TCPServer.open("127.0.0.1", 0) { |socket| socket.addr[1] } }
      File.write(File.join(folder, "loki.yaml"), <<~YAML)
        auth_enabled: false
        analytics: {reporting_enabled: false}
        server: {http_listen_address: 127.0.0.1, http_listen_port: #{port}, grpc_listen_address: 127.0.0.1, grpc_listen_port: #{grpc}, log_level: warn}
        common: {path_prefix: #{folder}, replication_factor: 1, instance_addr: 127.0.0.1, ring: {kvstore: {store: inmemory}}, storage: {filesystem: {chunks_directory: #{folder}/chunks, rules_directory: #{folder}/rules}}}
        schema_config: {configs: [{from: "2024-04-01", store: tsdb, object_store: filesystem, schema: v13, index: {prefix: index_, period: 24h}}]}
        limits_config: {reject_old_samples_max_age: 24h, max_line_size: 2000, max_label_names_per_series: 15, allow_structured_metadata: true}
      YAML
      pid = spawn(ENV["LOKI"], "-config.file=#{folder}/loki.yaml", out: "#{folder}/log", err: "#{folder}/log")
      Minitest.after_run do
        Process.kill("KILL", pid)
        Process.wait(pid)
        FileUtils.rm_rf(folder)
      end
      self.url = "http://127.0.0.1:#{port}"
      120.times do
        return if Net::HTTP.get_response(URI("#{url}/ready")).code == "200"
      rescue SystemCallError
        nil
      ensure
        sleep 0.5
      end
      raise "Loki is not ready: #{File.read("#{folder}/log")[-2000..]}"
    end
  end

  def up
    skip "LOKI is not set: nothing was run on a real Loki" unless ENV["LOKI"] && !ENV["LOKI"].empty?
    RealContractTest.start unless RealContractTest.url
    @url = RealContractTest.url
  end

  def teardown
    super unless skipped?
  end

  def down; end

  def stored
    query = URI.encode_www_form(query: "{test=\"#{@test}\"}", start: Contract::NOW - 200_000 * Contract::SECOND, end: Contract::NOW + 7_300 * Contract::SECOND, limit: 5000)
    body = Net::HTTP.get(URI("#{@url}/loki/api/v1/query_range?#{query}"))
    JSON.parse(body)["data"]["result"].flat_map { |stream| stream["values"].map { |value| value[1] } }
  end
end
