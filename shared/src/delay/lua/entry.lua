-- Entries of a delay queue, for the queue's own verbs and for every script that changes an entry in the same step as something
-- else. Needs clock.lua. A queue is its four keys on one shard, derived from `...:due`:
--   due ZSET id -> due time, or end of the lease; job HASH id -> body; lease HASH id -> 'token:attempt:due'; tries HASH id -> attempts so far
local function delay_queue(due_key)
  local base = due_key:sub(1, -4)
  return { due = due_key, job = base .. 'job', lease = base .. 'lease', tries = base .. 'tries', base = base }
end

-- Wakes sleeping workers, on the channel `...:wake`, if one of the entries that were given a due time just now (id -> due) is the first
-- of all: no other change can make anybody late. Published, not kept: who begins to listen looks at the queue first.
local function delay_wake(queue, changed)
  local due = changed[redis.call('ZRANGE', queue.due, 0, 0)[1] or '']
  if due then redis.call('PUBLISH', queue.base .. 'wake', string.format('%.0f', due)) end
end

-- New entries. One that exists is left alone. Answers a list of 1 (new) and 0 (existed), in the order asked.
local function delay_schedule(queue, ids, bodies, dues)
  if #ids == 1 then
    local id = ids[1]
    local new = redis.call('ZADD', queue.due, 'NX', dues[1], id)
    if new == 1 then
      redis.call('HSET', queue.job, id, bodies[1])
      delay_wake(queue, { [id] = dues[1] })
    end
    return { new }
  end
  local scores = redis.call('ZMSCORE', queue.due, unpack(ids))
  local flags, added, due, job = {}, {}, {}, {}
  for n, id in ipairs(ids) do
    flags[n] = 0
    if not scores[n] and not added[id] then
      added[id], flags[n] = dues[n], 1
      due[#due + 1], due[#due + 2] = dues[n], id
      job[#job + 1], job[#job + 2] = id, bodies[n]
    end
  end
  if #due > 0 then
    redis.call('ZADD', queue.due, unpack(due))
    redis.call('HSET', queue.job, unpack(job))
    delay_wake(queue, added)
  end
  return flags
end

-- A new due time. The entry starts afresh: whoever holds a lease on it has lost it. Answers whether there is such an entry.
local function delay_reschedule(queue, id, due)
  if not redis.call('ZSCORE', queue.due, id) then return false end
  redis.call('ZADD', queue.due, due, id)
  redis.call('HDEL', queue.lease, id)
  redis.call('HDEL', queue.tries, id)
  delay_wake(queue, { [id] = due })
  return true
end

-- The entry as given, whether it existed or not.
local function delay_put(queue, id, body, due)
  if not delay_reschedule(queue, id, due) then
    redis.call('ZADD', queue.due, due, id)
    delay_wake(queue, { [id] = due })
  end
  redis.call('HSET', queue.job, id, body)
end

-- No such entry any more, whoever holds a lease on it. Answers whether there was one.
local function delay_cancel(queue, id)
  local existed = redis.call('ZREM', queue.due, id)
  redis.call('HDEL', queue.job, id)
  redis.call('HDEL', queue.lease, id)
  redis.call('HDEL', queue.tries, id)
  return existed == 1
end
