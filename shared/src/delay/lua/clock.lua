-- Redis' own clock, in milliseconds: the only one that decides. What is due is judged by the time rounded down, a due time is
-- made from the time rounded up: nothing is ever early, not by a microsecond.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local now_up = clock[1] * 1000 + math.ceil(clock[2] / 1000)

-- '+250': 250 ms from now; '@1795371222316': that time. Nothing for any other text.
local function due_at(text)
  local sign, digits = string.match(text or '', '^([+@])(%d+)$')
  if not sign or #digits > 15 then return nil end
  return sign == '+' and now_up + tonumber(digits) or tonumber(digits)
end

-- A number of milliseconds or a count, from decimal digits. Nothing for any other text.
local function whole(text)
  if not string.match(text or '', '^%d+$') or #text > 15 then return nil end
  return tonumber(text)
end

local function bad(what)
  return redis.error_reply('BADARG ' .. what .. '; nothing was changed')
end
