--- The order and names of layer variables in tf.keras 2's files.
--
-- Names are paths below the layer: `dense/kernel`, `lstm/lstm_cell/kernel`,
-- `bi/forward_lstm/lstm_cell/kernel`. Functional and sequential models, and the layer inside a
-- TimeDistributed, add nothing to the names.
-- @module cusp.saving.hdf5.weight_names

local Object = require "cusp.base.class"

local weight_names = {}

--- All variables of a layer: the trainable ones, then the others.
-- @tparam Layer layer
-- @treturn {Variable,...}
function weight_names.variables(layer)
  local result = layer.trainable_weights
  local others = layer.non_trainable_weights
  return table.move(others, 1, #others, #result + 1, result)
end

local function is_transparent(layer)
  return layer.__own.graph ~= nil
    or Object.is_instance(layer, require "cusp.models.sequential")
end

local function variable_name(layer, variable)
  local name = variable.name or "variable"
  if name == "kernel" and layer.__name:find "^DepthwiseConv" then return "depthwise_kernel" end
  return name
end

local function is_wrapped(layer) return layer.__name == "TimeDistributed" end

local collect

local function collect_below(layer, prefix, names)
  for _, variable in ipairs(layer:own_variables()) do
    if not names[variable] then names[variable] = prefix .. variable_name(layer, variable) end
  end
  for _, sublayer in ipairs(layer:sublayers()) do
    if is_wrapped(layer) then
      collect_below(sublayer, prefix, names)
    else
      collect(sublayer, prefix, names)
    end
  end
end

function collect(layer, prefix, names)
  collect_below(layer, is_transparent(layer) and "" or prefix .. layer.name .. "/", names)
end

--- The name of each variable of a layer.
-- @tparam Layer layer
-- @treturn {[Variable]=string}
function weight_names.of_layer(layer)
  local names = {}
  collect(layer, "", names)
  return names
end

--- The name of each variable of a model.
function weight_names.of_model(model)
  local names = {}
  for _, layer in ipairs(model.layers) do collect(layer, "", names) end
  collect_below(model, "", names)
  return names
end

--- Makes the names in a list unique: later duplicates get a number.
function weight_names.unique(names)
  local seen, result = {}, {}
  for i, name in ipairs(names) do
    local candidate, n = name, 0
    while seen[candidate] do
      n = n + 1
      candidate = ("%s_%d"):format(name, n)
    end
    seen[candidate], result[i] = true, candidate
  end
  return result
end

return weight_names
