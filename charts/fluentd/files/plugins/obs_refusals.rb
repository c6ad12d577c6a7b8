# frozen_string_literal: true

# What Loki means when it answers 400 to a push. Plain Ruby.

require "time"
require_relative "obs_core"

module Obs
  # Reads the words of a 400. They name a stream and the time of each refused entry, to the nanosecond (from
  # the ingester, at most ten of a stream), or a limit and times in seconds (from the distributor).
  class Refusals
    IGNORED = /entry with timestamp (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(\d+))? \+0000 UTC ignored, reason: '(.*?)',/m
    TOTAL = /total ignored: (\d+) out of (\d+) for stream: (\{.*?\})(?=\s|\z|,|;)/m
    OLD = /timestamp too old: \S+, oldest acceptable timestamp is: (\S+)/
    OLDEST = /oldest acceptable timestamp is: (\S+)/
    NEW = /timestamp too new: (\S+)/
    LONG = /max entry size '?(\d+)'? bytes exceeded/i
    LABELS = /has (\d+) label names; limit (\d+)/
    META_BYTES = /structured metadata too large: '\d+' bytes, limit: '(\d+)' bytes/
    META_COUNT = /too many structured metadata labels: '\d+', limit: '(\d+)'/
    # What is wrong with a stream as a whole
    LABEL = /stream '(\{.*?\})' has (?:label (?:name|value) too long|duplicate label name)/
    STREAM = /stream '(\{.*?\})'/
    UNREADABLE = /pars|unmarshal|invalid character|unexpected|decod|readObject|looking for|syntax/i

    def initialize(entries, text, newest)
      @entries = entries
      @text = text
      @newest = newest
      @out = {}
    end

    # entry → [kind, reason]; nil when nothing of the push was stored.
    def result
      ingester
      distributor
      return @out unless @out.empty?
      return nil if @text.match?(UNREADABLE)

      @entries.each { |entry| @out[entry] = [@entries.size == 1 ? "refused" : "maybe-stored", @text] }
      @out
    end

    private

    def ingester
      rest = @text
      while (total = TOTAL.match(rest))
        block = total.pre_match
        rest = total.post_match
        stream = pairs(total[3])
        mine = @entries.select { |entry| same?(entry.labels, stream) }
        reason = nil
        count = 0
        block.scan(IGNORED) do |second, fraction, words|
          ns = Time.iso8601("#{second.sub(" ", "T")}Z").to_i * 1_000_000_000 + (fraction || "").ljust(9, "0").to_i
          reason ||= words
          hit = mine.select { |entry| entry.ns == ns && !@out[entry] }
          hit.each { |entry| @out[entry] = ["refused", words] }
          count += 1
        end
        unnamed(mine, total[1].to_i, count, reason) if total[1].to_i > count
        behind(stream, reason) if reason&.match?(/behind/)
      end
    end

    # Loki names ten of a stream at most. Where it says from when on it takes lines, to the second, that tells
    # the others apart.
    def unnamed(mine, total, count, reason)
      oldest = reason && (found = OLDEST.match(reason)) && seconds(found[1])
      mine.each do |entry|
        next if @out[entry] || (oldest && entry.ns >= oldest + 1_000_000_000)

        @out[entry] = if oldest && entry.ns < oldest
                        ["refused", reason]
                      else
                        ["maybe-stored", "one of #{total} refused of its stream, #{count} of which were named: #{reason}"]
                      end
      end
    end

    # Loki names one stream only: of the others, those that are as late may be refused too.
    def behind(stream, reason)
      newest = @newest.dup
      @entries.each { |entry| newest[entry.labels] = [newest[entry.labels] || 0, entry.ns].max }
      @entries.each do |entry|
        next if @out[entry] || same?(entry.labels, stream) || entry.ns > newest[entry.labels] - Loki::BEHIND

        @out[entry] = ["maybe-stored", "as far behind as those of another stream: #{reason}"]
      end
    end

    def distributor
      if (found = OLD.match(@text)) && (oldest = seconds(found[1]))
        each_open { |entry| ["refused", found[0]] if entry.ns < oldest }
        each_open { |entry| ["maybe-stored", found[0]] if entry.ns < oldest + 1_000_000_000 }
      end
      if (found = NEW.match(@text)) && (newest = seconds(found[1]))
        each_open { |entry| ["refused", found[0]] if entry.ns >= newest }
      end
      if (found = LONG.match(@text))
        each_open { |entry| ["refused", found[0]] if entry.line.bytesize > found[1].to_i }
      end
      if (found = LABELS.match(@text))
        # It counts one that it adds itself
        each_open { |entry| ["refused", found[0]] if entry.labels.size >= found[1].to_i || entry.labels.size > found[2].to_i }
      end
      if (found = META_BYTES.match(@text))
        each_open { |entry| ["refused", found[0]] if entry.meta.sum { |key, value| key.bytesize + value.bytesize } > found[1].to_i }
      end
      if (found = META_COUNT.match(@text))
        each_open { |entry| ["refused", found[0]] if entry.meta.size > found[1].to_i }
      end
      @text.scan(LABEL).flatten.uniq.each do |text|
        stream = pairs(text)
        each_open { |entry| ["refused", "a label of the stream is too long, or there twice"] if same?(entry.labels, stream) }
      end
      return unless @out.empty?

      @text.scan(STREAM).flatten.uniq.each do |text|
        stream = pairs(text)
        each_open { |entry| ["maybe-stored", @text] if same?(entry.labels, stream) }
      end
    end

    def each_open
      @entries.each do |entry|
        next if @out[entry]

        verdict = yield entry
        @out[entry] = verdict if verdict
      end
    end

    def seconds(text)
      Time.iso8601(text.delete(",'").sub(/[^0-9Z]+\z/, "")).to_i * 1_000_000_000
    rescue ArgumentError
      nil
    end

    def pairs(text)
      text.scan(/([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/).to_h { |name, value| [name, value.gsub(/\\(.)/, '\1')] }
    end

    # Loki adds labels of its own: service_name, and those of its shards
    def same?(labels, stream)
      stream == labels || stream.reject { |name, _| !labels.key?(name) && (name == "service_name" || name.start_with?("__")) } == labels
    end
  end
end
