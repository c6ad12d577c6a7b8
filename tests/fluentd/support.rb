# frozen_string_literal: true

# What the tests of Fluentd's plugins share: minitest, the plugins' cores, folders that look like a node's.

require "minitest/autorun"
require "fileutils"
require "tmpdir"
require "yaml"

PLUGINS = File.expand_path("../../charts/fluentd/files/plugins", __dir__)
$LOAD_PATH.unshift(PLUGINS)
%w[obs_core obs_join in_obs_containers filter_obs_kubernetes filter_obs_record out_obs_loki out_obs_bulk in_obs_monitor obs_aside].each { |file| require file }

# A node with the log file of one container or more, and what is read from it.
class Node
  NOON = Time.utc(2026, 11, 28, 12)
  START = 1_795_860_000 * 1_000_000_000

  attr_reader :root, :records, :folder
  attr_accessor :clock, :refuse, :settings

  def initialize(settings = {})
    @folder = Dir.mktmpdir("obs-fluentd")
    @root = File.join(@folder, "pods")
    @state = File.join(@folder, "state")
    FileUtils.mkdir_p([@root, @state])
    @settings = { "refresh" => 0, "backfill" => 10 * 365 * 86_400 }.merge(settings)
    @records = []
    @clock = 0.0
  end

  def aside
    @aside ||= Obs::Aside.new(File.join(@state, "aside"), clock: -> { NOON })
  end

  def state(name)
    File.join(@state, name)
  end

  # A new process on the same state.
  def start(**more)
    @tail = Obs::Tail.new(@settings.merge("root" => @root, "state" => @state), clock: -> { @clock += 0.001 }, wall: -> { NOON }, aside: aside, **more) do |identity, list|
      raise @refuse if @refuse

      list.each { |record| @records << [identity, record] }
    end
    self
  end

  attr_reader :tail

  def read
    start unless @tail
    @tail.drain
    self
  end

  # A minute later: what waited for more is complete.
  def later
    @clock += 60
    read
  end

  # As a kill: nothing is written any more.
  def kill
    @tail.instance_variable_get(:@followed).each_value { |file| file.io&.close }
    @tail.instance_variable_get(:@positions).close
    @tail = nil
    self
  end

  def stop
    @tail.close
    @tail = nil
    self
  end

  def path(name = "0.log", pod: "shop_web-1_0a1b2c3d-0000-1111-2222-333344445555", container: "app")
    File.join(@root, pod, container, name)
  end

  def write(text, name = "0.log", **where)
    FileUtils.mkdir_p(File.dirname(path(name, **where)))
    File.open(path(name, **where), "ab") { |file| file.write(text) }
    self
  end

  def rotate(stamp, **where)
    File.rename(path("0.log", **where), path("0.log.#{stamp}", **where))
    self
  end

  def compress(stamp, **where)
    name = path("0.log.#{stamp}", **where)
    Zlib::GzipWriter.open("#{name}.gz") { |gz| gz.write(File.binread(name)) }
    File.delete(name)
    self
  end

  def texts
    @records.map { |_, record| record.text }
  end

  def clean
    FileUtils.rm_rf(@folder)
  end

  @line = 0
  class << self
    attr_accessor :line
  end

  # A line of CRI, each later than the one before.
  def self.cri(text, stream: "stdout", flag: "F")
    Node.line += 1
    "#{Obs.iso(START + Node.line)} #{stream} #{flag} #{text}\n"
  end
end

class NodeTest < Minitest::Test
  def setup
    @node = Node.new
  end

  def teardown
    @node.clean
  end

  def counter(name, labels = {})
    Obs::METRICS.get(name, labels)
  end

  # How much a counter grows.
  def grows(name, labels = {})
    before = counter(name, labels)
    yield
    counter(name, labels) - before
  end
end
