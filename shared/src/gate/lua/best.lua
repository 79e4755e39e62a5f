-- The best adjacent seats: the front-most row with enough adjacent free seats, and in it the
-- shortest run that is long enough. Reads two strings, the longest runs and one chunk; or, if the
-- last order has left a run of which the next one gets its seats, this run. Needs gate/seats.

-- The place behind a run of free seats that begins at `at`, at most `limit`.
local function run_end(bytes, at, limit)
  return math.min(string.find(bytes, '[^0]', at) or limit, limit)
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

  local key, row_len = chunk_key(cat, no), layout.row_len
  local bytes = redis.call('GET', key) or ''
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
    no = no, key = key, at = best, run = shortest,
    bytes = bytes, letter = letters:sub(no + 1, no + 1),
  }
end

-- By category: the rest of the run from which the last order got the best seats. It begins at place
-- `at` of chunk `no` and has `run` seats. No row before it has a run of `count` seats, and in its row
-- no shorter run has them, so the next order of as many seats or more gets the first ones of it. That
-- holds while no seat became free (`freed`) and no other order took one (`free`, counted from then).
-- A function keeps them from its last calls; a script has none.
local rests, rests_of = {}, nil

-- What find_best would find, without a search: nil if the rest of the last run does not decide.
-- What it needs of the map is read, since an earlier version of this script counts nothing in
-- `freed`: then the seats are free all the same, and the chunk's letter is right.
local function next_best(cat, layout, count, free, freed)
  if rests_of ~= head_key then rests, rests_of = {}, head_key end
  local rest = rests[cat]
  if not rest or count < rest.count or count > rest.run then return nil end
  if rest.layout ~= layout.text or rest.free ~= free or rest.freed ~= freed then return nil end

  -- With the seats before and behind, if they are of this row.
  local seen, row = math.min(rest.run, count + MAX_RUN), (rest.at - 1) % layout.row_len
  local first, last = rest.at, rest.at + seen - 1
  if row > 0 then first = first - 1 end
  if row + seen < layout.row_len then last = last + 1 end
  local bytes = redis.call('GETRANGE', rest.key, digits_of(first - 1), digits_of(last - 1))
  local from = rest.at - first + 1
  local run_at, run_last = string.find(bytes, '0+')
  if run_at ~= from or run_last < from + seen - 1 then return nil end
  -- What is left keeps the letter at its longest run, or another run of the chunk is longer.
  if seen - count < MAX_RUN then
    local chunk = digits_of(rest.no)
    local letter = redis.call('GETRANGE', longest_key(cat), chunk, chunk)
    if run_last ~= from + seen - 1 or letter == '' or run_of(letter) <= seen then return nil end
  end
  return { no = rest.no, key = rest.key, at = rest.at, run = rest.run, keeps_letter = true }
end

-- Keeps what the seats of `best` leave of their run.
local function keep_rest(cat, layout, best, count, free, freed)
  local rest = rests[cat] or {}
  -- The rest of a run that was found for more seats says nothing of fewer.
  rest.count = best.keeps_letter and rest.count or count
  rest.layout, rest.no, rest.key = layout.text, best.no, best.key
  rest.at, rest.run = best.at + count, best.run - count
  rest.free, rest.freed = free - count, freed
  rests[cat] = rest
end

-- Writes the seats that find_best or next_best has found as taken.
local function take_best(cat, layout, best, count)
  -- The letter stays if the longest run is another one, or this one keeps MAX_RUN seats.
  if best.keeps_letter or best.run < run_of(best.letter) or best.run - count >= MAX_RUN then
    local taken = string.rep('1', count)
    redis.call('SETRANGE', best.key, digits_of(best.at - 1), taken)
    redis.call('HINCRBY', head_key, 'free:' .. cat, digits_of(-count))
    return
  end
  local map = new_map(cat, layout, best.no, best.bytes, best.letter)
  for n = 0, count - 1 do set_seat(map, best.at + n, TAKEN) end
  write_maps({ map })
end
