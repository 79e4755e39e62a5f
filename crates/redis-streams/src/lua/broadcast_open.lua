#!lua flags=allow-oom
-- The end of a stream, for a broadcast reader. A stream that never held an entry gets one, trimmed
-- in the same step, and the server's time in ms as its count of entries: no other stream of this
-- name had that count. With this id and count a reader detects every later deletion, also when
-- another reader has created the stream again.
-- KEYS  1 the stream
-- Gives the server's replication id, last id, entries added so far
-- Cost  O(1). May be repeated.
--@include link/server
--@include stream/ids
local stream = KEYS[1]
local found = redis.call('EXISTS', stream) == 1 and record(redis.call('XINFO', 'STREAM', stream))
if not found or found['entries-added'] == 0 then
  local id = redis.call('XADD', stream, 'MAXLEN', '=', '0', '*', 'opened', '')
  local now = redis.call('TIME')
  local now_ms = string.format('%d%03d', now[1], math.floor(now[2] / 1000))
  redis.call('XSETID', stream, id, 'ENTRIESADDED', now_ms)
  found = record(redis.call('XINFO', 'STREAM', stream))
end
return { server_replid(), found['last-generated-id'], tostring(found['entries-added']) }
