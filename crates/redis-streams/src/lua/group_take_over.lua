#!lua flags=allow-oom
-- Moves entries that others have held too long to this consumer, and those delivered too often to
-- the dead-letter stream. Then deletes silent consumers without entries; deleting one with entries
-- would lose them.
-- KEYS  1 the stream
-- ARGV  1 group, 2 consumer, 3 idle time in ms, 4 limit, 5 max deliveries, 6 id to continue from,
--       7 time of silence in ms before a consumer is deleted
-- Gives nothing if there is no such group. Else: id to continue from, lists of parked and of lost
--       ids (deleted from the stream while pending), number of deleted consumers, then deliveries,
--       id and fields, repeated
-- Cost  O(entries + consumers); it scans at most ten times the limit. Repeated, it moves others.
--@include stream/group
--@include stream/ids
local stream, group, consumer, max = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[5])
local claimed =
  redis.pcall('XAUTOCLAIM', stream, group, consumer, ARGV[3], ARGV[6], 'COUNT', ARGV[4])
if claimed.err then
  if string.find(claimed.err, 'NOGROUP', 1, true) then return {} end
  return claimed
end
local parked, given = {}, {}
for _, entry in ipairs(claimed[2]) do
  local pending = held(stream, group, consumer, entry[1])
  local deliveries = pending and pending[4] or 1
  if deliveries > max then
    local reason = 'delivered ' .. (deliveries - 1) .. ' times and never acknowledged'
    park(stream, group, entry[1], deliveries - 1, reason)
    parked[#parked + 1] = entry[1]
  else
    local at = #given
    given[at + 1], given[at + 2], given[at + 3] = tostring(deliveries), entry[1], entry[2]
  end
end
local deleted = 0
for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
  local other = record(info)
  if other.pending == 0 and other.idle >= tonumber(ARGV[7]) and other.name ~= consumer then
    redis.call('XGROUP', 'DELCONSUMER', stream, group, other.name)
    deleted = deleted + 1
  end
end
return { claimed[1], parked, claimed[3] or {}, tostring(deleted), unpack(given) }
