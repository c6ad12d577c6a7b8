# frozen_string_literal: true

# Labels and annotations of pods, with an API server that answers, is away, comes back, or does not know a pod.

require_relative "support"
require_relative "server"

class KubernetesTest < Minitest::Test
  def setup
    @api = FakeApi.new
    @server = Server.new
    @server.handler = @api
    @folder = Dir.mktmpdir("obs-kube")
    File.write(File.join(@folder, "token"), "secret-token")
    @said = []
    @clock = nil
  end

  def teardown
    @pods&.stop
    @server.down
    FileUtils.rm_rf(@folder)
  end

  def start(**more)
    @pods = Obs::Pods.new({ "url" => @server.url, "node" => "node-1", "folder" => @folder, "pause" => 0.05 }, log: ->(_, message) { @said << message }, **more)
    @pods.start
  end

  def wait(seconds: 5)
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + seconds
    until yield
      flunk "not within #{seconds}s; said: #{@said}" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
      sleep 0.01
    end
  end

  def record(pod: "web-1", uid: "u1", namespace: "shop")
    { "message" => "m", "namespace" => namespace, "pod" => pod, "container" => "app", "uid" => uid }
  end

  def enrich(**which)
    one = record(**which)
    [Obs.enrich(one, @pods, "node-1"), one]
  end

  def test_labels_and_the_app
    @api.pod("web-1", "u1", labels: { "app.kubernetes.io/name" => "web", "app" => "other" })
    @api.pod("web-2", "u2", labels: { "k8s-app" => "dns" })
    @api.pod("web-3", "u3", labels: { "app" => "old" })
    start
    wait { @pods.synced? }
    assert_equal "web", enrich[1]["app"]
    assert_equal "dns", enrich(pod: "web-2", uid: "u2")[1]["app"]
    _, one = enrich(pod: "web-3", uid: "u3")
    assert_equal ["old", { "app" => "old" }, "node-1"], one.values_at("app", "labels", "node")
    assert_equal 1, Obs::METRICS.get("obs_fluentd_kubernetes_synced")
  end

  def test_one_list_and_one_watch_of_each_kind_for_the_own_node_and_metadata_only
    @api.pod("web-1", "u1")
    start
    wait { @api.watches["pods"].size == 1 && @api.watches["namespaces"].size == 1 }
    pods = @server.requests.select { |request| request.path.start_with?("/api/v1/pods") }
    assert(pods.all? { |request| request.path.include?("fieldSelector=spec.nodeName%3Dnode-1") })
    assert(@server.requests.all? { |request| request.headers["accept"].include?("as=PartialObjectMetadata") && request.headers["authorization"] == "Bearer secret-token" })
  end

  def test_changes_arrive
    @api.pod("web-1", "u1", labels: { "app" => "one" })
    start
    wait { @api.watches["pods"].size == 1 }
    @api.event("pods", "MODIFIED", @api.pod("web-1", "u1", labels: { "app" => "two" }))
    wait { enrich[1]["app"] == "two" }
    @api.event("pods", "ADDED", @api.pod("new", "u9", labels: { "app" => "new" }))
    wait { enrich(pod: "new", uid: "u9")[1]["app"] == "new" }
  end

  def test_an_api_server_that_is_away_delays_labels_only
    @server.down
    start
    wanted, one = enrich
    assert wanted
    assert_equal %w[shop web-1 app node-1], one.values_at("namespace", "pod", "container", "node")
    refute one.key?("labels")
    @api.pod("web-1", "u1", labels: { "app" => "web" })
    @server.up
    wait { @pods.synced? }
    assert_equal "web", enrich[1]["app"]
  end

  def test_an_api_server_that_is_away_is_asked_once_not_for_each_record
    @server.down
    start
    began = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    10_000.times { |n| enrich(pod: "p#{n}", uid: "x#{n}") }
    assert_operator Process.clock_gettime(Process::CLOCK_MONOTONIC) - began, :<, 3
  end

  def test_an_api_server_that_answers_nothing_but_errors
    @api.mood = [500, "no"]
    start
    100.times { |n| assert enrich(pod: "p#{n}", uid: "x#{n}")[0] }
    single = @server.requests.count { |request| request.path.include?("/pods/") }
    assert_operator single, :<=, 1
  end

  def test_ten_thousand_lines_of_a_dead_pod_are_one_request
    start
    wait { @pods.synced? }
    10_000.times { assert_equal "shop", enrich(pod: "dead", uid: "gone")[1]["namespace"] }
    assert_equal 1, @server.requests.count { |request| request.path.end_with?("/pods/dead") }
  end

  def test_a_pod_that_the_watch_has_not_told_of_is_fetched
    start
    wait { @pods.synced? }
    @api.pod("fresh", "u5", labels: { "app" => "fresh" })
    assert_equal "fresh", enrich(pod: "fresh", uid: "u5")[1]["app"]
  end

  def test_another_pod_of_the_same_name_lends_no_labels
    @api.pod("db-0", "new-uid", labels: { "app" => "new" })
    start
    wait { @pods.synced? }
    refute enrich(pod: "db-0", uid: "old-uid")[1].key?("labels")
    assert_equal "new", enrich(pod: "db-0", uid: "new-uid")[1]["app"]
  end

  def test_a_static_pod_is_known_by_the_hash_of_its_manifest
    @api.pod("etcd-n1", "api-uid", namespace: "kube-system", labels: { "component" => "etcd" }, annotations: { "kubernetes.io/config.mirror" => "0123abcd" })
    start
    wait { @pods.synced? }
    assert_equal({ "component" => "etcd" }, enrich(pod: "etcd-n1", uid: "0123abcd", namespace: "kube-system")[1]["labels"])
  end

  def test_labels_stay_for_an_hour_after_the_pod
    now = 0.0
    @api.pod("web-1", "u1", labels: { "app" => "web" })
    start(clock: -> { now })
    wait { @api.watches["pods"].size == 1 }
    @api.event("pods", "DELETED", @api.pods.delete(%w[shop web-1]))
    sleep 0.2
    now = 3500
    assert_equal "web", enrich[1]["app"]
    now = 3700
    @api.event("pods", "ADDED", @api.pod("other", "u2"))
    wait { !enrich[1].key?("labels") }
  end

  def test_annotations_of_pod_and_namespace
    @api.namespace("quiet", { "kubectl-obs.dev/logs" => "false" })
    @api.pod("web-1", "u1", annotations: { "kubectl-obs.dev/logs" => "false" })
    @api.pod("a", "u2", namespace: "quiet")
    @api.pod("b", "u3", namespace: "quiet", annotations: { "kubectl-obs.dev/logs" => "true" })
    @api.pod("c", "u4")
    start
    wait { @pods.synced? }
    before = Obs::METRICS.get("obs_fluentd_skipped_lines_total", { reason: "opted-out" })
    assert_equal [false, false, true, true], [enrich[0], enrich(pod: "a", uid: "u2", namespace: "quiet")[0], enrich(pod: "b", uid: "u3", namespace: "quiet")[0], enrich(pod: "c", uid: "u4")[0]]
    assert_equal 2, Obs::METRICS.get("obs_fluentd_skipped_lines_total", { reason: "opted-out" }) - before
  end

  def test_labels_that_are_no_utf8_harm_nobody
    @pods = Obs::Pods.new({ "url" => "http://127.0.0.1:1", "folder" => @folder })
    @pods.apply("pods", "ADDED", { "metadata" => { "uid" => "u1", "labels" => { "app" => "a\xff".b } } })
    assert_equal "a\uFFFD", enrich[1]["app"]
  end

  def test_a_filter_that_breaks_hands_the_record_on
    broken = Object.new
    one = record
    assert Obs.enrich(one, broken, "n")
    assert_match(/undefined method/, one["pipeline_error"])
  end

  def test_an_old_version_is_listed_anew
    @api.pod("web-1", "u1", labels: { "app" => "one" })
    start
    wait { @api.watches["pods"].size == 1 }
    @api.pod("web-1", "u1", labels: { "app" => "two" })
    @api.event("pods", "ERROR", { "code" => 410 })
    wait { @api.watches["pods"].size == 2 }
    wait { enrich[1]["app"] == "two" }
  end

  def test_what_was_known_holds_after_a_restart_without_an_api_server
    @api.namespace("quiet", { "kubectl-obs.dev/logs" => "false", "secret" => "x" })
    @api.pod("web-1", "u1", labels: { "app" => "web" })
    @api.pod("a", "u2", namespace: "quiet")
    memory = File.join(@folder, "memory")
    settings = { "url" => @server.url, "node" => "node-1", "folder" => @folder, "pause" => 0.05, "memory" => memory }
    @pods = Obs::Pods.new(settings)
    @pods.start
    wait { @pods.synced? }
    @pods.stop
    refute_match(/secret/, File.read(memory))
    @server.down
    @pods = Obs::Pods.new(settings)
    @pods.start
    assert_equal "web", enrich[1]["app"]
    refute enrich(pod: "a", uid: "u2", namespace: "quiet")[0]
    @pods.stop
    File.write(memory, "garbage")
    @pods = Obs::Pods.new(settings)
    assert enrich(pod: "a", uid: "u2", namespace: "quiet")[0]
  end
end
