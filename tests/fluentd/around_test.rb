# frozen_string_literal: true

# What stands around the pipeline: metrics and probes, the disk's floor, set-aside records, TLS.

require_relative "support"
require_relative "server"

class MonitorTest < Minitest::Test
  def setup
    @folder = Dir.mktmpdir("obs-monitor")
    @routes = { "/metrics" => -> { ["200 OK", "text/plain", Obs::METRICS.text] }, "/healthz" => -> { ["200 OK", "text/plain", "ok\n"] } }
    @server = Obs::Server.new("127.0.0.1", 0, @routes)
    @thread = Thread.new { @server.run }
  end

  def teardown
    @server.close
    @thread.join(1)
    Obs.paused = false
    FileUtils.rm_rf(@folder)
  end

  def get(path)
    Net::HTTP.get_response(URI("http://127.0.0.1:#{@server.port}#{path}"))
  end

  def test_answers
    assert_equal ["200", "ok\n"], [get("/healthz").code, get("/healthz").body]
    assert_equal "404", get("/x").code
    assert_equal "405", Net::HTTP.post(URI("http://127.0.0.1:#{@server.port}/healthz"), "x").code
  end

  def test_metrics_are_in_prometheus_form
    Obs::METRICS.add("obs_fluentd_read_lines_total", 2, { namespace: "a\"b\\c\nd" })
    text = get("/metrics").body
    assert_includes text, "# TYPE obs_fluentd_read_lines_total counter\n"
    assert_includes text, "obs_fluentd_read_lines_total{namespace=\"a\\\"b\\\\c\\nd\"} 2\n"
    text.each_line { |line| assert_match(/\A(# (HELP|TYPE) \S+ .+|[a-z_]+(\{([a-z_]+="(\\.|[^"\\])*",?)*\})? -?[0-9.e+]+)\n\z/, line) }
    assert_equal text.scan(/^# TYPE (\S+)/).flatten.uniq.size, text.scan(/^# TYPE (\S+)/).size
  end

  def test_one_who_says_nothing_does_not_keep_the_probe_waiting_for_long
    silent = TCPSocket.new("127.0.0.1", @server.port)
    began = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    assert_equal "200", get("/healthz").code
    assert_operator Process.clock_gettime(Process::CLOCK_MONOTONIC) - began, :<, 6
    silent.close
  end

  def test_below_the_floor_reading_waits
    free = 500
    said = []
    watchman = Obs::Watchman.new(@folder, floor: 1000, aside: Obs::Aside.new(File.join(@folder, "aside")), free: -> { free }, log: ->(_, message) { said << message })
    watchman.look
    assert Obs.paused?
    assert_equal 1, Obs::METRICS.get("obs_fluentd_paused")
    free = 1050
    watchman.look
    assert Obs.paused?, "it must not flicker"
    free = 1200
    watchman.look
    refute Obs.paused?
    assert_equal 2, said.size
  end

  def test_a_buffer_gets_no_more_than_the_disk_has
    free = Obs::Disk.free(@folder)
    assert_operator free, :>, 0
    assert_equal 1000, Obs::Disk.limit(@folder, 1000, 0, 1).clamp(0, 1000)
    assert_operator Obs::Disk.limit(@folder, 1 << 60, free / 2, 2), :<=, free / 4 + 16 * 1024 * 1024
    assert_equal 16 * 1024 * 1024, Obs::Disk.limit(@folder, 1 << 30, free * 2, 2)
  end
end

class AsideTest < Minitest::Test
  def setup
    @folder = Dir.mktmpdir("obs-aside")
    @now = Time.now
    @store = FakeLoki.new
    @server = Server.new
    @server.handler = @store
    @aside = Obs::Aside.new(File.join(@folder, "aside"), max_bytes: 50_000, max_age: 3600, clock: -> { @now })
    @out = StringIO.new
    @err = StringIO.new
  end

  def teardown
    @server.down
    FileUtils.rm_rf(@folder)
  end

  def tool(*words)
    @out.truncate(0)
    @out.rewind
    Obs::AsideTool.new({ "state" => @folder, "stores" => [{ "name" => "loki", "type" => "loki", "url" => @server.url }] }, out: @out, err: @err).run(words)
  end

  def put(count, kind: "refused", from: 0)
    @aside.put("loki", Array.new(count) { |n| { "time" => (Time.now.to_i - 100) * 1_000_000_000 + from + n, "kind" => kind, "reason" => "because", "labels" => { "a" => "b" }, "line" => "line #{from + n}", "metadata" => { "m" => "1" } } })
  end

  def test_list_show_and_delete
    put(3)
    put(2, kind: "maybe-stored", from: 3)
    assert_equal 0, tool("list")
    assert_match(/^loki +refused +3 .* because$/, @out.string)
    assert_match(/^loki +maybe-stored +2 /, @out.string)
    tool("show", "loki", "--limit", "2")
    assert_equal ["line 0", "line 1"], @out.string.lines.map { |line| JSON.parse(line)["line"] }
    tool("show", "loki", "--kind", "maybe-stored")
    assert_equal 2, @out.string.lines.size
    tool("delete", "loki", "--kind", "refused")
    assert_equal "3 records deleted\n", @out.string
    tool("list")
    refute_match(/refused/, @out.string)
  end

  def test_replay
    put(3)
    put(2, kind: "maybe-stored", from: 3)
    assert_equal 0, tool("replay", "loki")
    assert_equal ["line 0", "line 1", "line 2"], @store.lines
    assert_equal({ "m" => "1" }, @store.streams[{ "a" => "b" }].values[0])
    assert_equal 0, tool("replay", "loki")
    assert_equal 3, @store.lines.size
    assert_equal 0, tool("replay", "loki", "--kind", "maybe-stored")
    assert_equal 5, @store.lines.size
    assert_empty @aside.files
  end

  def test_what_is_refused_again_stays
    put(4)
    @store.reject = ->(_, _, line) { line == "line 2" }
    assert_equal 0, tool("replay", "loki")
    assert_equal 3, @store.lines.size
    entries = @aside.files.flat_map { |path| File.readlines(path) }.map { |line| JSON.parse(line) }
    assert_equal ["line 2"], entries.map { |entry| entry["line"] }
  end

  def test_a_replay_while_the_store_is_away_keeps_all
    put(4)
    @server.down
    assert_equal 1, tool("replay", "loki")
    assert_match(/error: loki does not take them now, they stay aside: .*refused/, @err.string)
    @server.up
    assert_equal 0, tool("replay", "loki")
    assert_equal 4, @store.lines.size
    assert_empty Dir.glob(File.join(@folder, "aside/*/*"))
  end

  def test_mistakes_of_the_caller
    assert_equal [2, 2, 2, 2], [tool, tool("list", "x"), tool("replay", "other"), tool("replay", "loki", "--what")]
    assert_match(/there is no store other: loki/, @err.string)
    assert_match(/usage: obs_aside.rb list/, @err.string)
  end

  def test_retention_by_age_and_size
    put(10)
    @aside.tidy
    assert_equal 1, @aside.files.size
    File.utime(@now - 7200, @now - 7200, @aside.files[0])
    before = Obs::METRICS.get("obs_fluentd_set_aside_dropped_total", { store: "loki" })
    @aside.tidy
    assert_empty @aside.files
    assert_equal 10, Obs::METRICS.get("obs_fluentd_set_aside_dropped_total", { store: "loki" }) - before
    6.times do |hour|
      @now += 3600
      @aside.put("loki", [{ "line" => "x" * 20_000 }])
      File.utime(@now, @now, *@aside.files.last)
      hour
    end
    @now = Time.now
    @aside.files.each { |path| File.utime(@now, @now, path) }
    @aside.tidy
    assert_equal 2, @aside.files.size
    assert_operator Obs::METRICS.get("obs_fluentd_set_aside_bytes"), :<=, 50_000
  end

  def test_a_torn_line_harms_nobody
    put(1)
    File.open(@aside.files[0], "a") { |file| file.write("{\"torn\":") }
    assert_equal 0, tool("list")
    assert_match(/refused +1 /, @out.string)
  end
end

class TlsTest < Minitest::Test
  def setup
    @folder = Dir.mktmpdir("obs-tls")
    @said = []
    @store = FakeLoki.new
    @authority = authority("one")
    @certificate = certificate(@authority)
    @server = Server.new(tls: -> { @certificate })
    @server.handler = @store
    write(@authority)
    make
  end

  def teardown
    @server.down
    FileUtils.rm_rf(@folder)
  end

  def write(authority)
    path = File.join(@folder, "ca")
    File.write("#{path}.new", authority[0].to_pem)
    File.rename("#{path}.new", path)
  end

  def make(**more)
    settings = { "name" => "loki", "url" => @server.url, "timeout" => 2, "ca" => File.join(@folder, "ca") }.merge(more.transform_keys(&:to_s))
    @loki = Obs::Loki.new(settings, aside: Obs::Aside.new(File.join(@folder, "aside")), progress: Obs::Progress.new(File.join(@folder, "progress")), log: ->(_, message) { @said << message })
  end

  def authority(name)
    key = OpenSSL::PKey::EC.generate("prime256v1")
    [sign(name, key, nil, nil) { |factory, cert| cert.add_extension(factory.create_extension("basicConstraints", "CA:TRUE", true)) }, key]
  end

  def certificate(authority, names: "IP:127.0.0.1", from: Time.now - 3600, till: Time.now + 3600)
    key = OpenSSL::PKey::EC.generate("prime256v1")
    [sign("server", key, *authority, from: from, till: till) { |factory, cert| cert.add_extension(factory.create_extension("subjectAltName", names)) }, key]
  end

  def sign(name, key, issuer, issuer_key, from: Time.now - 3600, till: Time.now + 3600)
    cert = OpenSSL::X509::Certificate.new
    cert.version = 2
    cert.serial = rand(1 << 60)
    cert.subject = OpenSSL::X509::Name.parse("/CN=#{name}")
    cert.issuer = issuer ? issuer.subject : cert.subject
    cert.public_key = key
    cert.not_before = from
    cert.not_after = till
    factory = OpenSSL::X509::ExtensionFactory.new(issuer || cert, cert)
    yield factory, cert
    cert.sign(issuer_key || key, OpenSSL::Digest.new("SHA256"))
  end

  def push(number = 0)
    @loki.write("t#{number}".ljust(16, "x"), [[Time.now.to_i * 1_000_000_000 + number, { "a" => "b" }, "line #{number}", {}]])
  end

  def refused(pattern)
    error = assert_raises(Obs::Retry) { push }
    assert_match pattern, error.message
  end

  def test_the_right_one
    push
    assert_equal ["line 0"], @store.lines
  end

  def test_another_authority
    write(authority("two"))
    refused(/certificate verify failed.*not from a known authority/m)
  end

  def test_another_name
    @certificate = certificate(@authority, names: "DNS:loki.test")
    refused(/not for this name/)
  end

  def test_expired
    @certificate = certificate(@authority, from: Time.now - 7200, till: Time.now - 3600)
    refused(/has expired/)
  end

  def test_a_store_that_speaks_no_tls
    @server.down
    @server.context = nil
    port = @server.port
    @server.up(port)
    make(url: "https://127.0.0.1:#{port}")
    assert_raises(Obs::Retry) { push }
  end

  def test_not_verified_only_when_that_is_said
    write(authority("two"))
    make(insecure: true)
    push
    assert_equal 1, @store.lines.size
  end

  def test_certificates_that_are_changed_while_it_runs
    push(1)
    other = authority("two")
    @certificate = certificate(other)
    # The store restarts with it; the mounted Secret follows a moment later
    @server.down.up
    assert_raises(Obs::Retry) { push(2) }
    write(other)
    push(2)
    push(3)
    assert_equal ["line 1", "line 2", "line 3"], @store.lines
  end

  def test_a_ca_that_is_not_there
    FileUtils.rm(File.join(@folder, "ca"))
    make
    refused(/ca cannot be read|ca: No such file/)
  end
end
