"""Items in Redis for half a minute. Without Redis the shop is slower, and goes on."""

import json
import logging

from redis.asyncio import Redis
from redis.exceptions import RedisError

from shop.metrics import Metrics
from shop.settings import Settings

log = logging.getLogger("shop.cache")
SECONDS = 30


class Cache:
    def __init__(self, settings: Settings, metrics: Metrics):
        self.results = metrics.cache
        self.redis = Redis(
            host=settings.redis_host, port=settings.redis_port, password=settings.redis_password or None,
            socket_connect_timeout=0.5, socket_timeout=0.5)

    async def close(self) -> None:
        await self.redis.aclose()

    async def get(self, number: int) -> dict | None:
        try:
            found = await self.redis.get(f"item:{number}")
        except (OSError, TimeoutError, RedisError) as error:
            self.failed(error)
            return None
        self.results.labels("miss" if found is None else "hit").inc()
        return None if found is None else json.loads(found)

    async def put(self, item: dict) -> None:
        try:
            await self.redis.set(f"item:{item['id']}", json.dumps(item), ex=SECONDS)
        except (OSError, TimeoutError, RedisError) as error:
            self.failed(error)

    def failed(self, error: Exception) -> None:
        self.results.labels("error").inc()
        log.warning("the cache does not answer", extra={"reason": str(error) or type(error).__name__})
