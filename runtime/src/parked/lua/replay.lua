#!lua flags=allow-oom
-- Brings an entry back from the dead letters to the end of its stream, as it was, in one step: it is never in both, nor in neither.
-- Allowed under memory pressure: what it adds it takes away elsewhere.
-- KEYS  1 the dead-letter stream, 2 the stream; both in one slot
-- ARGV  1 id of the entry in the dead letters
-- Gives 'BACK'; or, with nothing changed, 'GONE' (no such entry), 'FOREIGN' (it was not set aside by a group), 'EMPTY' (its own
--       entry had been removed before), 'LARGE' (more fields than a script can add)
-- Cost  O(log n) and the entry's fields. Repeated, it answers GONE and changes nothing.
local entry = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not entry then return 'GONE' end
local words = entry[2]
if words[1] ~= 'dead:id' then return 'FOREIGN' end

-- Behind the four fields of whoever set it aside stand its own: plain, or packed where they were too many.
local own = {}
if words[9] == 'dead:packed' then
  own = cmsgpack.unpack(words[10])
else
  for at = 9, #words do own[#own + 1] = words[at] end
end
if #own == 0 then return 'EMPTY' end
if #own > 7000 then return 'LARGE' end
redis.call('XADD', KEYS[2], '*', unpack(own))
redis.call('XDEL', KEYS[1], ARGV[1])
return 'BACK'
