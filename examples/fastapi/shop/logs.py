"""One JSON object a line on stdout, each with the id of the request that it belongs to.

The id is the caller's, if it sent one in X-Request-ID, else a new one. It is in every line that is
logged on the way, in the order that the request made, and in the answer's header.
"""

import contextvars
import logging
import re
import sys
import time
import uuid

from pythonjsonlogger.json import JsonFormatter

HEADER = "X-Request-ID"
#: Whatever else a caller sends gets a new id: an id ends in logs, and nobody may write lines of his own there.
ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,64}")
#: Requests of the cluster rather than of people; logged only when they fail.
QUIET = {"/metrics", "/healthz", "/readyz"}

request_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("request_id", default=None)
log = logging.getLogger("shop.request")


class Formatter(JsonFormatter):
    """timestamp, level, logger, message, request_id, and what the call gave as `extra`."""

    def __init__(self):
        super().__init__(["levelname", "name", "message"], timestamp="timestamp",
                         rename_fields={"levelname": "level", "name": "logger"})

    def process_log_record(self, log_data):
        log_data = super().process_log_record(log_data)
        log_data["level"] = log_data["level"].lower()
        if (current := request_id.get()) is not None:
            log_data["request_id"] = current
        return log_data


def set_up(stream=sys.stdout) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Formatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


class Requests:
    """Gives each request its id and its line. It stands around the whole application, so that also
    the answer to an unhandled exception has the id."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        given = dict(scope["headers"]).get(HEADER.lower().encode(), b"").decode("latin-1")
        current = given if ACCEPTED.fullmatch(given) else uuid.uuid4().hex
        token = request_id.set(current)
        status, answered, started = 500, False, time.perf_counter()

        async def send_with_id(message):
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], True
                message = {**message, "headers": [*message["headers"], (HEADER.encode(), current.encode())]}
            await send(message)

        try:
            failed = None
            try:
                await self.app(scope, receive, send_with_id)
            except Exception as error:
                failed = error
            self.write(scope, status, time.perf_counter() - started, failed)
            # An exception usually comes here after its answer was sent, and the log is where it ends.
            if failed and not answered:
                raise failed
        finally:
            request_id.reset(token)

    @staticmethod
    def write(scope, status, seconds, failed):
        if status < 500 and scope["path"] in QUIET:
            return
        log.log(
            logging.ERROR if status >= 500 else logging.INFO,
            f"{scope['method']} {scope['path']} {status}",
            exc_info=failed,
            extra={
                "method": scope["method"],
                "path": scope["path"],
                "status": status,
                "duration_ms": round(seconds * 1000, 1),
            },
        )
