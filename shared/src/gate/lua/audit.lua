#!lua flags=allow-oom
-- Compares a part of a chunk of the seat map with its owners and its counts, and repairs what Redis
-- alone can decide: a seat with an owner is taken; free count, longest run and the header's free
-- count follow from the seats. Frees the seats that the caller lists. A blocked seat stays blocked.
-- KEYS  1 `<env>:{sNN}:program:<id>:head`
-- ARGV  1 category, 2 chunk from 0, 3 part from 0, then seat, owner as order:nonce or '' for none,
--       repeated: seats to free if they are of this part and that is still the owner
-- Gives OK, 1 if the chunk has more parts, else 0, seats with an owner that were not taken, wrong
--       counts, seats freed, 'seat,seat' (taken without an owner: Postgres decides), then seat,
--       owner, repeated
--       | CLOSED (not open, or filled on another server: the program will be filled again)
--       | NOSEAT (the header has no such chunk or part)
--       | DAMAGED (the chunk, or the string of the longest runs, is missing or has another size:
--       the header is marked, and the next request fills the program again)
-- Cost  the owners of at most 512 seats. The longest run with the last part of a chunk, and the bits
--       of every chunk with the last part of the last chunk; both after a repair.
-- Idempotent. No reservation can run between the reads and the writes. A part has whole rows, so the
-- adjacent seats of an order are in one.
--@include delay/clock
--@include delay/entry
--@include link/server
--@include gate/keys
--@include gate/seats
local PART_SEATS = 512
local cat, no, part = ARGV[1], whole(ARGV[2]), whole(ARGV[3])
if not string.match(cat or '', '^%d+$') or not no or not part then
  return bad('a category, a chunk and a part are required')
end
if #ARGV % 2 ~= 1 then return bad('seat and owner are required for each seat') end
local free_of = {}
for at = 4, #ARGV, 2 do
  if not whole(ARGV[at]) then return bad('a seat must be a number') end
  free_of[ARGV[at]] = ARGV[at + 1]
end
local head = redis.call('HMGET', head_key, 'state', 'replid', 'layout:' .. cat, 'free:' .. cat)
if head[1] ~= 'open' or head[2] ~= server_replid() then return { 'CLOSED' } end
local layout = layout_of(head[3])
if not layout or no >= layout.chunks then return { 'NOSEAT' } end
local size = chunk_seats(layout, no)
local seats_of_part = math.max(1, math.floor(PART_SEATS / layout.row_len)) * layout.row_len
local first = part * seats_of_part + 1
if first > size then return { 'NOSEAT' } end
local last = math.min(size, first + seats_of_part - 1)
local bytes = redis.call('GET', chunk_key(cat, no)) or ''
if #bytes ~= size or redis.call('STRLEN', longest_key(cat)) ~= layout.chunks then
  -- No server has this replication id: reserve returns REBUILD for every seat of the program.
  redis.call('HSET', head_key, 'replid', 'damaged')
  return { 'DAMAGED' }
end

local seats, before = {}, layout.first + no * layout.span - 1
for place = first, last do seats[#seats + 1] = digits_of(before + place) end
local owners = redis.call('HMGET', owner_key, unpack(seats))
local codes = { bytes:byte(first, last) }
local changed, freed, unowned, owned, disowned, frees = 0, 0, {}, {}, {}, false
for n, seat in ipairs(seats) do
  local code, owner = codes[n], owners[n]
  if free_of[seat] and free_of[seat] == (owner or '') and code ~= BLOCKED then
    if owner then disowned[#disowned + 1] = seat end
    if owner or code ~= FREE then freed = freed + 1 end
    codes[n] = code_of(false, is_blocked(code))
    frees = frees or code ~= FREE and codes[n] == FREE
  elseif owner then
    if not is_taken(code) then changed = changed + 1 end
    codes[n] = code_of(true, is_blocked(code))
    owned[#owned + 1], owned[#owned + 2] = seat, owner
  elseif code ~= FREE and code ~= BLOCKED then
    unowned[#unowned + 1] = seat
  end
end
local repaired = changed + freed > 0
if repaired then
  local text = string.char(unpack(codes))
  bytes = bytes:sub(1, first - 1) .. text .. bytes:sub(last + 1)
  redis.call('SETRANGE', chunk_key(cat, no), digits_of(first - 1), text)
  if frees then note_freed(cat) end
end
if #disowned > 0 then redis.call('HDEL', owner_key, unpack(disowned)) end

local counts = 0
if repaired or last == size then
  local letter = run_letter(longest_run(bytes, layout.row_len))
  if redis.call('GETRANGE', longest_key(cat), no, no) ~= letter then
    counts = counts + 1
    redis.call('SETRANGE', longest_key(cat), no, letter)
  end
end
-- The byte of a free seat has two bits, of every other seat three. Without another chunk the sum is
-- unknown, until the audit of that chunk.
local total
if repaired or last == size and no == layout.chunks - 1 then
  total = 0
  for n = 0, layout.chunks - 1 do
    local bits = redis.call('BITCOUNT', chunk_key(cat, n))
    if bits == 0 then
      total = nil
      break
    end
    total = total + 3 * chunk_seats(layout, n) - bits
  end
end
if total and head[4] ~= digits_of(total) then
  counts = counts + 1
  redis.call('HSET', head_key, 'free:' .. cat, digits_of(total))
end
-- The seats changed above explain these differences.
if repaired then counts = 0 end
local more = last < size and 1 or 0
return { 'OK', more, changed, counts, freed, table.concat(unowned, ','), unpack(owned) }
