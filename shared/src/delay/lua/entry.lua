-- Entries of a delay queue, for the queue's own verbs and for every script that changes an entry in the same step as something
-- else. Needs clock.lua. A queue is its four keys on one shard, derived from `...:due`:
--   due ZSET id -> due time, or end of the lease; job HASH id -> body; lease HASH id -> 'token:attempt:due'; tries HASH id -> attempts so far
local function delay_queue(due_key)
  local base = due_key:sub(1, -4)
  return { due = due_key, job = base .. 'job', lease = base .. 'lease', tries = base .. 'tries', base = base }
end

-- The earliest due time or lease end there is.
local function delay_head(queue)
  return tonumber(redis.call('ZRANGE', queue.due, 0, 0, 'WITHSCORES')[2]) or math.huge
end

-- Wakes sleeping workers, on the channel `...:wake`, if something is due earlier than the head was before: no other change can make
-- them late. Published, not kept: who begins to listen looks at the queue first.
local function delay_wake(queue, head, due)
  if due < head then redis.call('PUBLISH', queue.base .. 'wake', string.format('%.0f', due)) end
end

-- New entries. One that exists is left alone. Answers a list of 1 (new) and 0 (existed), in the order asked.
local function delay_schedule(queue, ids, bodies, dues)
  local scores = redis.call('ZMSCORE', queue.due, unpack(ids))
  local flags, seen, due, job, first = {}, {}, {}, {}, math.huge
  for n, id in ipairs(ids) do
    flags[n] = 0
    if not scores[n] and not seen[id] then
      seen[id], flags[n], first = true, 1, math.min(first, dues[n])
      due[#due + 1], due[#due + 2] = dues[n], id
      job[#job + 1], job[#job + 2] = id, bodies[n]
    end
  end
  if #due > 0 then
    local head = delay_head(queue)
    redis.call('ZADD', queue.due, unpack(due))
    redis.call('HSET', queue.job, unpack(job))
    delay_wake(queue, head, first)
  end
  return flags
end

-- A new due time. The entry starts afresh: whoever holds a lease on it has lost it. Answers whether there is such an entry.
local function delay_reschedule(queue, id, due)
  if not redis.call('ZSCORE', queue.due, id) then return false end
  local head = delay_head(queue)
  redis.call('ZADD', queue.due, due, id)
  redis.call('HDEL', queue.lease, id)
  redis.call('HDEL', queue.tries, id)
  delay_wake(queue, head, due)
  return true
end

-- The entry as given, whether it existed or not.
local function delay_put(queue, id, body, due)
  if not delay_reschedule(queue, id, due) then
    local head = delay_head(queue)
    redis.call('ZADD', queue.due, due, id)
    delay_wake(queue, head, due)
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
