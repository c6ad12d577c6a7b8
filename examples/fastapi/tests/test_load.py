"""The load script against a server on this machine: rate, shares, and what it reports."""

import io
import json
import threading
import time
import unittest
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import load


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        seen = self.server.seen
        with self.server.lock:
            seen[self.command, self.path.rstrip("12345")] += 1
            seen[self.headers.get("X-Shop-Fault", "none")] += 1
        if self.server.delay:
            time.sleep(self.server.delay)
        self.send_response(500 if "error" in self.headers.get("X-Shop-Fault", "") else 200)
        self.send_header("Content-Length", "0")
        self.send_header("X-Request-ID", self.server.answers or self.headers["X-Request-ID"])
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *_): pass


class Load(unittest.TestCase):
    def setUp(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.seen, self.server.lock, self.server.delay, self.server.answers = Counter(), threading.Lock(), 0, ""
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def run_load(self, *given):
        out = io.StringIO()
        with redirect_stdout(out):
            code = load.main([self.url, "--json", *given])
        return code, json.loads(out.getvalue())

    def test_it_sends_what_was_asked_for_in_that_time(self):
        started = time.monotonic()
        code, report = self.run_load("--rate", "200", "--duration", "1", "--errors", "0.3")
        self.assertTrue(0.9 < time.monotonic() - started < 3)
        self.assertEqual((code, report["sent"], report["failed"], report["wrong_ids"]), (0, 200, 0, 0))
        self.assertEqual(report["status"]["200"] + report["status"]["500"], 200)
        self.assertTrue(30 <= report["status"]["500"] <= 95, report)
        self.assertEqual(self.server.seen["error"], report["status"]["500"])
        for request, path in [(("GET", "/items/"), "/items/{number}"), (("GET", "/items"), "/items"), (("POST", "/checkout"), "/checkout")]:
            self.assertGreater(self.server.seen[request], 0, request)
            self.assertEqual(self.server.seen[request], report["paths"][path])
        self.assertLessEqual(report["seconds"]["p50"], report["seconds"]["p90"])

    def test_slow_answers_do_not_slow_it_down(self):
        self.server.delay = 0.5
        started = time.monotonic()
        code, report = self.run_load("--rate", "50", "--duration", "0.5")
        self.assertEqual((code, report["sent"]), (0, 25))
        self.assertLess(time.monotonic() - started, 3, "one after the other, these are 12 seconds")
        self.assertGreaterEqual(report["seconds"]["p50"], 0.5)

    def test_more_than_can_wait_is_skipped_and_said(self):
        self.server.delay = 1
        _, report = self.run_load("--rate", "200", "--duration", "0.5")
        self.assertEqual((report["sent"], report["skipped"]), (load.WORKERS, 100 - load.WORKERS))

    def test_the_faults_that_are_asked_for(self):
        self.run_load("--rate", "20", "--duration", "0.2", "--slow", "1", "--slow-seconds", "2", "--cpu-seconds", "0.1")
        self.assertEqual(self.server.seen["slow=2,cpu=0.1"], 4)

    def test_another_id_in_the_answer_is_a_failure(self):
        self.server.answers = "another"
        self.assertEqual(self.run_load("--rate", "20", "--duration", "0.1")[0], 1)

    def test_nobody_there(self):
        self.server.shutdown()
        self.server.server_close()
        code, report = self.run_load("--rate", "20", "--duration", "0.1")
        self.assertEqual((code, report["failed"]), (1, 2))
        self.assertIn("refused", report["last_failure"])

    def test_what_makes_no_sense_is_refused(self):
        for given in [["--errors", "2"], ["--rate", "0"], ["--rate", "x"], ["--slow-seconds", "-1"]]:
            with redirect_stderr(io.StringIO()), self.assertRaises(SystemExit, msg=given):
                load.arguments([self.url, *given])
        for url in ["shop", "https://shop", "http://"]:
            with redirect_stderr(io.StringIO()), self.assertRaises(SystemExit, msg=url):
                load.arguments([url])


if __name__ == "__main__":
    unittest.main()
