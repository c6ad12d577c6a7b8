#!/usr/bin/env python3
"""Sends requests to the shop at a steady rate, and says what came back.

    load.py http://localhost:8000 --rate 20 --duration 60 --errors 0.3

A share of them asks for an error or for slowness, so that alerts have something to tell (the shop must
allow it: SHOP_FAULTS_ON_REQUEST=yes). Requests are sent when it is their time, whether or not earlier
ones were answered, as people do. Standard library only.
"""

import argparse
import json
import math
import os
import queue
import random
import signal
import sys
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

WORKERS = 64
TIMEOUT = 35.0
ITEMS = 5


@dataclass
class Result:
    """What came back so far. `failed` had no answer; `skipped` could not be sent in time."""

    sent: int = 0
    failed: int = 0
    skipped: int = 0
    wrong_ids: int = 0
    status: Counter = field(default_factory=Counter)
    paths: Counter = field(default_factory=Counter)
    seconds: list = field(default_factory=list)
    last_failure: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answered(self, path, status, seconds, same_id):
        with self.lock:
            self.sent += 1
            self.status[status] += 1
            # as the shop counts them: all items are one endpoint
            self.paths["/items/{number}" if path.startswith("/items/") else path] += 1
            self.wrong_ids += not same_id
            if len(self.seconds) < 100_000:
                self.seconds.append(seconds)
            else:  # of a long run, a sample
                self.seconds[random.randrange(len(self.seconds))] = seconds

    def unanswered(self, error):
        with self.lock:
            self.sent += 1
            self.failed += 1
            self.last_failure = str(error) or type(error).__name__

    def quantile(self, share):
        values = sorted(self.seconds)
        return values[max(math.ceil(len(values) * share) - 1, 0)] if values else None

    def report(self):
        with self.lock:
            report = {
                "sent": self.sent, "failed": self.failed, "skipped": self.skipped, "wrong_ids": self.wrong_ids,
                "status": {str(status): count for status, count in sorted(self.status.items())},
                "paths": dict(sorted(self.paths.items())),
                "seconds": {name: None if (value := self.quantile(share)) is None else round(value, 4)
                            for name, share in [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)]},
            }
            if self.last_failure:
                report["last_failure"] = self.last_failure
            return report


class Mix:
    """Which request comes next: mostly single items, some lists, some purchases, and the faults asked for."""

    def __init__(self, options, seed=None):
        self.options, self.random = options, random.Random(seed)

    def next(self):
        kind, item = self.random.random(), self.random.randint(1, ITEMS)
        if kind < 0.6:
            request = ("GET", f"/items/{item}", None)
        elif kind < 0.8:
            request = ("GET", "/items", None)
        else:
            request = ("POST", "/checkout", {"item": item, "quantity": self.random.randint(1, 3)})
        faults = []
        if self.random.random() < self.options.slow:
            faults.append(f"slow={self.options.slow_seconds:g}")
        if self.options.cpu_seconds:
            faults.append(f"cpu={self.options.cpu_seconds:g}")
        if self.random.random() < self.options.errors:
            faults.append("error")
        return (*request, ",".join(faults))


def work(target, requests, idle, result):
    """One caller after the other, each on a connection of its own, so that all pods get their share."""
    while (request := requests.get()) is not None:
        method, path, body, faults = request
        current = uuid.uuid4().hex
        headers = {"X-Request-ID": current, "Content-Type": "application/json", "Connection": "close"}
        if faults:
            headers["X-Shop-Fault"] = faults
        connection = HTTPConnection(target.hostname, target.port or 80, timeout=TIMEOUT)
        started = time.monotonic()
        try:
            connection.request(method, target.path.rstrip("/") + path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            answer.read()
            result.answered(path, answer.status, time.monotonic() - started, answer.headers["X-Request-ID"] == current)
        except (OSError, HTTPException) as error:
            result.unanswered(error)
        finally:
            connection.close()
        idle.release()


def run(target, options, stop, say=lambda result: None):
    """Sends until the time is over or `stop` is set, and waits for what is on its way."""
    result, requests, mix = Result(), queue.Queue(), Mix(options)
    idle = threading.Semaphore(0)
    workers = []
    started = said = time.monotonic()
    number = 0
    while not stop.is_set():
        # compared before the clock is added, which would round it
        if options.duration and number / options.rate >= options.duration:
            break
        due = started + number / options.rate
        stop.wait(max(due - time.monotonic(), 0))
        if stop.is_set():
            break
        number += 1
        free = idle.acquire(blocking=False)
        if not free and len(workers) < WORKERS:
            workers.append(threading.Thread(target=work, args=(target, requests, idle, result), daemon=True))
            workers[-1].start()
            free = True
        if free:
            requests.put(mix.next())
        else:
            result.skipped += 1
        if time.monotonic() - said >= 60:
            said = time.monotonic()
            say(result)
    for _ in workers:
        requests.put(None)
    for worker in workers:
        worker.join(TIMEOUT + 5)
    return result


def arguments(given):
    def number(low, high):
        def parse(text):
            value = float(text)
            if not low <= value <= high:
                raise argparse.ArgumentTypeError(f"{text} is not between {low:g} and {high:g}")
            return value
        parse.__name__ = "number"
        return parse

    def url(text):
        parts = urlsplit(text)
        if parts.scheme != "http" or not parts.hostname:
            raise argparse.ArgumentTypeError(f"{text!r} is not like http://HOST:PORT")
        return parts

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Each option is also an environment variable: LOAD_RATE for --rate, and so on.")
    parser.add_argument("url", type=url)
    for name, kind, default, text in [
        ("rate", number(0.01, 500), "5", "requests a second (5)"),
        ("duration", number(0, 86400), "60", "seconds; 0 is until it is stopped (60)"),
        ("errors", number(0, 1), "0", "share of the requests that ask for an error (0)"),
        ("slow", number(0, 1), "0", "share of the requests that ask to be slow (0)"),
        ("slow-seconds", number(0, 30), "3", "how slow those are (3)"),
        ("cpu-seconds", number(0, 5), "0", "time of a processor that each request asks to use (0)"),
    ]:
        parser.add_argument(f"--{name}", type=kind, metavar="N", help=text,
                            default=os.environ.get("LOAD_" + name.replace("-", "_").upper(), default))
    parser.add_argument("--json", action="store_true", help="the report as one line of JSON")
    return parser.parse_args(given)


def main(given=None):
    options = arguments(given)
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())

    def say(result):
        report = result.report()
        if options.json:
            print(json.dumps(report), flush=True)
            return
        status = ", ".join(f"{count} × {code}" for code, count in report["status"].items()) or "no answers"
        times = ", ".join(f"{name} {value:.3f} s" for name, value in report["seconds"].items() if value is not None)
        print(f"{report['sent']} requests: {status}" + (f"; {times}" if times else ""), flush=True)
        for count, what in [
            (report["failed"], f"had no answer, the last one: {result.last_failure}"),
            (report["skipped"], f"could not be sent in time: {WORKERS} were waiting already"),
            (report["wrong_ids"], "were answered with another X-Request-ID"),
        ]:
            if count:
                print(f"  {count} {what}", flush=True)

    result = run(options.url, options, stop, say)
    say(result)
    return 1 if result.wrong_ids or not result.status else 0


if __name__ == "__main__":
    sys.exit(main())
