#!lua flags=allow-oom
-- Repairs the tickets of one buyer: what each order counts towards the buyer's limit. A reservation
-- in flight counts its own seats, because Postgres may not have it yet.
-- KEYS  1 `<env>:{sNN}:program:<id>:head`
-- ARGV  1 user, then order, the count that the caller read ('' for none), the count of Postgres
--       (the seats of a live order, '0' for an ended one, '' without a row), repeated
-- Gives the number of changed counts
-- Cost  O(orders) Idempotent. A count that has changed since the caller read it stays. So does one
--       without a row whose reservation is stored since; a live order that has ended since is not
--       counted again.
--@include delay/clock
--@include delay/entry
--@include gate/keys
--@include gate/reservation
local user = ARGV[1]
if not user or user == '' or #ARGV % 3 ~= 1 then
  return bad('a user, then order, read count, count are required')
end
local tickets, repaired = user_key(user), 0
for at = 2, #ARGV, 3 do
  local order, seen, count = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if count ~= '' and not whole(count) then return bad('a count must be a number, or empty') end
  if (redis.call('HGET', tickets, order) or '') == seen then
    local r = read_reservation(resv_key(order))
    local reserved = r and parse_rest(r).user == user
    if reserved and r.state ~= 'stored' then
      local seats = seat_list(r.seats)
      count = seats and tostring(#seats) or seen
    elseif reserved and count == '' then
      count = seen
    elseif count == '' or count == '0' or redis.call('EXISTS', tomb_key(order)) == 1 then
      count = ''
    end
    if count ~= seen then
      if count == '' then
        redis.call('HDEL', tickets, order)
      else
        redis.call('HSET', tickets, order, count)
      end
      repaired = repaired + 1
    end
  end
end
return { repaired }
