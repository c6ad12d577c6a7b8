# frozen_string_literal: true

# What happens to files while they are read: rotation, compression, truncation, deletion, kills, a lost file of
# positions, a buffer that takes nothing. Each line comes out once.

require_relative "support"

class FilesTest < NodeTest
  def numbers(range)
    range.map { |n| Node.cri("line #{n}") }.join
  end

  def assert_lines(range)
    assert_equal range.map { |n| "line #{n}" }, @node.texts
  end

  def test_a_line_counts_when_its_newline_is_there
    text = Node.cri("line 1")
    @node.write(text[0, 20]).read.later
    assert_empty @node.texts
    @node.write(text[20..]).later.later
    assert_lines 1..1
  end

  def test_rotation_while_it_is_read
    @node.write(numbers(1..3)).read.rotate("20261128-100000").write(numbers(4..6)).read
    @node.rotate("20261128-110000").write(numbers(7..9)).later.later
    assert_lines 1..9
  end

  def test_two_rotations_between_two_looks
    @node.write(numbers(1..3)).read
    @node.write(numbers(4..5)).rotate("20261128-100000").write(numbers(6..7)).rotate("20261128-110000").write(numbers(8..9))
    @node.later.later
    assert_lines 1..9
  end

  def test_two_rotations_while_nobody_reads
    @node.write(numbers(1..3)).read.later.stop
    @node.write(numbers(4..5)).rotate("20261128-100000").write(numbers(6..7)).rotate("20261128-110000").write(numbers(8..9))
    @node.read.later
    assert_lines 1..9
  end

  def test_a_file_compressed_while_nobody_reads_goes_on_where_it_was
    @node.write(numbers(1..3)).read.later.stop
    @node.write(numbers(4..5)).rotate("20261128-100000").write(numbers(6..7)).compress("20261128-100000").rotate("20261128-110000").write(numbers(8..9))
    @node.read.later.later
    assert_lines 1..9
    @node.stop.read.later
    assert_lines 1..9
  end

  def test_a_compressed_file_that_was_read_is_not_read_again
    @node.write(numbers(1..3)).read.rotate("20261128-100000").write(numbers(4..6)).read.later
    @node.compress("20261128-100000").later.later
    @node.stop.read.later
    assert_lines 1..6
  end

  def test_a_compressed_file_after_a_kill
    @node.write(numbers(1..3)).read.later.kill
    @node.write(numbers(4..5)).rotate("20261128-100000").compress("20261128-100000").write(numbers(6..7))
    @node.read.later.kill
    @node.read.later.later
    assert_lines 1..7
  end

  def test_a_damaged_compressed_file_is_counted
    @node.write(numbers(1..2)).read
    File.binwrite(@node.path("0.log.20261128-090000.gz"), "no gzip")
    grown = grows("obs_fluentd_missed_files_total") { @node.later.later }
    assert_equal 1, grown
    assert_lines 1..2
  end

  def test_a_part_before_a_rotation_and_its_end_after_it
    @node.write(numbers(1..1) + Node.cri("li", flag: "P")).read.rotate("20261128-100000").write(Node.cri("ne 2") + numbers(3..3)).later.later
    assert_lines 1..3
  end

  def test_a_kill_between_the_parts_of_a_line
    @node.write(numbers(1..2) + Node.cri("li", flag: "P")).read.kill
    @node.write(Node.cri("ne 3") + numbers(4..4)).read.later
    assert_lines 1..4
  end

  def test_a_stop_between_the_parts_of_a_line
    @node.write(numbers(1..2) + Node.cri("li", flag: "P")).read.stop
    @node.write(Node.cri("ne 3") + numbers(4..4)).read.later
    assert_lines 1..4
  end

  def test_a_kill_with_an_open_line_of_one_stream_doubles_nothing_of_the_other
    @node.write(Node.cri("open", flag: "P")).write(Node.cri('{"a":1}', stream: "stderr")).write(Node.cri('{"a":2}', stream: "stderr")).read
    assert_equal ['{"a":1}', '{"a":2}'], @node.texts
    @node.kill.write(Node.cri(" end")).write(Node.cri('{"a":3}', stream: "stderr")).read.later
    assert_equal ['{"a":1}', '{"a":2}', '{"a":3}', "open end"], @node.texts
  end

  def test_kills_at_any_moment
    random = Random.new(7)
    expected = 0
    60.times do |round|
      random.rand(1..400).times { @node.write(Node.cri("line #{expected += 1}")) }
      @node.rotate(format("20261128-%06d", round)) if random.rand < 0.2 && File.exist?(@node.path)
      @node.start unless @node.tail
      random.rand(0..3).times { @node.tail.step }
      @node.kill if random.rand < 0.5
      @node.write(Node.cri("line #{expected += 1}"))
    end
    @node.read.later.later
    assert_lines 1..expected
  end

  def test_truncation_while_it_is_read
    @node.write(numbers(1..5)).read.later
    grown = grows("obs_fluentd_truncated_files_total") do
      File.truncate(@node.path, 0)
      @node.write(numbers(6..7)).later.later
    end
    assert_equal 1, grown
    assert_lines 1..7
  end

  def test_truncation_while_nobody_reads
    @node.write(numbers(1..2)).read.later.stop
    File.truncate(@node.path, 0)
    @node.write(numbers(3..8)).read.later
    assert_lines 1..8
  end

  def test_an_inode_that_is_used_again
    @node.write(numbers(1..5)).read.later.stop
    # As if the file of another container had got the number
    other = @node.path("0.log", pod: "shop_web-2_ffffffff-0000-1111-2222-333344445555")
    FileUtils.mkdir_p(File.dirname(other))
    File.rename(@node.path, other)
    File.truncate(other, 0)
    File.open(other, "ab") { |file| file.write(numbers(6..20)) }
    @node.read.later
    assert_lines 1..20
  end

  def test_a_file_deleted_while_it_is_open_is_read_to_its_end
    @node.write(numbers(1..2)).read
    @node.write(numbers(3..4) + Node.cri("open end", flag: "P"))
    FileUtils.rm_rf(File.dirname(@node.path))
    @node.later.later
    assert_equal ["line 1", "line 2", "line 3", "line 4", "open end"], @node.texts
    assert @node.records.last[1].unfinished
  end

  def test_nothing_stays_of_files_that_are_gone
    @node.write(numbers(1..2)).read
    FileUtils.rm_rf(File.dirname(@node.path, 2))
    3.times { @node.later }
    assert_empty @node.tail.instance_variable_get(:@followed)
    assert_empty @node.tail.instance_variable_get(:@containers)
    assert_empty File.read(@node.state("positions"))
  end

  def test_a_restart_of_the_container_is_another_record
    @node.write(numbers(1..2) + Node.cri("half", flag: "P")).read
    @node.write(numbers(3..3), "1.log").later.later
    assert_equal ["half", "line 1", "line 2", "line 3"], @node.texts.sort
    assert_equal [0, 1], @node.records.map { |identity, _| identity.restart }.uniq.sort
  end

  def test_nothing_moves_on_while_no_buffer_takes_it
    @node.refuse = IOError.new("full")
    failures = grows("obs_fluentd_emit_failures_total") do
      @node.write(numbers(1..5)).start
      3.times { @node.tail.step }
    end
    assert_operator failures, :>=, 1
    @node.kill.refuse = nil
    @node.write(numbers(6..7)).read.later
    assert_lines 1..7
  end

  def test_what_waits_is_not_read_on_and_comes_in_order
    @node.refuse = IOError.new("full")
    @node.write(numbers(1..20_000)).start
    50.times { @node.tail.step }
    held = @node.tail.instance_variable_get(:@containers).values.first.pending.size
    assert_operator held, :<, 5_000
    @node.refuse = nil
    @node.read.later
    assert_lines 1..20_000
  end

  def test_a_garbled_file_of_positions_is_replaced_by_its_copy
    @node.write(numbers(1..5)).read.later.stop
    File.binwrite(@node.state("positions"), "garbage\n\x00\x01\n")
    @node.write(numbers(6..6)).read.later
    assert_lines 1..6
  end

  def test_a_lost_file_of_positions_is_replaced_by_its_copy
    @node.write(numbers(1..5)).read.later.stop
    File.delete(@node.state("positions"))
    @node.write(numbers(6..6)).read.later
    assert_lines 1..6
  end

  def test_the_first_start_leaves_old_lines_alone
    @node.settings = @node.settings.merge("backfill" => 3600)
    old = "2026-11-28T10:59:59Z stdout F old\n"
    fresh = "2026-11-28T11:00:01Z stdout F fresh\n"
    skipped = grows("obs_fluentd_skipped_lines_total", { reason: "before-first-start" }) { @node.write(old * 3 + fresh).read.later }
    assert_equal 3, skipped
    assert_equal ["fresh"], @node.texts
    # Both files of positions are lost: nothing before the hour comes again
    @node.stop
    FileUtils.rm(Dir.glob(@node.state("positions*")))
    @node.write("2026-11-28T12:00:01Z stdout F new\n").read.later
    assert_equal %w[fresh fresh new], @node.texts
  end

  def test_identity_comes_from_the_path
    @node.write(Node.cri("a"), pod: "kube-system_etcd-node.example.com_0123456789abcdef0123456789abcdef", container: "etcd").read.later
    identity = @node.records[0][0]
    assert_equal ["kube-system", "etcd-node.example.com", "0123456789abcdef0123456789abcdef", "etcd", 0], identity.to_a
  end

  def test_what_is_excluded
    @node.settings = @node.settings.merge("exclude" => ["secret/*/*", "*/fluentd-*/fluentd"])
    @node.write(Node.cri("no"), pod: "secret_a_1").write(Node.cri("no"), pod: "obs_fluentd-x_1", container: "fluentd")
    @node.write(Node.cri("yes"), pod: "obs_fluentd-x_1", container: "other").write(Node.cri("yes")).read.later
    assert_equal %w[yes yes], @node.texts
  end

  def test_links_to_dockers_files
    real = File.join(@node.folder, "json.log")
    line = ->(text) { "#{JSON.generate({ "log" => "#{text}\n", "stream" => "stdout", "time" => Obs.iso(Node::START) })}\n" }
    File.write(real, line["a"])
    FileUtils.mkdir_p(File.dirname(@node.path))
    File.symlink(real, @node.path)
    @node.read
    # Docker moves its own file; the kubelet's link stays
    File.open(real, "a") { |file| file.write(line["b"]) }
    File.rename(real, "#{real}.1")
    File.write(real, line["c"])
    @node.later.later
    assert_equal %w[a b c], @node.texts
  end

  def test_one_noisy_namespace_waits_and_the_others_do_not
    @node.settings = @node.settings.merge("limits" => { "default" => 10_000, "burst" => 1 })
    # A clock that stands still: the burst is all there is
    tail = Obs::Tail.new(@node.settings.merge("root" => @node.root, "state" => @node.state("")), clock: -> { @node.clock }, wall: -> { Node::NOON }) do |identity, list|
      list.each { |record| @node.records << [identity, record] }
    end
    @node.write(Array.new(10_000) { Node.cri('{"noise":1}') }.join, pod: "noisy_a_1")
    5.times do |round|
      @node.write(Node.cri("{\"quiet\":#{round}}"), pod: "quiet_b_2")
      3.times { tail.step }
    end
    quiet, noisy = @node.records.partition { |identity, _| identity.namespace == "quiet" }
    assert_equal 5, quiet.size
    assert_operator noisy.size, :<, 5_000
    throttled = grows("obs_fluentd_throttled_seconds_total", { source_namespace: "noisy" }) do
      2000.times do
        @node.clock += 0.1
        tail.step
      end
    end
    assert_operator throttled, :>, 10
    assert_equal 10_000, @node.records.count { |identity, _| identity.namespace == "noisy" }
  end

  def test_files_that_come_and_go_while_nothing_is_taken_are_read_all_the_same
    ready = false
    @node.start(ready: -> { ready })
    4.times do |n|
      @node.write(numbers(1 + n * 100..100 + n * 100))
      @node.tail.step
      @node.rotate("20261128-10000#{n}")
      @node.tail.step
      File.delete(@node.path("0.log.20261128-10000#{n}"))
      @node.tail.step
    end
    assert_empty @node.texts
    ready = true
    @node.write(numbers(401..401)).later.later
    assert_lines 1..401
  end

  def test_a_file_that_grows_and_is_rotated_while_nothing_is_taken
    ready = true
    @node.start(ready: -> { ready })
    @node.write(numbers(1..10))
    @node.later
    ready = false
    @node.write(numbers(11..20)).rotate("20261128-100000").write(numbers(21..30))
    5.times do
      @node.clock += 10
      @node.tail.step
    end
    File.delete(@node.path("0.log.20261128-100000"))
    5.times do
      @node.clock += 10
      @node.tail.step
    end
    ready = true
    @node.later.later
    assert_lines 1..30
  end

  # Files that are deleted while their namespace waits.
  def lag_behind
    @node.settings = @node.settings.merge("limits" => { "namespaces" => { "shop" => 1 }, "burst" => 1 }, "deleted" => 10_000)
    @node.start(clock: -> { @node.clock })
    @node.write(numbers(1..1))
    @node.tail.step
    3.times { |n| @node.write(numbers(2 + n * 100..101 + n * 100)).rotate("20261128-10000#{n}") }
    @node.write(numbers(302..302))
    3.times { @node.tail.scan }
    assert_lines 1..0
  end

  def test_deleted_files_are_not_kept_open_without_end
    lag_behind
    3.times { |n| File.delete(@node.path("0.log.20261128-10000#{n}")) }
    missed = grows("obs_fluentd_missed_files_total") { @node.tail.scan }
    assert_operator missed, :>=, 1
    assert_operator counter("obs_fluentd_missed_bytes_total", { source_namespace: "shop" }), :>, 0
    100.times do
      @node.clock += 100_000
      @node.tail.step
    end
    kept = @node.texts
    assert_equal "line 302", kept.last
    assert_operator kept.size, :<, 302
    assert_equal kept, kept.uniq.sort_by { |text| text[/\d+/].to_i }
  end

  def test_deleted_files_that_were_compressed_are_read_from_there
    lag_behind
    3.times { |n| @node.compress("20261128-10000#{n}") }
    missed = grows("obs_fluentd_missed_files_total") do
      100.times do
        @node.clock += 100_000
        @node.tail.step
      end
    end
    assert_equal 0, missed
    assert_lines 1..302
  end

  # In a process of its own, with one arena: what is measured is what is held.
  MEMORY = <<~RUBY
    %w[obs_core obs_join in_obs_containers].each { |file| require File.join(ARGV[0], file) }
    part = "2026-11-28T10:00:00.000000001Z stdout P " + "x" * 16_000 + "\n"
    folder = ARGV[1]
    log = File.join(folder, "pods/shop_web-1_0a1b/app/0.log")
    FileUtils.mkdir_p([File.dirname(log), File.join(folder, "state")])
    out = []
    tail = Obs::Tail.new({ "root" => File.join(folder, "pods"), "state" => File.join(folder, "state"), "refresh" => 0, "backfill" => 1e9 }) { |_, list| out.concat(list) }
    memory = -> { GC.start; File.read("/proc/self/status")[/VmRSS:\\s+(\\d+)/, 1].to_i }
    before = nil
    200.times do |round|
      File.open(log, "ab") { |file| file.write(part * 50) }
      tail.drain
      before = memory.call if round == 100
    end
    grown = memory.call - before
    File.open(log, "ab") { |file| file.write("2026-11-28T10:00:01Z stdout F end\n2026-11-28T10:00:02Z stdout F {}\n") }
    tail.drain
    puts [grown, out.size, out[0].length, out[0].text.bytesize, out[1].text].join(" ")
  RUBY

  def test_a_hundred_megabytes_without_a_newline_need_no_memory
    answer = IO.popen([{ "MALLOC_ARENA_MAX" => "1" }, "ruby", "-W0", "-rfileutils", "-e", MEMORY, PLUGINS, @node.folder], &:read)
    grown, *rest = answer.split
    assert_equal ["2", (200 * 50 * 16_000 + 3).to_s, "256000", "{}"], rest
    assert_operator grown.to_i, :<, 10_000, "#{grown} KiB"
  end

  def test_what_is_cut_is_set_aside_whole
    @node.write(Node.cri("y" * 300_000)).read.later
    entry = JSON.parse(File.read(@node.aside.files.first))
    assert_equal ["cut", 300_000, "y" * 300_000, "shop", "web-1"], entry.values_at("kind", "length", "line", "namespace", "pod")
  end

  def test_an_unreadable_file_is_told_with_the_way_out
    skip "root may read everything" unless Process.uid.zero? && system("id -u nobody", out: File::NULL)
    said = []
    @node.write(numbers(1..1))
    Dir.chdir("/") do
      File.chmod(0o000, @node.path)
      reader, writer = IO.pipe
      FileUtils.chmod_R(0o777, @node.folder)
      File.chmod(0o000, @node.path)
      pid = fork do
        Process::Sys.setuid(65_534)
        @node.start(log: ->(_, message) { said << message })
        @node.tail.scan
        writer.write(said.join("\n"))
        exit!(0)
      end
      Process.wait(pid)
      writer.close
      assert_match(/Permission denied.*must run as uid 0/, reader.read)
    end
  end
end
