"""The statements of ``sqlite:///``."""

from __future__ import annotations

from typing import Final

from wa_fsm.stores import base

BEGAN: Final = "SELECT value FROM meta WHERE name = 'began'"
BEGAN_EARLIER: Final = "UPDATE meta SET value = min(value, ?) WHERE name = 'began'"

_FACT: Final = "number, contact, role, id, at, arrived, ord, data, opens_at"

FACT: Final = f"INSERT OR IGNORE INTO facts ({_FACT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
# For what was known already: what arrived first takes its place.
EARLIER: Final = f"""INSERT INTO facts ({_FACT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET at = excluded.at, arrived = excluded.arrived, ord = excluded.ord,
      data = excluded.data, opens_at = excluded.opens_at
    WHERE (excluded.arrived, excluded.ord, excluded.at, excluded.data) < (arrived, ord, at, data)"""
UNFACT: Final = """DELETE FROM facts WHERE number = ? AND contact = ? AND role = ? AND id = ?
    AND at = ? AND arrived = ? AND ord = ? AND data = ? AND opens_at IS ?"""
LINK: Final = "INSERT OR IGNORE INTO links (how, a, b) VALUES (?, ?, ?)"
# The number grows by random steps: a file that takes the place of another must not come to the same
# number with other statuses.
STATUS: Final = """INSERT OR IGNORE INTO statuses (n, name, language, status, at, arrived, ord)
    VALUES ((SELECT coalesce(max(n), 0) + 1 + abs(random() % 1000000) FROM statuses),
      ?, ?, ?, ?, ?, ?)"""
_REFUSALS: Final = ", ".join(f"'{outcome}'" for outcome in base.WINDOW_REFUSALS)


def _weight(outcome: str) -> str:
    return (
        f"CASE WHEN {outcome} IN ({_REFUSALS}) THEN '3' || {outcome}"
        f" WHEN substr({outcome}, 1, 6) = 'failed' THEN '2' || {outcome}"
        f" WHEN {outcome} = 'delivered' THEN '1' || {outcome} ELSE '' END"
    )


def _settled(known: str, told: str) -> str:
    """``base.settled``."""
    return f"CASE WHEN {_weight(known)} > {_weight(told)} THEN {known} ELSE {told} END"


LOG: Final = f"""INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET (time, number, contact, policy, version, message, allowed, reason,
      rule, mode, asked_by, outcome, message_id) = (excluded.time, excluded.number,
      excluded.contact, excluded.policy, excluded.version, excluded.message, excluded.allowed,
      excluded.reason, excluded.rule, excluded.mode, excluded.asked_by,
      CASE WHEN message_id <> '' AND message_id = excluded.message_id
        THEN {_settled("outcome", "excluded.outcome")} ELSE excluded.outcome END,
      excluded.message_id)"""
WAITS: Final = f"""INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET outcome = {_settled("outcome", "excluded.outcome")}"""
WAITED: Final = "SELECT outcome FROM log WHERE id = ?"
NO_MORE: Final = "DELETE FROM log WHERE id = ?"
OUTCOME: Final = f"""UPDATE log SET outcome = {_settled("outcome", "?1")}
    WHERE message_id = ?2 AND message_id <> '' AND asked_by <> '{base.WAITS}'"""
COUNT: Final = """INSERT INTO counts (name, value) VALUES (?, ?)
    ON CONFLICT DO UPDATE SET value = value + excluded.value"""

# One statement sees one state of the store. Where there are no facts there is a row without one.
READ: Final = """SELECT (SELECT max(n) FROM statuses),
      (SELECT snapshot FROM snapshots WHERE number = ?1 AND contact = ?2),
      EXISTS (SELECT 1 FROM links WHERE how = 'same' AND a = ?2
        UNION ALL SELECT 1 FROM links WHERE how = 'same' AND b = ?2),
      contact, role, id, at, arrived, ord, data, opens_at
    FROM (SELECT 1) LEFT JOIN facts ON number = ?1 AND contact = ?2"""
NAMES: Final = """WITH RECURSIVE names (n) AS (
      SELECT ? UNION SELECT CASE WHEN a = n THEN b ELSE a END FROM names, links
      WHERE how = 'same' AND (a = n OR b = n))
    SELECT n FROM names"""

STATUSES: Final = "SELECT name, language, status, at, arrived, ord, n FROM statuses ORDER BY n"
# The role stands last in the order: it tells apart a message and a send of one id.
OPENERS: Final = """SELECT opens_at, number, contact, id, role FROM facts
    WHERE opens_at IS NOT NULL AND opens_at <= ?
      AND (opens_at, number, contact, id, role) > (?, ?, ?, ?, ?)
    ORDER BY opens_at, number, contact, id, role LIMIT ?"""
CLAIM: Final = """INSERT INTO claims (number, contact, opener, until, done) VALUES (?, ?, ?, ?, 0)
    ON CONFLICT DO UPDATE SET until = excluded.until WHERE NOT done AND until <= ?"""
DONE: Final = """INSERT INTO claims (number, contact, opener, until, done) VALUES (?, ?, ?, ?, 1)
    ON CONFLICT DO UPDATE SET until = excluded.until, done = 1"""
CLAIMED: Final = """INSERT INTO claims (number, contact, opener, until, done)
    VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
    SET until = max(until, excluded.until), done = max(done, excluded.done)"""
COUNTED: Final = """INSERT INTO counts (name, value) VALUES (?, ?)
    ON CONFLICT DO UPDATE SET value = max(value, excluded.value)"""
LINKS_OF: Final = "SELECT how, a, b FROM links WHERE a = ? OR b = ?"
COUNTS: Final = "SELECT name, value FROM counts"
KEYS: Final = """SELECT number, contact FROM facts WHERE (number, contact) > (?1, ?2)
    UNION SELECT number, contact FROM snapshots WHERE (number, contact) > (?1, ?2)
    ORDER BY 1, 2 LIMIT ?3"""
ALL_LINKS: Final = "SELECT how, a, b FROM links"
ALL_SNAPSHOTS: Final = "SELECT number, contact, snapshot FROM snapshots"
ALL_FACTS: Final = f"SELECT {_FACT} FROM facts"
ALL_CLAIMS: Final = "SELECT number, contact, opener, until, done FROM claims"
ALL_LOG: Final = "SELECT * FROM log ORDER BY time, id"

# Only a fold that reaches further takes the place of another.
FOLD: Final = """INSERT INTO snapshots (number, contact, until, snapshot) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET until = excluded.until, snapshot = excluded.snapshot
    WHERE excluded.until > until"""

SNAPSHOT: Final = "SELECT 1 FROM snapshots WHERE number = ? AND contact = ?"
NO_SNAPSHOT: Final = "DELETE FROM snapshots WHERE number = ? AND contact = ?"

PRUNE: Final = (
    "DELETE FROM log WHERE id IN (SELECT id FROM log WHERE time < ? LIMIT ?)",
    """DELETE FROM claims WHERE (number, contact, opener) IN
      (SELECT number, contact, opener FROM claims WHERE until < ? LIMIT ?)""",
)
# A person is found by number and name, number by number: none of these looks at every row.
_BY_NUMBER: Final = """DELETE FROM {0} WHERE contact = ?1 AND number IN (
      WITH RECURSIVE numbers (n) AS (SELECT min(number) FROM {0} UNION ALL
        SELECT (SELECT min(number) FROM {0} WHERE number > n) FROM numbers WHERE n IS NOT NULL)
      SELECT n FROM numbers)"""
FORGET: Final = (
    *(_BY_NUMBER.format(table) for table in ("facts", "snapshots", "claims")),
    "DELETE FROM log WHERE contact = ?1",
    "DELETE FROM links WHERE how IN ('same', 'next') AND (a = ?1 OR b = ?1)",
)


def log_rows(number: bool, names: int) -> str:
    """The statement for a page of decisions: of a number, of so many names, or all."""
    wanted = ["(time, id) > (?, ?)", f"asked_by <> '{base.WAITS}'"]
    if number:
        wanted.append("number = ?")
    if names:
        wanted.append(f"contact IN ({', '.join('?' * names)})")
    return f"SELECT * FROM log WHERE {' AND '.join(wanted)} ORDER BY time, id LIMIT ?"
