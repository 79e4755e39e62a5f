-- Derives every key of a script from KEYS[1], the floor `<env>:{p<id>}:program:floor`, so all share
-- its hash tag. Versions are compared as numbers: they are below 2^53, where Lua numbers are exact.
-- 0 stands for "no such program". In a cluster all keys are declared, so that no call finds some of
-- them while they move to another node one by one.
--@siblings floor body lease
local floor_key = KEYS[1]
local root = string.match(floor_key, '^(.+:{p%d+}:program:)floor$')
local function bad(what) return redis.error_reply('BADARG ' .. what .. '; nothing was changed') end
if not root then return bad('the key must be the floor of a program') end
local body_key, lease_key = root .. 'body', root .. 'lease'

-- A number of at most 16 digits. nil for any other text.
local function whole(text)
  if not string.match(text or '', '^%d+$') or #text > 16 then return nil end
  return tonumber(text)
end

local function floor() return whole(redis.call('GET', floor_key) or '0') or 0 end
