#!lua flags=allow-oom
-- Where a stream ends at this moment, for a reader of everything from here on. A stream that has never held an entry gets one, trimmed
-- in the same step, and a count of entries that no other stream of this name has had: that of the server's milliseconds. So with an id
-- and a count to start from, no later deletion can pass unseen, not even one after which somebody opened the stream anew.
-- KEYS  1 the stream
-- Gives the server's replication id, last id, entries added so far
-- Cost  O(1). Repeated, it answers for the later moment.
--@include link/server
--@include stream/ids
local stream = KEYS[1]
local found = redis.call('EXISTS', stream) == 1 and record(redis.call('XINFO', 'STREAM', stream))
if not found or found['entries-added'] == 0 then
  local id = redis.call('XADD', stream, 'MAXLEN', '=', '0', '*', 'opened', '')
  local now = redis.call('TIME')
  redis.call('XSETID', stream, id, 'ENTRIESADDED', string.format('%d%03d', now[1], math.floor(now[2] / 1000)))
  found = record(redis.call('XINFO', 'STREAM', stream))
end
return { server_replid(), found['last-generated-id'], tostring(found['entries-added']) }
