# frozen_string_literal: true

# What an application wrote as JSON becomes fields, below one key of their own: no line can say that it
# comes from another pod or another time. Its level is found, and put in one form.

require "json"
require_relative "obs_core"

module Obs
  module Record
    LEVELS = {
      "trace" => "trace", "finest" => "trace", "finer" => "trace", "trc" => "trace", "silly" => "trace",
      "debug" => "debug", "dbg" => "debug", "fine" => "debug", "verbose" => "debug", "d" => "debug",
      "info" => "info", "information" => "info", "informational" => "info", "inf" => "info", "notice" => "info", "i" => "info", "log" => "info", "http" => "info",
      "warn" => "warn", "warning" => "warn", "wrn" => "warn", "w" => "warn",
      "error" => "error", "err" => "error", "eror" => "error", "severe" => "error", "e" => "error", "failure" => "error",
      "fatal" => "fatal", "critical" => "fatal", "crit" => "fatal", "alert" => "fatal", "emerg" => "fatal", "emergency" => "fatal", "panic" => "fatal", "f" => "fatal", "ftl" => "fatal", "dpanic" => "fatal"
    }.freeze
    SYSLOG = %w[fatal fatal fatal error warn info info debug].freeze
    FIELDS = %w[level levelname severity log.level lvl loglevel logLevel level_name severity_text].freeze
    # klog and glog: I1128 12:00:00.000000
    GLOG = /\A([IWEF])\d{4} \d\d:\d\d:\d\d\./
    GLOG_LEVELS = { "I" => "info", "W" => "warn", "E" => "error", "F" => "fatal" }.freeze

    module_function

    # The level of a JSON record, or of a text in glog's form; nil when it does not say one in so many words:
    # to guess from words such as "error" in a sentence is wrong too often.
    def level(app, text)
      if app
        FIELDS.each do |field|
          found = named(app[field])
          return found if found
        end
        nested = app["log"]
        found = named(nested["level"]) if nested.is_a?(Hash)
        return found
      end
      (glog = GLOG.match(text)) && GLOG_LEVELS[glog[1]]
    end

    def named(value)
      case value
      when String
        word = value.strip.downcase
        return LEVELS[word] unless word.match?(/\A\d+\z/)

        number(word.to_i)
      when Integer then number(value)
      when Float then value == value.to_i ? number(value.to_i) : nil
      end
    end

    # pino and bunyan count 10 to 60, syslog 0 to 7
    def number(value)
      return SYSLOG[value] if value.between?(0, 7)
      return nil unless value.between?(10, 60)

      %w[trace debug info warn error fatal][value / 10 - 1]
    end

    # The fields of a text that is one JSON object; nil for everything else: arrays, scalars, broken JSON and
    # objects that lose something when they are parsed stay text.
    def parse(text)
      return nil unless text.start_with?("{") || text.match?(/\A[ \t]+\{/)

      # Of a key that is there twice the last counts; the text has both
      fields = JSON.parse(text, max_nesting: 60, allow_duplicate_key: true)
      fields.is_a?(Hash) ? Text.deep(fields) : nil
    rescue JSON::ParserError, EncodingError, ArgumentError, FloatDomainError
      nil
    end

    # Adds fields and level. Never raises: a record that cannot be understood goes on as text.
    def refine(record)
      text = record["message"]
      app = parse(text)
      record["fields"] = app if app
      found = level(app, text)
      record["level"] = found if found
      record
    rescue StandardError => e
      record["pipeline_error"] = "fields: #{e.message}"
      record
    end
  end
end

if defined?(Fluent::Plugin)
  require "fluent/plugin/filter"
  module Fluent
    module Plugin
      # <filter> @type obs_record </filter>
      class ObsRecordFilter < Filter
        Fluent::Plugin.register_filter("obs_record", self)

        def filter(_tag, _time, record)
          Obs::Record.refine(record)
        end
      end
    end
  end
end
