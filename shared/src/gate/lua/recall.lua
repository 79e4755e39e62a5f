#!lua flags=allow-oom
-- Finds the order of a client's idempotency key, for requests whose new order would be refused.
-- KEYS  1 `<env>:{sNN}:program:<id>:head`
-- ARGV  1 user, 2 idempotency key, 3 hash of the body, 4 publish window ms
-- Gives AGAIN order:nonce reservation
--       | ENDED order:nonce | KEYREUSED | NONE | LOADING | REBUILD
-- Cost  O(1). Takes no seat; an order that is still held gets a new publish window, as in reserve.
--@include delay/clock
--@include delay/entry
--@include link/server
--@include gate/keys
--@include gate/reservation
--@include gate/idems
--@include gate/earlier
local user, key, body_hash, window = ARGV[1], ARGV[2], ARGV[3], whole(ARGV[4])
local head = redis.call('HMGET', head_key, 'state', 'replid')
if not head[1] or head[2] ~= server_replid() then return { 'REBUILD' } end
if head[1] ~= 'open' then return { 'LOADING' } end
if not user or user == '' or not key or key == '' then
  return bad('a user and a key are required')
end
if not string.match(body_hash or '-', '^%x*$') then
  return bad('the body hash must be hex digits')
end
if not window or window < 1 then return bad('the publish window must be a number of ms') end
local found = redis.call('MGET', idems_key(user), old_idem_key(user, key))
local named = named_by(found[1], key, found[2])
return earlier_order(named, body_hash, window, '') or { 'NONE' }
