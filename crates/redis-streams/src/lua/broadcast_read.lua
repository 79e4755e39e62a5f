#!lua flags=no-writes
-- The entries after a position, and the state of the stream that shows whether any is missing.
-- KEYS  1 the stream
-- ARGV  1 position: an entry id, 2 limit
-- Gives the server's replication id; nothing more if there is no stream. Else: last id, entries
--       added so far, entries held, first id held, greatest id ever deleted, then id and list of
--       fields and values, repeated
-- Cost  O(log n + entries)
--@include link/server
--@include stream/ids
local stream = KEYS[1]
if redis.call('EXISTS', stream) == 0 then return { server_replid() } end
local found = record(redis.call('XINFO', 'STREAM', stream))
local reply = {
  server_replid(),
  found['last-generated-id'],
  tostring(found['entries-added']),
  tostring(found.length),
  found['recorded-first-entry-id'],
  found['max-deleted-entry-id'],
}
for _, entry in ipairs(redis.call('XRANGE', stream, '(' .. ARGV[1], '+', 'COUNT', ARGV[2])) do
  local at = #reply
  reply[at + 1], reply[at + 2] = entry[1], entry[2]
end
return reply
