#!lua flags=allow-oom
-- Leases due entries, the earliest due first. An entry whose lease has ended is due again.
-- KEYS  1 `...:delay:<queue>:due`
-- ARGV  1 limit (1 to 500), 2 lease in ms, 3 token: 32 random hex digits
-- Gives now in us; the next due time or lease end of the shard in ms, new leases included ('' if
--       none); then id, body, attempt (from 1), due, repeated
-- Cost  O(log n + entries). A repeated call claims other entries; the first ones are due again when
--       their leases end.
--@function
--@include delay/clock
--@include delay/entry
local limit, lease_ms, token = whole(ARGV[1]), whole(ARGV[2]), ARGV[3]
if not limit or limit < 1 or limit > 500 then return bad('the limit must be 1 to 500') end
if not lease_ms or lease_ms < 1 then return bad('the lease must be at least 1 ms') end
if not string.match(token or '', '^%x+$') or #token ~= 32 then
  return bad('the token must be 32 hex digits')
end

-- Redis stores a hash of up to 512 short values as a list and scans it. Writing and reading 500
-- leases there would dominate the cost of claim and ack. A value over 64 bytes forces a real hash.
local FILL = string.rep(' ', 20)
local queue = delay_queue(KEYS[1])
local found =
  redis.call('ZRANGE', queue.due, '-inf', now, 'BYSCORE', 'LIMIT', 0, limit, 'WITHSCORES')
local reply = { string.format('%.0f%06d', clock[1], clock[2]), '' }
if #found > 0 then
  local ids = {}
  for at = 1, #found, 2 do ids[#ids + 1] = found[at] end
  local bodies = redis.call('HMGET', queue.job, unpack(ids))
  -- Usually the queue has no lease and no retried entry.
  local has_leases = redis.call('EXISTS', queue.lease) == 1
  local has_tries = redis.call('EXISTS', queue.tries) == 1
  local leases = has_leases and redis.call('HMGET', queue.lease, unpack(ids)) or {}
  local tries = has_tries and redis.call('HMGET', queue.tries, unpack(ids)) or {}
  local until_ms, ends, taken = string.format('%d', now_up + lease_ms), {}, {}
  for n, id in ipairs(ids) do
    local attempt, due = '1', found[n * 2]
    if leases[n] or tries[n] then
      -- An ended lease holds the attempt and the entry's own due time.
      local leased, leased_due = string.match(leases[n] or '', '^%x+:(%d+):(%d+)')
      attempt, due = string.format('%.0f', (leased or tries[n] or 0) + 1), leased_due or due
    end
    ends[n * 2 - 1], ends[n * 2] = until_ms, id
    taken[n * 2 - 1], taken[n * 2] = id, token .. ':' .. attempt .. ':' .. due .. FILL
    local at = n * 4 - 2
    reply[at + 1], reply[at + 2], reply[at + 3], reply[at + 4] = id, bodies[n] or '', attempt, due
  end
  redis.call('ZADD', queue.due, 'XX', unpack(ends))
  redis.call('HSET', queue.lease, unpack(taken))
end
reply[2] = redis.call('ZRANGE', queue.due, 0, 0, 'WITHSCORES')[2] or ''
return reply
