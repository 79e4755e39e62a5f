-- The pending entry as the group knows it, if this consumer holds it: { id, consumer, idle, deliveries }.
local function held(stream, group, consumer, id)
  local pending = redis.pcall('XPENDING', stream, group, id, id, 1, consumer)
  return not pending.err and pending[1] or nil
end

-- Moves an entry to the dead-letter stream, its fields behind what is to be known of its end, and acknowledges it.
local function bury(stream, group, id, deliveries, reason)
  local words = { 'dead:id', id, 'dead:group', group, 'dead:deliveries', tostring(deliveries), 'dead:reason', reason }
  local entry = redis.call('XRANGE', stream, id, id)[1]
  local fields = entry and entry[2] or {}
  if #fields > 4000 then fields = { 'dead:packed', cmsgpack.pack(fields) } end -- more arguments than a call from Lua takes
  for _, word in ipairs(fields) do words[#words + 1] = word end
  redis.call('XADD', stream .. '-dead', '*', unpack(words))
  redis.call('XACK', stream, group, id)
end
