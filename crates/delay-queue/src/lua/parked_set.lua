-- The set of parked entries. Needs entry.lua. Several entries of one id may be parked: a member is
-- the id, a blank, and the mark, which is the beginning of the lease's token (an id has no blanks).
-- Earlier versions wrote members without a mark.
--   parked     ZSET member -> when
--   parked-job HASH member -> body
--   parked-why HASH member -> 'attempts:reason'
local MARK = 16

local function parked_member(id, mark)
  if mark == '' then return id end
  return id .. ' ' .. mark
end

-- The id and the mark of a member ('' without one).
local function parked_parts(member)
  local id, mark = string.match(member, '^([^ ]+) (%x+)$')
  return id or member, mark or ''
end

-- The members of an id, the oldest first; with a mark, only that one. O(parked) without a mark.
local function parked_of(queue, id, mark)
  local key, found = queue.base .. 'parked', {}
  if mark then
    local member = parked_member(id, mark)
    if redis.call('ZSCORE', key, member) then found[1] = member end
    return found
  end
  for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do
    if parked_parts(member) == id then found[#found + 1] = member end
  end
  return found
end

local function parked_forget(queue, member)
  redis.call('ZREM', queue.base .. 'parked', member)
  redis.call('HDEL', queue.base .. 'parked-job', member)
  redis.call('HDEL', queue.base .. 'parked-why', member)
end

-- Appends six words for each member: id, mark, body, attempts, reason, when.
local function parked_words(queue, members, reply)
  for _, member in ipairs(members) do
    local id, mark = parked_parts(member)
    local why = redis.call('HGET', queue.base .. 'parked-why', member) or '0:'
    local attempt, reason = string.match(why, '^(%d+):(.*)$')
    local body = redis.call('HGET', queue.base .. 'parked-job', member) or ''
    local at = redis.call('ZSCORE', queue.base .. 'parked', member) or '0'
    for _, word in ipairs({ id, mark, body, attempt, reason, at }) do reply[#reply + 1] = word end
  end
  return reply
end
