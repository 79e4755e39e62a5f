-- What a client's key named before. Needs delay/clock, delay/entry and gate/keys.

-- What is kept of an earlier reservation: owner, seats, message, attempt; then state and its place in Kafka.
local function kept(word, of, resv)
  local f = redis.call('HMGET', resv, 'seats', 'message', 'attempt', 'state', 'partition', 'offset', 'appended')
  return { word, of, f[1] or '', f[2] or '', f[3] or '0', f[4] or '', f[5] or '', f[6] or '', f[7] or '' }
end

-- The answer for a key that was used before; nothing for a new one, or none (''). `owner`: who asks, as order:nonce.
-- One that is still held is the caller's to publish again: a new attempt, and a publish window of `window` ms.
local function earlier_order(user, key, body_hash, window, owner)
  local named = key ~= '' and redis.call('GET', idem_key(user, key))
  if not named then return nil end
  local its_order, its_nonce, its_hash = string.match(named, '^(%d+):(%x+):(%x*)$')
  -- The hash is '' of a key restored from a row that was stored before rows knew it: any body leads to the order.
  if its_hash ~= '' and its_hash ~= body_hash then return { 'KEYREUSED' } end
  local its_owner, resv = its_order .. ':' .. its_nonce, resv_key(its_order)
  if redis.call('HGET', resv, 'nonce') ~= its_nonce then return { 'ENDED', its_owner } end
  if its_owner == owner then return kept('HELD', owner, resv) end
  if redis.call('HGET', resv, 'state') == 'held' then
    redis.call('HINCRBY', resv, 'attempt', 1)
    delay_put(timeouts, its_order, timeout_job(its_nonce), now_up + window)
  end
  return kept('AGAIN', its_owner, resv)
end
