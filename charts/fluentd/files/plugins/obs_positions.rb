# frozen_string_literal: true

# What reading files needs beside reading: where each stands, kept on disk, and how much each namespace may read.
# Plain Ruby.

require "fileutils"
require_relative "obs_core"

module Obs
  # Where each file stands: a line each, of which the numbers are written in place after each batch, so that
  # a kill loses nothing. A copy from a minute ago replaces lines that cannot be read.
  class Positions
    Entry = Struct.new(:dev, :ino, :length, :crc, :safe, :stdout, :stderr, :path, :at)

    WIDTH = 16 * 5 + 3 + 8 + 7
    LINE = /\A(\h{16}) (\h{16}) (\h{3}) (\h{8}) (\h{16}) (\h{16}) (\h{16}) (.+)\z/

    attr_reader :fresh, :damaged

    def initialize(path)
      @path = path
      @entries = {}
      FileUtils.mkdir_p(File.dirname(path))
      @fresh = !File.exist?(path) && !File.exist?(copy)
      @damaged = 0
      # The older first, so that the newer wins
      read(copy, false)
      read(path, true)
      rewrite
    end

    def [](dev, ino)
      @entries[[dev, ino]]
    end

    def each(&block)
      @entries.each_value(&block)
    end

    def add(entry)
      @entries[[entry.dev, entry.ino]] = entry
      entry.at = @size
      @size += @file.pwrite(text(entry) + entry.path + "\n", @size)
      entry
    end

    def save(entry)
      @file.pwrite(text(entry), entry.at)
    end

    # Forgets files that are gone.
    def keep(&block)
      before = @entries.size
      @entries.select! { |_, entry| block.call(entry) }
      rewrite if @entries.size != before
    end

    def duplicate
      File.write("#{copy}.new", @entries.each_value.map { |entry| text(entry) + entry.path + "\n" }.join)
      File.rename("#{copy}.new", copy)
    end

    def close
      @file.close
    end

    private

    def copy
      "#{@path}.copy"
    end

    def text(entry)
      format("%016x %016x %03x %08x %016x %016x %016x ", entry.dev, entry.ino, entry.length, entry.crc, entry.safe, entry.stdout, entry.stderr)
    end

    def read(path, count)
      return unless File.exist?(path)

      File.binread(path).each_line(chomp: true) do |line|
        unless (found = LINE.match(line))
          @damaged += 1 if count
          next
        end
        numbers = found.captures[0, 7].map(&:hex)
        entry = Entry.new(*numbers, found[8].force_encoding(Encoding::UTF_8))
        @entries[[entry.dev, entry.ino]] = entry
      end
    end

    def rewrite
      @file&.close
      @size = 0
      File.open("#{@path}.new", "wb") do |file|
        @entries.each_value do |entry|
          entry.at = @size
          @size += file.write(text(entry) + entry.path + "\n")
        end
        file.fsync
      end
      File.rename("#{@path}.new", @path)
      @file = File.open(@path, "r+b")
    end
  end

  # Bytes per second for each namespace, with a burst: who writes too much waits, and nobody else.
  class Budget
    def initialize(limits, clock)
      @default = limits["default"] || 0
      @special = limits["namespaces"] || {}
      @burst = limits["burst"] || 10
      @clock = clock
      @buckets = {}
    end

    def left?(namespace)
      rate = rate(namespace)
      return true if rate.zero?

      now = @clock.call
      bucket = @buckets[namespace] ||= [rate * @burst, now]
      bucket[0] = [bucket[0] + (now - bucket[1]) * rate, rate * @burst].min
      bucket[1] = now
      bucket[0].positive?
    end

    def spend(namespace, bytes)
      bucket = @buckets[namespace]
      bucket[0] -= bytes if bucket
    end

    private

    def rate(namespace)
      (@special[namespace] || @default).to_f
    end
  end
end
