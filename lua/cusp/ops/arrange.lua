--- Selecting and rearranging elements.
-- @module cusp.ops.arrange
local arguments = require "cusp.base.arguments"
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local plain = require "cusp.base.plain"

local rows = engine.ops

local function select(conditions, choices, default)
  if #conditions ~= #choices then
    errors.raise("select: %d conditions for %d choices", #conditions, #choices)
  end
  if #conditions == 0 then errors.raise "select: expected at least one condition" end
  local result = default
  for i = #conditions, 1, -1 do result = rows.where(conditions[i], choices[i], result) end
  return result
end

---------------------------------------------------------------- rearrange

-- "b (h w) c" → { {"b"}, {"h", "w"}, {"c"} }
local function parse_side(text)
  local groups, open = {}, nil
  for token in text:gsub("[()]", " %0 "):gmatch "%S+" do
    if token == "(" then
      if open then errors.raise("rearrange: nested parentheses in %q", text) end
      open = {}
    elseif token == ")" then
      if not open then errors.raise("rearrange: unbalanced parentheses in %q", text) end
      groups[#groups + 1], open = open, nil
    elseif not token:find "^[%a_][%w_]*$" then
      errors.raise("rearrange: %q is not the name of an axis", token)
    elseif open then
      open[#open + 1] = token
    else
      groups[#groups + 1] = {token}
    end
  end
  if open then errors.raise("rearrange: unbalanced parentheses in %q", text) end
  return groups
end

-- The sizes of all named axes; one of each group may be unknown and is computed.
local function sizes_of(groups, shape, sizes, pattern)
  if #groups ~= #shape then
    errors.raise("rearrange: %q has %d axes, but the tensor has shape %s", pattern, #groups,
      errors.shape(shape))
  end
  for i, group in ipairs(groups) do
    local known, unknown = 1, nil
    for _, name in ipairs(group) do
      if sizes[name] then known = known * sizes[name]
      elseif unknown then errors.raise(
        "rearrange: the sizes of '%s' and '%s' are both unknown; give one of them", unknown, name)
      else unknown = name end
    end
    if known == 0 or shape[i] % known ~= 0 or not unknown and known ~= shape[i] then
      errors.raise("rearrange: axis %d of size %d does not split into (%s)", i, shape[i],
        table.concat(group, " "))
    end
    if unknown then sizes[unknown] = shape[i] // known end
  end
end

local function flatten_groups(groups)
  local names, position = {}, {}
  for _, group in ipairs(groups) do
    for _, name in ipairs(group) do
      if position[name] then errors.raise("rearrange: axis '%s' occurs twice", name) end
      names[#names + 1] = name
      position[name] = #names
    end
  end
  return names, position
end

local function rearrange(...)
  local positional, _, keywords = arguments.split(false, ...)
  local tensor, pattern = define.tensor(keywords.tensor or positional[1]),
    keywords.pattern or positional[2]
  keywords.tensor, keywords.pattern = nil, nil
  local left, right = tostring(pattern):match "^(.-)%->(.*)$"
  if not left then
    errors.raise("rearrange: the pattern should look like \"b h w -> b (h w)\", got %s",
      errors.describe(pattern))
  end
  local from, to = parse_side(left), parse_side(right)
  local from_names, from_position = flatten_groups(from)
  local to_names = flatten_groups(to)
  for name in pairs(keywords) do
    if not from_position[name] then
      errors.raise("rearrange: unknown axis '%s'%s", name, errors.suggestion(name, from_position))
    end
  end
  sizes_of(from, tensor.shape, keywords, left)
  local split, order, merged = {}, {}, {}
  for i, name in ipairs(from_names) do split[i] = keywords[name] end
  for i, name in ipairs(to_names) do
    order[i] = from_position[name]
      or errors.raise("rearrange: axis '%s' is only on the right", name)
  end
  if #order ~= #from_names then
    errors.raise("rearrange: %q leaves axes out; reduce them first", pattern)
  end
  for i, group in ipairs(to) do
    merged[i] = 1
    for _, name in ipairs(group) do merged[i] = merged[i] * keywords[name] end
  end
  return rows.reshape(rows.transpose(rows.reshape(tensor, split), order), merged)
end

define.raw("rearrange",
  "Splits, orders and joins axes by name: rearrange(x, \"b (h w) -> b h w\", {h = 2}).", rearrange,
  true)

---------------------------------------------------------------- parts by mask or by range

local function check_mask(name, mask, shape, axis)
  local size = mask.shape
  local fits = mask.dtype == "bool" and #size > 0 and axis >= 1 and axis + #size - 1 <= #shape
  for i = 1, fits and #size or 0 do fits = fits and size[i] == shape[axis + i - 1] end
  if not fits then
    errors.raise("%s: expected a mask of dtype bool with the sizes of the tensor's axes from axis"
      .. " %d on (the tensor has shape %s), got %s", name, axis, errors.shape(shape),
      errors.describe(mask))
  end
end

local function boolean_mask(x, mask, axis)
  local shape = x.shape
  if axis < 0 then axis = #shape + 1 + axis end
  check_mask("boolean_mask", mask, shape, axis)
  local joined = table.move(shape, 1, axis - 1, 1, {})
  joined[axis] = -1
  table.move(shape, axis + mask.ndim, #shape, axis + 1, joined)
  local positions = rows.nonzero(rows.reshape(mask, {-1}))
  return rows.take(rows.reshape(x, joined), positions, axis)
end

-- The tensor with other values in the part that `x:slice(ranges)` gives.
local function with(x, ranges, value)
  if value == nil then errors.raise("with: the value is missing: t:with({1}, value)") end
  local shape, count = x.shape, 1
  for i = 1, #shape do count = count * shape[i] end
  local places = rows.reshape(rows.arange(count, {dtype = "int64"}), shape)
  local part = places:slice(type(ranges) == "number" and {ranges} or ranges)
  value = rows.cast(define.tensor(value), x.dtype)
  if #part.shape < value.ndim then
    errors.raise("with: a value of shape %s does not fit into the part of shape %s",
      errors.shape(value.shape), errors.shape(part.shape))
  end
  local flat = rows.scatter_update(rows.reshape(x, {-1}), rows.reshape(part, {-1, 1}),
    rows.reshape(rows.broadcast_to(value, part.shape), {-1}))
  return rows.reshape(flat, shape)
end

---------------------------------------------------------------- unique

-- The rows of a matrix of values as comparable keys; a flat list of values is a one-column matrix.
local function compare_rows(values, width)
  return function(a, b)
    for i = 1, width do
      local x, y = values[(a - 1) * width + i], values[(b - 1) * width + i]
      if x ~= y and (x == x or y == y) then
        if x ~= x then return false elseif y ~= y then return true end -- NaN sorts last
        return x < y
      end
    end
    return a < b
  end
end

local function same_rows(values, width, a, b)
  for i = 1, width do
    if values[(a - 1) * width + i] ~= values[(b - 1) * width + i] then return false end
  end
  return true
end

-- The positions (from 1) of the first of each distinct row in order, the count of each, and the
-- number (from 0) of each row's distinct row.
local function distinct(values, width, count)
  local order = {}
  for i = 1, count do order[i] = i end
  plain.sort(order, compare_rows(values, width))
  local first, counts, inverse = {}, {}, {}
  for _, row in ipairs(order) do
    if #first == 0 or not same_rows(values, width, first[#first], row) then
      first[#first + 1] = row
      counts[#counts + 1] = 0
    end
    counts[#counts] = counts[#counts] + 1
    inverse[row] = #first - 1
  end
  return first, counts, inverse
end

local function resize_list(list, size, filler)
  local result = {}
  for i = 1, size do result[i] = list[i] == nil and filler or list[i] end
  return result
end

local function integers(list, shape)
  return engine.tensor(list, {dtype = "int32", shape = shape})
end

local function unique(x, _, return_index, return_inverse, return_counts, axis, size, fill_value)
  local shape = x.shape
  if axis then define.check_axis("unique", axis, x) end
  local moved = axis and rows.moveaxis(x, axis, 1) or rows.reshape(x, {-1})
  local inner = {table.unpack(moved.shape, 2)}
  local count = moved.shape[1]
  local width = 1
  for _, extent in ipairs(inner) do width = width * extent end
  local values = moved:flat()
  for i, value in ipairs(values) do
    if type(value) == "boolean" then values[i] = value and 1 or 0 end
  end
  local first, counts, inverse = distinct(values, width, count)
  local positions = {}
  for i, row in ipairs(first) do positions[i] = row - 1 end
  local kept = size or #first
  local filled = resize_list(positions, kept, positions[1])
  local result = rows.take(moved, integers(filled, {kept}), 1)
  if fill_value ~= nil and kept > #first then
    local valid = rows.less(rows.arange(0, kept), #first)
    local column = {kept}
    for i = 1, #inner do column[i + 1] = 1 end
    result = rows.where(rows.reshape(valid, column), result, rows.cast(fill_value, x.dtype))
  end
  local results = {axis and rows.moveaxis(result, 1, axis) or result}
  if return_index then results[#results + 1] = integers(filled, {kept}) end
  if return_inverse then results[#results + 1] = integers(inverse, axis and {count} or shape) end
  if return_counts then results[#results + 1] = integers(resize_list(counts, kept, 0), {kept}) end
  return table.unpack(results)
end

define.ops{
  {"boolean_mask", "x, mask, axis: axis = 1",
    "The parts at which a mask of the sizes of one or more axes is true, as t[mask] gives them; "
    .. "needs the mask's values.", boolean_mask},
  {"with", "x, ranges: any, value: any",
    "The tensor with other values in the part that t:slice(ranges) gives.", with},
  {"select", "condlist: list, choicelist: list, default: any = 0",
    "The choice of the first condition that holds, element by element.",
    select},
  {"unique",
    "x, sorted: bool = true, return_index: bool = false, return_inverse: bool = false, "
    .. "return_counts: bool = false, axis: axis = nil, "
      .. "size: int = nil, fill_value: any = nil",
    "The distinct elements (or parts of an axis) in order, and on request where, which and how "
    .. "many; needs the values.", unique},
}
