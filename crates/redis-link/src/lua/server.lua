-- The replication id of the server's data set. It changes with a restart and with a failover: the
-- two ways in which Redis can lose recent writes. About 10 us.
-- On a replica it raises READONLY, as a write does: a replica may serve old data, and the client
-- then reconnects to the primary.
local function server_replid()
  local info = redis.call('INFO', 'replication')
  if string.find(info, 'role:slave', 1, true) then
    error({ err = 'READONLY this server is a replica: connect to its primary' })
  end
  return string.match(info, 'master_replid:(%x+)')
end
