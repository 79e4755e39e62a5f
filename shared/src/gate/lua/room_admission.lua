#!lua flags=no-writes
-- Whether a buyer is admitted to a program.
-- KEYS  1 `<env>:{sNN}:program:<id>:room`
-- ARGV  1 user
-- Gives the ms for which the admission is still valid; 0: the buyer is not admitted
-- Cost  O(1)
--@include delay/clock
--@include gate/room
if not ARGV[1] then return bad('a user is required') end
if not redis.call('ZSCORE', admitted_key, ARGV[1]) then return { '0' } end
local ends = redis.call('ZSCORE', ends_key, ARGV[1])
return { text_of(math.max(0, tonumber(ends or '0') - now)) }
