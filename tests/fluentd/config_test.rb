# frozen_string_literal: true

# The configuration that the chart gives Fluentd, held by files in golden/. After a change that is meant:
# OBS_UPDATE_GOLDEN=1 scripts/test-fluentd config, and read the diff. Needs a kubectl-obs: KUBECTL_OBS, or what
# cargo has built.

require_relative "support"
require "open3"

class ConfigTest < Minitest::Test
  ROOT = File.expand_path("../..", __dir__)
  GOLDEN = File.join(__dir__, "golden")
  CHART = File.join(ROOT, "charts/fluentd")

  def self.binary
    [ENV["KUBECTL_OBS"], *%w[debug release].map { |kind| File.join(ROOT, "target", kind, "kubectl-obs") }].compact.find { |path| File.executable?(path) }
  end

  def render(*arguments)
    skip "no kubectl-obs is built, and KUBECTL_OBS is not set" unless ConfigTest.binary
    Open3.capture3(ConfigTest.binary, "template", CHART, *arguments)
  end

  RENDERED = {}

  def objects(values)
    RENDERED[values] ||= begin
      out, err, status = render("-f", File.join(__dir__, "values", "#{values}.yaml"))
      assert status.success?, err
      YAML.load_stream(out).compact
    end
  end

  def config(values)
    objects(values).find { |object| object["metadata"]["name"] == "obs-fluentd-config" }["data"]
  end

  NAMES = Dir.glob(File.join(__dir__, "values", "*.yaml")).map { |path| File.basename(path, ".yaml") }

  NAMES.each do |name|
    define_method("test_golden_#{name}") do
      data = config(name)
      { "fluent.conf" => data["fluent.conf"], "pipeline.json" => JSON.pretty_generate(JSON.parse(data["pipeline.json"])) + "\n" }.each do |file, text|
        path = File.join(GOLDEN, name, file)
        if ENV["OBS_UPDATE_GOLDEN"] == "1"
          FileUtils.mkdir_p(File.dirname(path))
          File.write(path, text)
        end
        assert_equal File.read(path), text, path
      end
    end

    # What people who run such pipelines lost lines by
    define_method("test_#{name}_has_none_of_what_loses_or_doubles_lines") do
      text = config(name)["fluent.conf"]
      %w[throw_exception ignore_error <secondary> retry_timeout retry_max_times disable_chunk_backup limit_recently_modified
         max_line_size stdout elasticsearch_data_stream opensearch_data_stream genid @ERROR>].each { |word| refute_includes text.gsub(/^\s*#.*$/, ""), word }
      refute_match(/\#\{|\$\{/, text, "no placeholder and no Ruby in the configuration")
      buffers = text.scan(/<buffer>.*?<\/buffer>/m)
      assert_operator buffers.size, :>=, 1
      buffers.each do |buffer|
        assert_match(/flush_thread_count 1$/, buffer)
        assert_match(/retry_forever true$/, buffer)
        assert_match(/@type file$/, buffer)
        assert_match(/overflow_action "(block|drop_oldest_chunk)"$/, buffer)
      end
      assert_match(/overflow_action "block"/, buffers[0]) unless name == "many"
      assert_match(/root_dir/, text)
      assert_match(/<label @FLUENT_LOG>/, text)
    end
  end

  def pod(values)
    objects(values).find { |object| object["kind"] == "DaemonSet" }["spec"]["template"]["spec"]
  end

  # The defects that guides to such a DaemonSet have, each shown absent: number, what is looked at
  def test_known_defects_are_absent
    spec = pod("loki")
    container = spec["containers"][0]
    mounts = container["volumeMounts"].to_h { |mount| [mount["name"], mount] }
    volumes = spec["volumes"].to_h { |volume| [volume["name"], volume] }
    conf = config("loki")["fluent.conf"]
    table = {
      "45 lines of CRI are understood" => -> { conf.include?("@type obs_containers") },
      "46 files are read from their beginning, and looked for every 2 s" => -> { JSON.parse(config("loki")["pipeline.json"])["containers"]["refresh"] <= 5 },
      "47 root reads what belongs to root, without capabilities" => -> { spec["securityContext"]["runAsUser"].zero? && container["securityContext"]["capabilities"] == { "drop" => ["ALL"] } },
      "48 the host's logs are read-only, the state has a folder of its own" => -> { mounts["logs"]["readOnly"] && volumes["state"]["hostPath"]["path"] == "/var/lib/kubectl-obs/observability-obs/fluentd" },
      "49 docker's folder is mounted only with docker" => -> { !mounts.key?("docker") && pod("docker")["volumes"].any? { |volume| volume["name"] == "docker" } },
      "50 tainted nodes have logs, and updates go step by step" => -> { spec["tolerations"] == [{ "operator" => "Exists" }] },
      "51 what the application wrote becomes fields" => -> { conf.include?("@type obs_record") },
      "52 labels of a pod are one object, whatever their names" => -> { JSON.parse(Obs::Bulk.new({ "name" => "x", "index" => "x", "url" => "http://x" }, aside: nil, progress: nil).entry(0, { "message" => "", "labels" => { "app" => "a", "app.kubernetes.io/name" => "b" } })[2])["kubernetes"]["labels"].size == 2 },
      "53 user, password, TLS and a data stream" => -> { (store = JSON.parse(config("many")["pipeline.json"])["stores"].find { |one| one["name"] == "search" }) && store["password"] && store["ca"] && store["url"].start_with?("https") && store["index"] },
      "54 buffers have a limit, block, and give nothing up" => -> { JSON.parse(config("loki")["pipeline.json"])["buffer"].positive? && conf.include?("retry_forever true") },
      "55 each pod asks about its own node" => -> { container["env"].any? { |env| env["name"] == "K8S_NODE_NAME" } },
      "56 long lines and stack traces are joined" => -> { JSON.parse(config("loki")["pipeline.json"])["containers"]["join"]["traces"] },
      "57 metrics, probes and memory" => -> { conf.include?("@type obs_monitor") && container["livenessProbe"] && container["readinessProbe"] && container["resources"]["limits"]["memory"] == "512Mi" },
      "59 the URL is a base" => -> { JSON.parse(config("many")["pipeline.json"])["stores"].none? { |store| store["url"].match?(%r{/loki/api|_bulk|/\z}) } },
      "60 the labels that queries use" => -> { (%w[app container namespace pod] - JSON.parse(config("loki")["pipeline.json"])["stores"][0]["labels"].keys).empty? },
      "61 the line in Loki is the application's own, and its level is found whatever its case and key" => lambda {
        record = Obs::Record.refine({ "message" => '{"levelname": "ERROR"}', "namespace" => "shop" })
        entry = Obs::Loki.new({ "name" => "x", "url" => "http://x" }, aside: nil, progress: nil).entry(0, record)
        entry[2] == '{"levelname": "ERROR"}' && entry[3]["detected_level"] == "error"
      },
      "58 the image is Fluentd's own" => -> { container["image"].start_with?("docker.io/fluent/fluentd:") },
      "62 the image is pinned" => -> { container["image"].match?(/:v1\.19\.3-debian-/) }
    }
    wrong = table.reject { |_, check| check.call }.keys
    assert_empty wrong
  end

  def test_the_root_file_system_is_read_only_and_there_is_a_tmp
    container = pod("loki")["containers"][0]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    refute container["securityContext"]["allowPrivilegeEscalation"]
    assert_includes container["volumeMounts"].map { |mount| mount["mountPath"] }, "/tmp"
    assert_includes container["args"], "--no-supervisor"
  end

  def test_secrets_are_files_and_nowhere_else
    all = objects("many").reject { |object| object["metadata"]["name"].end_with?("plugins") }
    assert_empty all.select { |object| object["kind"] == "Secret" }
    container = pod("many")["containers"][0]
    assert_equal ["K8S_NODE_NAME"], container["env"].map { |env| env["name"] }
    names = pod("many")["volumes"].flat_map { |volume| (volume.dig("projected", "sources") || []).map { |source| source["secret"]["name"] } }
    assert_equal %w[central search search search-ca].sort, names.sort
  end

  def test_mistakes_are_refused_with_the_values_path_and_the_way_out
    {
      ["outputs=[{name: a, type: loki, url: 'http://a.test'},{name: a, type: loki, url: 'http://b.test'}]"] => /outputs\[1\]\.name: there are two outputs "a"/,
      ["outputs=[{name: a, type: loki, url: 'http://a.test', index: x}]"] => /outputs\[0\]\.index: Loki has no index/,
      ["outputs=[{name: a, type: opensearch, url: 'http://a.test', tenant: x}]"] => /outputs\[0\]\.tenant: only Loki has tenants/,
      ["outputs=[{name: a, type: loki, url: 'http://a.test', secret: {name: s}}]"] => /outputs\[0\]\.secret: name the key/,
      ["outputs=[{name: a, type: loki, url: 'http://a.test', secret: {name: s, passwordKey: p}}]"] => /a password needs a user/,
      ["outputs=[{name: a, type: loki, url: 'http://user:pw@a.test'}]"] => /outputs\[0\]\.url: .*without user, password/,
      ["outputs=[{name: a, type: loki, url: 'https://your-loki.example.com'}]"] => /no placeholder/,
      ["outputs=[{name: a, type: syslog, url: 'http://a.test'}]"] => /outputs\[0\]\.type/,
      ["image.tag=v1.18.0-debian-1.0"] => /image\.tag: .*1\.19\.3 or newer/,
      ["labels.extra={request_id: node}"] => /labels\.extra/,
      ["labels.extra={team: 'label:pod-template-hash'}"] => /ids and hashes/,
      ["labels.extra={pod: node}", "outputs=[{name: a, type: loki, url: 'http://a.test'}]"] => /labels\.extra\.pod: this label has a meaning/,
      ["buffer.size=much"] => /buffer\.size: .*quantity/
    }.each do |values, message|
      _, err, status = Dir.mktmpdir do |folder|
        file = File.join(folder, "values.yaml")
        File.write(file, JSON.generate(values.each_with_object({}) { |value, out| set(out, *value.split("=", 2)) }))
        render("-f", file)
      end
      refute status.success?, values.inspect
      assert_match message, err, values.inspect
    end
  end

  def set(out, path, text)
    *folders, last = path.split(".")
    folders.reduce(out) { |map, key| map[key] ||= {} }[last] = YAML.safe_load(text)
  end

  def test_a_path_in_the_url_is_left_out_with_a_word
    assert_equal "https://loki.mycompany.test/prefix", JSON.parse(config("many")["pipeline.json"])["stores"].find { |store| store["name"] == "central" }["url"]
  end
end
