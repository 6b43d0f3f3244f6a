"""`store`: an empty store of each kind in turn, closed after the test."""

import pytest

from tests.stores.fixtures import KINDS, fresh_uri, opened
from tests.stores.rows import NINE
from wa_fsm.clock import ManualClock


@pytest.fixture
def now():
    return ManualClock(NINE)


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def store(kind, tmp_path, now):
    made = opened(fresh_uri(kind, tmp_path), now)
    yield made
    made.close()


@pytest.fixture
def two(kind, tmp_path, now):
    """Two empty stores of one kind."""
    made = [opened(fresh_uri(kind, tmp_path), now) for _ in range(2)]
    yield made
    for each in made:
        each.close()
