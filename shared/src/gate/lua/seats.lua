-- The seat map of a category: chunks of whole rows, one byte for each seat ('0' free, '1' taken,
-- '2' blocked, '4' taken, and blocked as soon as its order frees it). The string `longest:<cat>`
-- has one character for each chunk: the longest run of free seats within a row, 'A' for none to 'U'
-- for 20 or more, so that one search of one string finds the first chunk with room for an order,
-- however large the hall is. Needs gate/keys.

-- Seats of one order at most; a longer run counts as one of this length.
local MAX_RUN = 20

-- Parses the layout 'first:rows:row_len:chunk_rows:chunks' of a header. nil if there is none. A
-- function keeps the last one.
local layout_text, last_layout
local function layout_of(text)
  if text and text == layout_text then return last_layout end
  local first, rows, row_len, chunk_rows, chunks =
    string.match(text or '', '^(%d+):(%d+):(%d+):(%d+):(%d+)$')
  if not first then return nil end
  layout_text, last_layout = text, {
    text = text, first = tonumber(first), seats = rows * row_len, row_len = tonumber(row_len),
    span = chunk_rows * row_len, chunks = tonumber(chunks),
  }
  return last_layout
end

local function longest_key(cat) return program_root .. 'longest:' .. cat end
local function run_letter(run) return string.char(65 + math.min(run, MAX_RUN)) end
local function run_of(letter) return letter:byte() - 65 end

local function chunk_key(cat, chunk)
  return program_root .. 'seats:' .. cat .. ':' .. digits_of(chunk)
end
local function chunk_seats(layout, chunk)
  return math.min(layout.span, layout.seats - chunk * layout.span)
end

-- The byte of a free seat has two bits, all others have three: audit.lua counts them.
local FREE, TAKEN, BLOCKED, TAKEN_BLOCKED = 48, 49, 50, 52
local function is_blocked(code) return code == BLOCKED or code == TAKEN_BLOCKED end
local function is_taken(code) return code == TAKEN or code == TAKEN_BLOCKED end
local function code_of(taken, blocked)
  if taken then return blocked and TAKEN_BLOCKED or TAKEN end
  return blocked and BLOCKED or FREE
end

-- One chunk in memory: `bytes` as Redis has them, `new` the codes of seats that change, `rows` the
-- places of the first and the last of them in each row. `letter` is its longest run, if known,
-- `freed` the change of its free seats, `frees` whether a seat became free.
local function new_map(cat, layout, no, bytes, letter)
  return {
    cat = cat, layout = layout, no = no, bytes = bytes, letter = letter,
    new = {}, rows = {}, freed = 0,
  }
end

-- The chunks of ascending seats, each with the places of its seats (`at`) and their numbers in
-- `seats` (`nth`). nil and 'NOSEAT' if a seat is not of this category, nil and 'DAMAGED' if a chunk
-- is missing: writing into a missing chunk would create a wrong one. `maps` keeps chunks between
-- calls of one script, so that each is read once.
local function open_seats(cat, layout, seats, maps)
  local chunks = {}
  for n, seat in ipairs(seats) do
    local nth = seat - layout.first
    if nth < 0 or nth >= layout.seats then return nil, 'NOSEAT' end
    local no = math.floor(nth / layout.span)
    local chunk = chunks[#chunks]
    if not chunk or chunk.map.no ~= no then
      local key = chunk_key(cat, no)
      local map = maps[key]
      if not map then
        map = new_map(cat, layout, no, redis.call('GET', key) or '')
        if #map.bytes ~= chunk_seats(layout, no) then return nil, 'DAMAGED' end
        maps[key] = map
      end
      chunk = { map = map, at = {}, nth = {} }
      chunks[#chunks + 1] = chunk
    end
    chunk.at[#chunk.at + 1] = nth - no * layout.span + 1
    chunk.nth[#chunk.nth + 1] = n
  end
  return chunks
end

local function seat_code(map, place) return map.new[place] or map.bytes:byte(place) end

-- Changes one seat of a chunk in memory. write_maps writes it.
local function set_seat(map, place, code)
  local old = seat_code(map, place)
  if old == code then return end
  map.new[place] = code
  if code == FREE then
    map.freed, map.frees = map.freed + 1, true
  elseif old == FREE then
    map.freed = map.freed - 1
  end
  local row = math.floor((place - 1) / map.layout.row_len)
  local span = map.rows[row]
  if not span then
    map.rows[row] = { first = place, last = place }
  else
    span.first, span.last = math.min(span.first, place), math.max(span.last, place)
  end
end

-- An order gets a seat, also a blocked one; or frees it.
local function take_seat(map, place)
  set_seat(map, place, code_of(true, is_blocked(seat_code(map, place))))
end
local function free_seat(map, place)
  set_seat(map, place, code_of(false, is_blocked(seat_code(map, place))))
end

-- The place and the row of the first `count` adjacent free seats within a row, at or after place
-- `from`, in none of the rows `skipped`. Plain searches only: Redis has them in C.
local function find_run(bytes, row_len, count, from, skipped)
  local pattern = string.rep('0', count)
  while true do
    local at = string.find(bytes, pattern, from, true)
    if not at then return nil end
    local row = math.floor((at - 1) / row_len)
    local row_end = (row + 1) * row_len
    -- A run across two rows does not count.
    if at + count - 1 <= row_end and not (skipped and skipped[row]) then return at, row end
    from = row_end + 1
  end
end

-- The longest run of free seats within a row, at most MAX_RUN.
local function longest_run(bytes, row_len)
  local run, at = 0, 1
  while run < MAX_RUN do
    at = find_run(bytes, row_len, run + 1, at)
    if not at then break end
    run = run + 1
  end
  return run
end

-- A changed row of a chunk, as write_maps leaves it.
local function changed_row(map, row, span)
  local row_len = map.layout.row_len
  return map.bytes:sub(row * row_len + 1, span.first - 1) .. span.text
    .. map.bytes:sub(span.last + 1, (row + 1) * row_len)
end

-- The longest run of a changed chunk that had `run`. Rows that did not change are searched first:
-- as a rule one of them has it.
local function changed_run(map, run)
  local row_len, rows = map.layout.row_len, nil
  local function has(count)
    if not rows then
      rows = {}
      for row, span in pairs(map.rows) do rows[#rows + 1] = changed_row(map, row, span) end
    end
    local pattern = string.rep('0', count)
    for _, text in ipairs(rows) do
      if string.find(text, pattern, 1, true) then return true end
    end
    return false
  end
  local longer = run
  while map.frees and longer < MAX_RUN and has(longer + 1) do longer = longer + 1 end
  if longer > run then return longer end
  while run > 0 and not find_run(map.bytes, row_len, run, 1, map.rows) and not has(run) do
    run = run - 1
  end
  return run
end

-- Records that seats of a category became free: what reserve knows of its map is void.
local function note_freed(cat) redis.call('HINCRBY', head_key, 'freed:' .. cat, 1) end

-- Writes the changed seats of chunks, their longest runs, and the header's free counts.
local function write_maps(maps)
  local freed, frees = {}, {}
  for _, map in pairs(maps) do
    local key = next(map.rows) and chunk_key(map.cat, map.no)
    for _, span in pairs(map.rows) do
      local codes = { map.bytes:byte(span.first, span.last) }
      for place = span.first, span.last do
        local code = map.new[place]
        if code then codes[place - span.first + 1] = code end
      end
      span.text = string.char(unpack(codes))
      redis.call('SETRANGE', key, digits_of(span.first - 1), span.text)
    end
    if key then
      local runs = longest_key(map.cat)
      local letter = map.letter or redis.call('GETRANGE', runs, map.no, map.no)
      -- A missing string stays missing: reserve reports it, and the program is filled again.
      if letter ~= '' then
        local now_letter = run_letter(changed_run(map, run_of(letter)))
        if now_letter ~= letter then redis.call('SETRANGE', runs, map.no, now_letter) end
      end
      freed[map.cat] = (freed[map.cat] or 0) + map.freed
      frees[map.cat] = frees[map.cat] or map.frees
    end
  end
  for cat, count in pairs(freed) do
    if count ~= 0 then redis.call('HINCRBY', head_key, 'free:' .. cat, digits_of(count)) end
    if frees[cat] then note_freed(cat) end
  end
end
