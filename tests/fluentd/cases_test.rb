# frozen_string_literal: true

# The cases of cases/*.yaml: log files, and the records that must come out, by the same code that runs in
# Fluentd. Lines in are lines out: nothing is lost, doubled or changed on the way.

require_relative "support"

class CasesTest < NodeTest
  STREAMS = { "o" => "stdout", "e" => "stderr" }.freeze

  def self.bytes(text)
    text.b.gsub(/%\{(\d+)\*(.+?)\}(?!\})/mn) { Regexp.last_match(2) * Regexp.last_match(1).to_i }
        .gsub(/%\{(\h\h)\}/n) { [Regexp.last_match(1)].pack("H2") }
  end

  def self.cri(line, number)
    return "#{bytes(line.delete_prefix("raw "))}\n" if line.start_with?("raw ")

    stream, flag, text = line.match(/\A(\S+) (\S+) ?(.*)\z/m).captures
    "#{Obs.iso(Node::START + number)} #{STREAMS.fetch(stream)} #{flag} ".b << bytes(text) << "\n"
  end

  def self.docker(line, number)
    stream, text = line.match(/\A(\S+) (.*)\z/m).captures
    text = text.end_with?("\\") ? text.delete_suffix("\\") : "#{text}\n"
    "#{JSON.generate({ "log" => text, "stream" => STREAMS.fetch(stream), "time" => Obs.iso(Node::START + number) })}\n"
  end

  YAML.load_file(File.join(__dir__, "cases/lines.yaml")).each do |entry|
    define_method("test_line: #{entry["name"]}") do
      lines = (entry["log"] || entry["docker"]) * (entry["repeat"] || 1)
      lines.each_with_index { |line, number| @node.write(entry["docker"] ? CasesTest.docker(line, number) : CasesTest.cri(line, number)) }
      @node.read.later
      if entry["count"]
        assert_equal entry["count"], @node.records.size
        next
      end
      assert_equal entry["records"].size, @node.records.size, @node.texts.map { |text| text[0, 100] }.inspect
      entry["records"].zip(@node.records) { |expected, (identity, record)| compare(expected.is_a?(Hash) ? expected : { "message" => expected }, identity, record) }
    end
  end

  def compare(expected, identity, record)
    fields = Obs::Record.refine({ "message" => record.text, "stream" => record.stream, "namespace" => identity.namespace, "pod" => identity.pod })
    text = record.text
    assert text.valid_encoding?
    want = ->(value) { CasesTest.bytes(value).force_encoding("UTF-8") }
    assert_equal want[expected["message"]], text if expected["message"]
    assert text.start_with?(want[expected["starts"]]), text[0, 40] if expected["starts"]
    assert text.end_with?(want[expected["ends"]]), text[-60..] if expected["ends"]
    assert_equal expected["bytes"], text.bytesize if expected["bytes"]
    assert_equal Node::START + expected["line"], record.ns if expected["line"]
    assert_equal expected["ns"], record.ns if expected["ns"]
    %w[stream namespace pod].each { |key| assert_equal expected[key], fields[key] if expected[key] }
    if expected["fields"].nil?
      assert_nil fields["fields"]
    else
      assert_equal expected["fields"], fields["fields"]
    end
    expected["level"] ? assert_equal(expected["level"], fields["level"]) : assert_nil(fields["level"])
    expected["cut"] ? assert_equal(expected["cut"], record.length) : assert_nil(record.original)
    assert_equal expected["unfinished"] || false, record.unfinished
  end

  YAML.load_file(File.join(__dir__, "cases/traces.yaml")).each do |entry|
    define_method("test_trace: #{entry["name"]}") do
      lines = entry["text"].lines(chomp: true)
      # On the other stream and in another container something is written all the time
      lines.each do |line|
        @node.write(Node.cri(line))
        @node.write(Node.cri("noise", stream: "stderr"))
        @node.write(Node.cri("\tat noise", stream: "stdout"), container: "side")
      end
      @node.read.later
      own = @node.records.select { |identity, record| identity.container == "app" && record.stream == "stdout" }.map { |_, record| record.text }
      rest = lines.dup
      expected = entry["records"].map { |count| rest.shift(count).join("\n") }
      assert_empty rest, "the case names too few lines"
      assert_equal expected, own
      assert_equal lines.size, @node.texts.count("noise")
    end
  end
end
