-- Fencing: an entry may be finished only by who holds its lease. A lease that has run out still counts until someone else claims
-- the entry: nobody else has begun. Needs entry.lua.

-- Reads ARGV as groups of `width` words that begin with id and token. Answers nothing if ARGV is no whole number of groups.
local function held_groups(queue, width)
  if #ARGV == 0 or #ARGV % width ~= 0 then return nil end
  local ids = {}
  for at = 1, #ARGV, width do ids[#ids + 1] = ARGV[at] end
  local leases = redis.call('HMGET', queue.lease, unpack(ids))
  local flags, held, seen = {}, {}, {}
  for n, id in ipairs(ids) do
    local at = (n - 1) * width + 1
    local token, attempt, due = string.match(leases[n] or '', '^(%x+):(%d+):(%d+)$')
    flags[n] = 0
    if token and token == ARGV[at + 1] and not seen[id] then
      seen[id], flags[n] = true, 1
      held[#held + 1] = { id = id, attempt = attempt, due = due, at = at }
    end
  end
  return flags, held
end
