#!lua flags=allow-oom
-- Compares one chunk of the seat map with its owners and its counts, and repairs what Redis alone
-- can decide: a seat with an owner is taken; free count, longest run and the header's free count
-- follow from the seats. Frees the seats that the caller lists.
-- KEYS  1 `<env>:{sNN}:program:<id>:head`
-- ARGV  1 category, 2 chunk from 0, then seat, owner as order:nonce or '' for none, repeated: seats
--       to free if that is still the owner
-- Gives OK, seats with an owner that were not taken, wrong counts, seats freed, 'seat,seat' (taken
--       without an owner: Postgres decides), then seat, owner, repeated
--       | CLOSED (not open, or filled on another server: the program will be filled again)
--       | NOSEAT (the header has no such chunk)
--       | DAMAGED (the chunk, or the string of the longest runs, is missing or has another size:
--       the header is marked, and the next request fills the program again)
-- Cost  the owners of at most 2048 seats, and a count of bits of every chunk. About 1 ms.
-- Idempotent. No reservation can run between the reads and the writes.
--@include delay/clock
--@include delay/entry
--@include link/server
--@include gate/keys
--@include gate/seats
local cat, no = ARGV[1], whole(ARGV[2])
if not string.match(cat or '', '^%d+$') or not no then
  return bad('a category and a chunk are required')
end
if #ARGV % 2 ~= 0 then return bad('seat and owner are required for each seat') end
local free_of = {}
for at = 3, #ARGV, 2 do
  local seat = whole(ARGV[at])
  if not seat then return bad('a seat must be a number') end
  free_of[seat] = ARGV[at + 1]
end
local head = redis.call('HMGET', head_key, 'state', 'replid', 'layout:' .. cat, 'free:' .. cat)
if head[1] ~= 'open' or head[2] ~= server_replid() then return { 'CLOSED' } end
local layout = layout_of(head[3])
if not layout or no >= layout.chunks then return { 'NOSEAT' } end
local size = chunk_seats(layout, no)
local bytes = redis.call('GET', chunk_key(cat, no)) or ''
if #bytes ~= size or redis.call('STRLEN', longest_key(cat)) ~= layout.chunks then
  -- No server has this replication id: reserve returns REBUILD for every seat of the program.
  redis.call('HSET', head_key, 'replid', 'damaged')
  return { 'DAMAGED' }
end

local FREE, TAKEN, BLOCKED = 48, 49, 50
local seats = {}
for n = 1, size do seats[n] = layout.first + no * layout.span + n - 1 end
local owners = redis.call('HMGET', owner_key, unpack(seats))
local codes, changed, freed, unowned, owned, disowned = {}, 0, 0, {}, {}, {}
for n, seat in ipairs(seats) do
  local code, owner = bytes:byte(n), owners[n]
  local target = code
  if free_of[seat] and free_of[seat] == (owner or '') and code ~= BLOCKED then
    target = FREE
    if owner then disowned[#disowned + 1] = seat end
    if owner or code ~= FREE then freed = freed + 1 end
  elseif owner then
    target = TAKEN
    if code ~= TAKEN then changed = changed + 1 end
    owned[#owned + 1], owned[#owned + 2] = tostring(seat), owner
  elseif code ~= FREE and code ~= BLOCKED then
    unowned[#unowned + 1] = seat
  end
  codes[n] = target
end
if changed + freed > 0 then
  bytes = string.char(unpack(codes))
  redis.call('SET', chunk_key(cat, no), bytes)
end
if #disowned > 0 then redis.call('HDEL', owner_key, unpack(disowned)) end

local counts = 0
local letter = run_letter(longest_run(bytes, layout.row_len))
if redis.call('GETRANGE', longest_key(cat), no, no) ~= letter then
  counts = counts + 1
  redis.call('SETRANGE', longest_key(cat), no, letter)
end
-- The byte of a free seat has two bits, of every other seat three. Without another chunk the sum is
-- unknown, until the audit of that chunk.
local total = 0
for n = 0, layout.chunks - 1 do
  local bits = redis.call('BITCOUNT', chunk_key(cat, n))
  if bits == 0 then
    total = nil
    break
  end
  total = total + 3 * chunk_seats(layout, n) - bits
end
if total and head[4] ~= tostring(total) then
  counts = counts + 1
  redis.call('HSET', head_key, 'free:' .. cat, total)
end
-- The seats changed above explain these differences.
if changed + freed > 0 then counts = 0 end
return { 'OK', changed, counts, freed, table.concat(unowned, ','), unpack(owned) }
