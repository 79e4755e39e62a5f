-- The best adjacent seats: the front-most row with enough adjacent free seats, and in it the
-- shortest run that is long enough. Reads one hash and one chunk. Needs gate/seats.

-- The chunk and the positions in it. nil if no row has so many; nil and 'DAMAGED' if the chunk
-- contradicts the counts.
local function find_best(cat, layout, count)
  local fields = {}
  for no = 0, layout.chunks - 1 do fields[no + 1] = 'r' .. no end
  local no
  for n, run in ipairs(redis.call('HMGET', program_root .. 'runs:' .. cat, unpack(fields))) do
    if not run then return nil, 'DAMAGED' end
    if tonumber(run) >= count then
      no = n - 1
      break
    end
  end
  if not no then return nil end

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
  local chunk = { no = no, bytes = bytes, at = {} }
  for n = 1, count do chunk.at[n] = row_start + best + n - 1 end
  return chunk
end
