# frozen_string_literal: true

# Adds labels and annotations of a record's pod, and leaves out what its owner does not want to have
# collected (annotation kubectl-obs.dev/logs: "false" on a pod or its namespace).
#
# Namespace, pod and container come from the file's path and are never looked up: an API server that is
# away, or says 404, delays labels and nothing else. It is asked by two watches for the whole node, for what
# they have not told yet by one GET per pod, and not at all while it does not answer.

require "json"
require "net/http"
require "openssl"
require "uri"
require_relative "obs_core"

module Obs
  # What is known of the node's pods and of namespaces.
  class Pods
    Pod = Struct.new(:labels, :annotations, :gone_at)

    META = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    META_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
    OPT_OUT = "kubectl-obs.dev/logs"
    KEEP_GONE = 3600
    MISS = 300
    MOST_GONE = 2000

    class Failed < StandardError
      attr_reader :code

      def initialize(code, message)
        super(message)
        @code = code
      end
    end

    def initialize(settings, clock: -> { Process.clock_gettime(Process::CLOCK_MONOTONIC) }, log: nil, metrics: METRICS)
      @url = URI.parse(settings["url"] || "https://#{bracketed(ENV["KUBERNETES_SERVICE_HOST"] || "kubernetes.default.svc")}:#{ENV["KUBERNETES_SERVICE_PORT"] || 443}")
      @node = settings["node"] || ENV["K8S_NODE_NAME"].to_s
      @folder = settings["folder"] || FOLDER
      @pause = settings["pause"] || 5
      @clock = clock
      @log = log
      @quiet = Quiet.new(clock: clock)
      @metrics = metrics
      @lock = Mutex.new
      @pods = {}
      @namespaces = {}
      @misses = {}
      @blocked_until = 0
      @synced = {}
      @running = false
      @path = settings["memory"]
      @saved_at = nil
      recall
    end

    def start
      @running = true
      @threads = [
        Thread.new { follow("pods", "/api/v1/pods?fieldSelector=spec.nodeName%3D#{URI.encode_www_form_component(@node)}") },
        Thread.new { follow("namespaces", "/api/v1/namespaces?") }
      ]
    end

    def stop
      @running = false
      (@threads || []).each(&:kill)
      remember(true)
    end

    # The pod, as far as it is known; nil if it is not. Asks at most once in five minutes for what no watch has told.
    def find(namespace, name, uid)
      key = uid
      @lock.synchronize do
        pod = @pods[key]
        return pod if pod

        missed = @misses[key]
        now = @clock.call
        return nil if now < @blocked_until || (missed && now - missed < MISS)

        @misses.shift if @misses.size > MOST_GONE
        @misses[key] = now
      end
      fetch(namespace, name, uid)
    end

    def wanted?(namespace, pod)
      own = pod && pod.annotations[OPT_OUT]
      return own != "false" if own

      @lock.synchronize { (@namespaces[namespace] || {})[OPT_OUT] } != "false"
    end

    def synced?
      @synced["pods"] && @synced["namespaces"] ? true : false
    end

    # The events of a watch, and the objects of a list.
    def apply(kind, type, object)
      meta = object["metadata"] || {}
      if kind == "namespaces"
        @lock.synchronize { type == "DELETED" ? @namespaces.delete(meta["name"]) : @namespaces[meta["name"]] = own(meta["annotations"]) }
        return remember
      end
      uids = [meta["uid"]]
      # The folder of a static pod has the name of its manifest's hash
      static = (meta["annotations"] || {})["kubernetes.io/config.mirror"]
      uids << static if static
      @lock.synchronize do
        uids.each do |uid|
          if type == "DELETED"
            @pods[uid].gone_at = @clock.call if @pods[uid]
          else
            @pods.delete(uid)
            @pods[uid] = Pod.new(Text.deep(meta["labels"] || {}), own(meta["annotations"]), nil)
          end
          @misses.delete(uid)
        end
      end
      forget
      remember
    end

    private

    # Of the annotations only the one that counts: others are long, and not always for everybody's eyes.
    def own(annotations)
      value = (annotations || {})[OPT_OUT]
      value ? { OPT_OUT => value.to_s } : {}
    end

    # After a restart while the API server is away, what was known before holds: who opted out stays out.
    def remember(now = false)
      return unless @path

      time = @clock.call
      return if !now && @saved_at && time - @saved_at < 10

      @saved_at = time
      known = @lock.synchronize { JSON.generate({ "namespaces" => @namespaces, "pods" => @pods.transform_values { |pod| [pod.labels, pod.annotations] } }) }
      File.write("#{@path}.new", known, perm: 0o600)
      File.rename("#{@path}.new", @path)
    rescue SystemCallError => e
      @quiet.say("memory") { @log&.call(:warn, "#{@path} cannot be written: #{e.message}") }
    end

    def recall
      return unless @path && File.exist?(@path)

      known = JSON.parse(File.read(@path))
      @namespaces = known["namespaces"]
      known["pods"].each { |uid, (labels, annotations)| @pods[uid] = Pod.new(labels, annotations, nil) }
    rescue SystemCallError, JSON::ParserError, NoMethodError
      @namespaces = {}
      @pods = {}
    end

    def bracketed(host)
      host.include?(":") ? "[#{host}]" : host
    end

    # Pods that are gone stay for an hour: the last lines of their files come late.
    def forget
      @lock.synchronize do
        now = @clock.call
        gone = @pods.select { |_, pod| pod.gone_at }
        gone.each { |uid, pod| @pods.delete(uid) if now - pod.gone_at > KEEP_GONE }
        (gone.size - MOST_GONE).times { |index| @pods.delete(gone.keys[index]) }
      end
    end

    def fetch(namespace, name, uid)
      object = JSON.parse(request("pod", "/api/v1/namespaces/#{namespace}/pods/#{name}", META, 2).body)
      # Another pod of that name says nothing about this one
      mirror = (object.dig("metadata", "annotations") || {})["kubernetes.io/config.mirror"]
      return nil unless [object.dig("metadata", "uid"), mirror].include?(uid)

      apply("pods", "ADDED", object)
      @lock.synchronize { @pods[uid] }
    rescue Failed => e
      block unless e.code == 404
      nil
    rescue StandardError => e
      block
      @quiet.say("fetch #{e.class}") { @log&.call(:warn, "the API server does not tell about pods: #{e.message}; records have no labels until it does") }
      nil
    end

    def block
      @lock.synchronize { @blocked_until = @clock.call + 10 }
    end

    def follow(kind, path)
      while @running
        begin
          version = list(kind, path)
          synced(kind, true)
          version = watch(kind, path, version) while @running && version
        rescue StandardError => e
          synced(kind, false)
          @quiet.say("follow #{kind} #{e.class}") { @log&.call(:warn, "#{kind} cannot be watched: #{e.message}; labels and annotations may be old") }
          sleep @pause
        end
      end
    end

    def synced(kind, yes)
      @synced[kind] = yes
      @metrics.set("obs_fluentd_kubernetes_synced", synced? ? 1 : 0)
    end

    def list(kind, path)
      known = {}
      version = nil
      token = nil
      loop do
        page = token ? "&continue=#{URI.encode_www_form_component(token)}" : ""
        body = JSON.parse(request("list", "#{path}&limit=500#{page}", META_LIST, 30).body)
        (body["items"] || []).each do |object|
          known[object.dig("metadata", "uid")] = true
          known[(object.dig("metadata", "annotations") || {})["kubernetes.io/config.mirror"]] = true
          apply(kind, "ADDED", object)
        end
        version = body.dig("metadata", "resourceVersion")
        token = body.dig("metadata", "continue")
        break if token.nil? || token.empty?
      end
      if kind == "pods"
        @lock.synchronize { @pods.each { |uid, pod| pod.gone_at ||= @clock.call unless known[uid] } }
      end
      version
    end

    # Until the server ends it. The version to go on from, or nil for a new list.
    def watch(kind, path, version)
      rest = String.new(encoding: Encoding::BINARY)
      query = "#{path}&watch=true&allowWatchBookmarks=true&timeoutSeconds=#{240 + rand(120)}&resourceVersion=#{version}"
      stream("watch", query, META) do |piece|
        rest << piece
        while (line = rest.slice!(/\A[^\n]*\n/n))
          event = JSON.parse(line)
          return nil if event["type"] == "ERROR"

          version = event.dig("object", "metadata", "resourceVersion") || version
          apply(kind, event["type"], event["object"]) unless event["type"] == "BOOKMARK"
        end
      end
      version
    rescue EOFError, Errno::ECONNRESET, Net::ReadTimeout
      version
    rescue Failed => e
      raise unless e.code == 410

      nil
    end

    def connection(timeout)
      http = Net::HTTP.new(@url.hostname, @url.port, nil)
      http.open_timeout = [timeout, 5].min
      http.read_timeout = timeout
      http.max_retries = 0
      if @url.scheme == "https"
        http.use_ssl = true
        http.min_version = OpenSSL::SSL::TLS1_2_VERSION
        http.ca_file = File.join(@folder, "ca.crt")
      end
      http
    end

    # The token is read each time: the kubelet renews it.
    def headers(accept)
      token = File.join(@folder, "token")
      out = { "Accept" => accept, "User-Agent" => "kubectl-obs-fluentd" }
      out["Authorization"] = "Bearer #{File.read(token).strip}" if File.exist?(token)
      out
    end

    def request(what, path, accept, timeout)
      http = connection(timeout)
      answer = http.start { |open| open.request(Net::HTTP::Get.new(path, headers(accept))) }
      count(what, answer.code)
      raise Failed.new(answer.code.to_i, "#{answer.code} for #{path.split("?").first}") unless answer.code == "200"

      answer
    rescue Failed
      raise
    rescue StandardError
      count(what, "failed")
      raise
    end

    def stream(what, path, accept, &block)
      connection(400).start do |open|
        open.request(Net::HTTP::Get.new(path, headers(accept))) do |answer|
          count(what, answer.code)
          raise Failed.new(answer.code.to_i, "#{answer.code} for #{path.split("?").first}") unless answer.code == "200"

          answer.read_body(&block)
        end
      end
    end

    def count(what, result)
      @metrics.add("obs_fluentd_kubernetes_requests_total", 1, { request: what, result: result })
    end
  end

  # Labels that say which application a pod belongs to, the first that is there.
  APP_LABELS = %w[app.kubernetes.io/name k8s-app app].freeze

  module_function

  # Adds to the record what is known; false when it is not wanted. Never raises: a record without labels is
  # better than none.
  def enrich(record, pods, node)
    pod = pods.find(record["namespace"], record["pod"], record["uid"])
    unless pods.wanted?(record["namespace"], pod)
      METRICS.add("obs_fluentd_skipped_lines_total", 1, { reason: "opted-out" })
      return false
    end
    record["node"] = node unless node.empty?
    return true unless pod

    record["labels"] = pod.labels
    name = APP_LABELS.find { |label| pod.labels[label].is_a?(String) && !pod.labels[label].empty? }
    record["app"] = pod.labels[name] if name
    true
  rescue StandardError => e
    record["pipeline_error"] = "labels: #{e.message}"
    true
  end
end

if defined?(Fluent::Plugin)
  require "fluent/plugin/filter"
  module Fluent
    module Plugin
      # <filter> @type obs_kubernetes; settings /path/to/pipeline.json </filter>
      class ObsKubernetesFilter < Filter
        Fluent::Plugin.register_filter("obs_kubernetes", self)

        desc "Path of the pipeline's settings"
        config_param :settings, :string

        def configure(conf)
          super
          pipeline = JSON.parse(File.read(@settings))
          settings = { "memory" => File.join(pipeline.fetch("state"), "kubernetes") }.merge(pipeline["kubernetes"] || {})
          @node = settings["node"] || ENV["K8S_NODE_NAME"].to_s
          @pods = Obs::Pods.new(settings, log: ->(level, message) { log.public_send(level, message) })
        end

        # Not in configure: that is run twice with a supervisor, and by --dry-run
        def start
          super
          @pods.start
        end

        def shutdown
          @pods.stop
          super
        end

        def filter(_tag, _time, record)
          Obs.enrich(record, @pods, @node) ? record : nil
        end
      end
    end
  end
end
