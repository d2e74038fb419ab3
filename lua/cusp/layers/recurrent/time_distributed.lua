--- Applies a layer to every step of a sequence by itself.
-- Input `[batch, time, ...]`; the layer sees `[batch, ...]`; output `[batch, time, ...]` of what it
-- gives.
-- @classmod cusp.layers.TimeDistributed
-- @tparam Layer layer
-- @usage local per_step = layers.TimeDistributed(layers.Dense(8))
local Wrapper = require "cusp.layers.machinery.wrapper"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local shapes = require "cusp.base.shape"
local steps = require "cusp.layers.recurrent.steps"

local TimeDistributed = Wrapper:extend("TimeDistributed", {
  supports_masking = true,
  call_arguments = {"training", "mask"},
  input_spec = {min_ndim = 3},
})

local function step_shape(shape) return {shape[1], table.unpack(shape, 3)} end

function TimeDistributed:build(shape)
  Wrapper.build(self, step_shape(shape))
end

--- One step after another: where masks, or statistics that each step changes, make the steps
-- differ.
local function step_by_step(self, inputs, mask, training)
  local function step(_, x)
    return nil, self.layer(x.inputs, {training = training, mask = x.mask})
  end
  local options = {name = "TimeDistributed", count = inputs.shape[2]}
  local xs = {inputs = steps.swap(inputs), mask = mask and steps.swap(mask)}
  if engine.tracing() and options.count > 0 then
    return steps.swap(select(2, steps.run(self.layer, options, step, nil, xs)))
  end
  local outputs = {}
  for time = 1, options.count do
    outputs[time] = select(2, step(nil, {inputs = xs.inputs[time], mask = mask and xs.mask[time]}))
  end
  return ops.stack(outputs, 2)
end

function TimeDistributed:call(inputs, args)
  local shape, mask = inputs.shape, args.mask
  if mask then
    local got = mask.shape
    if #got < 2 or got[1] ~= shape[1] or got[2] ~= shape[2] then
      errors.raise("the mask should begin with the batch and time axes of the input %s, got %s",
        errors.shape(shape), errors.shape(got))
    end
  end
  if mask or args.training and #self.layer.non_trainable_weights > 0 then
    return step_by_step(self, inputs, mask, args.training)
  end
  local together = ops.reshape(inputs, {shape[1] * shape[2], table.unpack(shape, 3)})
  local outputs = self.layer(together, {training = args.training})
  return ops.reshape(outputs, {shape[1], shape[2], table.unpack(outputs.shape, 2)})
end

function TimeDistributed:compute_output_shape(input_shape)
  local inner = self.layer:compute_output_shape(step_shape(shapes.copy(input_shape)))
  return {inner[1], input_shape[2], table.unpack(inner, 2)}
end

return TimeDistributed
