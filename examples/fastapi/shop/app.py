"""The service: its routes, and how it starts and ends."""

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Path, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from shop import logs
from shop.cache import Cache
from shop.faults import Fault
from shop.metrics import Metrics
from shop.settings import Settings
from shop.store import Store, Unavailable

log = logging.getLogger("shop")

#: What PostgreSQL calls an int.
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


class Order(BaseModel):
    item: int = Field(ge=1, le=2**31 - 1)
    quantity: int = Field(default=1, ge=1, le=100)


def build(settings: Settings, store: Store, cache: Cache, metrics: Metrics) -> FastAPI:
    """The application on given neighbours."""

    async def fault(x_shop_fault: Annotated[str | None, Header()] = None) -> None:
        try:
            found = Fault.of(settings, x_shop_fault)
        except ValueError as error:
            raise HTTPException(400, f"X-Shop-Fault: {error}") from None
        await found.happen()

    @asynccontextmanager
    async def lifespan(_app: FastAPI):
        opening = asyncio.create_task(store.open())
        yield
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        await asyncio.gather(store.close(), cache.close())

    app = FastAPI(title="shop", lifespan=lifespan)
    shop = APIRouter(dependencies=[Depends(fault)])

    @shop.get("/items")
    async def items() -> list[dict]:
        return await store.items()

    @shop.get("/items/{number}")
    async def item(number: Number) -> dict:
        return await find(number)

    @shop.post("/checkout", status_code=201)
    async def checkout(order: Order) -> dict:
        bought = await find(order.item)
        number = await store.order(order.item, order.quantity, logs.request_id.get() or "none")
        return {"order": number, "cents": bought["cents"] * order.quantity}

    async def find(number: int) -> dict:
        found = await cache.get(number)
        if found is None:
            found = await store.item(number)
            if found is None:
                raise HTTPException(404, f"there is no item {number}")
            await cache.put(found)
        return found

    @app.get("/healthz")
    async def alive() -> dict:
        """The process runs. Nothing else counts: a restart would not repair a database."""
        return {"status": "ok"}

    @app.get("/readyz")
    async def ready() -> dict:
        """It can serve. Redis does not count, for the shop goes on without it."""
        if not store.ready:
            raise Unavailable("the tables are not there yet")
        await store.check()
        return {"status": "ok"}

    @app.exception_handler(Unavailable)
    async def unavailable(_request: Request, error: Unavailable) -> JSONResponse:
        # What a driver says is for the log, and not for callers.
        log.error("the database does not answer", extra={"reason": str(error)})
        return JSONResponse({"detail": "the database does not answer"}, 503)

    app.include_router(shop)
    metrics.watch(app)
    return app


def serve():
    """What uvicorn runs (`shop.app:serve`, as a factory)."""
    logs.set_up()
    settings, metrics = Settings.from_environment(), Metrics()
    return logs.Requests(build(settings, Store(settings, metrics), Cache(settings, metrics), metrics))
