#!lua flags=allow-oom
-- Mends the tickets of one buyer: what each order counts towards the buyer's limit. A reservation in flight counts its own seats, whatever
-- the caller says: Postgres may not know it yet.
-- KEYS  1 `<env>:{sNN}:program:<id>:head`
-- ARGV  1 user, then order, the count that the caller saw ('' for none), the count by Postgres, repeated:
--       the seats of a live order, '0' for one that has ended, '' where there is no row
-- Gives how many counts were changed
-- Cost  O(orders)
-- Idempotent. A count that is not what the caller saw has changed since, and is left alone. So is one without a row that has a
-- reservation still (it was stored since), and a live order that has ended since is not counted again.
--@include delay/clock
--@include delay/entry
--@include gate/keys
local user = ARGV[1]
if not user or user == '' or #ARGV % 3 ~= 1 then return bad('a user, then order, seen, count are needed for each order') end
local tickets, mended = user_key(user), 0
for at = 2, #ARGV, 3 do
  local order, seen, count = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if count ~= '' and not whole(count) then return bad('a count must be a number, or empty') end
  if (redis.call('HGET', tickets, order) or '') == seen then
    local f = redis.call('HMGET', resv_key(order), 'user', 'state', 'seats')
    local reserved = f[1] == user
    if reserved and f[2] ~= 'stored' then
      local seats = seat_list(f[3])
      count = seats and tostring(#seats) or seen
    elseif reserved and count == '' then
      count = seen
    elseif count == '' or count == '0' or redis.call('EXISTS', tomb_key(order)) == 1 then
      count = ''
    end
    if count ~= seen then
      if count == '' then redis.call('HDEL', tickets, order) else redis.call('HSET', tickets, order, count) end
      mended = mended + 1
    end
  end
end
return { mended }
