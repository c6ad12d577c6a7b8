# frozen_string_literal: true

# A small HTTP server on the loopback that does what a test tells it: a store with all its moods, or an API
# server. A handler gets a Request and gives [status, body, headers], or one of
#   :reset       the connection ends without an answer, after the request was read
#   :half        it ends in the middle of the request
#   :close       the answer comes, and then the connection is closed without a word
#   [:slow, n]   the answer comes after n seconds

require "json"
require "openssl"
require "socket"
require "stringio"
require "zlib"

class Server
  Request = Struct.new(:verb, :path, :headers, :raw) do
    def body
      headers["content-encoding"] == "gzip" ? Zlib::GzipReader.new(StringIO.new(raw)).read.force_encoding("UTF-8") : raw.dup.force_encoding("UTF-8")
    end

    def json
      JSON.parse(body)
    end
  end

  attr_reader :port, :requests, :connections
  attr_accessor :handler, :context

  def initialize(port: 0, tls: nil, &handler)
    @handler = handler
    @context = tls
    @requests = []
    @connections = 0
    @lock = Mutex.new
    up(port)
  end

  def up(port = @port)
    @socket = TCPServer.new("127.0.0.1", port)
    @port = @socket.addr[1]
    @clients = []
    @thread = Thread.new { loop { accept } }
    self
  end

  # As if the process had been killed.
  def down
    @thread.kill
    @socket.close
    @clients.each { |client| client.close rescue nil }
    self
  end

  def url
    "#{@context ? "https" : "http"}://127.0.0.1:#{@port}"
  end

  private

  def accept
    client = @socket.accept
    @connections += 1
    @clients << client
    Thread.new do
      Thread.current.report_on_exception = false
      serve(client)
    rescue IOError, SystemCallError, OpenSSL::SSL::SSLError
      nil
    ensure
      client.close rescue nil
    end
  end

  def serve(client)
    if @context
      context = OpenSSL::SSL::SSLContext.new
      context.cert, context.key = @context.call
      client = OpenSSL::SSL::SSLSocket.new(client, context)
      client.sync_close = true
      client.accept
    end
    while (line = client.gets)
      verb, path = line.split
      headers = {}
      while (header = client.gets) && header != "\r\n"
        name, value = header.chomp.split(": ", 2)
        headers[name.downcase] = value
      end
      length = headers["content-length"].to_i
      request = Request.new(verb, path, headers, "")
      plan = @handler.respond_to?(:before) ? @handler.before(request) : nil
      if plan == :half
        client.read(length / 2)
        return
      end
      request.raw = client.read(length).to_s
      answer = @lock.synchronize do
        @requests << request unless @handler.respond_to?(:quiet?) && @handler.quiet?(request)
        @handler.call(request)
      end
      return if answer == :reset

      if answer.is_a?(Proc)
        answer.call(client)
        return
      end
      answer, pause = answer if answer.is_a?(Array) && answer[1].is_a?(Hash) && answer[0].is_a?(Array)
      sleep pause[:slow] if pause && pause[:slow]
      status, body, more = answer
      client.write("HTTP/1.1 #{status} X\r\nContent-Length: #{body.to_s.bytesize}\r\n#{(more || {}).map { |k, v| "#{k}: #{v}\r\n" }.join}\r\n#{body}")
      return if pause && pause[:close]
    end
  end
end

# Loki, as far as a push goes: what it stores of a push and what it answers (seen on a real one). `moods` are
# played before it, one for each request.
class FakeLoki
  attr_reader :streams, :order
  attr_accessor :moods, :max_body, :poison, :reject, :gzip, :stream_limit, :token, :oldest, :limits

  def initialize
    @streams = Hash.new { |hash, key| hash[key] = {} }
    @order = []
    @moods = []
    @gzip = true
    @newest = Hash.new(0)
  end

  def before(_request)
    @moods.first == :half ? @moods.shift : nil
  end

  def call(request)
    mood = @moods.shift
    return [mood, "no"] if mood.is_a?(Integer)
    return mood if mood == :reset
    return mood.call(request) if mood.is_a?(Proc)

    answer = push(request)
    return :reset if mood == :stored_then_reset

    mood.is_a?(Hash) ? [answer, mood] : answer
  end

  def push(request)
    return [401, "no org id"] if @token && request.headers["authorization"] != "Bearer #{@token}"
    return [415, "content encoding gzip is not supported"] if !@gzip && request.headers["content-encoding"]
    return [413, "request entity too large"] if @max_body && request.body.bytesize > @max_body
    return [400, "couldn't parse push request: unmarshalerDecoder: invalid character"] if @poison && request.body.include?(@poison)

    streams = request.json["streams"]
    if (name = streams.flat_map { |stream| stream["stream"].keys }.find { |one| !one.match?(/\A[A-Za-z_]\w*\z/) })
      return [400, "couldn't parse labels: 1:3: parse error: unexpected character inside braces: '#{name[/\W/]}'"]
    end

    refused = []
    limited = nil
    words = []
    streams.each do |stream|
      labels = stream["stream"]
      if @limits && labels.size > @limits[:labels]
        words << "entry for stream '#{text(labels)}' has #{labels.size} label names; limit #{@limits[:labels]}"
        next
      end
      if @stream_limit && !@streams.key?(labels) && @streams.size >= @stream_limit
        limited = labels
        next
      end
      stream["values"].each do |ns, line, meta|
        if (why = @limits && broken(labels, ns.to_i, line, meta || {}))
          words << why
          next
        end
        if @reject&.call(labels, ns.to_i, line) || (@oldest && ns.to_i < @oldest) || (@limits && behind?(labels, ns.to_i))
          refused << [labels, ns.to_i]
          next
        end
        key = [ns.to_i, line]
        @order << [labels, ns.to_i, line] unless @streams[labels].key?(key)
        @streams[labels][key] = meta
      end
    end
    return [429, "maximum active stream limit exceeded when trying to create stream #{text(limited)}, reduce the number of active streams"] if limited
    return [400, words.size == 1 ? words[0] : words.tally.map { |why, count| "#{count} errors like: #{why}" }.join("; ")] unless words.empty?

    return [204, ""] if refused.empty?

    labels = refused[0][0]
    own = refused.select { |one, _| one == labels }
    since = @oldest || (@limits && @newest[labels] - 3_600_000_000_000)
    why = since ? "entry too far behind, oldest acceptable timestamp is: #{Time.at(since / 1_000_000_000).utc.strftime("%Y-%m-%dT%H:%M:%SZ")}" : "entry too far behind"
    words = own.first(10).map { |_, ns| "entry with timestamp #{go(ns)} ignored, reason: '#{why}',\n" }.join
    [400, "#{words}user 'fake', total ignored: #{own.size} out of #{own.size} for stream: #{text(labels)}"]
  end

  # What the distributor looks at, with times in whole seconds.
  def broken(labels, ns, line, meta)
    second = ->(time) { Time.at(time / 1_000_000_000).utc.strftime("%Y-%m-%dT%H:%M:%SZ") }
    now = (Time.now.to_r * 1_000_000_000).to_i
    oldest = now - @limits[:age] * 1_000_000_000
    long = labels.values.find { |value| value.bytesize > 2048 }
    size = meta.sum { |key, value| key.bytesize + value.bytesize }
    if long then "stream '#{text(labels)}' has label value too long: '#{long}'"
    elsif size > 65_536 then "stream '#{text(labels)}' has structured metadata too large: '#{size}' bytes, limit: '65536' bytes. Please see `limits_config.max_structured_metadata_size`"
    elsif meta.size > 128 then "stream '#{text(labels)}' has too many structured metadata labels: '#{meta.size}', limit: '128'. Please see `limits_config.max_structured_metadata_entries_count`"
    elsif ns < oldest then "entry for stream '#{text(labels)}' has timestamp too old: #{second[ns]}, oldest acceptable timestamp is: #{second[oldest]}"
    elsif ns > now + @limits[:future] * 1_000_000_000 then "entry for stream '#{text(labels)}' has timestamp too new: #{second[ns]}"
    elsif line.bytesize > @limits[:line] then "max entry size '#{@limits[:line]}' bytes exceeded for stream '#{text(labels)}' while adding an entry with length '#{line.bytesize}' bytes"
    end
  end

  # The ingester's own check: an hour behind the newest of the stream.
  def behind?(labels, ns)
    return true if ns < @newest[labels] - 3_600_000_000_000

    @newest[labels] = [@newest[labels], ns].max
    false
  end

  def text(labels)
    "{#{labels.merge("service_name" => "x").sort.map { |name, value| "#{name}=#{value.inspect}" }.join(", ")}}"
  end

  def go(ns)
    fraction = format("%09d", ns % 1_000_000_000).sub(/0+\z/, "")
    "#{Time.at(ns / 1_000_000_000).utc.strftime("%Y-%m-%d %H:%M:%S")}#{".#{fraction}" unless fraction.empty?} +0000 UTC"
  end

  def lines
    @order.map { |_, _, line| line }
  end
end

# A bulk API that creates documents, each id once.
class FakeBulk
  attr_reader :documents, :order
  attr_accessor :moods, :judge, :max_body, :whole, :missing

  # Whether the index is there is asked once.
  def quiet?(request)
    request.verb == "GET"
  end

  def initialize
    @documents = {}
    @order = []
    @moods = []
  end

  def call(request)
    return [@missing ? 404 : 200, "{}"] if request.verb == "GET"

    mood = @moods.shift
    return [mood, "{}"] if mood.is_a?(Integer)
    return mood if mood.is_a?(Array)
    return mood if mood == :reset
    return [413, "too large"] if @max_body && request.body.bytesize > @max_body
    return @whole if @whole

    items = request.body.each_line.each_slice(2).map do |action, document|
      id = JSON.parse(action).fetch("create").fetch("_id")
      document = JSON.parse(document)
      verdict = @judge&.call(document)
      if verdict then { "create" => { "_id" => id, "status" => verdict[0], "error" => verdict[1] } }
      elsif @documents.key?(id) then { "create" => { "_id" => id, "status" => 409, "error" => { "type" => "version_conflict_engine_exception", "reason" => "document already exists" } } }
      else
        @documents[id] = document
        @order << document
        { "create" => { "_id" => id, "status" => 201 } }
      end
    end
    return :reset if mood == :stored_then_reset

    [200, JSON.generate({ "errors" => items.any? { |item| item["create"]["status"] >= 300 }, "items" => items })]
  end
end

# An API server. As far as the filter asks: lists and watches of metadata, and single pods.
class FakeApi
  attr_reader :pods, :namespaces, :watches
  attr_accessor :mood

  def initialize
    @pods = {}
    @namespaces = {}
    @watches = Hash.new { |hash, kind| hash[kind] = [] }
    @version = 1
  end

  def pod(name, uid, labels: {}, annotations: {}, namespace: "shop")
    @pods[[namespace, name]] = { "metadata" => { "name" => name, "namespace" => namespace, "uid" => uid, "labels" => labels, "annotations" => annotations, "resourceVersion" => (@version += 1).to_s } }
  end

  def namespace(name, annotations)
    @namespaces[name] = { "metadata" => { "name" => name, "uid" => "ns-#{name}", "annotations" => annotations, "resourceVersion" => (@version += 1).to_s } }
  end

  def event(kind, type, object)
    @watches[kind].each { |queue| queue << JSON.generate({ "type" => type, "object" => object }) }
  end

  def call(request)
    return @mood if @mood

    path, query = request.path.split("?", 2)
    query = URI.decode_www_form(query.to_s).to_h
    if (found = path.match(%r{\A/api/v1/namespaces/([^/]+)/pods/([^/]+)\z}))
      object = @pods[[found[1], found[2]]]
      return object ? [200, JSON.generate(object)] : [404, "{}"]
    end
    kind = path.split("/").last
    return watch(kind) if query["watch"]

    items = (kind == "pods" ? @pods : @namespaces).values
    first = query["continue"].to_i
    page = items[first, 2] || []
    meta = { "resourceVersion" => @version.to_s }
    meta["continue"] = (first + 2).to_s if first + 2 < items.size
    [200, JSON.generate({ "metadata" => meta, "items" => page })]
  end

  def watch(kind)
    queue = Queue.new
    @watches[kind] << queue
    lambda do |client|
      client.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
      while (event = queue.pop)
        client.write("#{(event.bytesize + 1).to_s(16)}\r\n#{event}\n\r\n")
      end
      client.write("0\r\n\r\n")
    end
  end
end
