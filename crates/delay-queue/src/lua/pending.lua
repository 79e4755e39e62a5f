#!lua flags=no-writes
-- Lists waiting and leased entries, the earliest due first.
-- KEYS  1 `...:delay:<queue>:due`
-- ARGV  1 how many to skip, 2 limit (1 to 500)
-- Gives id, body, due (or end of the lease), attempts begun, 1 if leased, repeated
-- Cost  O(log n + skipped + entries)
--@include delay/clock
--@include delay/entry
local skip, limit = whole(ARGV[1]), whole(ARGV[2])
if not skip or not limit or limit < 1 or limit > 500 then
  return bad('expected how many to skip, and a limit of 1 to 500')
end
local queue = delay_queue(KEYS[1])
local found = redis.call('ZRANGE', queue.due, skip, skip + limit - 1, 'WITHSCORES')
local reply = {}
for at = 1, #found, 2 do
  local id = found[at]
  local lease = redis.call('HGET', queue.lease, id)
  local attempts = lease and string.match(lease, ':(%d+):')
  attempts = attempts or redis.call('HGET', queue.tries, id) or '0'
  local body = redis.call('HGET', queue.job, id) or ''
  for _, word in ipairs({ id, body, found[at + 1], attempts, lease and '1' or '0' }) do
    reply[#reply + 1] = word
  end
end
return reply
