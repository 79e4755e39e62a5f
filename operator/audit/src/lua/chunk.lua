#!lua flags=no-writes
-- Reads a chunk of a program's seat map with its owners and counts in one step, so that they can be
-- compared while the sale runs. Part of the audit; the sale does not use it.
-- KEYS  1 `<env>:{sNN}:program:<id>:head`
-- ARGV  1 category, 2 chunk from 0, 3 first seat, 4 last seat
-- Gives the header's free count, a mark that changes whenever the free count may have changed, the
--       characters of the longest runs, the bytes of the chunk (each '' if missing), then seat, owner,
--       repeated
-- Cost  O(seats of the chunk), at most 2,048 or one row: about a millisecond
--@siblings head absent
local root = string.match(KEYS[1], '^(.*:)head$')
local category, first, last = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
if not root or not first or not last then
  return redis.error_reply('BADARG expected a header, a category, a chunk and two seats')
end
local counts = redis.call('HMGET', KEYS[1], 'free:' .. category, 'freed:' .. category)
local free, freed = counts[1] or '', counts[2] or ''
local longest = redis.call('GET', root .. 'longest:' .. category) or ''
local bytes = redis.call('GET', root .. 'seats:' .. category .. ':' .. ARGV[2]) or ''
local reply = { free, free .. '/' .. freed, longest, bytes }
for from = first, last, 1000 do
  local seats = {}
  for seat = from, math.min(last, from + 999) do seats[#seats + 1] = string.format('%d', seat) end
  for n, owner in ipairs(redis.call('HMGET', root .. 'owner', unpack(seats))) do
    if owner then reply[#reply + 1], reply[#reply + 2] = seats[n], owner end
  end
end
return reply
