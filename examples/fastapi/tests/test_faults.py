"""Faults on demand: what is asked for happens, nothing else does."""

import time
import unittest

from shop.faults import Fault, burn
from shop.settings import Settings
from tests.client import Client


class Asked(unittest.TestCase):
    def test_the_header(self):
        for header, fault in [
            ("error", Fault(error=True)),
            ("slow=2.5", Fault(slow=2.5)),
            (" cpu=0.2 , slow=1,error", Fault(error=True, slow=1, cpu=0.2)),
            ("", Fault()),
        ]:
            self.assertEqual(Fault.parse(header), fault, header)
        for header in ["errors", "slow", "slow=", "slow=x", "slow=-1", "slow=31", "cpu=6", "slow=nan", "error=1"]:
            with self.assertRaises(ValueError, msg=header):
                Fault.parse(header)

    def test_a_header_counts_only_where_it_is_allowed(self):
        with Client() as client:
            self.assertEqual(client.get("/items", X_Shop_Fault="error").status, 200)
        with Client(faults_on_request=True) as client:
            self.assertEqual(client.get("/items", X_Shop_Fault="error").status, 500)
            self.assertEqual(client.get("/items", X_Shop_Fault="nonsense").status, 400)
            self.assertEqual(client.get("/healthz", X_Shop_Fault="error").status, 200)

    def test_shares(self):
        settings = Settings(error_ratio=0.25, slow_ratio=0.5, slow_seconds=2)
        draw = iter([0.4, 0.1, 0.6, 0.24, 0.5, 0.25])  # slow, then error, for each
        self.assertEqual(
            [Fault.of(settings, None, lambda: next(draw)) for _ in range(3)],
            [Fault(error=True, slow=2), Fault(error=True), Fault()])

    def test_a_slow_request_is_slow(self):
        with Client(faults_on_request=True) as client:
            started = time.perf_counter()
            self.assertEqual(client.get("/items", X_Shop_Fault="slow=0.2").status, 200)
            self.assertGreaterEqual(time.perf_counter() - started, 0.2)

    def test_processor_time_is_used(self):
        started = time.thread_time()
        burn(0.05)
        self.assertGreaterEqual(time.thread_time() - started, 0.05)


class Environment(unittest.TestCase):
    def test_what_makes_no_sense_is_named(self):
        for name, given in [("ERROR_RATIO", "2"), ("SLOW_SECONDS", "soon"), ("POSTGRES_PORT", "0"),
                            ("ERROR_RATIO", "nan"), ("REDIS_PASSWORD_FILE", "/no/such/file")]:
            with self.assertRaisesRegex(SystemExit, f"SHOP_{name}"):
                Settings.from_environment({f"SHOP_{name}": given})

    def test_nothing_fails_by_itself_unless_asked(self):
        settings = Settings.from_environment({})
        self.assertEqual((settings.error_ratio, settings.slow_ratio, settings.faults_on_request), (0, 0, False))


if __name__ == "__main__":
    unittest.main()
