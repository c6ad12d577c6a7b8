# frozen_string_literal: true

# Reads the log files of a node's containers: /var/log/pods/<namespace>_<pod>_<uid>/<container>/<n>.log, with
# those that the kubelet has rotated, compressed ones too if they went before they were read.
#
# Files are known by inode, not by name, so a rename is no event. The position of a file moves on only when
# what was read has been taken by every buffer, and never past the beginning of a record that is still open:
# after a crash such lines are read again, and lines that were handed on are not. Plain Ruby.

require "fileutils"
require "json"
require "set"
require "zlib"
require_relative "obs_core"
require_relative "obs_join"
require_relative "obs_positions"

module Obs
  class Tail
    PATH = %r{/([a-z0-9-]+)_([a-z0-9.-]+)_([A-Za-z0-9-]+)/([a-z0-9-]+)/(\d+)\.log(?:\.([0-9-]+))?(\.gz)?\z}

    Identity = Struct.new(:namespace, :pod, :uid, :container, :restart)

    # A file that is read. rank: its place among those of its container; pos: bytes turned into lines; rest: those
    # read after them; saved: what was last written down; over: there is no more at the moment.
    Followed = Struct.new(:entry, :path, :rank, :io, :pos, :rest, :gone, :saved, :quiet_since, :gz, :over)

    # What one container writes: its files, the oldest first.
    Container = Struct.new(:identity, :files, :joiner, :pending)

    FINGERPRINT = 256
    # Fewer bytes than the shortest line say too little
    TELLING = 35
    QUANTUM = 128 * 1024
    LONGEST = 1024 * 1024

    def initialize(settings, clock: -> { Process.clock_gettime(Process::CLOCK_MONOTONIC) }, wall: -> { Time.now }, aside: nil, log: nil, metrics: METRICS, ready: -> { true }, &emit)
      @settings = settings
      @root = settings.fetch("root")
      @state = settings.fetch("state")
      @clock = clock
      @wall = wall
      @aside = aside
      @log = log
      @quiet = Quiet.new(clock: clock)
      @metrics = metrics
      # Whether records would be taken now. While they would not, files are looked for all the same: one that
      # is open can be read even when the kubelet has deleted it
      @ready = ready
      @emit = emit
      @line = Line.new
      @containers = {}
      @followed = {}
      @exclude = (settings["exclude"] || [])
      @budget = Budget.new(settings["limits"] || {}, clock)
      @positions = Positions.new(File.join(@state, "positions"))
      say(:warn, "positions", "#{@positions.damaged} lines of #{@state}/positions cannot be read; the copy is used for them") if @positions.damaged.positive?
      @read_gz = Set.new(load_list)
      @cutoff = cutoff
      @last_scan = @last_copy = nil
    end

    # One round over all containers: gives the number of bytes read. Small enough that stopping does not
    # take long; fair, since each container has its turn.
    def step
      now = @clock.call
      scan if @last_scan.nil? || now - @last_scan >= (@settings["refresh"] || 2)
      bytes = 0
      starved = Set.new
      @containers.each_value do |container|
        next unless deliver(container) && @ready.call

        namespace = container.identity.namespace
        if @budget.left?(namespace)
          read = read_some(container)
          @budget.spend(namespace, read)
          bytes += read
        elsif more?(container)
          starved << namespace
        end
        container.pending.concat(container.joiner.flush(@clock.call))
        deliver(container)
      end
      throttled(starved, now)
      bytes
    end

    # Looks for new, renamed and vanished files.
    def scan
      @last_scan = @clock.call
      present = {}
      compressed = []
      unreadable = 0
      Dir.glob(File.join(@root, "*", "*", "*.log*")).each do |path|
        found = PATH.match(path) or next
        next if excluded?(found)

        if found[7]
          compressed << [path, found]
          next
        end
        begin
          stat = File.stat(path)
        rescue SystemCallError
          next
        end
        key = [stat.dev, stat.ino]
        present[key] = true
        unreadable += 1 unless follow(key, path, found, stat)
      end
      vanished(present)
      give_up
      rescue_compressed(compressed)
      retire
      @metrics.set("obs_fluentd_unreadable_files", unreadable)
      @metrics.set("obs_fluentd_files", @followed.size)
      measure
      minute
    end

    # Everything that can be read now, for tests and for an end in good order.
    def drain(rounds: 10_000)
      rounds.times do
        scan
        break if step.zero? && @containers.each_value.all? { |container| container.pending.empty? && !more?(container) }
      end
    end

    # Hands on nothing more: what waits is read again after the next start.
    def close
      @followed.each_value { |file| file.io&.close }
      @positions.duplicate
      @positions.close
    end

    private

    def say(level, key, message)
      @quiet.say(key) { @log&.call(level, message) }
    end

    # What is older than the first start by more than `backfill` was written for somebody else.
    def cutoff
      path = File.join(@state, "first-start")
      if @positions.fresh || !File.exist?(path)
        File.write("#{path}.new", @wall.call.to_f.to_s)
        File.rename("#{path}.new", path)
      end
      ((File.read(path).to_f - (@settings["backfill"] || 3600)) * 1_000_000_000).to_i
    end

    def list_path
      File.join(@state, "compressed")
    end

    def load_list
      JSON.parse(File.read(list_path))
    rescue SystemCallError, JSON::ParserError
      []
    end

    def save_list
      File.write("#{list_path}.new", JSON.generate(@read_gz.to_a))
      File.rename("#{list_path}.new", list_path)
    end

    def excluded?(found)
      name = "#{found[1]}/#{found[2]}/#{found[4]}"
      @exclude.any? { |pattern| File.fnmatch?(pattern, name, File::FNM_PATHNAME) }
    end

    def container(path, found)
      @containers["#{File.dirname(path)}/#{found[5]}"] ||= begin
        identity = Identity.new(found[1], found[2], found[3], found[4], found[5].to_i)
        Container.new(identity, [], joiner(identity), [])
      end
    end

    def joiner(identity)
      rule = (@settings["rules"] || []).find do |entry|
        File.fnmatch?(entry["namespace"] || "*", identity.namespace) && File.fnmatch?(entry["container"] || "*", identity.container)
      end
      options = (@settings["join"] || {}).transform_keys(&:to_sym)
      options[:start] = Regexp.new(rule["start"]) if rule
      Joiner.new(**options)
    end

    # false: it cannot be opened
    def follow(key, path, found, stat)
      file = @followed[key]
      if file
        rename(file, path, found) if file.path != path
        truncated(file, path, found) if file.io && stat.size < file.pos + file.rest.bytesize
        return true
      end
      entry = known(@positions[*key], path, stat)
      # Read to its end already: only if it has grown since
      if entry && entry.safe >= stat.size && found[6]
        names << path
        return true
      end

      io = File.open(path, "rb")
      entry ||= @positions.add(Positions::Entry.new(stat.dev, stat.ino, 0, 0, 0, 0, 0, path))
      io.sysseek(entry.safe)
      file = Followed.new(entry, path, found[6] || "~", io, entry.safe, String.new(encoding: Encoding::BINARY), false, nil, nil, false, false)
      @followed[key] = file
      names << path
      insert(container(path, found), file)
      true
    rescue SystemCallError => e
      say(:error, "open #{e.class}", "#{path} cannot be read: #{e.message}; Fluentd must run as uid 0, and with SELinux as type spc_t") unless e.is_a?(Errno::ENOENT)
      e.is_a?(Errno::ENOENT)
    end

    def names
      @seen_names ||= Set.new
    end

    # The entry, if it is still about this file: inodes are used again, and files are truncated.
    def known(entry, path, stat)
      return nil unless entry
      return entry if entry.length.positive? && stat.size >= entry.safe && fingerprint(path, entry.length) == entry.crc
      return entry if entry.length.zero? && entry.safe.zero?

      # It may be that of a file which was compressed meanwhile, and whose number was given to this one
      orphan = entry.dup
      orphan.dev = 0
      orphan.ino = entry.crc << 12 | entry.length
      @positions.add(orphan)
      entry.length = entry.crc = entry.safe = entry.stdout = entry.stderr = 0
      @positions.save(entry)
      entry
    end

    def fingerprint(path, length)
      Zlib.crc32(File.binread(path, length).to_s)
    rescue SystemCallError
      nil
    end

    def insert(container, file)
      container.files << file
      container.files.sort_by!(&:rank)
    end

    def rename(file, path, found)
      file.path = path
      file.rank = found[6] || "~"
      names << path
      container(path, found).files.sort_by!(&:rank)
    end

    def truncated(file, path, found)
      owner = container(path, found)
      owner.pending.concat(owner.joiner.finish)
      # The places of what waits are those of the old content
      return unless deliver(owner)

      @metrics.add("obs_fluentd_truncated_files_total")
      say(:warn, "truncated #{path}", "#{path} was truncated while it was read; it is read from its beginning again")
      file.entry.length = file.entry.crc = file.entry.safe = file.entry.stdout = file.entry.stderr = 0
      @positions.save(file.entry)
      file.pos = 0
      file.rest.clear
      file.io.sysseek(0)
    end

    # Files whose name is gone are read to their end as long as they are open.
    def vanished(present)
      @followed.each { |key, file| file.gone = true unless file.gz || present[key] }
      @positions.keep do |entry|
        key = [entry.dev, entry.ino]
        present[key] || @followed[key] || keep_for_compressed?(entry)
      end
      names.select! { |path| File.exist?(path) || File.exist?("#{path}.gz") || @followed.each_value.any? { |file| file.path == path } }
    end

    # After a start, entries of files that were compressed meanwhile tell how far those were read.
    def keep_for_compressed?(entry)
      (@last_copy.nil? && entry.length.positive?) || @followed.each_value.any? { |file| file.entry.equal?(entry) }
    end

    # A deleted file takes its space as long as it is open. Above a limit the oldest ones are given up: read
    # on from their compressed form if there is one, and lost otherwise.
    def give_up
      limit = @settings["deleted"] || 512 * 1024 * 1024
      gone = @containers.each_value.flat_map do |owner|
        owner.files.select { |file| file.gone && !file.gz }.map { |file| [owner, file, file.io.stat.size - file.pos] }
      end
      total = gone.sum { |_, _, left| left }
      gone.sort_by { |_, file, _| file.io.stat.mtime }.each do |owner, file, left|
        break if total <= limit
        next unless left.positive?

        if File.exist?("#{file.path}.gz")
          total -= left if hand_over(owner, file)
        else
          total -= left
          lose(owner, file, left)
        end
      end
    end

    # false: records that began in it are not taken yet, and would be read again
    def hand_over(owner, file)
      marks = owner.joiner.open_marks + owner.pending.flat_map { |record| [record.mark, record.finish] }
      if marks.any? { |mark| mark[0].equal?(file) }
        owner.pending.concat(owner.joiner.finish)
        return false unless deliver(owner)
      end
      names.delete(file.path)
      owner.files.delete(file)
      @followed.delete([file.entry.dev, file.entry.ino])
      file.io.close
      true
    end

    def lose(owner, file, left)
      @metrics.add("obs_fluentd_missed_files_total")
      @metrics.add("obs_fluentd_missed_bytes_total", left, { source_namespace: owner.identity.namespace })
      say(:error, file.path, "#{file.path} was deleted with #{left} bytes unread, which are lost: #{owner.identity.namespace} logs faster than it is read")
      skip(file)
    end

    # A compressed file that nobody has read before it was compressed.
    def rescue_compressed(list)
      paths = list.to_h
      before = @read_gz.size
      @read_gz.select! { |path| paths.key?(path) }
      list.each do |path, found|
        next if @read_gz.include?(path) || @followed.key?(path)

        if names.include?(path.delete_suffix(".gz"))
          @read_gz << path
          next
        end
        open_compressed(path, found)
      end
      save_list if @read_gz.size != before || @list_changed
      @list_changed = false
    end

    def open_compressed(path, found)
      stat = File.stat(path)
      if stat.mtime.to_f * 1_000_000_000 < @cutoff
        @read_gz << path
        return
      end
      io = Zlib::GzipReader.open(path)
      head = io.read(FINGERPRINT).to_s
      io.rewind
      entry = nil
      @positions.each { |candidate| entry = candidate if candidate.length >= TELLING && Zlib.crc32(head.byteslice(0, candidate.length)) == candidate.crc }
      # No device has the number 0: such an entry is of a compressed file
      entry ||= @positions.add(Positions::Entry.new(0, Zlib.crc32(path), 0, 0, 0, 0, 0, path))
      skip = entry.safe
      while skip.positive?
        piece = io.read([skip, QUANTUM].min) or break
        skip -= piece.bytesize
      end
      @followed[path] = Followed.new(entry, path, found[6] || "", io, entry.safe, String.new(encoding: Encoding::BINARY), true, nil, nil, true, false)
      insert(container(path, found), @followed[path])
      say(:info, path, "#{path} was compressed before it was read; it is read now")
    rescue Zlib::Error, SystemCallError, EOFError => e
      @read_gz << path
      @metrics.add("obs_fluentd_missed_files_total")
      say(:error, path, "#{path} was compressed before it was read, and cannot be read now: #{e.message}")
    end

    # Closes what was read to its end and will not grow.
    def retire
      now = @clock.call
      @containers.delete_if do |_, owner|
        owner.files.delete_if do |file|
          last = owner.files.last.equal?(file) && !file.gone
          next false if last && file.rank == "~"
          unless over?(file)
            file.quiet_since = nil
            next false
          end
          file.quiet_since ||= now
          next false if now - file.quiet_since < (file.gz ? 0 : 5)

          finish_file(owner, file)
        end
        if owner.files.empty?
          owner.pending.concat(owner.joiner.finish)
          deliver(owner) && owner.pending.empty?
        else
          false
        end
      end
    end

    # true: it is closed. Its last line may have no newline, and a record that began in it may be open.
    def finish_file(owner, file)
      unless file.rest.empty?
        take(owner, file, file.rest.dup, file.pos, file.pos + file.rest.bytesize)
        file.pos += file.rest.bytesize
        file.rest.clear
      end
      return false unless deliver(owner)
      return false if !file.gone && owner.joiner.open_marks.any? { |mark| mark[0].equal?(file) }

      if file.gone && owner.files.size == 1
        owner.pending.concat(owner.joiner.finish)
        return false unless deliver(owner)
      end
      save(owner, file)
      file.io.close
      if file.gz
        @read_gz << file.path
        @list_changed = true
        @followed.delete(file.path)
      else
        @followed.delete([file.entry.dev, file.entry.ino])
      end
      true
    end

    def measure
      lag = Hash.new(0)
      @containers.each_value do |owner|
        owner.files.each do |file|
          next if file.gz

          size = file.io.stat.size
          lag[{ source_namespace: owner.identity.namespace }] += [size - file.pos, 0].max
        end
      end
      @metrics.replace("obs_fluentd_lag_bytes", lag)
    end

    def minute
      now = @clock.call
      return if @last_copy && now - @last_copy < 60

      @last_copy = now
      @positions.duplicate
    end

    def more?(container)
      container.files.any? { |file| !over?(file) }
    end

    # Nothing more to read at the moment, asked of the file: it may have grown while it waited for its turn.
    def over?(file)
      file.gz ? file.over : file.io.stat.size <= file.pos + file.rest.bytesize
    end

    # Reads the oldest file that has more. Bytes read.
    def read_some(owner)
      owner.files.each do |file|
        next if !file.gz && over?(file)

        data = begin
          file.gz ? file.io.read(QUANTUM) : file.io.sysread(QUANTUM)
        rescue EOFError
          nil
        rescue Zlib::Error, SystemCallError => e
          missed(file, e)
          nil
        end
        if data.nil?
          file.over = true
          next
        end
        file.over = false
        file.quiet_since = nil
        identify(file, data)
        lines(owner, file, data)
        return data.bytesize
      end
      0
    end

    def missed(file, error)
      skip(file)
      @metrics.add("obs_fluentd_missed_files_total")
      say(:error, file.path, "#{file.path} cannot be read to its end: #{error.message}")
    end

    # As if the rest had been read.
    def skip(file)
      file.over = true
      return if file.gz

      file.pos = file.io.stat.size
      file.rest.clear
      file.io.sysseek(file.pos)
    end

    # By its first bytes, as many as there are: the first line alone has a time to the nanosecond.
    def identify(file, data)
      return if file.entry.length >= FINGERPRINT

      if file.gz
        return if file.entry.length.positive? || file.pos.positive? || !file.rest.empty?

        head = data.byteslice(0, FINGERPRINT)
      else
        head = file.io.pread(FINGERPRINT, 0)
      end
      file.entry.length = head.bytesize
      file.entry.crc = Zlib.crc32(head)
    end

    def lines(owner, file, data)
      file.rest << data
      last = file.rest.rindex("\n")
      namespace = owner.identity.namespace
      @metrics.add("obs_fluentd_read_bytes_total", data.bytesize, { source_namespace: namespace })
      if last.nil?
        # No runtime writes such lines: a damaged file
        return if file.rest.bytesize < LONGEST

        last = file.rest.bytesize - 1
      end
      whole = file.rest.byteslice(0, last + 1)
      file.rest = file.rest.byteslice(last + 1, file.rest.bytesize)
      count = 0
      whole.each_line do |line|
        count += 1
        start = file.pos
        file.pos += line.bytesize
        line.delete_suffix!("\n") # chomp would take a carriage return along
        take(owner, file, line, start, file.pos)
      end
      @metrics.add("obs_fluentd_read_lines_total", count, { source_namespace: namespace })
    end

    def take(owner, file, bytes, start, finish)
      line = @line.parse(bytes)
      if line.nil?
        @metrics.add("obs_fluentd_malformed_lines_total")
        now = @wall.call
        line = Line::Parsed.new(now.to_i * 1_000_000_000 + now.nsec, "unknown", false, bytes)
      elsif line.ns < @cutoff
        @metrics.add("obs_fluentd_skipped_lines_total", 1, { reason: "before-first-start" })
        return
      end
      # Handed on before a restart
      return if line.stream == "stdout" ? finish <= file.entry.stdout : line.stream == "stderr" && finish <= file.entry.stderr

      owner.pending.concat(owner.joiner.feed(line, [file, start], [file, finish], @clock.call))
    end

    # Hands on what is complete; false while it is not taken.
    def deliver(owner)
      unless owner.pending.empty?
        return false unless @ready.call

        begin
          @emit.call(owner.identity, owner.pending)
        rescue StandardError => e
          @metrics.add("obs_fluentd_emit_failures_total")
          say(:warn, "emit #{e.class}", "records wait to be taken: #{e.message} (#{e.class})")
          return false
        end
        taken(owner)
      end
      owner.files.each { |file| save(owner, file) }
      true
    end

    def taken(owner)
      records = owner.pending
      owner.pending = []
      @metrics.add("obs_fluentd_records_total", records.size, { source_namespace: owner.identity.namespace })
      cut = []
      records.each do |record|
        file, finish = record.finish
        file.entry.stdout = finish if record.stream == "stdout" && finish > file.entry.stdout
        file.entry.stderr = finish if record.stream == "stderr" && finish > file.entry.stderr
        cut << record if record.original
      end
      set_aside(owner.identity, cut) unless cut.empty?
    end

    def set_aside(identity, records)
      records.each do |record|
        @metrics.add("obs_fluentd_cut_records_total")
        @metrics.add("obs_fluentd_cut_bytes_total", record.length - record.text.bytesize)
      end
      @aside&.put("cut", records.map do |record|
        { "time" => record.ns, "kind" => "cut", "reason" => "longer than a record may be: #{record.length} bytes",
          "length" => record.length, "kept" => record.original.bytesize, "line" => record.original,
          "namespace" => identity.namespace, "pod" => identity.pod, "container" => identity.container, "stream" => record.stream }
      end)
    rescue SystemCallError => e
      say(:error, "aside", "a long line cannot be set aside: #{e.message}")
    end

    # Writes down how far a file is done, if that has changed.
    def save(owner, file)
      safe = file.pos
      owner.joiner.open_marks.each { |mark| safe = mark[1] if mark[0].equal?(file) && mark[1] < safe }
      state = [safe, file.entry.stdout, file.entry.stderr, file.entry.length]
      return if file.saved == state

      file.saved = state
      file.entry.safe = safe
      @positions.save(file.entry)
    end

    def throttled(starved, now)
      passed = @last_round ? now - @last_round : 0
      @last_round = now
      starved.each do |namespace|
        @metrics.add("obs_fluentd_throttled_seconds_total", passed.round(3), { source_namespace: namespace })
        say(:warn, "throttled #{namespace}", "namespace #{namespace} writes more than its limit; its files wait, others do not")
      end
    end
  end
end
