# frozen_string_literal: true

# What the outputs share with Fluentd: records enter the buffer in the form in which they are sent, and no
# error of ours makes Fluentd give up a chunk.

require "json"
require "msgpack"
require_relative "obs_core"

module Obs
  module_function

  # The outputs to stores, of all labels, and those within a copy.
  def outputs
    agent = Fluent::Engine.root_agent
    all = agent.outputs + agent.labels.values.flat_map(&:outputs)
    all += all.flat_map { |output| output.respond_to?(:outputs) ? output.outputs : [] }
    all.uniq.select { |output| output.is_a?(Fluent::Plugin::ObsOutput) && output.buffer }
  end
end

module Fluent
  module Plugin
    module ObsOutput
      # Tries of a chunk that an error of ours stops, before it is set aside
      PATIENCE = 10

      def self.included(output)
        output.class_eval do
          desc "Path of the pipeline's settings"
          config_param :settings, :string
          desc "Name of the store in the settings"
          config_param :store, :string

          # Fluentd looks for these in the class itself
          def format(_tag, time, record) = prepare(time, record)
          def write(chunk) = deliver(chunk)
        end
      end

      def configure(conf)
        pipeline = JSON.parse(File.read(conf["settings"]))
        limit(conf, pipeline)
        super
        entry = pipeline.fetch("stores").find { |candidate| candidate["name"] == @store }
        raise Fluent::ConfigError, "#{@settings}: no store #{@store}" unless entry

        state = pipeline.fetch("state")
        @aside = Obs::Aside.new(File.join(state, "aside"))
        @core = make(entry, aside: @aside, progress: Obs::Progress.new(File.join(state, "progress", @store)),
                            log: ->(level, message) { log.public_send(level, message) })
        @stumbles = Hash.new(0)
      end

      def multi_workers_ready?
        false
      end

      def formatted_to_msgpack_binary?
        true
      end

      # A record that cannot be prepared is set aside, and the others go on.
      def prepare(time, record)
        ns = time.respond_to?(:nsec) ? time.to_i * 1_000_000_000 + time.nsec : time.to_i * 1_000_000_000
        @core.entry(ns, record).to_msgpack
      rescue StandardError => e
        put_aside([{ "time" => ns, "kind" => "internal-error", "reason" => "#{e.class}: #{e.message}", "line" => record["message"].to_s }])
        ""
      end

      def deliver(chunk)
        list = []
        chunk.open { |io| MessagePack::Unpacker.new(io).each { |entry| list << entry } }
        @core.write(chunk.unique_id, list)
        @stumbles.delete(chunk.unique_id)
      rescue Obs::Retry, MessagePack::UnpackError
        raise
      rescue StandardError => e
        stumbled(chunk, list, e)
      end

      def close
        @core&.close
        super
      end

      private

      # A buffer that fills the disk tears its chunks: it gets what is free, less the floor, at most.
      def limit(conf, pipeline)
        buffer = conf.elements("buffer").first
        return if buffer.nil? || buffer.has_key?("total_limit_size")

        bytes = Obs::Disk.limit(pipeline.fetch("state"), pipeline.fetch("buffer"), pipeline["floor"] || 0, pipeline.fetch("stores").size)
        log.warn "the buffer gets less than it should: the disk has no more", wanted: pipeline.fetch("buffer"), gets: bytes if bytes < pipeline.fetch("buffer")
        buffer["total_limit_size"] = bytes.to_s
      end

      # Fluentd throws chunks away after errors of some classes; these are tried again, and set aside at last.
      def stumbled(chunk, list, error)
        tries = (@stumbles[chunk.unique_id] += 1)
        log.error "sending failed for a reason of our own", error: error, tries: tries
        log.error_backtrace(error.backtrace)
        raise Obs::Retry, "#{error.class}: #{error.message}" if tries < PATIENCE

        put_aside(list.map { |entry| { "time" => entry[0], "kind" => "internal-error", "reason" => "#{error.class}: #{error.message}", "entry" => entry } })
        @stumbles.delete(chunk.unique_id)
      end

      def put_aside(entries)
        @aside.put(@store, entries)
      rescue SystemCallError => e
        raise Obs::Retry, "records cannot be set aside: #{e.message}"
      end
    end
  end
end
