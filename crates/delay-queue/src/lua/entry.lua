-- Functions on the entries of a delay queue, for the queue's scripts and for others that change an
-- entry in the same step as their own data. Needs clock.lua. A queue has four keys on each shard,
-- derived from `...:due`:
--   due   ZSET id -> due time, or end of the lease
--   job   HASH id -> body
--   lease HASH id -> 'token:attempt:due'
--   tries HASH id -> attempts so far
-- In a cluster all of them are declared, so that a call is refused before its first write while they
-- are moving to another node one by one.
--@siblings due job lease tries parked parked-job parked-why
local function delay_queue(due_key)
  local base = due_key:sub(1, -4)
  return {
    due = due_key,
    job = base .. 'job',
    lease = base .. 'lease',
    tries = base .. 'tries',
    base = base,
  }
end

-- Wakes sleeping workers through the channel `...:wake` if one of the changed entries (id -> due)
-- is now the earliest of the shard. Messages are not stored: a worker claims once after
-- subscribing. A queue without such workers has `quiet`.
local function delay_wake(queue, changed)
  if queue.quiet then return end
  local due = changed[redis.call('ZRANGE', queue.due, 0, 0)[1] or '']
  if due then redis.call('PUBLISH', queue.base .. 'wake', string.format('%.0f', due)) end
end

-- Adds entries; an existing one is not changed. Returns 1 (new) or 0 (existed) for each, in order.
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
  local due, job, flags = {}, {}, {}
  for n, id in ipairs(ids) do
    due[n * 2 - 1], due[n * 2] = dues[n], id
    job[n * 2 - 1], job[n * 2] = id, bodies[n]
    flags[n] = 1
  end
  local new = redis.call('ZADD', queue.due, 'NX', unpack(due))
  if new < #ids then
    -- Some exist, or one id is given twice: only entries that were stored before have a body.
    local known, seen = redis.call('HMGET', queue.job, unpack(ids)), {}
    job = {}
    for n, id in ipairs(ids) do
      if known[n] or seen[id] then
        flags[n] = 0
      else
        seen[id] = true
        job[#job + 1], job[#job + 2] = id, bodies[n]
      end
    end
  end
  if #job > 0 then
    redis.call('HSET', queue.job, unpack(job))
    local first = redis.call('ZRANGE', queue.due, 0, 0)[1]
    for n, id in ipairs(ids) do
      if id == first and flags[n] == 1 then delay_wake(queue, { [id] = dues[n] }) end
    end
  end
  return flags
end

-- Changes the due time, revokes the lease and resets the attempts. Returns whether the entry
-- exists.
local function delay_reschedule(queue, id, due)
  if not redis.call('ZSCORE', queue.due, id) then return false end
  redis.call('ZADD', queue.due, due, id)
  redis.call('HDEL', queue.lease, id)
  redis.call('HDEL', queue.tries, id)
  delay_wake(queue, { [id] = due })
  return true
end

-- Adds an entry, or changes the due time of an existing one: that keeps its body, and loses its
-- lease and its attempts.
local function delay_put(queue, id, body, due)
  if redis.call('ZADD', queue.due, due, id) == 1 then
    redis.call('HSET', queue.job, id, body)
  elseif redis.call('EXISTS', queue.lease, queue.tries) > 0 then
    -- Usually the queue has neither.
    redis.call('HDEL', queue.lease, id)
    redis.call('HDEL', queue.tries, id)
  end
  delay_wake(queue, { [id] = due })
end

-- Removes an entry and its lease. Returns whether it existed.
local function delay_cancel(queue, id)
  local existed = redis.call('ZREM', queue.due, id)
  redis.call('HDEL', queue.job, id)
  redis.call('HDEL', queue.lease, id)
  redis.call('HDEL', queue.tries, id)
  return existed == 1
end
