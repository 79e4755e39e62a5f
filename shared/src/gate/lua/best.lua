-- The best adjacent seats: the front-most row with enough adjacent free seats, and in it the
-- shortest run that is long enough. Reads two strings: the longest runs, and one chunk.
-- Needs gate/seats.

-- The place behind a run of free seats that begins at `at`, at most `limit`.
local function run_end(bytes, at, limit)
  local taken = string.find(bytes, '1', at, true) or limit
  local blocked = string.find(bytes, '2', at, true) or limit
  return math.min(taken, blocked, limit)
end

-- The map of the chunk and the first place in it. nil if no row has so many; nil and 'DAMAGED' if
-- the chunk contradicts the counts.
local function find_best(cat, layout, count)
  local letters = redis.call('GET', longest_key(cat)) or ''
  if #letters ~= layout.chunks then return nil, 'DAMAGED' end
  local found = string.find(letters, '[' .. run_letter(count) .. '-U]')
  if not found then return nil end
  local no = found - 1

  local bytes, row_len = redis.call('GET', chunk_key(cat, no)) or '', layout.row_len
  local at, row = find_run(bytes, row_len, count, 1)
  if not at or #bytes ~= chunk_seats(layout, no) then return nil, 'DAMAGED' end
  local pattern, limit = string.rep('0', count), (row + 1) * row_len + 1
  local best, shortest
  while at and at + count <= limit do
    local behind = run_end(bytes, at + count, limit)
    if not shortest or behind - at < shortest then best, shortest = at, behind - at end
    if shortest == count then break end
    at = string.find(bytes, pattern, behind, true)
  end
  return new_map(cat, layout, no, bytes, letters:sub(found, found)), best
end
