"""What a postgresql:// URI may hold, and what no error repeats of it."""

import psycopg
import pytest

from tests.servers import PASSWORD
from tests.stores.faults import sentence
from tests.stores.fixtures import server_for
from tests.stores.rows import NINE, fact, wrote
from wa_fsm.stores import StoreUnavailable, open_store
from wa_fsm.stores.options import taken
from wa_fsm.stores.postgres_pool import Pool


@pytest.fixture(scope="module")
def server():
    with server_for("postgres", "-c", "fsync=off") as started:
        yield started


@pytest.fixture
def uri(server):
    return server.fresh_uri() + "?durable=no"


@pytest.mark.parametrize(
    ("rest", "driver"),
    [
        ("?options=-c%20a%3Db&durable=no&sslmode=prefer", "?options=-c%20a%3Db&sslmode=prefer"),
        ("?durable=no", ""),
        ("?name=a+b&&durab%6Ce=no", "?name=a+b"),
        ("", ""),
    ],
)
def test_what_is_the_drivers_goes_to_it_as_it_is_written(rest, driver):
    """Drivers differ in how they read a blank and a plus."""
    left, ours = taken(f"postgresql://h/x{rest}", {"durable": "yes"})
    assert left == f"postgresql://h/x{driver}"
    assert ours == {"durable": "no" if "no" in rest else "yes"}


def test_a_driver_s_option_may_have_a_blank_or_a_plus_in_it(uri):
    """`%20` is a blank to libpq, and `+` is a plus."""
    store = open_store(
        f"{uri}&application_name=my%20shop+1&options=-c%20search_path%3Dpublic", lambda: NINE
    )
    with psycopg.connect(uri.partition("?")[0]) as other:
        names = other.execute("select application_name from pg_stat_activity").fetchall()
    store.close()
    assert ("my shop+1",) in names


@pytest.mark.parametrize(
    "rest",
    [
        "wa:se@{0}@127.0.0.1:5432/db",
        "wa:pa/ss{0}@127.0.0.1:5432/db",
        "wa:12/{0}@127.0.0.1:5432/db",
        "wa:12/a@{0}@127.0.0.1:5432/db",
        "wa:a?b@{0}@127.0.0.1:5432/db",
        "wa:1/a?{0}@127.0.0.1:5432/db",
        "wa:a?{0}@127.0.0.1:5432/db?durable=no",
        "wa:{0}/db",
    ],
)
def test_a_password_that_libpq_would_misread_is_refused_and_not_told(rest):
    """Its rest would pass for a host, a port or a name, and errors repeat those."""
    with pytest.raises(ValueError, match=r"cannot be read.*%40") as raised:
        open_store(f"postgresql://{rest.format(PASSWORD)}", lambda: NINE)
    sentence(raised.value)


@pytest.mark.parametrize(
    "rest",
    [
        "wa:p%40%2F%3Fw@127.0.0.1:1/my%40db?password=p@w",
        "wa@127.0.0.1:1,127.0.0.1:1/db",
        "wa@[::1]:1/db",
        "/db?host=/nowhere&user=wa",
    ],
)
def test_what_libpq_reads_well_is_tried(rest):
    """Percent-encoded, several hosts, an address of IPv6 or a socket."""
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        open_store(f"postgresql://{rest}", lambda: NINE)


@pytest.mark.parametrize("value", ["0", "-1"])
def test_a_connect_timeout_of_nothing_waits_for_as_long_as_it_takes(uri, value):
    """As libpq reads it; so does a call that waits for its turn."""
    store = open_store(f"{uri}&connect_timeout={value}", lambda: NINE)
    assert wrote(store, fact()).new == 1
    store.close()
    assert Pool(f"postgresql://h/x?connect_timeout={value}", 1, print)._patience is None


@pytest.mark.parametrize("value", ["soon", "inf"])
def test_a_connect_timeout_that_is_no_number_is_a_value_error(uri, value):
    """It is told before anything is opened."""
    with pytest.raises(ValueError, match=f"`connect_timeout` is .* got `{value}`"):
        open_store(f"{uri}&connect_timeout={value}", lambda: NINE)
