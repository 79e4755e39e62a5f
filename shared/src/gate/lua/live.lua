-- Gives an order its seats as Postgres has them, whichever order holds them here. Needs gate/seats.

-- `chunks` are the opened chunks of `seats`. Returns the displaced orders, each once.
local function force_live(order, nonce, user, cat, layout, seats, chunks, due_ms)
  local me, displaced, seen, owners = order .. ':' .. nonce, {}, {}, {}
  for n, owner in ipairs(redis.call('HMGET', owner_key, unpack(seats))) do
    if owner ~= me then
      owners[#owners + 1], owners[#owners + 2] = seats[n], me
      if owner and not seen[owner] then
        seen[owner] = true
        displaced[#displaced + 1] = owner
      end
    end
  end
  for _, chunk in ipairs(chunks) do
    local at = {}
    for _, place in ipairs(chunk.at) do
      if chunk.bytes:byte(place) ~= 49 then at[#at + 1] = place end
    end
    set_seats(cat, layout, chunk, at, '1')
  end
  if #owners > 0 then redis.call('HSET', owner_key, unpack(owners)) end
  if user ~= '' then redis.call('HSET', user_key(user), order, #seats) end

  -- The reservation stays one more hour for late requests.
  local resv = resv_key(order)
  if redis.call('HGET', resv, 'nonce') == nonce then
    redis.call('HSET', resv, 'state', 'stored')
    redis.call('HDEL', resv, 'message')
    redis.call('PEXPIRE', resv, (due_ms or 0) + 3600000)
  end
  if not timeout_of_another(order, nonce) then
    if due_ms then
      delay_put(timeouts, order, timeout_job(nonce), now_up + due_ms)
    else
      delay_cancel(timeouts, order)
    end
  end
  return displaced
end
