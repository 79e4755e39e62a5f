-- Takes the next seats of the hall and notes until when the order holds them.
-- KEYS  1 number of seats taken, 2 hash order -> first seat and count, 3 sorted set of orders by the end of their time to pay
-- ARGV  1 how many seats, 2 seats of the hall, 3 order, 4 end of its time to pay (ms)
-- Gives the first seat, or -1 if too few are left
local taken = tonumber(redis.call('GET', KEYS[1]) or '0')
local count = tonumber(ARGV[1])
if taken + count > tonumber(ARGV[2]) then return -1 end
redis.call('INCRBY', KEYS[1], count)
redis.call('HSET', KEYS[2], ARGV[3], taken .. ':' .. count)
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[3])
return taken
