"""Errors, slowness and load on demand, to see an alert fire.

Two ways, which add up: SHOP_ERROR_RATIO and SHOP_SLOW_RATIO make a share of all requests fail or
slow; with SHOP_FAULTS_ON_REQUEST=yes a caller asks for a fault in the header X-Shop-Fault, as
`error`, `slow=SECONDS`, `cpu=SECONDS`, or several with commas between them.
"""

import asyncio
import random
import time
from dataclasses import dataclass

from shop.settings import Settings

HEADER = "X-Shop-Fault"
MOST_SECONDS = {"slow": 30.0, "cpu": 5.0}


class Failure(Exception):
    """What a request that is made to fail fails with. Nobody handles it, as with a real fault."""


@dataclass(frozen=True)
class Fault:
    error: bool = False
    slow: float = 0.0
    cpu: float = 0.0

    @classmethod
    def parse(cls, header: str) -> "Fault":
        """ValueError names the part that is not understood."""
        error, seconds = False, {"slow": 0.0, "cpu": 0.0}
        for part in filter(None, (part.strip() for part in header.split(","))):
            name, equals, value = part.partition("=")
            if part == "error":
                error = True
            elif equals and name in seconds:
                try:
                    wanted = float(value)
                except ValueError:
                    raise ValueError(f"{part!r}: no number of seconds") from None
                if not 0 <= wanted <= MOST_SECONDS[name]:
                    raise ValueError(f"{part!r}: not between 0 and {MOST_SECONDS[name]:g} seconds")
                seconds[name] = wanted
            else:
                raise ValueError(f"{part!r}: neither error nor slow=SECONDS nor cpu=SECONDS")
        return cls(error, **seconds)

    @classmethod
    def of(cls, settings: Settings, header: str | None, chance=random.random) -> "Fault":
        """The fault of one request."""
        asked = cls.parse(header) if header and settings.faults_on_request else cls()
        slow = settings.slow_seconds if chance() < settings.slow_ratio else 0.0
        return cls(asked.error or chance() < settings.error_ratio, asked.slow + slow, asked.cpu)

    async def happen(self) -> None:
        if self.cpu:
            # In a thread: the other requests and the probes go on, as slowly as the limit makes them.
            await asyncio.to_thread(burn, self.cpu)
        if self.slow:
            await asyncio.sleep(self.slow)
        if self.error:
            raise Failure("this request was made to fail")


def burn(seconds: float) -> None:
    """Uses that much time of a processor, however long it takes to get it."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
