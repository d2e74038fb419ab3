--- The operations of a model's call, and what its unknown sizes are in them.
--
-- The engine sees known sizes only. The call is traced once with a size for every unknown axis, and
-- once more for each with another one: what differs between the traces depends on that axis.
-- @module cusp.onnx.export.tracing
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local shapes = require "cusp.base.shape"
local structure = require "cusp.base.structure"

local tracing = {}
local None = shapes.None

-- Two sizes of an unknown axis: even, as windows and steps like them, and unusual.
local usual = {batch = {6, 10}, other = {240, 480}}

local function symbol_of(input, position, axis)
  if axis == 1 then return "batch" end
  return ("%s_%d"):format(input.name, axis), position
end

-- The unknown sizes of the inputs: list of {name =, input =, axis =, sizes =}; and for each input
-- the symbol at each axis.
local function find_symbols(inputs)
  local symbols, places, by_name = {}, {}, {}
  for position, input in ipairs(inputs) do
    places[position] = {}
    for axis, size in ipairs(input.shape) do
      if size == None then
        local name = symbol_of(input, position, axis)
        local symbol = by_name[name]
        if not symbol then
          symbol = {name = name, input = position, axis = axis,
            sizes = axis == 1 and usual.batch or usual.other}
          by_name[name], symbols[#symbols + 1] = symbol, symbol
        end
        places[position][axis] = symbol
      end
    end
  end
  return symbols, places
end

local function placeholders(trace, inputs, places, changed)
  local result = {}
  for i, input in ipairs(inputs) do
    local shape = {}
    for axis, size in ipairs(input.shape) do
      local symbol = places[i][axis]
      shape[axis] = symbol and symbol.sizes[symbol == changed and 2 or 1] or size
    end
    result[i] = trace:placeholder(shape, input.dtype)
  end
  return result
end

local function run(trace, model, inputs, places, changed)
  local given = placeholders(trace, inputs, places, changed)
  local packed = structure.pack(model.input, given)
  local outputs = structure.flatten(model(packed, {training = false}))
  for _, variable in ipairs(model.variables) do given[#given + 1] = variable.value end
  local nodes, output_places, given_places = engine.graph(outputs, given)
  return {nodes = nodes, outputs = output_places, given = given_places}
end

local function check_alike(first, other, symbol)
  local alike = #first.nodes == #other.nodes
  for i, node in ipairs(first.nodes) do
    alike = alike and node.op == other.nodes[i].op and #node.shape == #other.nodes[i].shape
  end
  if not alike then
    errors.raise("onnx.export: what the model computes depends on the size of '%s', which is not"
      .. " known; give it in the shape of the Input", symbol.name)
  end
end

--- Traces a model.
-- @tparam Model model
-- @treturn table `nodes`, `outputs` and `given` as of engine.graph; `symbols`; `others`: the nodes
-- of the trace in which a symbol has its other size, by symbol
function tracing.trace(model)
  local inputs = structure.flatten(model.input)
  local symbols, places = find_symbols(inputs)
  return engine.untraced(function()
    local first = engine.traced(run, model, inputs, places)
    first.symbols, first.places, first.others, first.inputs = symbols, places, {}, inputs
    for _, symbol in ipairs(symbols) do
      local other = engine.traced(run, model, inputs, places, symbol)
      check_alike(first, other, symbol)
      first.others[symbol] = other.nodes
    end
    return first
  end)
end

---------------------------------------------------------------- sizes

local function changed_by(symbols, value, other)
  local changed = {}
  for _, symbol in ipairs(symbols) do
    if other(symbol) ~= value then changed[#changed + 1] = symbol end
  end
  return changed
end

local function linear(symbol, value, other)
  local low, high = symbol.sizes[1], symbol.sizes[2]
  local factor = (other - value) / (high - low)
  local whole = math.tointeger(factor)
  if not whole then return nil end
  return {factor = whole, symbols = {symbol}, plus = math.tointeger(value - whole * low)}
end

local function product(symbols, value, other)
  local factor = value
  for _, symbol in ipairs(symbols) do
    if other(symbol) * symbol.sizes[1] ~= value * symbol.sizes[2] then return nil end
    factor = factor / symbol.sizes[1]
  end
  factor = math.tointeger(factor)
  return factor and {factor = factor, symbols = symbols, plus = 0}
end

--- What a number is in terms of the unknown sizes.
-- @tparam table symbols
-- @tparam number value in the first trace
-- @tparam function other its value where the given symbol has its other size
-- @treturn number|table|nil the number if it is always the same; else `{factor =, symbols =, plus
-- =}`, the product of the factor and the symbols plus a number; nil if it is neither
function tracing.size(symbols, value, other)
  local changed = changed_by(symbols, value, other)
  if #changed == 0 then return value end
  if #changed == 1 then
    return linear(changed[1], value, other(changed[1]))
  end
  return product(changed, value, other)
end

return tracing
