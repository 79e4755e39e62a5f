#!lua flags=no-writes
-- What came after a position, and what the reader needs to tell whether that is all.
-- KEYS  1 the stream
-- ARGV  1 position: an entry id, 2 most entries
-- Gives the server's replication id; nothing more if there is no stream. Else: last id, entries added so far, entries held, id of
--       the first one held, greatest id ever deleted, then id and its list of fields and values, repeated
-- Cost  O(log n + entries)
--@include link/server
--@include stream/ids
local stream = KEYS[1]
if redis.call('EXISTS', stream) == 0 then return { server_replid() } end
local found = record(redis.call('XINFO', 'STREAM', stream))
local reply = {
  server_replid(), found['last-generated-id'], tostring(found['entries-added']), tostring(found.length),
  found['recorded-first-entry-id'], found['max-deleted-entry-id'],
}
for _, entry in ipairs(redis.call('XRANGE', stream, '(' .. ARGV[1], '+', 'COUNT', ARGV[2])) do
  local at = #reply
  reply[at + 1], reply[at + 2] = entry[1], entry[2]
end
return reply
