-- The best adjacent seats: the front-most row with enough adjacent free seats, and in it the
-- shortest run that is long enough. Reads two strings: the longest runs, and one chunk.
-- Needs gate/seats.

-- The chunk and the positions in it. nil if no row has so many; nil and 'DAMAGED' if the chunk
-- contradicts the counts.
local function find_best(cat, layout, count)
  local letters = redis.call('GET', longest_key(cat)) or ''
  if #letters ~= layout.chunks then return nil, 'DAMAGED' end
  local found = string.find(letters, '[' .. run_letter(count) .. '-U]')
  if not found then return nil end
  local no = found - 1

  local bytes, row_len = redis.call('GET', chunk_key(cat, no)) or '', layout.row_len
  local pattern, from = string.rep('0', count), 1
  local row_start
  repeat
    local at = string.find(bytes, pattern, from, true)
    if not at or #bytes ~= chunk_seats(layout, no) then return nil, 'DAMAGED' end
    local start = math.floor((at - 1) / row_len) * row_len
    -- A run across two rows does not count.
    if at + count - 1 <= start + row_len then
      row_start = start
    else
      from = start + row_len + 1
    end
  until row_start

  local best, shortest
  for first, run in string.gmatch(bytes:sub(row_start + 1, row_start + row_len), '()(0+)') do
    if #run >= count and (not shortest or #run < shortest) then best, shortest = first, #run end
  end
  local chunk = { no = no, map = { bytes = bytes, letter = letters:sub(found, found) }, at = {} }
  for n = 1, count do chunk.at[n] = row_start + best + n - 1 end
  return chunk
end
