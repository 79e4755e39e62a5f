-- The seat map of a category: chunks of whole rows, one byte for each seat ('0' free, '1' taken,
-- '2' blocked). The string `longest:<cat>` has one character for each chunk: the longest run of free
-- seats within a row, 'A' for none to 'U' for 20 or more, so that one search of one string finds
-- the first chunk with room for an order, however large the hall is. Needs gate/keys.

-- Seats of one order at most; longer runs are not told apart.
local MAX_RUN = 20

-- Parses the layout 'first:rows:row_len:chunk_rows:chunks' of a header. nil if there is none.
local function layout_of(text)
  local first, rows, row_len, chunk_rows, chunks =
    string.match(text or '', '^(%d+):(%d+):(%d+):(%d+):(%d+)$')
  if not first then return nil end
  return {
    first = tonumber(first), seats = rows * row_len, row_len = tonumber(row_len),
    span = chunk_rows * row_len, chunks = tonumber(chunks),
  }
end

local function longest_key(cat) return program_root .. 'longest:' .. cat end
local function run_letter(run) return string.char(65 + math.min(run, MAX_RUN)) end

local function chunk_key(cat, chunk) return program_root .. 'seats:' .. cat .. ':' .. chunk end
local function chunk_seats(layout, chunk)
  return math.min(layout.span, layout.seats - chunk * layout.span)
end

-- Reads the chunks of ascending seats. nil and 'NOSEAT' if a seat is not of this category, nil and
-- 'DAMAGED' if a chunk is missing: writing into a missing chunk would create a wrong one. `known`
-- keeps the maps of chunks between calls of one script, so that each is read once.
local function open_seats(cat, layout, seats, known)
  local chunks = {}
  for n, seat in ipairs(seats) do
    local nth = seat - layout.first
    if nth < 0 or nth >= layout.seats then return nil, 'NOSEAT' end
    local no = math.floor(nth / layout.span)
    local chunk = chunks[#chunks]
    if not chunk or chunk.no ~= no then
      local key = chunk_key(cat, no)
      local map = known and known[key]
      if not map then
        map = { bytes = redis.call('GET', key) or '' }
        if #map.bytes ~= chunk_seats(layout, no) then return nil, 'DAMAGED' end
        if known then known[key] = map end
      end
      chunk = { no = no, map = map, at = {}, nth = {} }
      chunks[#chunks + 1] = chunk
    end
    chunk.at[#chunk.at + 1] = nth - no * layout.span + 1
    chunk.nth[#chunk.nth + 1] = n
  end
  return chunks
end

-- The longest run of free seats within a row, in bytes from..to (whole rows). Stops at a run of
-- `enough` seats.
local function longest_run(bytes, from, to, row_len, enough)
  local best, at = 0, from
  while best < enough do
    local first, last = string.find(bytes, '0+', at)
    if not first or first > to then break end
    if last > to then last = to end
    local row, end_row = math.floor((first - 1) / row_len), math.floor((last - 1) / row_len)
    local run
    if row == end_row then
      run = last - first + 1
    elseif end_row > row + 1 then
      run = row_len
    else
      run = math.max(end_row * row_len - first + 1, last - end_row * row_len)
    end
    if run > best then best = run end
    at = last + 1
  end
  return best
end

-- Writes one byte at some positions of a chunk and updates its longest run and the header's free
-- count. `at` lists ascending positions; none has that byte already.
local function set_seats(cat, layout, chunk, at, byte)
  if #at == 0 then return end
  local map, row_len = chunk.map, layout.row_len
  local old = map.bytes
  local parts, done, freed, n = {}, 0, 0, 1
  while n <= #at do
    local first = n
    while at[n + 1] == at[n] + 1 do n = n + 1 end
    local fill = string.rep(byte, at[n] - at[first] + 1)
    redis.call('SETRANGE', chunk_key(cat, chunk.no), at[first] - 1, fill)
    parts[#parts + 1] = old:sub(done + 1, at[first] - 1)
    parts[#parts + 1] = fill
    done = at[n]
    n = n + 1
  end
  parts[#parts + 1] = old:sub(done + 1)
  local new = table.concat(parts)
  map.bytes = new
  for _, place in ipairs(at) do
    if byte == '0' then freed = freed + 1 elseif old:byte(place) == 48 then freed = freed - 1 end
  end

  -- Only the rows of `at` change. Taking seats shortens the longest run only if one of these rows
  -- had it.
  local letter = map.letter or redis.call('GETRANGE', longest_key(cat), chunk.no, chunk.no)
  local run = (letter:byte() or 65) - 65
  local scanned, touched, last_row = byte == '0' and new or old, 0, -1
  for _, place in ipairs(at) do
    local row = math.floor((place - 1) / row_len)
    if row ~= last_row then
      last_row = row
      local from, to = row * row_len + 1, (row + 1) * row_len
      touched = math.max(touched, longest_run(scanned, from, to, row_len, MAX_RUN))
    end
  end
  local now_run = run
  if byte == '0' then
    now_run = math.max(run, touched)
  elseif touched >= run then
    now_run = longest_run(new, 1, #new, row_len, run)
  end
  local now_letter = run_letter(now_run)
  -- A missing string stays missing: reserve reports it, and the program is filled again.
  if letter ~= '' then map.letter = now_letter end
  if letter ~= '' and now_letter ~= letter then
    redis.call('SETRANGE', longest_key(cat), chunk.no, now_letter)
  end
  if freed ~= 0 then redis.call('HINCRBY', head_key, 'free:' .. cat, freed) end
end
