#!lua flags=allow-oom
-- Takes a consumer out of its group. What it holds is given back as if this delivery had not been: another may take it over at once,
-- and it counts as delivered once less. A consumer that held something stays by name, since deleting it would lose its entries;
-- it is deleted by a later take-over. (Groups with more than 1,000 entries held by one consumer wait for the rest.)
-- KEYS  1 the stream
-- ARGV  1 group, 2 consumer, 3 held for so long, ms, when others may take over
-- Gives the number of entries given back
-- Cost  O(entries given back * log n). Repeated, it changes nothing more but the count of deliveries, which never falls below 0.
local stream, group, consumer = KEYS[1], ARGV[1], ARGV[2]
local pending = redis.pcall('XPENDING', stream, group, '-', '+', 1000, consumer)
if pending.err then return 0 end
for _, entry in ipairs(pending) do
  local count = math.max(entry[4] - 1, 0)
  redis.call('XCLAIM', stream, group, consumer, 0, entry[1], 'IDLE', ARGV[3], 'RETRYCOUNT', count, 'JUSTID')
end
if #redis.call('XPENDING', stream, group, '-', '+', 1, consumer) == 0 then
  redis.call('XGROUP', 'DELCONSUMER', stream, group, consumer)
end
return #pending
