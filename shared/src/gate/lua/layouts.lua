-- Layouts of a program's categories as a caller has them, beside those of the header. A program's
-- seats only become more: of two layouts of a category the larger one is the newer. Needs
-- gate/seats.

-- The categories and layouts of the arguments from `at` on, each { cat, layout }; nil and what is
-- wrong.
local function layouts_from(at)
  if #ARGV <= at or (#ARGV - at) % 2 == 0 then
    return nil, 'category and layout are required, repeated'
  end
  local categories = {}
  for n = at, #ARGV, 2 do
    local layout = layout_of(ARGV[n + 1])
    local valid = layout and string.match(ARGV[n], '^%d+$') and layout.span >= 1
    if not valid or layout.chunks ~= math.ceil(layout.seats / layout.span) then
      return nil, 'category ' .. ARGV[n] .. ' has no valid layout'
    end
    categories[#categories + 1] = { cat = ARGV[n], layout = layout }
  end
  return categories
end

-- Whether `layout` has the seats of `other` at the same places, and perhaps more.
local function extends(layout, other)
  return layout.first == other.first and layout.row_len == other.row_len
    and layout.span == other.span and layout.seats >= other.seats
end

-- Whether all strings of a category's map have the sizes of its layout.
local function is_whole(cat, layout)
  for no = 0, layout.chunks - 1 do
    if redis.call('STRLEN', chunk_key(cat, no)) ~= chunk_seats(layout, no) then return false end
  end
  return redis.call('STRLEN', longest_key(cat)) == layout.chunks
end

-- A value of `freed` that differs from every earlier one: clock and order of the frees.
local function first_freed() return string.format('%.0f%06d', clock[1], clock[2]) end
