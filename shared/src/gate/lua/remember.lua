-- Stores idempotency keys, a bounded number for each buyer. Needs delay/clock and gate/keys.

-- Keys of one buyer in one program. Only keys of live orders may exceed it.
local MAX_KEYS = 32

-- Stores `named` (`order:nonce:hash`) for a key, for `ttl` ms (digits). Beyond MAX_KEYS it deletes the
-- oldest keys of ended orders; order-create still rejects a second order of such a key as a
-- duplicate. The key of an order with tickets or a reservation stays: a repeated request must find
-- that order. Cost: O(log n); beyond MAX_KEYS also three commands for each older live order.
local function remember(user, key, named, ttl)
  local index = keys_key(user)
  redis.call('SET', idem_key(user, key), named, 'PX', ttl)
  redis.call('ZADD', index, string.format('%.0f', now_up + ttl), key)
  local count = redis.call('ZCARD', index)
  -- GT changes only a key that has a lifetime.
  if count == 1 then
    redis.call('PEXPIRE', index, ttl)
  else
    redis.call('PEXPIRE', index, ttl, 'GT')
  end
  if count <= MAX_KEYS then return end
  local excess = count - redis.call('ZREMRANGEBYSCORE', index, '-inf', now) - MAX_KEYS
  if excess <= 0 then return end
  for _, old in ipairs(redis.call('ZRANGE', index, 0, -1)) do
    local its = redis.call('GET', idem_key(user, old))
    local order = its and string.match(its, '^%d+')
    local lives = order
      and (redis.call('HEXISTS', user_key(user), order) == 1
        or redis.call('EXISTS', resv_key(order)) == 1)
    if not lives then
      redis.call('DEL', idem_key(user, old))
      redis.call('ZREM', index, old)
      excess = excess - 1
      if excess == 0 then return end
    end
  end
end
