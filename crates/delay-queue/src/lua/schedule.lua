#!lua
-- Adds entries to a queue; an existing one, waiting or leased, is not changed.
-- KEYS  1 `...:delay:<queue>:due`
-- ARGV  id, body, due ('+ms' from now or '@ms'), repeated; at most 500 entries
-- Gives 1 (new) or 0 (existed) per entry
-- Cost  O(log n) per entry. Refused under memory pressure, before anything is written.
-- Idempotent: repeated, it returns 0 and changes nothing.
--@function
--@include delay/clock
--@include delay/entry
if #ARGV == 0 or #ARGV % 3 ~= 0 then return bad('expected id, body, due for each entry') end
local ids, bodies, dues = {}, {}, {}
local text, due
for at = 1, #ARGV, 3 do
  -- Entries of a call are often due at the same time.
  if ARGV[at + 2] ~= text then
    text = ARGV[at + 2]
    due = due_at(text)
    if not due then return bad('due must be +ms or @ms') end
    due = string.format('%d', due)
  end
  local n = #ids + 1
  ids[n], bodies[n], dues[n] = ARGV[at], ARGV[at + 1], due
end
return delay_schedule(delay_queue(KEYS[1]), ids, bodies, dues)
