#!lua flags=allow-oom
-- Marks a held reservation as abandoning: its message is not published again, and a void fence may
-- follow. The timeout entry stays, in case the caller does not finish.
-- KEYS  1 `<env>:{sNN}:program:<id>:head`
-- ARGV  1 order, 2 nonce
-- Gives WASHELD | FOUND state place | MISSING | REFUSED (the gate is closed, missing or filled on
--       another server, so its data may be old)
-- Cost  O(1)
-- Idempotent: repeated, it returns FOUND abandoning and changes nothing.
--@include delay/clock
--@include delay/entry
--@include link/server
--@include gate/keys
--@include gate/reservation
local order, nonce = ARGV[1], ARGV[2]
local head = redis.call('HMGET', head_key, 'state', 'replid')
if head[1] ~= 'open' or head[2] ~= server_replid() then return { 'REFUSED' } end
if not is_order(order) or not is_nonce(nonce) then return bad('order and nonce are required') end

local resv = resv_key(order)
local r = read_reservation(resv)
if not r or r.nonce ~= nonce then return { 'MISSING' } end
if r.state ~= 'held' then return { 'FOUND', r.state, r.place } end
change_state(resv, r, 'abandoning', '')
return { 'WASHELD' }
