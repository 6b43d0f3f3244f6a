"""What runs inside Redis for ``redis://``: each script is one atomic step.

House rules:

* Names are escaped (``rows.escaped``), so NUL never occurs in one and separates them: a *pair* is
  ``number NUL contact``, a *field* ``id NUL role``. Bytes then sort as the names do.
* A fact is the text ``arrived order at opens_at data``, decimal but for the data.
* Texts are compared byte by byte here: Lua's own comparison follows the server's locale.

Keys, after the prefix: ``meta`` (version, began, and the number of the statuses) · ``facts:PAIR``
(hash of fields) · ``snapshots`` (hash of pairs) · ``keys`` (pairs, sorted) · ``numbers`` ·
``openers`` (by ms, ``PAIR NUL FIELD``) · ``links`` and ``links:NAME`` (``how NUL a NUL b``) ·
``statuses`` · ``claims`` (by ms, ``PAIR NUL opener``) and ``done`` · ``log`` (hash), ``log:time``,
``log:of:NAME`` (ids by ms), ``log:outcomes``, ``log:sends:MESSAGE`` (ids) · ``counts``.
"""

from __future__ import annotations

from typing import Final

from wa_fsm.stores.base import WINDOW_REFUSALS

GONE: Final = "WAFSMGONE"
"""How an error begins that says that there is no store any more: the server was emptied."""

MIGRATIONS: Final[dict[int, str]] = {}
"""From a version to the script that makes the next one of it, ``version`` included. KEYS: none;
ARGV: the prefix."""

FIXED: Final = (
    "openers",
    "keys",
    "numbers",
    "statuses",
    "links",
    "log",
    "log:time",
    "log:outcomes",
    "counts",
)
"""The keys that every ``WRITE`` is given first."""

BEGIN: Final = """
local meta = redis.call('HMGET', KEYS[1], 'version', 'began')
if (meta[1] and meta[2]) or #ARGV == 0 then return meta end
redis.call('HSETNX', KEYS[1], 'version', ARGV[1])
redis.call('HSETNX', KEYS[1], 'began', ARGV[2])
return redis.call('HMGET', KEYS[1], 'version', 'began')
"""
"""It writes only where there is no store, so that one on a replica can be opened. ARGV: version and
beginning of a new store; none: no store is made."""

_LESS: Final = """
local function less_text(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end
local function parsed(fact)
  local arrived, order, at, opens, data = string.match(fact, '^(%S+) (%S+) (%S+) (%S*) (.*)$')
  return {tonumber(arrived), tonumber(order), tonumber(at)}, data, opens
end
local function less(a, b)
  local x, xdata = parsed(a)
  local y, ydata = parsed(b)
  for i = 1, 3 do
    if x[i] ~= y[i] then return x[i] < y[i] end
  end
  return less_text(xdata, ydata)
end
"""

_THERE: Final = f"""
local prefix = ARGV[1]
if redis.call('HEXISTS', prefix .. 'meta', 'began') == 0 then
  return redis.error_reply('{GONE} no store')
end
"""

THERE: Final = _THERE + "return 1"

BEGAN: Final = (
    _THERE
    + """
local meta, began = prefix .. 'meta', ARGV[2]
if tonumber(began) < tonumber(redis.call('HGET', meta, 'began')) then
  redis.call('HSET', meta, 'began', began)
end
return redis.call('HGET', meta, 'began')
"""
)

FACT: Final = (
    _THERE
    + """
local pair, field, fact, opens = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local facts, opener = prefix .. 'facts:' .. pair, pair .. '\\0' .. field
local new = redis.call('HSETNX', facts, field, fact)
if new == 0 then
"""
    + _LESS
    + """
  if not less(fact, redis.call('HGET', facts, field)) then return 0 end
  redis.call('HSET', facts, field, fact)
elseif redis.call('HLEN', facts) == 1 then
  redis.call('ZADD', prefix .. 'keys', 0, pair)
  redis.call('SADD', prefix .. 'numbers', string.sub(pair, 1, string.find(pair, '%z') - 1))
end
if opens ~= '' then
  redis.call('ZADD', prefix .. 'openers', opens, opener)
elseif new == 0 then
  redis.call('ZREM', prefix .. 'openers', opener)
end
return new
"""
)
"""The step of ``WRITE`` that most batches are, by itself: in half of the time."""

_DROP_LOG: Final = """
local function drop_log(id)
  local row = redis.call('HGET', prefix .. 'log', id)
  if not row then return 0 end
  local n, m = string.match(row, '^(%d+),(%d+) ')
  local start = string.find(row, ' ') + 1
  local contact = string.sub(row, start, start + n - 1)
  local message = string.sub(row, #row - m + 1)
  redis.call('ZREM', prefix .. 'log:time', id)
  redis.call('ZREM', prefix .. 'log:of:' .. contact, id)
  if message ~= '' then redis.call('SREM', prefix .. 'log:sends:' .. message, id) end
  redis.call('HDEL', prefix .. 'log:outcomes', id)
  return redis.call('HDEL', prefix .. 'log', id)
end
"""

WRITE: Final = (
    _THERE
    + _LESS
    + "local k, i, new = 1, 2, 0"
    + _DROP_LOG
    + """
local function key() k = k + 1; return KEYS[k - 1] end
local function arg() i = i + 1; return ARGV[i - 1] end
local openers, keys, numbers, statuses = key(), key(), key(), key()
local links, log, log_time, outcomes, counts = key(), key(), key(), key(), key()
local learn = {}
function learn.fact()
  local facts, pair, field, fact = key(), arg(), arg(), arg()
  local kept = redis.call('HGET', facts, field)
  if kept and not less(fact, kept) then return end
  if not kept then
    new = new + 1
    if redis.call('EXISTS', facts) == 0 then
      redis.call('ZADD', keys, 0, pair)
      redis.call('SADD', numbers, string.sub(pair, 1, string.find(pair, '%z') - 1))
    end
  end
  redis.call('HSET', facts, field, fact)
  local _, _, opens = parsed(fact)
  if opens ~= '' then
    redis.call('ZADD', openers, opens, pair .. '\\0' .. field)
  elseif kept then
    redis.call('ZREM', openers, pair .. '\\0' .. field)
  end
end
function learn.status()
  local status, step = arg(), arg()
  local fresh = redis.call('SADD', statuses, status)
  if fresh == 1 then redis.call('HINCRBY', prefix .. 'meta', 'statuses', step) end
  new = new + fresh
end
function learn.link()
  local a, b, link = key(), key(), arg()
  redis.call('SADD', links, link)
  redis.call('SADD', a, link)
  redis.call('SADD', b, link)
end
local function lengths(row)
  local contact, message = string.match(row, '^(%d+),(%d+) ')
  return tonumber(contact), tonumber(message)
end
local function message_of(row)
  local _, length = lengths(row)
  return string.sub(row, #row - length + 1)
end
local refusals = {"""
    + ", ".join(f"['{outcome}'] = true" for outcome in WINDOW_REFUSALS)
    + """}
local function weight(outcome)
  if string.sub(outcome, 1, 6) == 'failed' then
    return (refusals[outcome] and '3' or '2') .. outcome
  end
  return outcome == 'delivered' and '1' .. outcome or ''
end
local function settle(id, outcome)
  local known = redis.call('HGET', outcomes, id)
  if known and less_text(weight(outcome), weight(known)) then return end
  redis.call('HSET', outcomes, id, outcome)
end
local function put(id, time, row, of, sends)
  redis.call('HSET', log, id, row)
  redis.call('ZADD', log_time, time, id)
  redis.call('ZADD', of, time, id)
  if message_of(row) ~= '' then redis.call('SADD', sends, id) end
end
function learn.log()
  local of, sends, id, time, row, outcome = key(), key(), arg(), arg(), arg(), arg()
  local kept, message = redis.call('HGET', log, id), message_of(row)
  if kept then
    local known = message ~= '' and message_of(kept) == message
      and redis.call('HGET', outcomes, id)
    drop_log(id)
    if known then redis.call('HSET', outcomes, id, known) end
  end
  put(id, time, row, of, sends)
  if weight(outcome) ~= '' then settle(id, outcome) end
  local waits = 'status ' .. message
  local waited = redis.call('HGET', outcomes, waits)
  if waited and message ~= '' then
    drop_log(waits)
    settle(id, waited)
  end
end
function learn.outcome()
  local of, sends, waits, time, row, outcome = key(), key(), arg(), arg(), arg(), arg()
  local found = false
  for _, id in ipairs(redis.call('SMEMBERS', sends)) do
    if id ~= waits then
      settle(id, outcome)
      found = true
    end
  end
  if not found then
    if redis.call('HEXISTS', log, waits) == 0 then put(waits, time, row, of, sends) end
    settle(waits, outcome)
  end
end
function learn.count() redis.call('HINCRBY', counts, arg(), arg()) end
while i <= #ARGV do learn[arg()]() end
return new
"""
)
"""KEYS: the nine fixed ones, then what each step takes. ARGV: the prefix, then
steps by name with their values."""

READ: Final = (
    _THERE
    + """
local number, contact = ARGV[2], ARGV[3]
local meta = redis.call('HMGET', prefix .. 'meta', 'began', 'statuses')
local began, statuses = meta[1], (meta[2] or 0) + redis.call('SCARD', prefix .. 'statuses')
if redis.call('EXISTS', prefix .. 'links:' .. contact) == 0 then
  local pair = number .. '\\0' .. contact
  local facts = redis.call('HGETALL', prefix .. 'facts:' .. pair)
  local count, snapshot = #facts / 2, redis.call('HGET', prefix .. 'snapshots', pair) or ''
  local head = table.concat({statuses, began, contact, snapshot, count}, '\\0')
  return count == 0 and head or head .. '\\0' .. table.concat(facts, '\\0')
end
local names, seen, i = {contact}, {[contact] = true}, 1
while i <= #names do
  for _, link in ipairs(redis.call('SMEMBERS', prefix .. 'links:' .. names[i])) do
    local a = string.find(link, '%z')
    local b = string.find(link, '%z', a + 1)
    if string.sub(link, 1, a - 1) == 'same' then
      for _, name in ipairs({string.sub(link, a + 1, b - 1), string.sub(link, b + 1)}) do
        if not seen[name] then
          seen[name] = true
          names[#names + 1] = name
        end
      end
    end
  end
  i = i + 1
end
local out = {statuses, began}
for _, name in ipairs(names) do
  local pair = number .. '\\0' .. name
  local facts = redis.call('HGETALL', prefix .. 'facts:' .. pair)
  out[#out + 1] = name
  out[#out + 1] = redis.call('HGET', prefix .. 'snapshots', pair) or ''
  out[#out + 1] = #facts / 2
  for j = 1, #facts do out[#out + 1] = facts[j] end
end
return table.concat(out, '\\0')
"""
)

_CLAIM: Final = (
    _THERE
    + """
local claims, done = prefix .. 'claims', prefix .. 'done'
local claim, until_ms = ARGV[2], ARGV[3]
"""
)

CLAIM: Final = (
    _CLAIM
    + """
if redis.call('SISMEMBER', done, claim) == 1 then return 0 end
local kept = redis.call('ZSCORE', claims, claim)
if kept and tonumber(kept) > tonumber(ARGV[4]) then return 0 end
redis.call('ZADD', claims, until_ms, claim)
return 1
"""
)
"""ARGV: the prefix, the claim, until when it holds, and now."""

DONE: Final = (
    _CLAIM
    + """
redis.call('ZADD', claims, until_ms, claim)
redis.call('SADD', done, claim)
"""
)

CLAIMED: Final = (
    _CLAIM
    + """
local kept = redis.call('ZSCORE', claims, claim)
if not kept or tonumber(kept) < tonumber(until_ms) then
  redis.call('ZADD', claims, until_ms, claim)
end
if ARGV[4] == '1' then redis.call('SADD', done, claim) end
"""
)
"""ARGV: the prefix, the claim, until when it holds, and whether it is done."""

COUNTED: Final = (
    _THERE
    + """
local counts = prefix .. 'counts'
local kept = redis.call('HGET', counts, ARGV[2])
if not kept or tonumber(kept) < tonumber(ARGV[3]) then
  redis.call('HSET', counts, ARGV[2], ARGV[3])
end
"""
)

FOLD: Final = (
    _THERE
    + """
local pair, until_ms, snapshot = ARGV[2], tonumber(ARGV[3]), ARGV[4]
local facts, snapshots = prefix .. 'facts:' .. pair, prefix .. 'snapshots'
local gone = {}
for i = 5, #ARGV, 2 do
  if redis.call('HGET', facts, ARGV[i]) == ARGV[i + 1] then gone[#gone + 1] = ARGV[i] end
end
local kept = redis.call('HGET', snapshots, pair)
if not kept and #ARGV > 4 and #gone == 0 then return 0 end
if kept then
  local before = tonumber(string.match(kept, '^%[(%-?%d+)'))
  if before > until_ms then return 0 end
  if before == until_ms and #gone < (#ARGV - 4) / 2 then return 0 end
end
for _, field in ipairs(gone) do
  redis.call('HDEL', facts, field)
  redis.call('ZREM', prefix .. 'openers', pair .. '\\0' .. field)
end
redis.call('HSET', snapshots, pair, snapshot)
redis.call('ZADD', prefix .. 'keys', 0, pair)
redis.call('SADD', prefix .. 'numbers', string.sub(pair, 1, string.find(pair, '%z') - 1))
return 1
"""
)

PRUNE: Final = (
    _THERE
    + "local before, claims, most = ARGV[2], ARGV[3], ARGV[4]"
    + _DROP_LOG
    + """
local count = 0
local function old(key, before)
  return redis.call('ZRANGEBYSCORE', prefix .. key, '-inf', '(' .. before, 'LIMIT', 0, most)
end
for _, id in ipairs(old('log:time', before)) do count = count + drop_log(id) end
for _, claim in ipairs(old('claims', claims)) do
  redis.call('SREM', prefix .. 'done', claim)
  count = count + redis.call('ZREM', prefix .. 'claims', claim)
end
return count
"""
)

FORGET: Final = (
    _THERE
    + _DROP_LOG
    + """
local count, gone = 0, {}
for i = 2, #ARGV do
  local name = ARGV[i]
  gone[name] = true
  for _, number in ipairs(redis.call('SMEMBERS', prefix .. 'numbers')) do
    local pair = number .. '\\0' .. name
    for _, field in ipairs(redis.call('HKEYS', prefix .. 'facts:' .. pair)) do
      redis.call('ZREM', prefix .. 'openers', pair .. '\\0' .. field)
      count = count + 1
    end
    redis.call('DEL', prefix .. 'facts:' .. pair)
    count = count + redis.call('HDEL', prefix .. 'snapshots', pair)
    redis.call('ZREM', prefix .. 'keys', pair)
  end
  for _, id in ipairs(redis.call('ZRANGE', prefix .. 'log:of:' .. name, 0, -1)) do
    count = count + drop_log(id)
  end
  for _, link in ipairs(redis.call('SMEMBERS', prefix .. 'links:' .. name)) do
    local a = string.find(link, '%z')
    local b = string.find(link, '%z', a + 1)
    redis.call('SREM', prefix .. 'links:' .. string.sub(link, a + 1, b - 1), link)
    redis.call('SREM', prefix .. 'links:' .. string.sub(link, b + 1), link)
    count = count + redis.call('SREM', prefix .. 'links', link)
  end
end
for _, claim in ipairs(redis.call('ZRANGE', prefix .. 'claims', 0, -1)) do
  local a = string.find(claim, '%z')
  local b = string.find(claim, '%z', a + 1)
  if gone[string.sub(claim, a + 1, b - 1)] then
    redis.call('SREM', prefix .. 'done', claim)
    count = count + redis.call('ZREM', prefix .. 'claims', claim)
  end
end
return count
"""
)
