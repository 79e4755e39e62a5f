-- Whether entry id `a` is before `b`. Digits are compared as text: Lua numbers lose digits above
-- 2^53.
local function before(a, b)
  local a_ms, a_seq = string.match(a, '^(%d+)-(%d+)$')
  local b_ms, b_seq = string.match(b, '^(%d+)-(%d+)$')
  local x, y = a_ms, b_ms
  if a_ms == b_ms then x, y = a_seq, b_seq end
  return #x < #y or (#x == #y and x < y)
end

-- A flat list of names and values as a table.
local function record(list)
  local fields = {}
  for at = 1, #list, 2 do fields[list[at]] = list[at + 1] end
  return fields
end
