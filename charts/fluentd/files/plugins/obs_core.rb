# frozen_string_literal: true

# What all plugins of this folder share, in plain Ruby: counters, the set-aside store, text that any store
# takes, and the way to a store over HTTP. Nothing here knows of Fluentd.

require "fileutils"
require "json"
require "net/http"
require "openssl"
require "stringio"
require "time"
require "uri"
require "zlib"

module Obs
  # The push may succeed later, as it is: the same bytes are sent again.
  class Retry < StandardError
    # Nobody's mistake in this code: a trace for each try would fill Fluentd's own log
    def backtrace
      []
    end
  end

  # Numbers for /metrics. A family is a counter, or a gauge that is set or asked for when it is read.
  class Metrics
    def initialize
      @lock = Mutex.new
      @families = {}
    end

    def family(name, kind, help)
      @lock.synchronize { @families[name] ||= { kind: kind, help: help, values: {} } }
      self
    end

    def add(name, amount = 1, labels = {})
      @lock.synchronize do
        values = @families.fetch(name)[:values]
        values[labels] = (values[labels] || 0) + amount
      end
    end

    def set(name, value, labels = {})
      @lock.synchronize { @families.fetch(name)[:values][labels] = value }
    end

    # Replaces all values of a gauge, so that what is gone has no series.
    def replace(name, values)
      @lock.synchronize { @families.fetch(name)[:values] = values }
    end

    def get(name, labels = {})
      @lock.synchronize { @families.fetch(name)[:values][labels] || 0 }
    end

    def total(name)
      @lock.synchronize { @families.fetch(name)[:values].values.sum }
    end

    # Prometheus' text format.
    def text
      @lock.synchronize do
        @families.map do |name, family|
          lines = ["# HELP #{name} #{family[:help]}", "# TYPE #{name} #{family[:kind]}"]
          family[:values].each do |labels, value|
            pairs = labels.map { |key, text| "#{key}=\"#{escaped(text)}\"" }
            lines << "#{name}#{pairs.empty? ? "" : "{#{pairs.join(",")}}"} #{value}"
          end
          lines.join("\n")
        end.join("\n") + "\n"
      end
    end

    private

    def escaped(text)
      text.to_s.gsub("\\") { "\\\\" }.gsub('"') { '\\"' }.gsub("\n") { "\\n" }
    end
  end

  METRICS = Metrics.new
    .family("obs_fluentd_read_lines_total", "counter", "Lines read from the files of containers")
    .family("obs_fluentd_read_bytes_total", "counter", "Bytes read from the files of containers")
    .family("obs_fluentd_records_total", "counter", "Records handed on, after parts and stack traces were joined")
    .family("obs_fluentd_skipped_lines_total", "counter", "Lines left out on purpose, by reason")
    .family("obs_fluentd_malformed_lines_total", "counter", "Lines in no known format, handed on as they are")
    .family("obs_fluentd_cut_records_total", "counter", "Records that were longer than the limit and were cut")
    .family("obs_fluentd_cut_bytes_total", "counter", "Bytes that were cut off")
    .family("obs_fluentd_throttled_seconds_total", "counter", "Time in which files waited for the limit of their namespace")
    .family("obs_fluentd_missed_files_total", "counter", "Rotated files that went before they were read to their end")
    .family("obs_fluentd_missed_bytes_total", "counter", "Bytes known to be lost with such files")
    .family("obs_fluentd_truncated_files_total", "counter", "Files that were truncated while they were read")
    .family("obs_fluentd_unreadable_files", "gauge", "Files that cannot be opened")
    .family("obs_fluentd_files", "gauge", "Files that are followed")
    .family("obs_fluentd_lag_bytes", "gauge", "Bytes in files that were not read yet")
    .family("obs_fluentd_paused", "gauge", "1 while reading waits for disk space")
    .family("obs_fluentd_emit_failures_total", "counter", "Times that records could not be handed on and were kept for another try")
    .family("obs_fluentd_kubernetes_requests_total", "counter", "Requests to the API server, by what they were for and their result")
    .family("obs_fluentd_kubernetes_synced", "gauge", "1 while labels and annotations of pods are up to date")
    .family("obs_fluentd_store_requests_total", "counter", "Requests to a store, by status code or kind of failure")
    .family("obs_fluentd_store_records_total", "counter", "Records that a store has taken")
    .family("obs_fluentd_store_bytes_total", "counter", "Bytes sent to a store: raw before compression, wire after")
    .family("obs_fluentd_store_retries_total", "counter", "Pushes to be repeated, by reason")
    .family("obs_fluentd_store_last_success_timestamp_seconds", "gauge", "When a store last took a push")
    .family("obs_fluentd_set_aside_records_total", "counter", "Records that a store will not take and that were set aside, by reason")
    .family("obs_fluentd_set_aside_bytes", "gauge", "Size of the files with set-aside records")
    .family("obs_fluentd_set_aside_dropped_total", "counter", "Set-aside records deleted because of their age or their number")
    .family("obs_fluentd_buffer_bytes", "gauge", "Bytes in the buffer of a store")
    .family("obs_fluentd_buffer_limit_bytes", "gauge", "Bytes that the buffer of a store may hold")
    .family("obs_fluentd_buffer_chunks", "gauge", "Chunks in the buffer of a store")
    .family("obs_fluentd_buffer_oldest_seconds", "gauge", "Age of the oldest chunk in the buffer of a store")
    .family("obs_fluentd_buffer_dropped_chunks_total", "counter", "Chunks dropped because the buffer was full")
    .family("obs_fluentd_broken_chunks", "gauge", "Damaged chunks kept for a look")
    .family("obs_fluentd_disk_free_bytes", "gauge", "Free space where the state is kept")
    .family("obs_fluentd_disk_floor_bytes", "gauge", "Free space below which nothing more is read")

  # Says a thing at most once in a while, however often it happens.
  class Quiet
    def initialize(every: 60, clock: -> { Process.clock_gettime(Process::CLOCK_MONOTONIC) })
      @every = every
      @clock = clock
      @last = {}
      @lock = Mutex.new
    end

    def say(key)
      now = @clock.call
      due = @lock.synchronize do
        next false if @last[key] && now - @last[key] < @every

        @last.shift if @last.size > 500
        @last[key] = now
        true
      end
      yield if due
    end
  end

  # Strings and structures that every store takes.
  module Text
    module_function

    # Valid UTF-8, whatever it was; bytes that are none become U+FFFD.
    def clean(text)
      text = text.dup if text.frozen?
      text.force_encoding(Encoding::UTF_8)
      text.valid_encoding? ? text : text.scrub("\uFFFD")
    end

    # The same for keys and values at any depth. Numbers that JSON cannot write become text.
    def deep(value, depth = 0)
      case value
      when String then clean(value)
      when Hash
        return "…" if depth > 60

        value.each_with_object({}) { |(key, inner), out| out[clean(key.to_s)] = deep(inner, depth + 1) }
      when Array
        depth > 60 ? "…" : value.map { |inner| deep(inner, depth + 1) }
      when Float then value.finite? ? value : value.to_s
      else value
      end
    end

    # The first bytes of a text, without a half character at the end.
    def first(text, bytes)
      return text if text.bytesize <= bytes

      cut = text.byteslice(0, bytes)
      cut = cut.byteslice(0, cut.bytesize - 1) until cut.empty? || cut.valid_encoding?
      cut
    end
  end

  # Free space of the file system that holds a path, in bytes; nil when it cannot be told.
  module Disk
    module_function

    def free(path)
      line = IO.popen(["df", "-Pk", path], err: File::NULL, &:read).to_s.lines.last
      available = line&.split&.[](3)
      available && available.match?(/\A\d+\z/) ? available.to_i * 1024 : nil
    rescue SystemCallError
      nil
    end

    # What the buffer of each store may hold: never more than what is free above the floor, shared.
    # What the buffers hold already counts as theirs.
    def limit(state, wanted, floor, stores)
      room = free(state)
      return wanted unless room

      held = Dir.glob(File.join(state, "buffer", "**", "*")).sum { |file| File.file?(file) ? File.size(file) : 0 }
      share = (room + held - floor) / [stores, 1].max
      [[wanted, share].min, 16 * 1024 * 1024].max
    end
  end

  # Records that a store refuses, each with the reason: files of JSON lines, a folder for each store, within
  # bounds. Names sort by time, so the oldest go first.
  class Aside
    attr_reader :root

    def initialize(root, max_bytes: 256 * 1024 * 1024, max_age: 14 * 86_400, clock: -> { Time.now }, metrics: METRICS)
      @root = root
      @max_bytes = max_bytes
      @max_age = max_age
      @clock = clock
      @metrics = metrics
      @lock = Mutex.new
    end

    # entries: [{"time" => ns, "reason" => …, …}]. Written through to the disk before the store's answer
    # counts as dealt with.
    def put(store, entries)
      return if entries.empty?

      now = @clock.call
      @lock.synchronize do
        folder = File.join(@root, store)
        FileUtils.mkdir_p(folder)
        path = current(folder, now)
        File.open(path, File::WRONLY | File::APPEND | File::CREAT, 0o600) do |file|
          entries.each do |entry|
            file.write(JSON.generate({ "at" => now.utc.iso8601(3), "store" => store }.merge(entry)) << "\n")
          end
          file.fsync
        end
      end
      entries.group_by { |entry| entry["kind"] || "refused" }.each do |kind, list|
        @metrics.add("obs_fluentd_set_aside_records_total", list.size, { store: store, reason: kind })
      end
      nil
    end

    def files
      Dir.glob(File.join(@root, "*", "*.ndjson")).sort_by { |path| File.basename(path) }
    end

    # Deletes what is too old or too much; counts what went.
    def tidy
      @lock.synchronize do
        now = @clock.call
        list = files
        total = list.sum { |path| File.size(path) }
        list.each do |path|
          old = now - File.mtime(path) > @max_age
          break unless old || total > @max_bytes

          total -= File.size(path)
          lost = File.foreach(path).count
          File.delete(path)
          @metrics.add("obs_fluentd_set_aside_dropped_total", lost, { store: File.basename(File.dirname(path)) })
        end
        @metrics.set("obs_fluentd_set_aside_bytes", total)
      end
    end

    private

    # Files of at most 4 MiB or an hour, so that retention has something to delete.
    def current(folder, now)
      hour = now.utc.strftime("%Y%m%dT%H")
      number = 0
      loop do
        path = File.join(folder, format("%s-%03d.ndjson", hour, number))
        return path unless File.exist?(path) && File.size(path) > 4 * 1024 * 1024

        number += 1
      end
    end
  end

  # A secret or certificate in a file, read again when the file has changed: Kubernetes swaps mounted
  # Secrets below a running process.
  class Secret
    attr_reader :path

    def initialize(path)
      @path = path
      @stamp = nil
    end

    # What it holds must not reach a log by way of an error.
    def inspect
      "#<#{self.class} #{@path}>"
    end

    def changed?
      stamp != @stamp
    end

    def value
      now = stamp
      if now != @stamp
        @value = File.read(@path).strip
        @stamp = now
      end
      @value
    end

    private

    def stamp
      stat = File.stat(@path)
      [stat.mtime.to_r, stat.ino, stat.size]
    rescue SystemCallError
      nil
    end
  end

  # One kept-alive connection to a store. Settings, all but url optional: url, ca, cert, key, username,
  # password, token (the last six are paths of files), insecure, timeout, headers.
  class Http
    Answer = Struct.new(:code, :body, :headers)

    def initialize(settings, name:, metrics: METRICS)
      @settings = settings
      @name = name
      @metrics = metrics
      @uri = URI.parse(settings.fetch("url").chomp("/"))
      @files = %w[ca cert key username password token].each_with_object({}) do |key, out|
        out[key] = Secret.new(settings[key]) if settings[key] && !settings[key].empty?
      end
      @lock = Mutex.new
    end

    def inspect
      "#<#{self.class} #{@name}>"
    end

    # POSTs bytes as they are; gives the answer, or raises Retry with words for people.
    def post(path, body, headers = {})
      @lock.synchronize { once(path, body, headers) }
    end

    def get(path)
      @lock.synchronize { once(path, nil, {}) }
    end

    def close
      @connection&.finish if @connection&.started?
    rescue IOError
      nil
    ensure
      @connection = nil
    end

    private

    def once(path, body, headers)
      request = body ? Net::HTTP::Post.new(@uri.path + path) : Net::HTTP::Get.new(@uri.path + path)
      (@settings["headers"] || {}).merge(headers).each { |key, value| request[key] = value }
      request["User-Agent"] = "kubectl-obs-fluentd"
      authorise(request)
      request.body = body if body
      answer = connection.request(request)
      @metrics.add("obs_fluentd_store_requests_total", 1, { store: @name, code: answer.code })
      Answer.new(answer.code.to_i, Text.clean((answer.body || "").dup), answer.each_header.to_h)
    rescue OpenSSL::SSL::SSLError => e
      failed("tls", "#{@uri.host}: #{e.message}; #{tls_hint(e.message)}")
    rescue Timeout::Error => e
      failed("timeout", "#{@uri.host}:#{@uri.port} did not answer within #{timeout}s (#{e.class})")
    rescue SocketError => e
      failed("dns", "#{@uri.host} cannot be resolved: #{e.message}")
    rescue SystemCallError, IOError, Net::HTTPBadResponse, Net::ProtocolError, Zlib::Error => e
      failed("connection", "#{@uri.host}:#{@uri.port}: #{e.message} (#{e.class})")
    end

    def failed(kind, message)
      close
      @metrics.add("obs_fluentd_store_requests_total", 1, { store: @name, code: kind })
      raise Retry, message
    end

    def tls_hint(message)
      case message
      when /hostname mismatch|hostname .* does not match/i
        "the certificate is not for this name: use a name of its subjectAltName in the URL"
      when /expired/i then "the store's certificate has expired"
      when /self.signed|unable to get local issuer|certificate verify failed/i
        "the certificate is not from a known authority: give the authority's certificate (ca)"
      else "is the scheme of the URL right?"
      end
    end

    def timeout
      @settings["timeout"] || 30
    end

    def authorise(request)
      if @files["token"]
        request["Authorization"] = "#{@settings["scheme"] || "Bearer"} #{secret("token")}"
      elsif @files["password"]
        user = @files["username"] ? secret("username") : @settings["user"].to_s
        request.basic_auth(user, secret("password"))
      end
    end

    def secret(key)
      @files[key].value || raise(Retry, "#{@settings[key]} cannot be read")
    rescue SystemCallError => e
      raise Retry, "#{@settings[key]}: #{e.message}"
    end

    def connection
      close if %w[ca cert key].any? { |key| @files[key]&.changed? }
      return @connection if @connection&.started?

      http = Net::HTTP.new(@uri.hostname, @uri.port, nil)
      http.open_timeout = [timeout, 10].min
      http.read_timeout = timeout
      http.write_timeout = timeout
      http.keep_alive_timeout = 20
      http.max_retries = 0
      secure(http) if @uri.scheme == "https"
      @connection = http.start
    end

    def secure(http)
      http.use_ssl = true
      http.min_version = OpenSSL::SSL::TLS1_2_VERSION
      http.verify_mode = @settings["insecure"] ? OpenSSL::SSL::VERIFY_NONE : OpenSSL::SSL::VERIFY_PEER
      if @files["ca"]
        store = OpenSSL::X509::Store.new
        secret("ca").scan(/-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----/m).each do |pem|
          store.add_cert(OpenSSL::X509::Certificate.new(pem))
        end
        http.cert_store = store
      end
      return unless @files["cert"] && @files["key"]

      http.cert = OpenSSL::X509::Certificate.new(secret("cert"))
      http.key = OpenSSL::PKey.read(secret("key"))
    end
  end

  # Where the pushes of a chunk stand, so that what a store has taken is not sent again when the rest is
  # repeated: in memory, and in a file once a push failed.
  class Progress
    def initialize(folder)
      @folder = folder
      @memory = {}
      @lock = Mutex.new
    end

    def load(id)
      @lock.synchronize do
        @memory[id] ||= begin
          JSON.parse(File.read(path(id)))
        rescue SystemCallError, JSON::ParserError
          { "done" => [] }
        end
      end
    end

    def save(id)
      @lock.synchronize do
        state = @memory[id] or return
        FileUtils.mkdir_p(@folder)
        File.write("#{path(id)}.new", JSON.generate(state))
        File.rename("#{path(id)}.new", path(id))
      end
    rescue SystemCallError
      nil # a full disk: then it is known in memory only
    end

    def forget(id)
      @lock.synchronize do
        @memory.delete(id)
        File.delete(path(id)) if File.exist?(path(id))
      end
    rescue SystemCallError
      nil
    end

    private

    def path(id)
      File.join(@folder, "#{id.unpack1("H*")}.json")
    end
  end

  # Threads without which nothing works any more: a probe that asks for them finds one that has died.
  THREADS = {}

  # Reading waits while this holds: the disk of the state has less room than its floor.
  @paused = false

  module_function

  def paused?
    Obs.instance_variable_get(:@paused)
  end

  # Names of threads that should run and do not.
  def dead
    THREADS.reject { |_, thread| thread.alive? }.keys
  end

  def paused=(yes)
    Obs.instance_variable_set(:@paused, yes)
    METRICS.set("obs_fluentd_paused", yes ? 1 : 0)
  end

  # Body of a push, compressed if that is wanted. The same text gives the same bytes.
  def gzip(text)
    out = StringIO.new("".b)
    writer = Zlib::GzipWriter.new(out, 5)
    writer.mtime = 1
    writer.write(text)
    writer.close
    out.string
  end
end
