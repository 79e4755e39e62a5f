#!lua flags=no-writes
-- Lists parked entries, the oldest first.
-- KEYS  1 `...:delay:<queue>:due`
-- ARGV  1 how many to skip, 2 most entries (1 to 500)
-- Gives id, body, attempt, reason, parked at, repeated
-- Cost  O(log n + skipped + entries)
--@include delay/clock
--@include delay/entry
local skip, limit = whole(ARGV[1]), whole(ARGV[2])
if not skip or not limit or limit < 1 or limit > 500 then return bad('expected how many to skip, and a limit of 1 to 500') end
local parked = delay_queue(KEYS[1]).base .. 'parked'
local found = redis.call('ZRANGE', parked, skip, skip + limit - 1, 'WITHSCORES')
local reply = {}
for at = 1, #found, 2 do
  local id = found[at]
  local attempt, reason = string.match(redis.call('HGET', parked .. '-why', id) or '0:', '^(%d+):(.*)$')
  local body = redis.call('HGET', parked .. '-job', id) or ''
  for _, word in ipairs({ id, body, attempt, reason, found[at + 1] }) do reply[#reply + 1] = word end
end
return reply
