#!lua flags=allow-oom
-- Marks accepted orders as stored: the usual end of a new order of Postgres. It changes only an
-- order whose reservation says what its row says and that owns its seats here; all others, also
-- where anything is missing, are for settle.
-- KEYS  1 `<env>:{sNN}:program:<id>:head`
-- ARGV  1 number of orders, at most 500; then for each: its number; the end of its reservation's
--       line, ' nonce program category price seats user key\n'; how many seats; ms for which the
--       reservation stays; then the seats of all orders, one after the other
-- Gives the positions, from 1, of the orders that it did not change
-- Cost  one command for each order, three for each call.
-- Idempotent: repeated, it changes nothing, and gives the orders that it has marked. Works while the
-- gate is being filled.
--
-- Not read, since an accepted reservation implies them: the order has no tombstone (the script that
-- writes one deletes the reservation, and reserve refuses its number); its tickets were counted and
-- its timeout entry was written with it.
--@function
--@include delay/clock
--@include delay/entry
--@include gate/keys
local count = whole(ARGV[1])
if not count or count < 1 or count > 500 or #ARGV <= 1 + 4 * count then
  return bad('expected 1 to 500 orders and their seats')
end
local keys, others, last = {}, {}, 0
for n = 1, count do keys[n] = resv_key(ARGV[4 * n - 2]) end
if redis.call('HEXISTS', head_key, 'state') == 0 then
  for n = 1, count do others[n] = n end
  return others
end

local texts = redis.call('MGET', unpack(keys))
local owners = redis.call('HMGET', owner_key, unpack(ARGV, 2 + 4 * count))
local function owns(me, first, last)
  for n = first, last do
    if owners[n] ~= me then return false end
  end
  return true
end

for n, text in ipairs(texts) do
  local at = 4 * n - 2
  local order, words, first = ARGV[at], ARGV[at + 1], last + 1
  last = last + ARGV[at + 2]
  local behind
  -- No other state begins with 'ac'. The words end the line, so they are all that follow the place.
  if text and text:sub(1, 2) == 'ac' and owns(order .. ':' .. words:sub(2, 33), first, last) then
    behind = select(2, string.find(text, words, 1, true))
  end
  if behind then
    redis.call('SET', keys[n], 'stored' .. text:sub(9, behind), 'PX', ARGV[at + 3])
  else
    others[#others + 1] = n
  end
end
return others
