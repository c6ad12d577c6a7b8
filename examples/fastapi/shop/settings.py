"""What the environment decides. Passwords come from files, so that no listing of a process shows them."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    postgres_host: str = "postgres"
    postgres_port: int = 5432
    postgres_database: str = "shop"
    postgres_user: str = "shop"
    postgres_password: str = ""
    redis_host: str = "redis"
    redis_port: int = 6379
    redis_password: str = ""
    #: Share of the requests that fail by themselves, and that are slow by themselves.
    error_ratio: float = 0.0
    slow_ratio: float = 0.0
    slow_seconds: float = 3.0
    #: Whether a caller may ask for a fault; see faults.py.
    faults_on_request: bool = False

    @classmethod
    def from_environment(cls, environment=os.environ) -> "Settings":
        def text(name, default):
            return environment.get(f"SHOP_{name}", default)

        def number(name, default, low, high):
            value = text(name, str(default))
            try:
                parsed = float(value)
            except ValueError:
                raise SystemExit(f"SHOP_{name} is no number: {value!r}") from None
            if not low <= parsed <= high:
                raise SystemExit(f"SHOP_{name} is not between {low} and {high}: {value}")
            return parsed

        def secret(name):
            path = environment.get(f"SHOP_{name}_FILE")
            if not path:
                return ""
            try:
                return Path(path).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise SystemExit(f"SHOP_{name}_FILE cannot be read: {error}") from None

        return cls(
            postgres_host=text("POSTGRES_HOST", cls.postgres_host),
            postgres_port=int(number("POSTGRES_PORT", cls.postgres_port, 1, 65535)),
            postgres_database=text("POSTGRES_DATABASE", cls.postgres_database),
            postgres_user=text("POSTGRES_USER", cls.postgres_user),
            postgres_password=secret("POSTGRES_PASSWORD"),
            redis_host=text("REDIS_HOST", cls.redis_host),
            redis_port=int(number("REDIS_PORT", cls.redis_port, 1, 65535)),
            redis_password=secret("REDIS_PASSWORD"),
            error_ratio=number("ERROR_RATIO", cls.error_ratio, 0, 1),
            slow_ratio=number("SLOW_RATIO", cls.slow_ratio, 0, 1),
            slow_seconds=number("SLOW_SECONDS", cls.slow_seconds, 0, 30),
            faults_on_request=text("FAULTS_ON_REQUEST", "no") == "yes",
        )
