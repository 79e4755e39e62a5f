#!lua flags=allow-oom
-- Leases what is due, the longest overdue first. An entry whose lease has run out is due again.
-- KEYS  1 `...:delay:<queue>:due`
-- ARGV  1 most entries (1 to 500), 2 lease in ms, 3 token: 32 hex digits, random, never used before
-- Gives now, the earliest time at which something will be due ('' if nothing is left; leases just given count), then id, body, attempt (from 1), due, repeated
-- Cost  O(log n + entries). A repeat claims other entries; the first ones come back when their lease ends.
--@include delay/clock
--@include delay/entry
local limit, lease_ms, token = whole(ARGV[1]), whole(ARGV[2]), ARGV[3]
if not limit or limit < 1 or limit > 500 then return bad('the limit must be 1 to 500') end
if not lease_ms or lease_ms < 1 then return bad('the lease must be at least 1 ms') end
if not string.match(token or '', '^%x+$') or #token ~= 32 then return bad('the token must be 32 hex digits') end

local queue = delay_queue(KEYS[1])
local found = redis.call('ZRANGE', queue.due, '-inf', now, 'BYSCORE', 'LIMIT', 0, limit, 'WITHSCORES')
local reply = { string.format('%.0f', now), '' }
if #found > 0 then
  local ids = {}
  for at = 1, #found, 2 do ids[#ids + 1] = found[at] end
  local bodies = redis.call('HMGET', queue.job, unpack(ids))
  local leases = redis.call('HMGET', queue.lease, unpack(ids))
  local tries = redis.call('HMGET', queue.tries, unpack(ids))
  local until_ms, ends, taken = now_up + lease_ms, {}, {}
  for n, id in ipairs(ids) do
    -- A dead lease remembers the attempt and the time the entry was really due.
    local attempt, due = string.match(leases[n] or '', '^%x+:(%d+):(%d+)$')
    attempt = (tonumber(attempt or tries[n] or 0)) + 1
    due = due or found[n * 2]
    ends[#ends + 1], ends[#ends + 2] = until_ms, id
    taken[#taken + 1], taken[#taken + 2] = id, token .. ':' .. attempt .. ':' .. due
    local at = #reply
    reply[at + 1], reply[at + 2], reply[at + 3], reply[at + 4] = id, bodies[n] or '', tostring(attempt), due
  end
  redis.call('ZADD', queue.due, 'XX', unpack(ends))
  redis.call('HSET', queue.lease, unpack(taken))
end
reply[2] = redis.call('ZRANGE', queue.due, 0, 0, 'WITHSCORES')[2] or ''
return reply
