#!lua flags=allow-oom
-- For ordered groups: new entries, unless a consumer holds entries. So at most one batch of the
-- group is in flight.
-- KEYS  1 the stream
-- ARGV  1 group, 2 consumer, 3 limit
-- Gives nothing if there is no such group; 'BUSY'; 'NONE', the last id delivered; or 'NEW', then id
--       and fields, repeated
-- Cost  O(log n + entries). Repeated, it returns BUSY until the entries are acknowledged.
local stream, group = KEYS[1], ARGV[1]
local pending = redis.pcall('XPENDING', stream, group)
if pending.err then
  if string.find(pending.err, 'NOGROUP', 1, true) then return {} end
  return pending
end
if pending[1] > 0 then return { 'BUSY' } end
local read =
  redis.call('XREADGROUP', 'GROUP', group, ARGV[2], 'COUNT', ARGV[3], 'STREAMS', stream, '>')
local reply = { 'NEW' }
if not read then
  for _, info in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local last, mine
    for at = 1, #info, 2 do
      if info[at] == 'name' then mine = info[at + 1] == group end
      if info[at] == 'last-delivered-id' then last = info[at + 1] end
    end
    if mine then return { 'NONE', last } end
  end
end
for _, entry in ipairs(read[1][2]) do
  local at = #reply
  reply[at + 1], reply[at + 2] = entry[1], entry[2]
end
return reply
