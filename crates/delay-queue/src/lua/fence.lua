-- Fencing: only the holder of its lease may complete an entry. A lease that has ended stays valid
-- until another worker claims the entry. Needs entry.lua.

-- Reads words as groups of `width` that begin with id and token. Returns a flag for each group, the
-- positions of the groups that hold their lease, and the leases by group; nil if the words are not a
-- whole number of groups.
local function held_groups(queue, words, width)
  if #words == 0 or #words % width ~= 0 then return nil end
  local ids = {}
  for at = 1, #words, width do ids[#ids + 1] = words[at] end
  local leases = redis.call('HMGET', queue.lease, unpack(ids))
  local flags, held, seen = {}, {}, {}
  for n, id in ipairs(ids) do
    local at = (n - 1) * width + 1
    flags[n] = 0
    -- A lease begins with its token, 32 digits long.
    if leases[n] and leases[n]:sub(1, 32) == words[at + 1] and not seen[id] then
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
