"""Items and orders in PostgreSQL. Its absence is an answer (`Unavailable`), not a crash."""

import asyncio
import logging
from contextlib import asynccontextmanager

import asyncpg

from shop.metrics import Metrics
from shop.settings import Settings

log = logging.getLogger("shop.store")

SCHEMA = """
CREATE TABLE IF NOT EXISTS items (id int PRIMARY KEY, name text NOT NULL, cents int NOT NULL);
CREATE TABLE IF NOT EXISTS orders (
    id bigserial PRIMARY KEY, item int NOT NULL REFERENCES items, quantity int NOT NULL,
    request_id text NOT NULL, at timestamptz NOT NULL DEFAULT now());
INSERT INTO items VALUES (1, 'lantern', 2450), (2, 'rope', 1200), (3, 'compass', 3900), (4, 'map', 800), (5, 'tent', 18900)
    ON CONFLICT DO NOTHING;
"""
#: Of the lock under which the tables are made: two replicas start at once.
SCHEMA_LOCK = 7_305_000


class Unavailable(Exception):
    """PostgreSQL does not answer."""


class Store:
    def __init__(self, settings: Settings, metrics: Metrics):
        self.metrics = metrics
        self.ready = False
        self.pool = asyncpg.create_pool(
            host=settings.postgres_host, port=settings.postgres_port, database=settings.postgres_database,
            user=settings.postgres_user, password=settings.postgres_password,
            min_size=0, max_size=10, timeout=3, command_timeout=5,
            server_settings={"application_name": "shop"})
        metrics.connections.labels("idle").set_function(lambda: self.pool.get_idle_size())
        metrics.connections.labels("used").set_function(
            lambda: self.pool.get_size() - self.pool.get_idle_size())

    async def open(self) -> None:
        """Waits for the database as long as it takes, and makes the tables."""
        await self.pool
        while not self.ready:
            try:
                async with self.connection("schema") as connection, connection.transaction():
                    await connection.execute(f"SELECT pg_advisory_xact_lock({SCHEMA_LOCK})")
                    await connection.execute(SCHEMA)
                self.ready = True
                log.info("the database is there")
            except (Unavailable, asyncpg.PostgresError) as error:
                log.warning("the database is not there yet", extra={"reason": str(error)})
                await asyncio.sleep(2)

    async def close(self) -> None:
        try:
            await asyncio.wait_for(self.pool.close(), 5)
        except TimeoutError:
            self.pool.terminate()

    @asynccontextmanager
    async def connection(self, operation: str):
        with self.metrics.query(operation):
            try:
                async with self.pool.acquire(timeout=3) as connection:
                    yield connection
            except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError,
                    asyncpg.CannotConnectNowError, asyncpg.AdminShutdownError,
                    asyncpg.InvalidAuthorizationSpecificationError, asyncpg.TooManyConnectionsError) as error:
                raise Unavailable(str(error) or type(error).__name__) from error

    async def check(self) -> None:
        async with self.connection("check") as connection:
            await connection.execute("SELECT 1")

    async def items(self) -> list[dict]:
        async with self.connection("items") as connection:
            return [dict(row) for row in await connection.fetch("SELECT id, name, cents FROM items ORDER BY id")]

    async def item(self, number: int) -> dict | None:
        async with self.connection("item") as connection:
            row = await connection.fetchrow("SELECT id, name, cents FROM items WHERE id = $1", number)
        return dict(row) if row else None

    async def order(self, item: int, quantity: int, request_id: str) -> int:
        async with self.connection("order") as connection:
            number = await connection.fetchval(
                "INSERT INTO orders (item, quantity, request_id) VALUES ($1, $2, $3) RETURNING id",
                item, quantity, request_id)
        self.metrics.orders.inc()
        return number
