"""The pytest plugin: scenario files as tests, and fixtures for tests of one's own.

pytest loads this module wherever wa-fsm is installed, so it imports nothing but pytest itself; the
rest is imported when a scenario is collected or a fixture is used. The page of the docs is
docs/testing-your-service.md.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Generator, Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from wa_fsm.policy import Policy

    from .pytest_items import ScenarioFile
    from .testing import ClockedGatekeeper

_ENDINGS = (".yaml", ".yml")
_POLICY_ENDINGS = (".policy.yaml", ".policy.yml")
_SCENARIO = re.compile(rb"^(?:\xef\xbb\xbf)?[\"']?scenario[\"']?[ \t]*:", re.MULTILINE)

_standing = pytest.StashKey[tuple[Path, ...]]()
_opened = pytest.StashKey[frozenset[Path]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options ``--wa-scenarios`` and ``--wa-policy``, and the setting ``wa_scenarios``."""
    group = parser.getgroup("wa-sim", "WhatsApp scenarios (wa-sim)")
    group.addoption(
        "--wa-scenarios",
        action="store_true",
        help="Collect scenario files (*.yaml, *.yml) among the given paths as tests.",
    )
    group.addoption(
        "--wa-policy",
        metavar="SPEC",
        help="Run scenario files under this policy instead of their own, such as "
        "`cloud-api,margin=5m`.",
    )
    parser.addini(
        "wa_scenarios",
        "Scenario files and folders that are always collected, relative to the rootdir.",
        type="args",
        default=[],
    )


def pytest_configure(config: pytest.Config) -> None:
    """Find out which paths are standing ones; a run without arguments gets them added."""
    config.addinivalue_line(
        "markers",
        "wa_policy(spec, **options): the policy of the fixture `gatekeeper`, such as "
        '`@pytest.mark.wa_policy("cloud-api", margin="5m")`.',
    )
    config.addinivalue_line(
        "markers",
        "wa_templates(**statuses): the templates that the fixture `gatekeeper` knows, such as "
        '`@pytest.mark.wa_templates(order_update="approved")`.',
    )
    config.stash[_standing] = tuple(
        Path(os.path.abspath(config.rootpath / path)) for path in config.getini("wa_scenarios")
    )
    asked = config.args_source is config.ArgsSource.ARGS
    if not asked and config.invocation_params.dir == config.rootpath:
        _add_standing(config)
    config.stash[_opened] = frozenset(_opened_for_standing(config))
    if config.getoption("--wa-policy"):
        from .pytest_items import policy_of

        policy_of(config)


def _add_standing(config: pytest.Config) -> None:
    """Collect the standing paths too. One without a scenario is an error, and never green."""
    given = [Path(os.path.abspath(config.rootpath / arg)) for arg in config.args]
    for path in config.stash[_standing]:
        if not path.exists():
            raise pytest.UsageError(f"wa_scenarios: there is no file or folder `{path}`")
        if not _holds_scenario(path, config):
            raise pytest.UsageError(f"wa_scenarios: no scenario file (*.yaml, *.yml) in `{path}`")
        if not any(path.is_relative_to(each) for each in given):
            config.args.append(str(path))
            given.append(path)


def _holds_scenario(path: Path, config: pytest.Config) -> bool:
    """Whether pytest's walk comes by a scenario file there."""
    from .files import below

    if not path.is_dir():
        return path.name.endswith(_ENDINGS) and not path.name.endswith(_POLICY_ENDINGS)
    return not all(_passed_by(Path(file).parent, path, config) for file in below(str(path)))


def _passed_by(path: Path, top: Path, config: pytest.Config) -> list[Path]:
    """The folders below `top`, down to this one, that pytest's walk does not enter."""
    patterns = config.getini("norecursedirs")
    way = takewhile(lambda folder: folder != top, (path, *path.parents))
    return [folder for folder in way if any(_fits(folder, pattern) for pattern in patterns)]


def _fits(folder: Path, pattern: str) -> bool:
    """Whether pytest takes this folder for one of `norecursedirs`."""
    if os.sep not in pattern:
        return fnmatch.fnmatch(folder.name, pattern)
    return fnmatch.fnmatch(
        str(folder), pattern if os.path.isabs(pattern) else f"*{os.sep}{pattern}"
    )


def _opened_for_standing(config: pytest.Config) -> Iterator[Path]:
    """The folders that pytest's walk must enter all the same, to come to a standing path."""
    for arg in config.args:
        top = Path(os.path.abspath(config.invocation_params.dir / arg))
        for path in config.stash[_standing]:
            if path.is_relative_to(top):
                yield from _passed_by(path, top, config)


@pytest.hookimpl(wrapper=True)
def pytest_ignore_collect(
    collection_path: Path, config: pytest.Config
) -> Generator[None, bool | None, bool | None]:
    """Of folders such as `.github` and `build`, which pytest passes by, only a standing path.

    Only `norecursedirs` is set aside for them: who ignores one in another way wants it so.
    """
    opened = config.stash[_opened]
    patterns = config.getini("norecursedirs")  # the list that pytest itself will read
    kept = list(patterns)
    if collection_path in opened:
        patterns.clear()
    try:
        ignored = yield
    finally:
        patterns[:] = kept
    if ignored is None and any(collection_path.is_relative_to(folder) for folder in opened):
        return None if _leads_to_standing(collection_path, config) else True
    return ignored


def _leads_to_standing(path: Path, config: pytest.Config) -> bool:
    return any(
        path.is_relative_to(each) or each.is_relative_to(path) for each in config.stash[_standing]
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """A scenario file, where scenarios are wanted.

    Whatever is named, and every YAML file at a standing path, is one: a misspelt key there is an
    error. In the folders of ``--wa-scenarios`` a file is one that has a key `scenario`, because
    folders hold other YAML files too.
    """
    named = parent.session.isinitpath(file_path)
    if not (file_path.name.lower() if named else file_path.name).endswith(_ENDINGS):
        return None
    config = parent.config
    stands = any(file_path.is_relative_to(path) for path in config.stash[_standing])
    if not stands and not config.getoption("--wa-scenarios"):
        return None
    if not named:
        if file_path.name.endswith(_POLICY_ENDINGS):
            return None
        if not stands and not _may_be_scenario(file_path):
            return None
    from .pytest_items import ScenarioFile

    made: ScenarioFile = ScenarioFile.from_parent(parent, path=file_path)
    return made


def _may_be_scenario(path: Path) -> bool:
    """Whether it has a key `scenario`. One that cannot be read may have it, and is told of."""
    try:
        return _SCENARIO.search(path.read_bytes()) is not None
    except OSError:
        return True


# -- fixtures for tests of one's own -------------------------------------------------------------


@pytest.fixture
def wa_policy(request: pytest.FixtureRequest) -> Policy | str:
    """By which policy the gatekeeper decides: that of the marker `wa_policy`. Override it at will.

    There is no default, as everywhere.
    """
    marker = request.node.get_closest_marker("wa_policy")
    if marker is None:
        pytest.fail(
            "the fixture `gatekeeper` needs a policy; mark the test with "
            '`@pytest.mark.wa_policy("cloud-api")`, or define a fixture `wa_policy`',
            pytrace=False,
        )
    if len(marker.args) + ("spec" in marker.kwargs) != 1:
        pytest.fail(
            "the marker `wa_policy` needs one policy and its options, such as "
            '`@pytest.mark.wa_policy("cloud-api", margin="5m")`',
            pytrace=False,
        )
    from .testing import policy_from

    try:
        return policy_from(*marker.args, **marker.kwargs)
    except (TypeError, ValueError) as error:
        told = f"the marker `wa_policy` cannot be: {error}"
        raise pytest.fail.Exception(told, pytrace=False) from None


@pytest.fixture
def wa_templates(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """Which templates the gatekeeper knows: those of the markers `wa_templates`, nearest first."""
    known: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers("wa_templates"))):
        for each in (*marker.args, marker.kwargs):
            if not isinstance(each, Mapping):
                pytest.fail(
                    "the marker `wa_templates` takes templates and their statuses, such as "
                    f'`@pytest.mark.wa_templates(order_update="approved")`, got `{each!r}`',
                    pytrace=False,
                )
            known.update(each)
    return known


@pytest.fixture
def gatekeeper(
    wa_policy: Policy | str, wa_templates: Mapping[str, Any]
) -> Iterator[ClockedGatekeeper]:
    """A gatekeeper over an empty store in memory, with a clock that can be moved: `.clock`.

    Its clock stands still at 2026-01-01T00:00:00Z until it is moved, or shows freezegun's time.
    """
    from .testing import ClockedGatekeeper

    with ClockedGatekeeper(policy=wa_policy, templates=wa_templates) as made:
        yield made


@pytest.fixture
def assert_allowed() -> Callable[..., Any]:
    """``wa_sim.testing.assert_allowed``."""
    from .testing import assert_allowed

    return assert_allowed


@pytest.fixture
def assert_refused() -> Callable[..., Any]:
    """``wa_sim.testing.assert_refused``."""
    from .testing import assert_refused

    return assert_refused
