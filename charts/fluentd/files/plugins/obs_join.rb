# frozen_string_literal: true

# From lines of a container's log file to records: what a line says (CRI or Docker), long lines put together
# from their parts, stack traces joined. Plain Ruby; it reads no files and no clock.

require "json"
require "time"
require_relative "obs_core"

module Obs
  # A line of a log file, as the runtime wrote it.
  class Line
    # ns: time in nanoseconds since 1970; partial: the line goes on in the next one
    Parsed = Struct.new(:ns, :stream, :partial, :text)

    CRI = /\A(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) (stdout|stderr) ([FP])(?::[^ ]*)?(?: (.*))?\z/mn

    def initialize
      @seconds = {}
    end

    # nil when it is in no known format. Takes bytes without the newline; the text is valid UTF-8 when it is
    # a whole line (a part may end within a character).
    def parse(bytes)
      if (found = CRI.match(bytes))
        ns = seconds(found[1], found[3]) or return nil
        ns = ns * 1_000_000_000 + (found[2] ? found[2].ljust(9, "0").to_i : 0)
        return Parsed.new(ns, found[4], found[5] == "P", found[6] || "".b)
      end
      bytes.start_with?("{") ? docker(bytes) : nil
    end

    private

    def docker(bytes)
      entry = JSON.parse(Text.clean(bytes.dup))
      return nil unless entry.is_a?(Hash) && entry["log"].is_a?(String) && entry["time"].is_a?(String)

      found = /\A(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)\z/.match(entry["time"]) or return nil
      ns = seconds(found[1], found[3]) or return nil
      ns = ns * 1_000_000_000 + (found[2] ? found[2].ljust(9, "0").to_i : 0)
      whole = entry["log"].end_with?("\n")
      Parsed.new(ns, entry["stream"] == "stderr" ? "stderr" : "stdout", !whole, (whole ? entry["log"].chomp("\n") : entry["log"]).b)
    rescue JSON::ParserError, EncodingError
      nil
    end

    # Lines of one second share it.
    def seconds(text, zone)
      @seconds.fetch(text + zone) do |key|
        @seconds.clear if @seconds.size > 64
        @seconds[key] = Time.iso8601(key).to_i
      end
    rescue ArgumentError
      nil
    end
  end

  # What continues a stack trace of Java, .NET, Python, Go, Node or Ruby. `kind` is what the record so far
  # looks like; `step` says what to do with the next line.
  module Trace
    QUALIFIED = /\A(?:[a-zA-Z_$][\w$]*\.)+[A-Z][\w$]*(?:Exception|Error|Throwable|Failure|Fault)[\w$]*(?::.*)?\z/
    THREAD = /\AException in thread "/
    FRAME = /\A\s+at \S/
    MORE = /\A\s*\.\.\. \d+ (?:more|common frames omitted)/
    CAUSE = /\A\s*(?:Caused by|Suppressed|Wrapped by): /
    INNER = /\A\s*--- End of (?:inner exception|stack trace)|\A\s+---> /
    PYTHON = /\A(?:  \+ Exception Group )?Traceback \(most recent call last\):/
    CHAIN = /\A(?:During handling of the above exception|The above exception was the direct cause)/
    GO_START = /\A(?:panic|fatal error): |\ASIGSEGV: /
    GOROUTINE = /\Agoroutine \d+ /
    GO_FRAME = /\A(?:created by |\[signal |exit status \d|\.\.\.|[\w.\/*()\-{}\[\]·$%,]+\(.*\)\z|[a-z0-9]+ +0x[0-9a-f]+\z)/
    NODE_START = %r{\A(?:(?:file://)?/\S+\.[cm]?[jt]sx?|node:\S+):\d+\z}
    NODE_ERROR = /\A(?:Uncaught )?(?:[A-Z][\w.]*)?(?:Error|Exception)\b/
    NODE_REST = /\A(?:\s*\^+\s*|\}|Node\.js v\d.*)\z/
    RUBY_START = /\A\S+\.rb:\d+:in [`']|\A\S+:\d+:in [`'].*\(.+\)\z/
    RUBY_FRAME = /\A\s+(?:\d+: )?from \S+:\d+:in /
    BLANK = /\A\s*\z/
    INDENTED = /\A[ \t]+\S/

    # First characters of lines that could continue any trace: blank, tab and . - C S W
    ANYWHERE = [32, 9, 46, 45, 67, 83, 87].freeze
    # First characters of lines that begin none: digits and [ < ( as most lines of most logs do
    NEVER = [*48..57, 91, 60, 40].freeze

    module_function

    def kind(line)
      return nil if NEVER.include?(line.getbyte(0))
      return :java_head if line.match?(QUALIFIED) || line.match?(THREAD)
      return :python if line.match?(PYTHON)
      return :go if line.match?(GO_START)
      return :node_source if line.match?(NODE_START)
      return :ruby if line.match?(RUBY_START)

      nil
    end

    # [:join, kind], [:hold, kind] for a blank line that may or may not belong to it, or nil.
    def step(kind, line)
      if ANYWHERE.include?(line.getbyte(0))
        return join(kind == :node || kind == :node_object ? :node : :java, line) if line.match?(FRAME)
        return [:join, kind || :java] if line.match?(MORE) || line.match?(INNER)
        return [:join, :java] if line.match?(CAUSE)
        return [:join, :ruby] if line.match?(RUBY_FRAME)
      end

      case kind
      when nil then after_a_line(line)
      when :java_head then line.match?(INDENTED) ? [:join, kind] : nil
      when :java then nil
      when :python then line.match?(BLANK) ? nil : [:join, line.match?(INDENTED) ? :python : :python_end]
      when :python_end then python_end(line)
      when :python_chain
        return [:hold, kind] if line.match?(BLANK)

        line.match?(PYTHON) ? [:join, :python] : nil
      when :go then go(line)
      when :node_source then line.match?(BLANK) ? nil : [:join, :node]
      when :node then node(line)
      when :node_object then [:join, line.match?(/\A\s*\}/) ? :node : :node_object]
      when :ruby then line.match?(INDENTED) || line.match?(RUBY_START) ? [:join, kind] : nil
      end
    end

    # The line before a trace is what the application said about it.
    def after_a_line(line)
      return nil if NEVER.include?(line.getbyte(0))
      return [:join, :java_head] if line.match?(QUALIFIED) || line.match?(THREAD)
      return [:join, :python] if line.match?(PYTHON)
      return [:join, :go] if line.match?(GOROUTINE)

      nil
    end

    # A frame of Node may open the properties of its error.
    def join(kind, line)
      [:join, line.end_with?(" {") ? :node_object : kind]
    end

    def python_end(line)
      return [:hold, :python_end] if line.match?(BLANK)
      return [:join, :python_chain] if line.match?(CHAIN)

      line.match?(INDENTED) ? [:join, :python_end] : nil
    end

    def go(line)
      return [:hold, :go] if line.match?(BLANK)

      line.match?(INDENTED) || line.match?(GOROUTINE) || line.match?(GO_FRAME) ? [:join, :go] : nil
    end

    def node(line)
      return [:hold, :node] if line.match?(BLANK)
      return [:join, :node] if line.match?(INDENTED) || line.match?(NODE_ERROR) || line.match?(NODE_REST)

      nil
    end
  end

  # Joins what one container writes. Each stream is joined by itself. A record stays open until the next
  # line shows that it is complete, or for `idle` seconds; `open_marks` says where the open ones begin, so that
  # nothing is lost when the process ends: they are read again.
  class Joiner
    # mark: what came with the first line, finish: with the last one. original: the whole text of a cut
    # record, as far as it was kept; length: its real length in bytes.
    Record = Struct.new(:ns, :stream, :text, :mark, :finish, :length, :original, :unfinished)

    Part = Struct.new(:ns, :mark, :finish, :text, :length, :at)
    Open = Struct.new(:ns, :mark, :finish, :lines, :bytes, :count, :kind, :held, :at)

    # start: a pattern of first lines, which replaces the rules for stack traces
    def initialize(max_bytes: 256_000, max_lines: 1000, keep: 2 * 1024 * 1024, idle: 1.0, unfinished: 30.0, traces: true, start: nil)
      @max_bytes = max_bytes
      @max_lines = max_lines
      @keep = keep
      @idle = idle
      @unfinished = unfinished
      @traces = traces
      @start = start
      @parts = {}
      @open = {}
    end

    # Gives the records that are complete now. now: any clock that only goes forward, in seconds.
    def feed(line, mark, finish, now)
      part = @parts[line.stream]
      if part || line.partial
        part ||= @parts[line.stream] = Part.new(line.ns, mark, nil, String.new(capacity: 32_768, encoding: Encoding::BINARY), 0, now)
        room = @keep - part.text.bytesize
        part.text << (line.text.bytesize > room ? line.text.byteslice(0, room) : line.text) if room.positive?
        part.length += line.text.bytesize
        part.finish = finish
        part.at = now
        return [] if line.partial

        @parts.delete(line.stream)
        return complete(line.stream, part.ns, part.text, part.length, part.mark, finish, now)
      end
      complete(line.stream, line.ns, line.text, line.text.bytesize, mark, finish, now)
    end

    # What waited long enough for more.
    def flush(now)
      out = []
      @open.each { |stream, open| out.concat(close(stream)) if now - open.at >= @idle }
      @parts.each do |stream, part|
        next if now - part.at < @unfinished

        @parts.delete(stream)
        out.concat(close(stream))
        out << record(part.ns, stream, part.text, part.length, part.mark, part.finish, true)
      end
      out
    end

    # Everything, complete or not: its container is gone.
    def finish
      out = @open.keys.flat_map { |stream| close(stream) }
      @parts.each { |stream, part| out << record(part.ns, stream, part.text, part.length, part.mark, part.finish, true) }
      @parts.clear
      out
    end

    def open_marks
      @open.each_value.map(&:mark) + @parts.each_value.map(&:mark)
    end

    def idle?
      @open.empty? && @parts.empty?
    end

    private

    def complete(stream, ns, bytes, length, mark, finish, now)
      text = Text.clean(bytes)
      open = @open[stream]
      if length > @max_bytes || !(@traces || @start)
        return close(stream) << record(ns, stream, text, length, mark, finish, false)
      end

      if open
        joined = continue(stream, open, ns, text, mark, finish, now)
        return joined if joined
      end
      out = close(stream)
      if @start.nil? && (text.empty? || text.start_with?("{"))
        return out << record(ns, stream, text, length, mark, finish, false)
      end

      @open[stream] = Open.new(ns, mark, finish, [text], length, 1, @start ? nil : Trace.kind(text), [], now)
      out
    end

    # nil: the line does not continue the open record
    def continue(stream, open, ns, text, mark, finish, now)
      what, kind = if @start
                     @start.match?(text) ? nil : [:join, nil]
                   elsif text.start_with?("{")
                     nil
                   else
                     Trace.step(open.kind, text)
                   end
      return nil unless what

      open.kind = kind
      if what == :hold
        open.held << [ns, text, mark, finish]
        open.at = now
        return open.held.size > 5 ? close(stream) : []
      end
      added = open.held.sum { |held| held[1].bytesize + 1 } + text.bytesize + 1
      lines = open.held.size + 1
      if open.bytes + added > @max_bytes || open.count + lines > @max_lines
        return nil
      end

      open.held.each { |held| open.lines << held[1] }
      open.held = []
      open.lines << text
      open.bytes += added
      open.count += lines
      open.finish = finish
      open.at = now
      []
    end

    def close(stream)
      open = @open.delete(stream) or return []
      text = open.lines.size == 1 ? open.lines[0] : open.lines.join("\n")
      out = [record(open.ns, stream, text, text.bytesize, open.mark, open.finish, false)]
      open.held.each { |held| out << record(held[0], stream, held[1], held[1].bytesize, held[2], held[3], false) }
      out
    end

    def record(ns, stream, text, length, mark, finish, unfinished)
      text = Text.clean(text)
      return Record.new(ns, stream, text, mark, finish, length, nil, unfinished) if length <= @max_bytes

      sign = " … [cut by kubectl-obs: #{length} bytes]"
      Record.new(ns, stream, Text.first(text, @max_bytes - sign.bytesize) + sign, mark, finish, length, text, unfinished)
    end
  end
end
