-- A reservation is one string, so that one command reads or replaces it: a line of words, then what
-- the message of the order has besides (`pay_by hash trace`; an earlier version wrote the message).
--   state attempt place nonce program category price seats user key
-- `attempt` counts publishes, from 1. Only an earlier version reads it: it frees the seats of a first
-- attempt that its producer refused, without a fence.
-- `place` is partition:offset:appended once the order is accepted, and empty before. `key` is empty
-- without a client's key. A stored order has nothing behind the line. No word contains a space.

-- The reservation of a text: state, attempt, place and nonce. nil for none.
local function parse_reservation(text)
  local state, attempt, place, words, nonce, rest =
    string.match(text or '', '^(%l+) (%d+) (%S*) ()(%x+) ()')
  if not state then return nil end
  return {
    text = text, state = state, attempt = attempt, place = place, nonce = nonce,
    words = words, rest = rest,
  }
end

-- Adds the other words.
local function parse_rest(r)
  r.program, r.category, r.price, r.seats, r.user, r.key =
    string.match(r.text, '^(%d+) (%d+) (%d+) ([%d,]+) (%S+) (%S*)\n', r.rest)
  return r
end

-- The text of its seats alone.
local function seats_of(r) return string.match(r.text, '^%d+ %d+ %d+ (%S+)', r.rest) end

-- A hash holds a reservation that an earlier version has written.
local HASH = {
  'state', 'attempt', 'nonce', 'program', 'category', 'price', 'seats', 'user', 'key',
  'partition', 'offset', 'appended', 'message',
}
local function of_hash(key)
  local f = redis.call('HMGET', key, unpack(HASH))
  if not f[1] or not f[3] then return nil end
  local place = f[10] and table.concat({ f[10], f[11], f[12] }, ':') or ''
  table.insert(f, 3, place)
  return table.concat(f, ' ', 1, 10) .. '\n' .. (f[14] or '')
end

local function read_reservation(key)
  local text = redis.pcall('GET', key)
  if type(text) ~= 'table' then return parse_reservation(text) end
  local r = parse_reservation(of_hash(key))
  if r then r.is_hash = true end
  return r
end

-- Stores another state. A hash stays a hash: during a deployment, instances of the earlier version
-- still read it.
local function change_state(key, r, state, place)
  r.text = state .. ' ' .. r.attempt .. ' ' .. place .. ' ' .. r.text:sub(r.words)
  if not r.is_hash then
    redis.call('SET', key, r.text)
    return
  end
  redis.call('HSET', key, 'state', state, 'attempt', r.attempt)
  local partition, offset, appended = string.match(place, '^(.*):(.*):(.*)$')
  if partition then
    redis.call('HSET', key, 'partition', partition, 'offset', offset, 'appended', appended)
  end
end

-- Stores the state `stored` for `ttl` ms. A stored order needs no message.
local function mark_stored(key, r, ttl)
  if not r.is_hash then
    local line_end = string.find(r.text, '\n', r.rest, true)
    local words = r.text:sub(r.words, line_end)
    redis.call('SET', key, 'stored ' .. r.attempt .. ' ' .. r.place .. ' ' .. words, 'PX', ttl)
    return
  end
  redis.call('HSET', key, 'state', 'stored')
  redis.call('HDEL', key, 'message')
  redis.call('PEXPIRE', key, ttl)
end
