#!lua flags=no-writes
-- Reads state, nonce and program of a reservation. Part of the audit; the sale does not use it.
-- KEYS  1 `<env>:{sNN}:resv:<order>`
-- Gives the three words, '' for a missing one | nothing if the reservation has ended meanwhile
-- Cost  O(1)
local text = redis.pcall('GET', KEYS[1])
if type(text) == 'string' then
  -- A line of words: state attempt place nonce program ...; place may be empty.
  return { string.match(text, '^(%S*) ?%S* ?%S* ?(%S*) ?(%S*)') }
end
if type(text) ~= 'table' then return {} end
-- An earlier version wrote a hash.
local found = redis.call('HMGET', KEYS[1], 'state', 'nonce', 'program')
return { found[1] or '', found[2] or '', found[3] or '' }
