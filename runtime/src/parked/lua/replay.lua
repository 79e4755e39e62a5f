#!lua flags=allow-oom
-- Moves an entry from the dead-letter stream to the end of its source stream, atomically.
-- Allowed under memory pressure: the entry exists once before and after.
-- KEYS    1 the dead-letter stream. The source stream has its name without "-dead", in the same slot
-- ARGV    1 id of the entry in the dead-letter stream
-- Returns 'BACK'; or, without a change, 'GONE' (no such entry), 'FOREIGN' (no consumer group parked
--         it), 'EMPTY' (the source entry had been removed before), 'LARGE' (more fields than a script
--         can add)
-- Cost    O(log n) and the fields of the entry. A repeated call returns GONE.
local source = string.sub(KEYS[1], 1, -6)
local entry = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not entry then return 'GONE' end
local words = entry[2]
if words[1] ~= 'dead:id' then return 'FOREIGN' end

-- Behind the four fields of the parking group are the entry's own: plain, or packed if they were many.
local own = {}
if words[9] == 'dead:packed' then
  own = cmsgpack.unpack(words[10])
else
  for at = 9, #words do own[#own + 1] = words[at] end
end
if #own == 0 then return 'EMPTY' end
if #own > 7000 then return 'LARGE' end
redis.call('XADD', source, '*', unpack(own))
redis.call('XDEL', KEYS[1], ARGV[1])
return 'BACK'
