#!lua
-- Takes one request from each of several rate limits, or from none of them (generic cell rate
-- algorithm: a bucket of `burst` requests, into which one comes back in each interval).
-- KEYS  1... `<env>:{rate}:...`, one for each limit: when its bucket is full again, us since 1970. All
--       have the same hash tag
-- ARGV  for each limit: its interval in us, its burst
-- Gives TAKEN | REFUSED us (the request would be allowed after that time; nothing was taken)
-- Cost  O(limits). A key ends when its bucket is full. Refused under memory pressure, before any
--       write. Repeated, it takes another request.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

-- A whole number from 1 to 10^12: sums with a time stay exact.
local function whole(text)
  if not string.find(text or '', '^%d+$') or #text > 12 then return nil end
  local number = tonumber(text)
  return number > 0 and number or nil
end

local full_at, wait = {}, 0
for n, key in ipairs(KEYS) do
  local interval, burst = whole(ARGV[2 * n - 1]), whole(ARGV[2 * n])
  if not interval or not burst then
    return redis.error_reply('BADARG an interval and a burst are required; nothing was changed')
  end
  local size = interval * burst
  local full = tonumber(redis.call('GET', key) or '0')
  -- A clock that was set back, or a limit that was lowered: no bucket is emptier than empty.
  full = math.min(math.max(full, now), now + size) + interval
  full_at[n] = full
  wait = math.max(wait, full - size - now)
end
if wait > 0 then return { 'REFUSED', string.format('%.0f', wait) } end
for n, key in ipairs(KEYS) do
  local left = math.ceil((full_at[n] - now) / 1000)
  redis.call('SET', key, string.format('%.0f', full_at[n]), 'PX', string.format('%.0f', left))
end
return { 'TAKEN' }
