-- Locks adjacent seats of a row. Reads the whole map of unsold seats.
-- KEYS  1 hash of unsold seats (id -> JSON), 2 hash of locked seats, 3 number of unsold seats
-- ARGV  1 how many seats
-- Gives the seats as JSON; an empty list if there are no such seats
local count = tonumber(ARGV[1])
if tonumber(redis.call('GET', KEYS[3]) or '0') < count then return {} end
local seats = {}
for n, text in ipairs(redis.call('HVALS', KEYS[1])) do
  seats[n] = cjson.decode(text)
end
table.sort(seats, function(a, b)
  if a.row ~= b.row then return a.row < b.row end
  return a.column < b.column
end)
local from = 1
for n = 1, #seats do
  local before = seats[n - 1]
  if not before or before.row ~= seats[n].row or before.column + 1 ~= seats[n].column then from = n end
  if n - from + 1 == count then
    local taken = {}
    for at = from, n do
      local id, text = tostring(seats[at].id), cjson.encode(seats[at])
      redis.call('HDEL', KEYS[1], id)
      redis.call('HSET', KEYS[2], id, text)
      taken[#taken + 1] = text
    end
    redis.call('DECRBY', KEYS[3], count)
    return taken
  end
end
return {}
