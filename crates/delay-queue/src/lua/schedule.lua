#!lua
-- Adds entries to a queue; an existing one, waiting or leased, is not changed.
-- KEYS  1 `...:delay:<queue>:due`
-- ARGV  id, body, due ('+ms' from now or '@ms'), repeated; at most 500 entries
-- Gives 1 (new) or 0 (existed) per entry
-- Cost  O(log n) per entry. Refused under memory pressure, before anything is written.
-- Idempotent: repeated, it returns 0 and changes nothing.
--@include delay/clock
--@include delay/entry
if #ARGV == 0 or #ARGV % 3 ~= 0 then return bad('expected id, body, due for each entry') end
local ids, bodies, dues = {}, {}, {}
for at = 1, #ARGV, 3 do
  local due = due_at(ARGV[at + 2])
  if not due then return bad('due must be +ms or @ms') end
  ids[#ids + 1], bodies[#bodies + 1], dues[#dues + 1] = ARGV[at], ARGV[at + 1], due
end
return delay_schedule(delay_queue(KEYS[1]), ids, bodies, dues)
