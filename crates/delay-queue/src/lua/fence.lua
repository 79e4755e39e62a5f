-- Fencing: only the holder of its lease may complete an entry. A lease that has ended stays valid
-- until another worker claims the entry. Needs entry.lua.

-- Reads ARGV as groups of `width` words that begin with id and token. Returns a flag for each
-- group, the positions in ARGV of the groups that hold their lease, and the leases by group; nil if
-- ARGV is not a whole number of groups.
local function held_groups(queue, width)
  if #ARGV == 0 or #ARGV % width ~= 0 then return nil end
  local ids = {}
  for at = 1, #ARGV, width do ids[#ids + 1] = ARGV[at] end
  local leases = redis.call('HMGET', queue.lease, unpack(ids))
  local flags, held, seen = {}, {}, {}
  for n, id in ipairs(ids) do
    local at = (n - 1) * width + 1
    flags[n] = 0
    -- A lease begins with its token, 32 digits long.
    if leases[n] and leases[n]:sub(1, 32) == ARGV[at + 1] and not seen[id] then
      seen[id], flags[n] = true, 1
      held[#held + 1] = at
    end
  end
  return flags, held, leases
end

-- The attempt stored in a lease.
local function held_attempt(lease)
  return string.match(lease, '^%x+:(%d+):') or '0'
end
