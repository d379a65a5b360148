"""The one write of an owner, as a script that Redis runs atomically.

``KEYS``: meta, the stream of updates, then whatever the operations touch, by number. ``ARGV``: the header in the order
of :data:`HEADER`, then one MessagePack array of operations, each a letter and its arguments:

====== =========================== =====================================================================
letter arguments                   meaning
====== =========================== =====================================================================
P      key, field                  the hash must hold the field, else what we wrote is gone; keep the key
Q      key, member                 the sorted set must hold the member, likewise
V      key, window, n, n x (f, v)  set values, and tell the stream of those that differ
D      key, n, n x field           drop values
Z      key, n, n x (score, member) rank
R      key, n, n x member          take out of the ranking
H      key, n, n x (f, v)          set points of history, which nobody is told of
T      key, start                  drop points of history from before that start
L      key, point, length          append to a capped list
====== =========================== =====================================================================

Returns ``ok``, ``missing`` (Redis does not hold what this writer believes: send everything) or ``older`` with the
version that stands. An owner's stored version counts for as long as the values live: one that nobody has confirmed for
that long is a relic, of a topic made anew say, and blocks nobody.
"""

from __future__ import annotations

from typing import Final

HEADER: Final = (
    "owner",
    "position",
    "clock_ms",
    "expected",
    "complete",
    "watermark",
    "quality",
    "updated_at",
    "ttl_ms",
    "stream_length",
    "channel",
    "message",
)

WRITE: Final = """
local meta, updates = KEYS[1], KEYS[2]
local owner, position, clock = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local expected, complete = ARGV[4], ARGV[5] == '1'
local ttl, length, channel, message = tonumber(ARGV[9]), ARGV[10], ARGV[11], ARGV[12]
local version = ARGV[2] .. ':' .. ARGV[3]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local stored = redis.call('HGET', meta, 'version:' .. owner)
if stored then
  local at, clock_at = string.match(stored, '^(-?%d+):(-?%d+)$')
  at, clock_at = tonumber(at), tonumber(clock_at)
  if at > position or (at == position and clock_at > clock) then
    local seen = tonumber(redis.call('HGET', meta, 'seen:' .. owner) or '0')
    if now - seen < ttl then return {'older', stored} end
  end
end
if not complete and stored ~= expected then return {'missing', stored or ''} end

local todo, cursor = cmsgpack.unpack(ARGV[13]), 0
local function take()
  cursor = cursor + 1
  return todo[cursor]
end
local function key()
  return KEYS[take()]
end
local function call(command, name, count)
  local last = cursor + count
  while cursor < last do  -- in parts, as Lua has no room for any number of arguments; a part never ends within a pair
    local upto = math.min(cursor + 4000, last)
    redis.call(command, name, unpack(todo, cursor + 1, upto))
    cursor = upto
  end
end

local letter, alive = take(), {}
while letter == 'P' or letter == 'Q' do
  local name, field = key(), take()
  local command = letter == 'P' and 'HGET' or 'ZSCORE'
  if not redis.call(command, name, field) then return {'missing', stored or ''} end
  alive[#alive + 1] = name
  letter = take()
end

-- The first write must be one that a full server refuses: after any other it would take the rest as well.
redis.call('HSET', meta, 'version:' .. owner, version, 'watermark:' .. owner, ARGV[6], 'quality:' .. owner, ARGV[7],
  'updated_at:' .. owner, ARGV[8], 'seen:' .. owner, string.format('%.0f', now))
for _, name in ipairs(alive) do redis.call('PEXPIRE', name, ttl) end

while letter do
  local name = key()
  if letter == 'V' then
    local window, count = take(), take()
    local news = {}
    for at = cursor + 1, cursor + 2 * count, 2 do
      if not complete or redis.call('HGET', name, todo[at]) ~= todo[at + 1] then news[#news + 1] = at end
    end
    call('HSET', name, 2 * count)
    for _, at in ipairs(news) do
      local field = todo[at]
      local bar = string.find(field, '|', 1, true)
      local series = string.sub(field, 1, bar) .. window .. string.sub(field, bar)
      redis.call('XADD', updates, 'MAXLEN', '~', length, '*', 'key', series, 'value', todo[at + 1])
    end
  elseif letter == 'L' then
    redis.call('RPUSH', name, take())
    redis.call('LTRIM', name, '-' .. take(), -1)
  elseif letter == 'T' then
    local oldest = take()
    for _, field in ipairs(redis.call('HKEYS', name)) do
      if string.match(field, '[^|]*$') < oldest then redis.call('HDEL', name, field) end
    end
  else
    local count = take()
    if letter == 'Z' then
      call('ZADD', name, 2 * count)
    elseif letter == 'H' then
      call('HSET', name, 2 * count)
    elseif letter == 'D' then
      call('HDEL', name, count)
    else
      call('ZREM', name, count)
    end
  end
  redis.call('PEXPIRE', name, ttl)
  letter = take()
end

local worse = {live = 0, catching_up = 1, partial = 2, stale = 3}
local quality, watermark, updated_at, total = 'live', '', '', 0
local fields = redis.call('HGETALL', meta)
for index = 1, #fields, 2 do
  local what, value = string.match(fields[index], '^(%a+_?%a*):'), fields[index + 1]
  if what == 'quality' and worse[value] > worse[quality] then quality = value end
  if what == 'watermark' and value ~= '' and (watermark == '' or value < watermark) then watermark = value end
  if what == 'updated_at' and (updated_at == '' or value < updated_at) then updated_at = value end
  if what == 'version' then total = total + tonumber(string.match(value, '^-?%d+')) end
end
redis.call('HSET', meta, 'quality', quality, 'watermark', watermark, 'updated_at', updated_at,
  'version', string.format('%.0f', total))
redis.call('PEXPIRE', meta, ttl)
redis.call('PEXPIRE', updates, ttl)
if message ~= '' then redis.call('PUBLISH', channel, message) end
return {'ok', version}
"""
