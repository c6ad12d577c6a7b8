# frozen_string_literal: true

# The input: hands on what obs_tail.rb reads, in Fluentd's form. in_tail is not used: with rotated names in its
# path and a limit of bytes it reads files twice while they are rotated, and it moves on after most errors.

require "json"
require_relative "obs_core"
require_relative "obs_tail"

if defined?(Fluent::Plugin)
  require "fluent/plugin/input"
  require_relative "obs_output"

  module Fluent
    module Plugin
      # <source> @type obs_containers; settings /path/to/pipeline.json </source>
      class ObsContainersInput < Input
        Fluent::Plugin.register_input("obs_containers", self)

        helpers :thread, :event_emitter

        desc "Path of the pipeline's settings"
        config_param :settings, :string
        desc "Tag of all records"
        config_param :tag, :string, default: "containers"

        def configure(conf)
          super
          @pipeline = JSON.parse(File.read(@settings))
        end

        def start
          super
          aside = Obs::Aside.new(File.join(@pipeline.fetch("state"), "aside"))
          say = ->(level, message) { log.public_send(level, message) }
          @tail = Obs::Tail.new(@pipeline.fetch("containers").merge("state" => @pipeline.fetch("state")), aside: aside, log: say, ready: -> { ready? }) do |identity, records|
            hand_on(identity, records)
          end
          Obs::THREADS["containers"] = thread_create(:obs_containers) { run }
        end

        def run
          while thread_current_running?
            begin
              sleep 0.25 if @tail.step.zero?
            rescue StandardError => e
              log.error "reading the containers' files failed; it goes on in a second", error: e
              log.error_backtrace
              sleep 1
            end
          end
          @tail.close
        end

        # A full buffer would block this thread, and files would come and go unseen.
        def ready?
          @blocking ||= Obs.outputs.select { |output| output.buffer_config.overflow_action == :block }
          !Obs.paused? && @blocking.all? { |output| output.buffer.storable? }
        end

        def hand_on(identity, records)
          # When Fluentd ends, a full buffer raises. The stores before it have the records already: once more
          # would be once too often
          raise Fluent::Plugin::Buffer::BufferOverflowError, "Fluentd is stopping" unless thread_current_running?

          es = Fluent::MultiEventStream.new
          records.each do |record|
            fields = {
              "message" => record.text, "stream" => record.stream,
              "namespace" => identity.namespace, "pod" => identity.pod, "container" => identity.container,
              "uid" => identity.uid, "restart" => identity.restart, "offset" => record.mark[1]
            }
            fields["cut"] = record.length if record.original
            fields["unfinished"] = true if record.unfinished
            es.add(Fluent::EventTime.new(record.ns / 1_000_000_000, record.ns % 1_000_000_000), fields)
          end
          router.emit_stream(@tag, es)
        end
      end
    end
  end
end
