-- The order of a client's idempotency key. Needs delay/clock, delay/entry and gate/keys.

-- A reply with a stored reservation: owner, seats, message, attempt, state, position in Kafka.
local RESERVATION =
  { 'seats', 'message', 'attempt', 'state', 'partition', 'offset', 'appended' }
local function stored(word, owner, resv)
  local f = redis.call('HMGET', resv, unpack(RESERVATION))
  local reply = { word, owner }
  for n = 1, #RESERVATION do reply[n + 2] = f[n] or (n == 3 and '0' or '') end
  return reply
end

-- The reply for a key that was used before; nil for a new one, or none (''). `owner` is the
-- caller's order:nonce. For an order that is still held, the caller gets a new attempt to publish
-- it, within `window` ms.
local function earlier_order(user, key, body_hash, window, owner)
  local named = key ~= '' and redis.call('GET', idem_key(user, key))
  if not named then return nil end
  local its_order, its_nonce, its_hash = string.match(named, '^(%d+):(%x+):(%x*)$')
  -- The hash is '' for a key restored from a row of an earlier version: any body matches.
  if its_hash ~= '' and its_hash ~= body_hash then return { 'KEYREUSED' } end
  local its_owner, resv = its_order .. ':' .. its_nonce, resv_key(its_order)
  if redis.call('HGET', resv, 'nonce') ~= its_nonce then return { 'ENDED', its_owner } end
  if its_owner == owner then return stored('HELD', owner, resv) end
  if redis.call('HGET', resv, 'state') == 'held' then
    redis.call('HINCRBY', resv, 'attempt', 1)
    delay_put(timeouts, its_order, timeout_job(its_nonce), now_up + window)
  end
  return stored('AGAIN', its_owner, resv)
end
