-- Redis' clock in milliseconds, the only one that decides. Due times are compared with the time
-- rounded down and computed from the time rounded up, so no entry is ever early.
local clock, now, now_up
--@call
clock = redis.call('TIME')
local clock_ms, clock_rest = clock[1] * 1000, clock[2] / 1000
now = clock_ms + math.floor(clock_rest)
now_up = clock_ms + math.ceil(clock_rest)
--@end

-- '+250': 250 ms from now; '@1795371222316': that time. nil for any other text.
local function due_at(text)
  local sign, digits = string.match(text or '', '^([+@])(%d+)$')
  if not sign or #digits > 15 then return nil end
  return sign == '+' and now_up + tonumber(digits) or tonumber(digits)
end

-- A count or a number of milliseconds, from decimal digits. nil for any other text.
local function whole(text)
  if not string.find(text or '', '^%d+$') or #text > 15 then return nil end
  return tonumber(text)
end

local function bad(what)
  return redis.error_reply('BADARG ' .. what .. '; nothing was changed')
end
