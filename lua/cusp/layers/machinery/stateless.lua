--- Calling a layer with other values than those of its weights.
-- @module cusp.layers.machinery.stateless
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local policy = require "cusp.layers.machinery.policy"
local stateless = require "cusp.base.stateless"
local structure = require "cusp.base.structure"

local machinery = {}

-- What stands for a weight: in the dtype that the layer computes in, as the weight itself would.
local function cast_for(layer, value)
  local dtype = layer.compute_dtype
  if not layer.autocast or value.dtype == dtype or not policy.is_float(value.dtype)
    or not policy.is_float(dtype) then
    return value
  end
  return engine.ops.cast(value, dtype)
end

local function add_fields(layer, table_, given, fields)
  for key, value in next, table_ do
    local tensor = type(value) == "userdata" and given[value]
    if tensor then
      table.move({table_, key, cast_for(layer, tensor)}, 1, 3, #fields + 1, fields)
    elseif structure.is_container(value) and tostring(key):sub(1, 1) ~= "_" then
      add_fields(layer, value, given, fields)
    end
  end
end

-- The fields of a layer and those below it that hold variables, with the tensors given for them.
local function fields_of(layer, given, fields, seen)
  if seen[layer] then return fields end
  seen[layer] = true
  add_fields(layer, layer, given, fields)
  for _, below in ipairs(layer:sublayers()) do fields_of(below, given, fields, seen) end
  return fields
end

--- Calls a layer as if its variables held other values, which are left as they are. Gradients flow
-- to the tensors given for trainable ones.
-- @tparam table layer
-- @tparam table trainable a tensor for each of `layer.trainable_variables`
-- @tparam table non_trainable a tensor for each of `layer.non_trainable_variables`
-- @param ... the arguments of the call; `return_losses = true` among those by name asks for the
-- losses
-- @return the outputs
-- @treturn {tensor,...} what the non-trainable variables would hold after the call
-- @treturn ?{tensor,...} the losses
function machinery.call(layer, trainable, non_trainable, ...)
  local owner = getmetatable(layer).__name .. ".stateless_call: "
  if not layer.built then
    errors.raise("%sthe layer has no variables yet; build it, or call it on data, first", owner)
  end
  local variables, others = layer.trainable_variables, layer.non_trainable_variables
  trainable = stateless.tensors(owner .. "the trainable variables", variables, trainable)
  non_trainable = stateless.tensors(owner .. "the non-trainable variables", others, non_trainable)
  local given, all, values = {}, {}, {}
  for i, variable in ipairs(variables) do
    given[variable], all[i], values[i] = trainable[i], variable, trainable[i]
  end
  table.move(others, 1, #others, #all + 1, all)
  table.move(non_trainable, 1, #non_trainable, #values + 1, values)
  local arguments, wants_losses = table.pack(...), false
  local last = arguments[arguments.n]
  if arguments.n > 1 and structure.is_container(last) and last.return_losses ~= nil then
    local rest = {}
    for key, value in pairs(last) do rest[key] = value end
    wants_losses, rest.return_losses, arguments[arguments.n] = last.return_losses, nil, rest
  end
  local after, outputs, losses = stateless.run(all, values, function()
    return engine.with_fields(fields_of(layer, given, {}, {}), function()
      local outputs = layer(table.unpack(arguments, 1, arguments.n))
      return outputs, wants_losses and layer:losses_with(given) or nil
    end)
  end)
  after = table.move(after, #variables + 1, #all, 1, {})
  if wants_losses then return outputs, after, losses end
  return outputs, after
end

return machinery
