--- Predictions as plans that run without Lua
-- @module cusp.host.prediction
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local structure = require "cusp.base.structure"
local whole = require "cusp.base.whole"

local prediction = {}

--- Tensors in a row, as a model takes them.
-- @tparam Model model
-- @tparam {tensor,...} tensors
function prediction.pack(model, tensors)
  local graph = model.__own.graph
  if graph then return structure.pack(graph.input_structure, tensors) end
  return #tensors == 1 and tensors[1] or tensors
end

local function trace_prediction(trace, model, types, quiet)
  local tensors = {}
  for i, type_ in ipairs(types) do tensors[i] = trace:placeholder(type_.shape, type_.dtype) end
  local outputs = model:predict_step{prediction.pack(model, tensors)}
  return trace:runner(structure.flatten(outputs), quiet)
end

local function runs_eagerly(layer)
  if layer.runs_eagerly and layer:runs_eagerly() then return true end
  for _, sublayer in ipairs(layer:sublayers()) do
    if runs_eagerly(sublayer) then return true end
  end
  return false
end

local function needs_lua(model, types)
  for _, type_ in ipairs(types) do
    if type_.dtype == "string" then return "takes strings" end
  end
  for _, output in ipairs(model.__own.graph and model.outputs or {}) do
    if output.dtype == "string" then return "gives strings" end
  end
  if model.run_eagerly or runs_eagerly(model) then return "runs eagerly" end
end

--- A plan that predicts for inputs of these shapes.
-- @tparam Model model
-- @tparam {table,...} types `shape` and `dtype` of each input
-- @tparam boolean streams whether the inputs are steps of a sequence that goes on from run to run
-- @tparam boolean quiet whether it avoids libraries that lock or allocate
-- @treturn ?userdata a runner of the engine
-- @treturn ?string why there can be none: a prediction takes Lua
function prediction.runner(model, types, streams, quiet)
  local reason = needs_lua(model, types)
  if reason then return nil, ("'%s' %s"):format(model.name, reason) end
  local traced = streams and require("cusp.host.streaming").of(model, types[1].shape) or model
  local function trace() return engine.traced(trace_prediction, traced, types, quiet) end
  return whole.with({model}, trace)
end

--- Predicts without a plan of the host's.
-- @tparam Model model
-- @tparam {tensor,...} tensors
-- @treturn {tensor,...} the outputs in a row, computed and row-major
function prediction.predict(model, tensors)
  local outputs = structure.flatten(model:predict(prediction.pack(model, tensors), {verbose = 0}))
  for i, output in ipairs(outputs) do
    if type(output) ~= "userdata" then
      errors.raise("output %d of '%s' is %s, which plain memory does not hold", i, model.name,
        errors.describe(output))
    end
    outputs[i] = engine.contiguous(output)
  end
  return outputs
end

return prediction
