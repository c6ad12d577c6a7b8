# frozen_string_literal: true

# /metrics for Prometheus and /healthz for probes; watches the state's disk and the set-aside records. The
# server is a few lines over TCPServer, since the image has no plugin for it.

require "json"
require "socket"
require_relative "obs_core"

module Obs
  # Answers GET of the given paths; one thread, one request after another, each with a deadline.
  class Server
    def initialize(bind, port, routes)
      @socket = TCPServer.new(bind, port)
      @routes = routes
    end

    def port
      @socket.addr[1]
    end

    def run
      loop do
        client = @socket.accept
        begin
          answer(client)
        rescue StandardError
          nil # whoever asked is gone, or too slow
        ensure
          client.close
        end
      end
    rescue IOError, Errno::EBADF
      nil # closed
    end

    def close
      @socket.close
    end

    private

    def answer(client)
      client.setsockopt(Socket::SOL_SOCKET, Socket::SO_SNDTIMEO, [5, 0].pack("l_2"))
      head = read_head(client) or return
      verb, path = head.split(" ", 3)
      route = @routes[path.to_s.split("?").first]
      if !%w[GET HEAD].include?(verb) then write(client, "405 Method Not Allowed", "text/plain", "only GET\n")
      elsif route.nil? then write(client, "404 Not Found", "text/plain", "#{@routes.keys.join("\n")}\n")
      else
        status, type, body = route.call
        write(client, status, type, verb == "HEAD" ? "" : body)
      end
    end

    def read_head(client)
      head = +""
      deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 5
      until head.include?("\r\n\r\n") || head.bytesize > 16_384
        left = deadline - Process.clock_gettime(Process::CLOCK_MONOTONIC)
        return nil unless left.positive? && client.wait_readable(left)

        head << client.readpartial(4096)
      end
      head
    end

    def write(client, status, type, body)
      client.write("HTTP/1.1 #{status}\r\nContent-Type: #{type}\r\nContent-Length: #{body.bytesize}\r\nConnection: close\r\n\r\n#{body}")
    end
  end

  # What is looked at every few seconds: disk, set-aside records, broken chunks.
  class Watchman
    def initialize(state, floor:, aside:, free: -> { Disk.free(state) }, log: nil, metrics: METRICS)
      @state = state
      @floor = floor
      @aside = aside
      @free = free
      @log = log
      @metrics = metrics
      metrics.set("obs_fluentd_disk_floor_bytes", floor)
    end

    # Below the floor reading stops; it goes on a tenth above it, so that it does not flicker.
    def look
      @aside.tidy
      broken = Dir.glob(File.join(@state, "fluentd", "backup", "**", "*")).count { |path| File.file?(path) }
      @metrics.set("obs_fluentd_broken_chunks", broken)
      free = @free.call or return
      @metrics.set("obs_fluentd_disk_free_bytes", free)
      if !Obs.paused? && free < @floor
        Obs.paused = true
        @log&.call(:error, "#{@state} has #{free} bytes left, less than the floor of #{@floor}: reading waits")
      elsif Obs.paused? && free > @floor * 1.1
        Obs.paused = false
        @log&.call(:info, "#{@state} has room again: reading goes on")
      end
    end
  end
end

if defined?(Fluent::Plugin)
  require "fluent/plugin/input"
  require_relative "obs_output"

  module Fluent
    module Plugin
      # <source> @type obs_monitor; settings /path/to/pipeline.json </source>
      class ObsMonitorInput < Input
        Fluent::Plugin.register_input("obs_monitor", self)

        helpers :thread, :timer

        desc "Path of the pipeline's settings"
        config_param :settings, :string
        desc "Address to listen on"
        config_param :bind, :string, default: "0.0.0.0"
        desc "Port to listen on"
        config_param :port, :integer, default: 24_231

        def configure(conf)
          super
          @pipeline = JSON.parse(File.read(@settings))
        end

        def start
          super
          kept = @pipeline["aside"] || {}
          aside = Obs::Aside.new(File.join(@pipeline.fetch("state"), "aside"), max_bytes: kept["bytes"] || 256 * 1024 * 1024, max_age: kept["age"] || 14 * 86_400)
          @watchman = Obs::Watchman.new(@pipeline.fetch("state"), floor: @pipeline["floor"] || 0, aside: aside, log: ->(level, message) { log.public_send(level, message) })
          from_zero
          look
          timer_execute(:obs_watch, 10) { look }
          @server = Obs::Server.new(@bind, @port, {
            "/metrics" => -> { ["200 OK", "text/plain; version=0.0.4; charset=utf-8", metrics] },
            "/healthz" => -> { Obs.dead.empty? ? ["200 OK", "text/plain", "ok\n"] : ["503 Service Unavailable", "text/plain", "dead: #{Obs.dead.join(", ")}\n"] }
          })
          thread_create(:obs_monitor) { @server.run }
        end

        def stop
          @server&.close
          super
        end

        # A counter that is born with its first event has no increase that an alert could see.
        def from_zero
          %w[missed_files truncated_files cut_records malformed_lines emit_failures].each { |name| Obs::METRICS.add("obs_fluentd_#{name}_total", 0) }
          @pipeline.fetch("stores").each do |store|
            labels = { store: store["name"] }
            %w[refused too-large store-state stream-limit maybe-stored internal-error].each { |kind| Obs::METRICS.add("obs_fluentd_set_aside_records_total", 0, labels.merge(reason: kind)) }
            %w[connection rate-limit server-error unauthorized unexpected-answer rejected-items stream-limit no-index].each { |why| Obs::METRICS.add("obs_fluentd_store_retries_total", 0, labels.merge(reason: why)) }
            Obs::METRICS.add("obs_fluentd_set_aside_dropped_total", 0, labels)
            Obs::METRICS.add("obs_fluentd_store_records_total", 0, labels)
          end
        end

        def look
          @watchman.look
        rescue StandardError => e
          log.error "looking after disk and set-aside records failed", error: e
        end

        def metrics
          bytes = {}
          limits = {}
          chunks = {}
          oldest = {}
          dropped = {}
          Obs.outputs.each do |output|
            labels = { store: output.store }
            buffer = output.buffer
            bytes[labels] = buffer.stage_size + buffer.queue_size
            limits[labels] = buffer.total_limit_size
            chunks[labels] = buffer.stage.size + buffer.queue.size
            first = (buffer.queue + buffer.stage.values).map(&:created_at).min
            oldest[labels] = first ? [(Time.now - first).round(1), 0].max : 0
            dropped[labels] = output.statistics.dig("output", "drop_oldest_chunk_count") || 0
          end
          Obs::METRICS.replace("obs_fluentd_buffer_bytes", bytes)
          Obs::METRICS.replace("obs_fluentd_buffer_limit_bytes", limits)
          Obs::METRICS.replace("obs_fluentd_buffer_chunks", chunks)
          Obs::METRICS.replace("obs_fluentd_buffer_oldest_seconds", oldest)
          Obs::METRICS.replace("obs_fluentd_buffer_dropped_chunks_total", dropped)
          Obs::METRICS.text
        end
      end
    end
  end
end
