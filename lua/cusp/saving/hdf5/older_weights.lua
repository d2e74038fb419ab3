--- Weights as older files have them, in the layout of the layers here: those of NVIDIA's library
-- (CuDNNLSTM and CuDNNGRU), convolutions of Theano, whose kernels are turned round, and locally
-- connected layers of the other implementations.
-- @module cusp.saving.hdf5.older_weights

local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local stored = require "cusp.saving.shared.stored"

local ops = engine.ops
local older_weights = {}

--- A value that is another one changed.
local function changed(value, shape, f)
  return {where = value.where, shape = shape, dtype = value.dtype, read = function()
    return ops.reshape(f(value.read()), shape)
  end}
end

local function has_shape(value, ...) return stored.same_shape(value.shape, {...}) end

---------------------------------------------------------------- NVIDIA's recurrent layers

--- The parts of a kernel, one a gate, each changed and put together again.
local function each_gate(kernel, gates, f)
  local units = kernel.shape[2] // gates
  local parts = ops.split(kernel, gates, 2)
  for i, part in ipairs(parts) do parts[i] = f(part, units) end
  return ops.concatenate(parts, 2)
end

local function input_gate(part, units)
  return ops.transpose(ops.reshape(part, {units, part.shape[1]}))
end

local function turn_over(part) return ops.transpose(part) end

local cudnn = {}

function cudnn.kernel(value, gates)
  return changed(value, value.shape, function(t) return each_gate(t, gates, input_gate) end)
end

function cudnn.recurrent_kernel(value, gates)
  return changed(value, value.shape, function(t) return each_gate(t, gates, turn_over) end)
end

--- LSTM adds its two biases; GRU keeps them apart, in two rows.
function cudnn.bias(value, gates, units)
  if gates == 3 then return changed(value, {2, 3 * units}, function(t) return t end) end
  return changed(value, {gates * units}, function(t)
    return ops.sum(ops.reshape(t, {2, gates * units}), 1)
  end)
end

local gates_of = {LSTMCell = 4, GRUCell = 3}

local function check_gru(cell, bias)
  if cell.__name ~= "GRUCell" or cell.reset_after then return end
  errors.raise("%s: the weights are of a GRU with reset_after = true, or of a CuDNNGRU; '%s' has "
    .. "reset_after = false, which computes otherwise: make it with reset_after = true",
    bias.where, cell.name)
end

local function convert_cell(cell, values, at)
  local gates, units = gates_of[cell.__name], cell.units
  local bias = cell.bias and values[at[cell.bias]]
  if not bias or not has_shape(bias, 2 * gates * units) then
    if bias and gates == 3 and has_shape(bias, 2, gates * units) then check_gru(cell, bias) end
    return
  end
  check_gru(cell, bias)
  for name, convert in pairs(cudnn) do
    local i = at[cell[name]]
    values[i] = convert(values[i], gates, units)
  end
end

---------------------------------------------------------------- Theano's convolutions

local turned = {
  Conv1D = true, Conv2D = true, Conv3D = true, Conv2DTranspose = true, ConvLSTM2DCell = true,
}

--- A kernel with its spatial axes turned round, all but the last two.
local function turn(value)
  return changed(value, value.shape, function(t)
    local axes = {}
    for axis = 1, #value.shape - 2 do axes[axis] = axis end
    return ops.flip(t, axes)
  end)
end

local function turn_kernels(layer, values, at)
  for _, name in ipairs{"kernel", "recurrent_kernel"} do
    local i = layer[name] and at[layer[name]]
    if i then values[i] = turn(values[i]) end
  end
end

---------------------------------------------------------------- locally connected layers

--- Implementation 3 has the numbers of the present kernel in another order.
local function from_sparse(layer, value)
  local places, window, filters = table.unpack(layer.kernel.shape)
  if not has_shape(value, places * window * filters) then return value end
  local first = layer.data_format == "channels_first"
  local form = first and {filters, places, window} or {places, filters, window}
  return changed(value, layer.kernel.shape, function(t)
    return ops.transpose(ops.reshape(t, form), first and {2, 3, 1} or {1, 3, 2})
  end)
end

--- Implementation 2 has a weight from every input to every output, most of which are masked.
local function from_dense(layer, value)
  local rank, filters = layer.rank, layer.filters
  if #value.shape ~= 2 * (rank + 1) then return value end
  local places, window = layer.kernel.shape[1], layer.kernel.shape[2]
  local elements = layer.elements
  return changed(value, layer.kernel.shape, function(t)
    if layer.data_format == "channels_first" then
      t = ops.transpose(ops.reshape(t, {elements, filters, places}), {1, 3, 2})
    end
    local rows = {}
    for i, element in ipairs(layer.indices:flat()) do
      rows[i] = element * places + (i - 1) // window
    end
    return ops.take(ops.reshape(t, {elements * places, filters}),
      engine.tensor(rows, {dtype = "int32"}), 1)
  end)
end

local function convert_local(layer, values, at)
  local i = at[layer.kernel]
  local value = i and values[i]
  if not value then return end
  local convert = #value.shape == 1 and from_sparse or from_dense
  values[i] = convert(layer, value)
end

---------------------------------------------------------------- all of a layer

local function convert_below(layer, values, at, contents, seen)
  if seen[layer] then return end
  seen[layer] = true
  if gates_of[layer.__name] then convert_cell(layer, values, at) end
  if contents.backend == "theano" and turned[layer.__name] then turn_kernels(layer, values, at) end
  if layer.__name:find "^LocallyConnected" then convert_local(layer, values, at) end
  for _, sublayer in ipairs(layer:sublayers()) do
    convert_below(sublayer, values, at, contents, seen)
  end
end

--- The values of a layer's group as the layer takes them.
-- @tparam table contents of the file: `backend`
-- @tparam Layer layer built
-- @tparam {Variable,...} variables
-- @tparam {table,...} values one for each variable
-- @treturn {table,...} the values, or a changed copy
function older_weights.present(contents, layer, variables, values)
  if #variables ~= #values then return values end
  local at, result = {}, table.move(values, 1, #values, 1, {})
  for i, variable in ipairs(variables) do at[variable] = i end
  convert_below(layer, result, at, contents, {})
  return result
end

return older_weights
