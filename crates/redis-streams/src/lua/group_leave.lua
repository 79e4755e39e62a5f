#!lua flags=allow-oom
-- Removes a consumer from its group. Its entries may be taken over immediately. A consumer with
-- entries keeps its name, because deleting it would lose them; a later take-over deletes it.
-- KEYS  1 the stream
-- ARGV  1 group, 2 consumer, 3 idle time in ms after which others take over, 4 whether this
--       delivery does not count ('1') or counts ('0')
-- Gives the number of entries returned, then the ids of those that were deleted from the stream
--       while pending: the group has dropped them now
-- Cost  O(entries returned * log n). Repeated, it only decrements the count of deliveries ('1'), to
--       0 at the least.
local stream, group, consumer = KEYS[1], ARGV[1], ARGV[2]
local undone = tonumber(ARGV[4])
local from, returned, lost = '-', 0, {}
repeat
  local pending = redis.pcall('XPENDING', stream, group, from, '+', 1000, consumer)
  if pending.err then return { '0' } end
  for _, entry in ipairs(pending) do
    local count = math.max(entry[4] - undone, 0)
    local options = { 'IDLE', ARGV[3], 'RETRYCOUNT', count, 'JUSTID' }
    local claimed = redis.call('XCLAIM', stream, group, consumer, 0, entry[1], unpack(options))
    -- XCLAIM acknowledges an entry that is not in the stream, and leaves it out of its reply.
    if claimed[1] then returned = returned + 1 else lost[#lost + 1] = entry[1] end
    from = '(' .. entry[1]
  end
until #pending < 1000
if returned == 0 then redis.call('XGROUP', 'DELCONSUMER', stream, group, consumer) end
table.insert(lost, 1, tostring(returned))
return lost
