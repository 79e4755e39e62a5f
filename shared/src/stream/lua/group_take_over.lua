#!lua flags=allow-oom
-- Hands this consumer what others have held for too long; what was delivered too often goes to the dead-letter stream instead. Then
-- deletes consumers that were not heard of and hold nothing: one that holds something is never deleted, its entries would be lost.
-- KEYS  1 the stream
-- ARGV  1 group, 2 consumer, 3 held for so long, ms, 4 most entries, 5 most deliveries, 6 where to go on (an id), 7 not heard of for so long, ms
-- Gives nothing if there is no such group. Else: where to go on, ids of set aside and of lost entries (removed from the stream while
--       pending) as lists, number of deleted consumers, then deliveries, id and fields, repeated
-- Cost  O(entries + consumers), looking at no more than ten times the most entries. Repeated, it hands out others.
--@include stream/group
--@include stream/ids
local stream, group, consumer, most = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[5])
local claimed = redis.pcall('XAUTOCLAIM', stream, group, consumer, ARGV[3], ARGV[6], 'COUNT', ARGV[4])
if claimed.err then
  if string.find(claimed.err, 'NOGROUP', 1, true) then return {} end
  return claimed
end
local buried, given = {}, {}
for _, entry in ipairs(claimed[2]) do
  local pending = held(stream, group, consumer, entry[1])
  local deliveries = pending and pending[4] or 1
  if deliveries > most then
    local reason = 'delivered ' .. (deliveries - 1) .. ' times and never acknowledged'
    bury(stream, group, entry[1], deliveries - 1, reason)
    buried[#buried + 1] = entry[1]
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
return { claimed[1], buried, claimed[3] or {}, tostring(deleted), unpack(given) }
