"""`gate`: a gatekeeper over a new store of each kind that keeps things in this machine."""

import pytest

from tests.gatekeeper.world import World
from tests.stores.fixtures import KINDS


@pytest.fixture
def world(tmp_path):
    """A gatekeeper over a store in memory, its clock, and short words for what happens."""
    made = World("memory", tmp_path)
    yield made
    made.close()


@pytest.fixture(params=KINDS)
def anywhere(request, tmp_path):
    """The same over each kind of store."""
    made = World(request.param, tmp_path)
    yield made
    made.close()
