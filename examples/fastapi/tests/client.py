"""The service without a server: its neighbours in memory, and requests by calling the application."""

import asyncio
import io
import json
import logging
from dataclasses import dataclass

from prometheus_client import REGISTRY

from shop import logs
from shop.app import build
from shop.cache import Cache
from shop.metrics import Metrics
from shop.settings import Settings
from shop.store import Unavailable

OF_THE_PROCESS = set(REGISTRY._names_to_collectors.values())


class MemoryStore:
    def __init__(self):
        self.ready, self.gone, self.orders, self.asked = True, False, [], 0
        self.table = {1: {"id": 1, "name": "lantern", "cents": 2450}, 2: {"id": 2, "name": "rope", "cents": 1200}}

    async def open(self): pass

    async def close(self): pass

    async def check(self):
        self.asked += 1
        if self.gone:
            raise Unavailable("connection refused by 10.0.0.7")

    async def items(self):
        await self.check()
        return list(self.table.values())

    async def item(self, number):
        await self.check()
        return self.table.get(number)

    async def order(self, item, quantity, request_id):
        await self.check()
        self.orders.append((item, quantity, request_id))
        return len(self.orders)


class MemoryRedis:
    """What the cache asks of its client."""

    def __init__(self):
        self.values, self.gone = {}, False

    async def get(self, key):
        if self.gone:
            raise ConnectionError("refused")
        return self.values.get(key)

    async def set(self, key, value, ex):
        if self.gone:
            raise ConnectionError("refused")
        assert ex > 0
        self.values[key] = value

    async def aclose(self): pass


@dataclass
class Answer:
    status: int
    headers: dict
    text: str

    @property
    def json(self):
        return json.loads(self.text)


class Client:
    def __init__(self, **settings):
        # The library knows one registry for a process, and a test wants its own numbers.
        for collector in set(REGISTRY._names_to_collectors.values()) - OF_THE_PROCESS:
            REGISTRY.unregister(collector)
        self.metrics, self.store = Metrics(), MemoryStore()
        self.cache = Cache(Settings(), self.metrics)
        self.redis = self.cache.redis = MemoryRedis()
        self.app = logs.Requests(build(Settings(**settings), self.store, self.cache, self.metrics))
        self.log = io.StringIO()
        logs.set_up(self.log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        logging.getLogger().handlers.clear()

    def lines(self):
        """Whatever was logged, each line parsed."""
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def get(self, path, **headers):
        return self.request("GET", path, headers)

    def post(self, path, body, **headers):
        return self.request("POST", path, headers, body)

    def request(self, method, path, headers=(), body=None):
        content = b"" if body is None else json.dumps(body).encode()
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
            "client": ("127.0.0.1", 1), "server": ("shop", 80),
            "headers": [(b"content-type", b"application/json"),
                        *((name.replace("_", "-").lower().encode(), value.encode()) for name, value in dict(headers).items())],
        }
        sent = []

        async def receive():
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message):
            sent.append(message)

        asyncio.run(self.app(scope, receive, send))
        return Answer(
            sent[0]["status"], {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]},
            b"".join(message.get("body", b"") for message in sent[1:]).decode())
