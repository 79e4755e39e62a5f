#!lua flags=no-writes
-- Reads the reservation of an order number.
-- KEYS  1 `<env>:{sNN}:resv:<order>`
-- Gives its text, as gate/reservation describes it | nothing
-- Cost  O(1)
--@include gate/reservation
local r = read_reservation(KEYS[1])
return r and { r.text } or {}
