-- Commands with more words than one call from Lua takes, and timeout entries of many orders. Needs
-- delay/entry.

-- Calls `command key word ...` with at most 1,000 words at a time (even, so pairs stay together).
-- Returns list replies as one list.
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

-- delay_put for many entries, given as parallel lists.
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

-- delay_cancel for many entries.
local function delay_cancel_many(queue, ids)
  in_slices('ZREM', queue.due, ids)
  in_slices('HDEL', queue.job, ids)
  in_slices('HDEL', queue.lease, ids)
  in_slices('HDEL', queue.tries, ids)
end
