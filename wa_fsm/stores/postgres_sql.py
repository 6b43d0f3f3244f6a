"""The tables and statements of ``postgresql://``.

House rules:

* Every statement that writes several rows takes arrays, sorted by the rows' keys, so that two
  writers lock rows in one order. One statement is one transaction unless said otherwise.
* Instants are whole milliseconds. Texts compare by code point (collation ``C``).
* Facts are found by 64-bit hashes of the contact and of the rest of the key: an index of ids as
  they are would take as much room as the facts. Two facts of one contact would have to meet in
  a 64-bit hash to be taken for one.
"""

from __future__ import annotations

from typing import Final, LiteralString

from wa_fsm.stores.base import WAITS, WINDOW_REFUSALS

LOCK: Final = 0x77612D66736D  # "wa-fsm": whoever initialises or migrates holds it

_OF_CONTACT: Final = "hashtextextended(contact, 0)"
_OF_REST: Final = "hashtextextended(id, hashtextextended(number, role))"
_TEXT: Final = 'text collate "C" not null'

CREATE: Final[tuple[LiteralString, ...]] = (
    """create table wafsm_meta (
         one boolean primary key default true check (one),
         version integer not null, began bigint not null, statuses bigint not null default 0)""",
    f"""create table wafsm_facts (
         at bigint not null, arrived bigint not null, opens_at bigint, ord integer not null,
         role smallint not null, number {_TEXT}, contact {_TEXT}, id {_TEXT}, data {_TEXT})""",
    f"create unique index wafsm_facts_key on wafsm_facts ({_OF_CONTACT}, {_OF_REST})",
    "create index wafsm_facts_opens on wafsm_facts (opens_at) where opens_at is not null",
    f"""create table wafsm_snapshots (
         until bigint not null, number {_TEXT}, contact {_TEXT}, snapshot {_TEXT})""",
    f"""create unique index wafsm_snapshots_key
         on wafsm_snapshots ({_OF_CONTACT}, hashtextextended(number, 0))""",
    f"create table wafsm_links (how {_TEXT}, a {_TEXT}, b {_TEXT}, primary key (a, b, how))",
    "create index wafsm_links_b on wafsm_links (b, how)",
    f"""create table wafsm_statuses (
         name {_TEXT}, language {_TEXT}, status {_TEXT},
         at bigint not null, arrived bigint not null, ord integer not null,
         primary key (name, language, status, at, arrived, ord))""",
    f"""create table wafsm_log (
         id {_TEXT} primary key, time bigint not null, number {_TEXT}, contact {_TEXT},
         policy {_TEXT}, version {_TEXT}, message {_TEXT}, allowed boolean not null,
         reason {_TEXT}, rule {_TEXT}, mode {_TEXT}, asked_by {_TEXT},
         outcome {_TEXT}, message_id {_TEXT})""",
    "create index wafsm_log_time on wafsm_log (time)",
    "create index wafsm_log_contact on wafsm_log (contact)",
    "create index wafsm_log_message on wafsm_log (message_id) where message_id <> ''",
    f"""create table wafsm_claims (
         number {_TEXT}, contact {_TEXT}, opener {_TEXT},
         until bigint not null, done boolean not null, primary key (contact, number, opener))""",
    f"create table wafsm_counts (name {_TEXT} primary key, count bigint not null)",
)

TABLES: Final[tuple[LiteralString, ...]] = (
    "wafsm_facts",
    "wafsm_snapshots",
    "wafsm_links",
    "wafsm_statuses",
    "wafsm_log",
    "wafsm_claims",
    "wafsm_counts",
)

INDEXES: Final[tuple[LiteralString, ...]] = (
    "wafsm_facts_key",
    "wafsm_facts_opens",
    "wafsm_snapshots_key",
    "wafsm_links_b",
    "wafsm_log_time",
    "wafsm_log_contact",
    "wafsm_log_message",
)

MIGRATIONS: Final[dict[int, tuple[LiteralString, ...]]] = {}
"""From a version to the statements that make the next one of it."""

SETTINGS: Final = """select current_setting('synchronous_commit'), current_setting('fsync')"""

SESSION: Final = """select set_config('enable_seqscan', 'off', false),
    set_config('enable_bitmapscan', 'off', false),
    set_config('plan_cache_mode', 'force_generic_plan', false), set_config('jit', 'off', false),
    set_config('default_transaction_isolation', 'read committed', false)"""
"""Every statement has an index and few rows to find; a plan made while a table was small would
read all of it for as long as nobody has counted its rows. To begin a bitmap takes longer than to
find the few rows. Whoever waited for another's lock must see what that one wrote, so a stricter
default of the database does not hold; a stream asks for more."""

STREAM: Final = "set transaction isolation level repeatable read, read only"
PLANS_OF_STREAM: Final = "set local enable_seqscan = on"
MISSING: Final = """select name from unnest(%s::text[]) as t (name)
    where to_regclass(name) is null
    union all
    select indexrelid::regclass::text from pg_index
    where indrelid in (select to_regclass(name) from unnest(%s::text[]) as t (name))
      and not indisvalid
    order by 1"""
EXISTS: Final = """select exists (
    select from pg_class where relname = 'wafsm_meta' and pg_table_is_visible(oid))"""
"""Not ``to_regclass``: it goes on saying no when another program has made the table meanwhile."""
META: Final = "select version, began from wafsm_meta"
INITIALISE: Final = "insert into wafsm_meta (version, began) values (%s, %s)"
MIGRATED: Final = "update wafsm_meta set version = %s"
BEGAN: Final = "update wafsm_meta set began = least(began, %s) returning began"

_LEARN: Final = f"""on conflict ({_OF_CONTACT}, {_OF_REST}) do update set
      at = excluded.at, arrived = excluded.arrived, opens_at = excluded.opens_at,
      ord = excluded.ord, data = excluded.data
    where (excluded.arrived, excluded.ord, excluded.at, excluded.data)
        < (f.arrived, f.ord, f.at, f.data)
    returning xmax = 0"""
_FACT: Final = "number, contact, role, id, at, arrived, ord, data, opens_at"

FACT: Final = f"""insert into wafsm_facts as f ({_FACT})
    values (%s, %s, %s::smallint, %s, %s::bigint, %s::bigint, %s::integer, %s, %s::bigint)
    {_LEARN}"""

FACT_ASKED: Final = f"""insert into wafsm_facts as f ({_FACT})
    values ($1, $2, $3::smallint, $4, $5::bigint, $6::bigint, $7::integer, $8, $9::bigint)
    {_LEARN}"""

_FACTS_GIVEN: Final = f"""unnest(%s::text[], %s::text[], %s::smallint[], %s::text[], %s::bigint[],
      %s::bigint[], %s::integer[], %s::text[], %s::bigint[]) as g ({_FACT})"""

FACTS: Final = f"insert into wafsm_facts as f ({_FACT}) select * from {_FACTS_GIVEN} {_LEARN}"

LINKS: Final = """insert into wafsm_links (how, a, b)
    select * from unnest(%s::text[], %s::text[], %s::text[]) on conflict do nothing"""

# The number grows by random steps: a store that a backup takes the place of must not come to the
# same number with other statuses.
STATUSES: Final = """with fresh as (
      insert into wafsm_statuses (name, language, status, at, arrived, ord)
      select * from unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[],
        %s::integer[])
      on conflict do nothing returning 1)
    update wafsm_meta set statuses = statuses + (
      select sum(1 + floor(random() * 1000000)::bigint) from fresh)
    where exists (select from fresh) returning (select count(*) from fresh)"""

_LOG: Final = """id, time, number, contact, policy, version, message, allowed, reason, rule,
      mode, asked_by, outcome, message_id"""
_LOG_GIVEN: Final = f"""unnest(%s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[],
      %s::text[], %s::text[], %s::boolean[], %s::text[], %s::text[], %s::text[], %s::text[],
      %s::text[], %s::text[]) as t ({_LOG})"""


_REFUSALS: Final = ", ".join(f"'{outcome}'" for outcome in WINDOW_REFUSALS)


def _weight(outcome: LiteralString) -> LiteralString:
    return (
        f"case when {outcome} in ({_REFUSALS}) then '3' || {outcome}"
        f" when left({outcome}, 6) = 'failed' then '2' || {outcome}"
        f" when {outcome} = 'delivered' then '1' || {outcome} else '' end"
    )


def _settled(known: LiteralString, told: LiteralString) -> LiteralString:
    """``base.settled``."""
    return (
        f'case when ({_weight(known)}) collate "C" > ({_weight(told)}) collate "C"'
        f" then {known} else {told} end"
    )


# A decision and what became of its message may come at once, each in a transaction that does not
# see the other: whoever writes either of them takes the message first. Messages share 256 locks,
# taken in one order: the server has room for some thousands, other programs' included, and
# a batch may be of more messages than that.
MESSAGES: Final = """select pg_advisory_xact_lock(1463, bucket) from (
      select distinct (hashtextextended(m, 1) & 255)::integer as bucket
      from unnest(%s::text[]) m order by bucket) b"""

LOG: Final = f"""insert into wafsm_log as l ({_LOG}) select * from {_LOG_GIVEN}
    on conflict (id) do update set (time, number, contact, policy, version, message, allowed,
      reason, rule, mode, asked_by, outcome, message_id) = row (excluded.time, excluded.number,
      excluded.contact, excluded.policy, excluded.version, excluded.message, excluded.allowed,
      excluded.reason, excluded.rule, excluded.mode, excluded.asked_by,
      case when l.message_id <> '' and l.message_id = excluded.message_id
        then {_settled("l.outcome", "excluded.outcome")} else excluded.outcome end,
      excluded.message_id)"""

WAITED: Final = f"""with waited as (
      delete from wafsm_log w using unnest(%s::text[]) as t (id) where w.id = t.id
      returning w.message_id, w.outcome)
    update wafsm_log l set outcome = {_settled("l.outcome", "w.outcome")} from waited w
    where l.message_id = w.message_id and l.message_id <> '' and l.asked_by <> '{WAITS}'"""

OUTCOMES: Final = f"""with told as (select * from {_LOG_GIVEN}),
    settled as (
      update wafsm_log l set outcome = {_settled("l.outcome", "t.outcome")} from told t
      where l.message_id = t.message_id and l.message_id <> '' and l.asked_by <> '{WAITS}'
      returning l.message_id)
    insert into wafsm_log as l ({_LOG}) select * from told t
    where not exists (select from settled s where s.message_id = t.message_id)
    on conflict (id) do update
      set outcome = {_settled("l.outcome", "excluded.outcome")}"""

COUNTS: Final = """insert into wafsm_counts as c (name, count)
    select * from unnest(%s::text[], %s::bigint[])
    on conflict (name) do update set count = c.count + excluded.count"""

NAMES: Final = """with recursive names (name) as (
      select %s::text collate "C"
      union
      select x.name from names n cross join lateral (
        select b from wafsm_links where a = n.name and how = 'same'
        union all
        select a from wafsm_links where b = n.name and how = 'same') x (name))"""

# Of a contact of one name, as most are, in a third of the time; it says whether there are others.
READ_ONE: Final = """select m.statuses, m.began,
      exists (select from wafsm_links where a = $1 and how = 'same'
        union all select from wafsm_links where b = $1 and how = 'same'),
      (select s.snapshot from wafsm_snapshots s
        where hashtextextended(s.contact, 0) = hashtextextended($1, 0)
          and hashtextextended(s.number, 0) = hashtextextended($2, 0)
          and s.contact = $1 and s.number = $2),
      f.role, f.id, f.at, f.arrived, f.ord, f.data, f.opens_at
    from wafsm_meta m
    left join wafsm_facts f on hashtextextended(f.contact, 0) = hashtextextended($1, 0)
      and f.contact = $1 and f.number = $2
    where m.one"""

READ: Final = f"""{NAMES},
    every as materialized (
      select array_agg(name) as names, array_agg(hashtextextended(name, 0)) as hashes from names)
    select e.names, m.statuses, m.began,
      array(select s.snapshot from wafsm_snapshots s
        where hashtextextended(s.contact, 0) = any (e.hashes)
          and hashtextextended(s.number, 0) = hashtextextended(%s, 0)
          and s.contact = any (e.names) and s.number = %s),
      f.contact, f.role, f.id, f.at, f.arrived, f.ord, f.data, f.opens_at
    from every e join wafsm_meta m on m.one
    left join wafsm_facts f on hashtextextended(f.contact, 0) = any (e.hashes)
      and f.contact = any (e.names) and f.number = %s"""

ALL_STATUSES: Final = """select m.statuses, s.name, s.language, s.status, s.at, s.arrived, s.ord
    from wafsm_meta m left join wafsm_statuses s on true
    order by s.arrived, s.ord, s.name, s.language"""

OPENERS: Final = """select opens_at, number, contact, id, role from wafsm_facts
    where (opens_at, number, contact, id, role) > (%s, %s, %s, %s, %s) and opens_at <= %s
    order by opens_at, number, contact, id, role limit %s"""

CLAIM: Final = """insert into wafsm_claims as c (number, contact, opener, until, done)
    values (%s, %s, %s, %s, false)
    on conflict (contact, number, opener) do update set until = excluded.until
    where not c.done and c.until <= %s returning 1"""

DONE: Final = """insert into wafsm_claims (number, contact, opener, until, done)
    values (%s, %s, %s, %s, true)
    on conflict (contact, number, opener) do update set until = excluded.until, done = true"""

CLAIMED: Final = """insert into wafsm_claims as c (number, contact, opener, until, done)
    select * from unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::boolean[])
    on conflict (contact, number, opener) do update
      set until = greatest(c.until, excluded.until), done = c.done or excluded.done"""

COUNTED: Final = """insert into wafsm_counts as c (name, count)
    select * from unnest(%s::text[], %s::bigint[])
    on conflict (name) do update set count = greatest(c.count, excluded.count)"""

LOG_ROWS: Final = f"""select {_LOG} from wafsm_log
    where (%s::text is null or number = %s) and (%s::text[] = '{{}}' or contact = any (%s))
      and asked_by <> '{WAITS}'
    order by time, id"""
ALL_LOG: Final = f"select {_LOG} from wafsm_log order by time, id"

LINKS_OF: Final = """select how, a, b from wafsm_links where a = any (%s) or b = any (%s)
    order by how, a, b"""
ALL_LINKS: Final = "select how, a, b from wafsm_links order by a, b, how"
ALL_CLAIMS: Final = "select number, contact, opener, until, done from wafsm_claims"
ALL_COUNTS: Final = "select name, count from wafsm_counts"
KEYS: Final = """select number, contact from wafsm_facts
    union select number, contact from wafsm_snapshots order by 1, 2"""
ALL_SNAPSHOTS: Final = "select number, contact, snapshot from wafsm_snapshots"
ALL_FACTS: Final = f"select {_FACT} from wafsm_facts"

FOLD_LOCK: Final = "select pg_advisory_xact_lock(hashtextextended(%s, hashtextextended(%s, 0)))"
FOLDED: Final = """select until from wafsm_snapshots
    where hashtextextended(contact, 0) = hashtextextended(%s, 0)
      and hashtextextended(number, 0) = hashtextextended(%s, 0)
      and contact = %s and number = %s"""
FOLD: Final = """insert into wafsm_snapshots (number, contact, until, snapshot)
    values (%s, %s, %s, %s)
    on conflict (hashtextextended(contact, 0), hashtextextended(number, 0))
    do update set until = excluded.until, snapshot = excluded.snapshot"""
SNAPSHOTS: Final = """insert into wafsm_snapshots as s (number, contact, until, snapshot)
    select * from unnest(%s::text[], %s::text[], %s::bigint[], %s::text[])
    on conflict (hashtextextended(contact, 0), hashtextextended(number, 0))
    do update set until = excluded.until, snapshot = excluded.snapshot
    where s.until < excluded.until"""
UNFACT: Final = f"""delete from wafsm_facts f using {_FACTS_GIVEN}
    where hashtextextended(f.contact, 0) = hashtextextended(g.contact, 0)
      and hashtextextended(f.id, hashtextextended(f.number, f.role))
        = hashtextextended(g.id, hashtextextended(g.number, g.role))
      and (f.number, f.contact, f.role, f.id, f.at, f.arrived, f.ord, f.data)
        = (g.number, g.contact, g.role, g.id, g.at, g.arrived, g.ord, g.data)
      and f.opens_at is not distinct from g.opens_at"""

PRUNE: Final[tuple[LiteralString, ...]] = (
    "delete from wafsm_log where time < %s",
    "delete from wafsm_claims where until < %s",
)

FORGET: Final[tuple[LiteralString, ...]] = (
    """delete from wafsm_facts using unnest(%s::text[]) as g (name)
       where hashtextextended(contact, 0) = hashtextextended(g.name, 0) and contact = g.name""",
    """delete from wafsm_snapshots using unnest(%s::text[]) as g (name)
       where hashtextextended(contact, 0) = hashtextextended(g.name, 0) and contact = g.name""",
    "delete from wafsm_log where contact = any (%s)",
    "delete from wafsm_claims where contact = any (%s)",
    "delete from wafsm_links where a = any (%s) or b = any (%s)",
)
