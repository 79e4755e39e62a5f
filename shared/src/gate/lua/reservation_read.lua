#!lua flags=no-writes
-- Reads the reservation of an order number.
-- KEYS  1 `<env>:{sNN}:resv:<order>`
-- Gives nonce program user category seats price key attempt state partition offset appended message
--       | nothing
-- Cost  O(1)
--@include gate/reservation
local r = read_reservation(KEYS[1])
if not r then return {} end
parse_rest(r)
local state, partition, offset, appended = state_words(r)
return { r.nonce, r.program, r.user, r.category, r.seats, r.price, r.key, r.attempt, state,
  partition, offset, appended, r.text:sub(message_at(r)) }
