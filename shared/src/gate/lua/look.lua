#!lua flags=no-writes
-- Reads the header of a program, with the time and the replication id that decide its state.
-- KEYS  1 `<env>:{sNN}:program:<id>:head`
-- Gives now, the server's replication id, then field, value, repeated (none if not installed)
-- Cost  O(categories)
--@include delay/clock
--@include link/server
local reply = { string.format('%.0f', now), server_replid() }
for _, word in ipairs(redis.call('HGETALL', KEYS[1])) do reply[#reply + 1] = word end
return reply
