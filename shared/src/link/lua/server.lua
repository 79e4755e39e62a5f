-- The identity of the server's data set. It changes with a restart and with a failover: the two ways in which Redis may have gone
-- back in time. About 10 us.
local function server_replid()
  return string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
end
