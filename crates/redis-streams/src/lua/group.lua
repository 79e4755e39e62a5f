-- Entries of a group, and their dead-letter stream.
--@siblings * -dead
-- The pending entry { id, consumer, idle, deliveries } if this consumer holds it, else nil.
local function held(stream, group, consumer, id)
  local pending = redis.pcall('XPENDING', stream, group, id, id, 1, consumer)
  return not pending.err and pending[1] or nil
end

-- Moves an entry to the dead-letter stream and acknowledges it. The dead letter has the fields
-- dead:id, dead:group, dead:deliveries and dead:reason before those of the entry.
local function park(stream, group, id, deliveries, reason)
  local words = {
    'dead:id', id,
    'dead:group', group,
    'dead:deliveries', tostring(deliveries),
    'dead:reason', reason,
  }
  local entry = redis.call('XRANGE', stream, id, id)[1]
  local fields = entry and entry[2] or {}
  -- A call from Lua takes a limited number of arguments.
  if #fields > 4000 then fields = { 'dead:packed', cmsgpack.pack(fields) } end
  for _, word in ipairs(fields) do words[#words + 1] = word end
  redis.call('XADD', stream .. '-dead', '*', unpack(words))
  redis.call('XACK', stream, group, id)
end
