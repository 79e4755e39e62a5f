-- The waiting room of a program: places in the order of arrival. Needs delay/clock. All keys derive
-- from KEYS[1], the room `<env>:{sNN}:program:<id>:room`, and are declared in a cluster.
--   room           hash: generation, next (number of the next place), credit, read, moved, paused,
--                  round (no round is granted before, ms)
--   room-waiting   sorted set: user -> number of the place
--   room-admitted  sorted set: user -> number of the place
--   room-ends      sorted set: user -> when the place lapses or the admission ends, ms
-- A user is in one of waiting and admitted, and in ends.
--@siblings room room-waiting room-admitted room-ends
local waiting_key, admitted_key = KEYS[1] .. '-waiting', KEYS[1] .. '-admitted'
local ends_key = KEYS[1] .. '-ends'
if not string.find(KEYS[1], '^.-:{s%d%d}:program:%d+:room$') then
  return bad('the key must be the room of a program')
end

local function text_of(number) return string.format('%.0f', number) end

local function forget(user)
  redis.call('ZREM', waiting_key, user)
  redis.call('ZREM', admitted_key, user)
  redis.call('ZREM', ends_key, user)
end

-- Forgets places that have ended, the oldest first, at most 100.
local function forget_ended()
  for _, user in ipairs(redis.call('ZRANGEBYSCORE', ends_key, '-inf', now, 'LIMIT', 0, 100)) do
    forget(user)
  end
end

-- Where the user is, 'admitted' or 'waiting', the number of the place, and its end, ms. nil: nowhere.
local function find(user)
  local ends = tonumber(redis.call('ZSCORE', ends_key, user) or '0')
  if ends > now then
    local number = redis.call('ZSCORE', admitted_key, user)
    if number then return 'admitted', number, ends end
    number = redis.call('ZSCORE', waiting_key, user)
    if number then return 'waiting', number, ends end
  end
  forget(user)
  return nil
end

-- A room that no request has used for so long is gone.
local function keep(ms)
  for _, key in ipairs({ KEYS[1], waiting_key, admitted_key, ends_key }) do
    redis.call('PEXPIRE', key, ms)
  end
end

-- Grants a round of admission to this caller, if one is due: then no other caller has one for a
-- second. A round that its caller does not finish is missed.
local function round_due(may)
  if may ~= '1' or redis.call('ZCARD', waiting_key) == 0 then return '0' end
  local next_round = tonumber(redis.call('HGET', KEYS[1], 'round') or '0')
  -- A clock that was set back delays no round for longer.
  if now < next_round and next_round <= now + 1000 then return '0' end
  redis.call('HSET', KEYS[1], 'round', text_of(now + 1000))
  return '1'
end

-- The reply for a user who is admitted, or waits and has looked just now.
local function admitted_reply(number, ends)
  return { 'ADMITTED', redis.call('HGET', KEYS[1], 'generation'), number, text_of(ends - now) }
end

local function waiting_reply(user, number, patience, may_admit)
  redis.call('ZADD', ends_key, now_up + patience, user)
  local due = round_due(may_admit)
  local room = redis.call('HMGET', KEYS[1], 'generation', 'paused', 'credit', 'read', 'moved')
  return {
    'WAITING', room[1], number, text_of(redis.call('ZRANK', waiting_key, user) + 1),
    text_of(redis.call('ZCARD', waiting_key)), room[2] or '', due, text_of(now), room[3],
    room[4] or '', room[5],
  }
end
