-- The best adjacent seats: the front-most row with enough adjacent free seats, and in it the
-- shortest run that is long enough. Reads two strings: the longest runs, and one chunk.
-- Needs gate/seats.

-- The place behind a run of free seats that begins at `at`, at most `limit`.
local function run_end(bytes, at, limit)
  local taken = string.find(bytes, '1', at, true) or limit
  local blocked = string.find(bytes, '2', at, true) or limit
  return math.min(taken, blocked, limit)
end

-- The first chunk with a run of `count` seats. A function keeps what it has found in the last
-- string: most orders leave the string as it is.
local last_letters, chunk_of = nil, {}
local function first_chunk(letters, count)
  if letters ~= last_letters then last_letters, chunk_of = letters, {} end
  local no = chunk_of[count]
  if no == nil then
    local found = string.find(letters, '[' .. run_letter(count) .. '-U]')
    no = found and found - 1 or false
    chunk_of[count] = no
  end
  return no
end

-- Where the best seats are: chunk `no`, first place `at`. nil if no row has so many; nil and
-- 'DAMAGED' if the chunk contradicts the counts.
local function find_best(cat, layout, count)
  local letters = redis.call('GET', longest_key(cat)) or ''
  if #letters ~= layout.chunks then return nil, 'DAMAGED' end
  local no = first_chunk(letters, count)
  if not no then return nil end

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
  return {
    no = no, at = best, run = shortest, bytes = bytes, letter = letters:sub(no + 1, no + 1),
  }
end

-- Writes the seats that find_best has found as taken.
local function take_best(cat, layout, best, count)
  local longest = run_of(best.letter)
  if best.run < longest or best.run - count >= MAX_RUN then
    -- The chunk's letter stays: its longest run is another one, or this one keeps MAX_RUN seats.
    local taken = string.rep('1', count)
    redis.call('SETRANGE', chunk_key(cat, best.no), digits_of(best.at - 1), taken)
    redis.call('HINCRBY', head_key, 'free:' .. cat, digits_of(-count))
    return
  end
  local map = new_map(cat, layout, best.no, best.bytes, best.letter)
  for n = 0, count - 1 do set_seat(map, best.at + n, TAKEN) end
  write_maps({ map })
end
