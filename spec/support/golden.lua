-- Runs golden cases of layers, operations, initializers, regularizers and constraints: results,
-- gradients, losses, masks, shapes. Cases count axes from 0; they are converted to count from 1.
local cases = require "spec.support.cases"
local cusp = require "cusp"

local golden = {}
local is_null = cases.is_null

local function is_tensor(value)
  return type(value) == "userdata"
    or type(value) == "table" and getmetatable(value) ~= nil and value.dtype ~= nil
end

local function sorted_keys(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  return keys
end

--- Arguments of a case, and their floating-point tensors in flatten order.
local function convert(value, floats)
  if is_null(value) then return nil end
  if type(value) ~= "table" then return cases.convert(value) end
  if type(value.tensor) == "table" then
    local tensor = cases.tensor(value)
    if value.tensor.dtype:find "float" then floats[#floats + 1] = tensor end
    return tensor
  end
  local result = {}
  local keys = #value > 0 and {} or sorted_keys(value)
  for i = 1, #value do
    local item = convert(value[i], floats)
    if item == nil then item = false end
    result[i] = item
  end
  for _, key in ipairs(keys) do result[key] = convert(value[key], floats) end
  return result
end

local function flatten(value, out)
  if is_tensor(value) or type(value) ~= "table" then
    if value ~= nil then out[#out + 1] = value end
  elseif #value > 0 then
    for i = 1, #value do flatten(value[i], out) end
  else
    for _, key in ipairs(sorted_keys(value)) do flatten(value[key], out) end
  end
  return out
end

local function shape_text(shape) return "[" .. table.concat(shape, ", ") .. "]" end

local function compare(got, want, case, what, loose)
  if is_null(want) then return end
  want = want.tensor or want
  assert(got ~= nil, what .. ": nothing came back")
  local shape = is_tensor(got) and got.shape or {}
  if shape_text(shape) ~= shape_text(want.shape) then
    error(("%s: shape %s, expected %s"):format(what, shape_text(shape), shape_text(want.shape)), 0)
  end
  local scale = loose and 10 or 1
  local tolerance = {atol = (case.atol or 1e-5) * scale, rtol = (case.rtol or 1e-4) * scale}
  if type(got) == "boolean" then got = got and 1 or 0 end
  cases.compare(got, want, tolerance, what)
end

-- The recorder of the cases has no 64-bit dtypes.
local narrow = {int64 = "int32", uint64 = "uint32", float64 = "float32"}

local function compare_dtype(got, want, what)
  want = not is_null(want) and (want.tensor or want)
  if not want or not is_tensor(got) then return end
  local a, b = narrow[got.dtype] or got.dtype, narrow[want.dtype] or want.dtype
  if a ~= b then error(("%s: dtype %s, expected %s"):format(what, got.dtype, want.dtype), 0) end
end

local function compare_outputs(outputs, case)
  local indices = case.output_indices
  for i, want in ipairs(case.outputs) do
    local got = outputs[indices and indices[i] + 1 or i]
    compare(got, want, case, "output " .. i)
    compare_dtype(got, want, "output " .. i)
  end
end

--- Gradients of the sum of outputs times cotangents with respect to `sources`.
local function compare_gradients(tape, outputs, case, sources, wanted)
  if is_null(case.cotangents) or #sources == 0 then return end
  local targets, cotangents = {}, {}
  for i, cotangent in ipairs(case.cotangents) do
    if not is_null(cotangent) then
      targets[#targets + 1], cotangents[#cotangents + 1] = outputs[i], cases.tensor(cotangent)
    end
  end
  if #targets == 0 then return end
  local gradients = tape:gradient(targets, sources, {output_gradients = cotangents})
  for i = 1, #sources do
    local want = wanted[i]
    if not is_null(want) then
      local got = gradients[i]
      if got then
        compare(got, want, case, "gradient " .. i, true)
      else
        for _, value in ipairs(want.tensor.data) do
          assert(value == 0, ("gradient %d: none"):format(i))
        end
      end
    end
  end
end

local function call(f, args, kwargs)
  local packed, n = {}, 0
  for i, value in pairs(args) do
    packed[i] = value
    n = math.max(n, i)
  end
  if next(kwargs) ~= nil then
    n = n + 1
    packed[n] = kwargs
  end
  return f(table.unpack(packed, 1, n))
end

local function watching(floats)
  local tape = cusp.GradientTape{persistent = true}
  for _, value in ipairs(floats) do tape:watch(value) end
  return tape
end

local run = {}

---------------------------------------------------------------- layers

local function shapes_of(inputs)
  if is_tensor(inputs) then return inputs.shape end
  local shapes = {}
  for key, item in pairs(inputs) do shapes[key] = is_tensor(item) and item.shape or nil end
  return shapes
end

local function compare_shape(got, want)
  assert(#got == #want, ("output shape: rank %d, expected %d"):format(#got, #want))
  for i, size in ipairs(want) do
    if type(size) == "table" and not is_null(size) then compare_shape(got[i], size)
    elseif not is_null(size) then assert(got[i] == size,
      ("output shape: %s at %d, expected %s"):format(got[i], i, size)) end
  end
end

local function build_layer(case, args, kwargs)
  local layer = cusp.layers.deserialize(cases.serialised(case))
  call(layer, args, kwargs)
  local variables, trainable = layer.weights, {}
  assert(#variables == #case.weights, ("%d weights, expected %d"):format(#variables, #case.weights))
  for i, weight in ipairs(case.weights) do
    variables[i]:assign(cases.tensor(weight))
    if weight.trainable then trainable[#trainable + 1] = variables[i] end
  end
  return layer, variables, trainable
end

function run.layer(case)
  local floats = {}
  local args, kwargs = convert(case.args, floats), convert(case.kwargs, floats)
  local layer, variables, trainable = build_layer(case, args, kwargs)
  local tape <close> = watching(floats)
  local outputs = flatten(call(layer, args, kwargs), {})
  for i, weight in ipairs(case.weights_after or {}) do
    compare(variables[i].value, weight, case, "weight after, " .. i)
  end
  for i, want in ipairs(case.losses or {}) do
    compare(layer.losses[i], type(want) == "table" and want or {shape = {}, data = {want}}, case,
      "loss " .. i)
  end
  compare_outputs(outputs, case)
  local sources, wanted = {}, {}
  for i, value in ipairs(floats) do
    sources[i], wanted[i] = value, case.grad_inputs and case.grad_inputs[i] or cusp.null
  end
  for i, variable in ipairs(trainable) do
    sources[#floats + i], wanted[#floats + i] = variable,
      case.grad_weights and case.grad_weights[i] or cusp.null
  end
  compare_gradients(tape, outputs, case, sources, wanted)
  if not is_null(case.output_shape) and #args == 1 and next(kwargs) == nil then
    compare_shape(layer:compute_output_shape(shapes_of(args[1])), case.output_shape)
  end
  if case.output_mask then
    compare(layer:compute_mask(args[1], convert(case.input_mask, {})), case.output_mask, case,
      "mask")
  end
end

---------------------------------------------------------------- operations

local axis_keyword = {axis = true, axes = true, axis1 = true, axis2 = true, axisa = true,
  axisb = true, axisc = true, source = true,
  destination = true}
local kinds_of_axes = {axis = true, axes = true}

local function one_based(axis)
  if type(axis) == "table" then
    local result = {}
    for i, item in pairs(axis) do result[i] = one_based(item) end
    return result
  end
  local integer = type(axis) == "number" and math.tointeger(axis)
  return integer and (integer >= 0 and integer + 1 or integer) or axis
end

local positions

--- The positions of axes among an operation's arguments, as described by the engine and the
-- operations in Lua.
local function axis_positions(name)
  if not positions then
    positions = {}
    for _, row in ipairs(require("cusp.engine").describe()) do
      for i, argument in ipairs(row.arguments) do
        if kinds_of_axes[argument.kind] then
          positions[row.name] = positions[row.name] or {}
          positions[row.name][i] = true
        end
      end
    end
  end
  return positions[name] or {}
end

local function shift_axes(name, args, kwargs)
  local count_of_axes = name == "tensordot"
  for key, value in pairs(kwargs) do
    if axis_keyword[key] and not (count_of_axes and type(value) == "number") then
      kwargs[key] = one_based(value)
    end
  end
  if count_of_axes then
    if type(args[3]) == "table" then args[3] = one_based(args[3]) end
    return
  end
  for position in pairs(axis_positions(name)) do
    if args[position] then args[position] = one_based(args[position]) end
  end
end

--- The function or class for a dotted name, or nil.
function golden.find(name)
  local value = cusp
  for part in name:gmatch "[^.]+" do value = value and value[part] end
  return value
end

function run.op(case)
  local floats = {}
  local args, kwargs = convert(case.args, floats), convert(case.kwargs, floats)
  shift_axes(case["function"]:match "[%w_]+$", args, kwargs)
  local tape <close> = watching(floats)
  local outputs = {}
  for _, result in ipairs{call(golden.find(case["function"]), args, kwargs)} do
    flatten(result, outputs)
  end
  compare_outputs(outputs, case)
  compare_gradients(tape, outputs, case, floats, case.grad_inputs or {})
end

---------------------------------------------------------------- regularizers, constraints,
---------------------------------------------------------------- initializers

local function of_a_value(space)
  return function(case)
    local floats = {}
    local args = convert(case.args, floats)
    local tape <close> = watching(floats)
    local outputs = flatten(cusp[space].deserialize(cases.serialised(case))(args[1]), {})
    compare_outputs(outputs, case)
    compare_gradients(tape, outputs, case, floats, case.grad_inputs or {})
  end
end
run.regularizer, run.constraint = of_a_value "regularizers", of_a_value "constraints"

--- Runs one case.
-- @raise if something differs from Keras's result
function golden.run(case, kind)
  run[case.kind or kind](case)
end

--- Whether the subject of a case exists, and does not need complex numbers, which the engine lacks.
function golden.concerns_us(case, kind)
  kind = case.kind or kind
  if not run[kind] then return false end
  if cusp.json.encode(case):find('"complex', 1, true) then return false end
  if kind == "op" then return golden.find(case["function"]) ~= nil end
  if kind == "layer" then return cusp.layers[case.class_name] ~= nil end
  return true
end

return golden
