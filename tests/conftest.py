"""Hypothesis profiles, `short` (the same examples each time) and `long`; and no skips in CI."""

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]  # runs pytest in pytest; here, because only the top may load plugins

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
_IN_CI = os.environ.get("WA_FSM_CI") == "1"

settings.register_profile(
    "short", derandomize=True, deadline=None, max_examples=150, suppress_health_check=_SLOW
)
settings.register_profile("long", deadline=None, max_examples=10_000, suppress_health_check=_SLOW)
settings.load_profile("long" if os.environ.get("WA_FSM_LONG") == "1" else "short")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[pytest.TestReport]:
    """A test that needs a server skips with a sentence on a laptop; in CI a skip is a failure."""
    report = yield
    if _IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which is a failure in CI: {report.longrepr}"
    return report


def pytest_runtest_teardown() -> None:
    """`wa-sim` as a process ends quietly when nobody reads on; a test that calls it must not."""
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
