#!lua flags=allow-oom
-- Marks a held reservation as accepted: the broker has its message. The timeout entry is due when
-- payment is due.
-- KEYS  1 `<env>:{sNN}:program:<id>:head`
-- ARGV  1 order, 2 nonce, 3 partition:offset:log-append time ms, 4 payment due in ms
-- Gives YES | FOUND state place | MISSING (no such reservation, or no header)
-- Cost  O(log n) for the entry. Works while the gate is being filled.
-- Idempotent: repeated, it returns FOUND accepted and changes nothing.
--@function
--@include delay/clock
--@include delay/entry
--@include gate/keys
--@include gate/reservation
local order, nonce, place = ARGV[1], ARGV[2], ARGV[3]
if redis.call('HEXISTS', head_key, 'state') == 0 then return { 'MISSING' } end
local due_ms = whole(ARGV[4])
if not is_order(order) or not is_nonce(nonce) then return bad('order and nonce are required') end
if not string.find(place or '', '^%-?%d+:%-?%d+:%-?%d+$') or #place > 62 then
  return bad('partition, offset and time must be numbers')
end
if not due_ms then return bad('the time until payment is due must be a number of ms') end

local resv = resv_key(order)
local r = read_reservation(resv)
if not r or r.nonce ~= nonce then return { 'MISSING' } end
if r.state ~= 'held' then return { 'FOUND', r.state, r.place } end
change_state(resv, r, 'accepted', place)
delay_put(timeouts, order, timeout_job(nonce), digits_of(now_up + due_ms))
return { 'YES' }
