-- Commands over more words than one call of Lua takes, and timeout entries of many orders. Needs delay/entry.

-- Calls `command key word ...` for at most 1,000 words at a time (an even number: pairs stay together). Gives the replies in one list,
-- where they are lists.
local function in_slices(command, key, words)
  local replies = {}
  for at = 1, #words, 1000 do
    local reply = redis.call(command, key, unpack(words, at, math.min(at + 999, #words)))
    if type(reply) == 'table' then
      for _, word in ipairs(reply) do replies[#replies + 1] = word end
    end
  end
  return replies
end

-- As delay_put, for many entries: ids, bodies and due times side by side.
local function delay_put_many(queue, ids, bodies, dues)
  if #ids == 0 then return end
  local due, job, changed = {}, {}, {}
  for n, id in ipairs(ids) do
    due[#due + 1], due[#due + 2] = dues[n], id
    job[#job + 1], job[#job + 2] = id, bodies[n]
    changed[id] = dues[n]
  end
  in_slices('ZADD', queue.due, due)
  in_slices('HDEL', queue.lease, ids)
  in_slices('HDEL', queue.tries, ids)
  in_slices('HSET', queue.job, job)
  delay_wake(queue, changed)
end
