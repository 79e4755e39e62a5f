#!lua
-- Grants a loader the right to begin a filling from nothing. What the loader does next (append
-- barriers to Kafka, or read that the program is new) is later than this grant. install_begin
-- accepts it only while the gate still holds the grant; after a loss or a rollback of Redis it does
-- not.
-- KEYS  1 `<env>:{sNN}:program:<id>:head`
-- ARGV  1 loader: 32 hex digits, 2 lease ms
-- Gives GRANTED loader:us:replication-id | BUSY ms-left (another loader has the grant)
-- Cost  O(1). Refused under memory pressure, before any write.
-- Idempotent: repeated, it returns the same grant with a renewed lease.
--@include delay/clock
--@include delay/entry
--@include link/server
--@include gate/keys
local loader, lease_ms = ARGV[1], whole(ARGV[2])
if not is_nonce(loader) then return bad('the loader must be 32 hex digits') end
if not lease_ms or lease_ms < 1 then return bad('a lease in ms is required') end

local replid = server_replid()
local held = redis.call('GET', claim_key)
local by, on = string.match(held or '', '^(%x+):%d+:(%x+)$')
if by and on == replid then
  if by ~= loader then
    local left = math.max(redis.call('PTTL', claim_key), 0)
    return { 'BUSY', string.format('%.0f', left) }
  end
  redis.call('PEXPIRE', claim_key, lease_ms)
  return { 'GRANTED', held }
end
local grant = loader .. ':' .. clock[1] .. string.format('%06d', clock[2]) .. ':' .. replid
redis.call('SET', claim_key, grant, 'PX', lease_ms)
return { 'GRANTED', grant }
