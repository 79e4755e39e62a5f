#!lua flags=allow-oom
-- Removes a consumer from its group. Its entries may be taken over immediately. A consumer with
-- entries keeps its name, because deleting it would lose them; a later take-over deletes it.
-- KEYS  1 the stream
-- ARGV  1 group, 2 consumer, 3 idle time in ms after which others take over, 4 whether this
--       delivery does not count ('1') or counts ('0')
-- Gives the number of entries returned
-- Cost  O(entries returned * log n). Repeated, it only decrements the count of deliveries ('1'), to
--       0 at the least.
local stream, group, consumer = KEYS[1], ARGV[1], ARGV[2]
local undone = tonumber(ARGV[4])
local from, returned = '-', 0
repeat
  local pending = redis.pcall('XPENDING', stream, group, from, '+', 1000, consumer)
  if pending.err then return 0 end
  for _, entry in ipairs(pending) do
    local count = math.max(entry[4] - undone, 0)
    local options = { 'IDLE', ARGV[3], 'RETRYCOUNT', count, 'JUSTID' }
    redis.call('XCLAIM', stream, group, consumer, 0, entry[1], unpack(options))
    from = '(' .. entry[1]
  end
  returned = returned + #pending
until #pending < 1000
if returned == 0 then redis.call('XGROUP', 'DELCONSUMER', stream, group, consumer) end
return returned
