"""What the service answers, logs and counts, with its neighbours in memory."""

import re
import unittest
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from shop.metrics import SECONDS
from tests.client import Client

README = Path(__file__).parent.parent / "README.md"


def samples(client):
    """(name, labels) → value, of all that /metrics serves."""
    text = client.get("/metrics").text
    return {(sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text) for sample in family.samples}


def value(client, name, **labels):
    return samples(client).get((name, frozenset(labels.items())), 0)


class Shopping(unittest.TestCase):
    def test_a_purchase_is_stored_with_the_id_of_its_request(self):
        with Client() as client:
            answer = client.post("/checkout", {"item": 2, "quantity": 3}, X_Request_ID="one")
            self.assertEqual((answer.status, answer.json), (201, {"order": 1, "cents": 3600}))
            self.assertEqual(client.store.orders, [(2, 3, "one")])

    def test_what_is_not_there_or_makes_no_sense_is_refused(self):
        with Client() as client:
            self.assertEqual(client.get("/items/9").status, 404)
            self.assertEqual(client.post("/checkout", {"item": 9}).status, 404)
            for path in ["/items/0", "/items/x", "/items/99999999999999"]:
                self.assertEqual(client.get(path).status, 422, path)
            for body in [{}, {"item": 1, "quantity": 0}, {"item": 1, "quantity": 101}, {"item": 2**31}]:
                self.assertEqual(client.post("/checkout", body).status, 422, body)
            self.assertEqual(client.store.orders, [])

    def test_an_item_is_asked_of_the_database_once(self):
        with Client() as client:
            self.assertEqual([client.get("/items/1").json["name"] for _ in range(3)], ["lantern"] * 3)
            self.assertEqual(client.store.asked, 1)
            self.assertEqual(value(client, "cache_requests_total", result="hit"), 2)
            self.assertEqual(value(client, "cache_requests_total", result="miss"), 1)

    def test_without_redis_it_is_slower_and_goes_on(self):
        with Client() as client:
            client.redis.gone = True
            self.assertEqual([client.get("/items/1").status for _ in range(2)], [200, 200])
            self.assertEqual(client.get("/readyz").status, 200)
            self.assertEqual(client.store.asked, 3)
            self.assertGreater(value(client, "cache_requests_total", result="error"), 0)
            self.assertIn("the cache does not answer", [line["message"] for line in client.lines()])

    def test_without_postgres_it_says_so_and_stays_alive(self):
        with Client() as client:
            client.store.gone = True
            answer = client.get("/items")
            self.assertEqual((answer.status, answer.json), (503, {"detail": "the database does not answer"}))
            self.assertEqual(client.get("/readyz").status, 503)
            self.assertEqual(client.get("/healthz").status, 200)
            self.assertIn("connection refused by 10.0.0.7", [line.get("reason") for line in client.lines()])

    def test_it_is_not_ready_before_its_tables_are(self):
        with Client() as client:
            client.store.ready = False
            self.assertEqual(client.get("/readyz").status, 503)


class Logs(unittest.TestCase):
    def test_a_request_is_one_line_with_its_id(self):
        with Client() as client:
            answer = client.get("/items/1", X_Request_ID="abc-1.2_3")
            self.assertEqual(answer.headers["x-request-id"], "abc-1.2_3")
            [line] = client.lines()
            self.assertLessEqual(
                {"level": "info", "logger": "shop.request", "message": "GET /items/1 200", "request_id": "abc-1.2_3",
                 "method": "GET", "path": "/items/1", "status": 200}.items(), line.items())
            self.assertRegex(line["timestamp"], r"^\d{4}-\d\d-\d\dT[\d:.]+\+00:00$")
            self.assertGreaterEqual(line["duration_ms"], 0)

    def test_an_id_that_could_harm_a_log_is_replaced(self):
        with Client() as client:
            for given in ["", "a b", 'a"}\n{"level":"info', "x" * 65, "ä"]:
                answer = client.get("/items/1", X_Request_ID=given)
                self.assertRegex(answer.headers["x-request-id"], r"^[0-9a-f]{32}$", given)

    def test_an_unhandled_error_is_one_line_with_its_traceback_and_its_id(self):
        with Client(faults_on_request=True) as client:
            answer = client.get("/items", X_Request_ID="bad", X_Shop_Fault="error")
            self.assertEqual((answer.status, answer.headers["x-request-id"]), (500, "bad"))
            [line] = client.lines()
            self.assertEqual((line["level"], line["request_id"], line["status"]), ("error", "bad", 500))
            self.assertIn("shop.faults.Failure", line["exc_info"])

    def test_probes_and_scrapes_are_logged_only_when_they_fail(self):
        with Client() as client:
            for path in ["/healthz", "/readyz", "/metrics"]:
                client.get(path)
            self.assertEqual(client.lines(), [])
            client.store.gone = True
            client.get("/readyz")
            self.assertIn("GET /readyz 503", [line["message"] for line in client.lines()])


class Metrics(unittest.TestCase):
    def test_what_a_request_counts(self):
        with Client(faults_on_request=True) as client:
            client.get("/items/1")
            client.get("/items/2")
            client.get("/items/1", X_Shop_Fault="error")
            client.get("/no/such/path")
            client.get("/healthz")
            labels = {"handler": "/items/{number}", "method": "GET"}
            self.assertEqual(value(client, "http_requests_total", **labels, status="2xx"), 2)
            self.assertEqual(value(client, "http_requests_total", **labels, status="5xx"), 1)
            self.assertEqual(value(client, "http_requests_total", handler="none", method="GET", status="4xx"), 1)
            self.assertEqual(value(client, "http_request_duration_seconds_count", **labels), 3)
            self.assertEqual(value(client, "http_requests_inprogress", **labels), 0)
            self.assertEqual(
                {dict(key[1])["handler"] for key in samples(client) if key[0] == "http_requests_total"},
                {"/items/{number}", "none"}, "probes and scrapes are no traffic")

    def test_the_bounds_of_the_histogram_are_those_that_the_guide_names(self):
        with Client() as client:
            client.get("/items")
            bounds = [dict(labels)["le"] for name, labels in samples(client) if name == "http_request_duration_seconds_bucket"]
            self.assertEqual([float(bound) for bound in bounds], [*SECONDS, float("inf")])

    def test_the_table_of_the_readme_is_what_is_served(self):
        with Client() as client:
            client.get("/items/1")
            client.post("/checkout", {"item": 1})
            client.metrics.queries.labels("item").observe(0.01)
            client.metrics.connections.labels("idle").set(1)
            served = {}
            for name, labels in samples(client):
                served.setdefault(name, set()).update(key for key, _ in labels)
        rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", README.read_text(encoding="utf-8"), re.MULTILINE)
        documented = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
        own = {name: labels for name, labels in served.items()
               if not name.endswith(("_sum", "_count")) and not name.startswith(("python_", "process_"))}
        self.assertEqual(documented, own)


if __name__ == "__main__":
    unittest.main()
