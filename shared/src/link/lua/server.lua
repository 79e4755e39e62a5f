-- The identity of the server's data set. It changes with a restart and with a failover: the two ways in which Redis may have gone
-- back in time. About 10 us.
-- A replica refuses, as it refuses writes: what it shows may be old, and what is asked next may be answered by its primary.
local function server_replid()
  local info = redis.call('INFO', 'replication')
  if string.find(info, 'role:slave', 1, true) then
    error({ err = 'READONLY this server is a replica: connect to its primary' })
  end
  return string.match(info, 'master_replid:(%x+)')
end
