#!lua flags=allow-oom
-- Removes a consumer from its group. Its entries may be taken over immediately, and this delivery
-- does not count. A consumer with entries keeps its name, because deleting it would lose them; a
-- later take-over deletes it. Beyond 1,000 entries, the rest is taken over after the idle time.
-- KEYS  1 the stream
-- ARGV  1 group, 2 consumer, 3 idle time in ms after which others take over
-- Gives the number of entries returned
-- Cost  O(entries returned * log n). Repeated, it only decrements the count of deliveries, to 0 at
--       the least.
local stream, group, consumer = KEYS[1], ARGV[1], ARGV[2]
local pending = redis.pcall('XPENDING', stream, group, '-', '+', 1000, consumer)
if pending.err then return 0 end
for _, entry in ipairs(pending) do
  local count = math.max(entry[4] - 1, 0)
  local options = { 'IDLE', ARGV[3], 'RETRYCOUNT', count, 'JUSTID' }
  redis.call('XCLAIM', stream, group, consumer, 0, entry[1], unpack(options))
end
if #redis.call('XPENDING', stream, group, '-', '+', 1, consumer) == 0 then
  redis.call('XGROUP', 'DELCONSUMER', stream, group, consumer)
end
return #pending
