#!lua flags=no-writes
-- Shows the header of a program, and by what it is to be judged.
-- KEYS  1 `<env>:{sNN}:program:<id>:head`
-- Gives now, the server's replication id, then field, value, repeated (none: not in the gate)
-- Cost  O(categories)
--@include delay/clock
--@include link/server
local reply = { string.format('%.0f', now), server_replid() }
for _, word in ipairs(redis.call('HGETALL', KEYS[1])) do reply[#reply + 1] = word end
return reply
