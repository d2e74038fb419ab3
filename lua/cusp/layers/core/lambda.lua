--- A function as a layer. It is saved by name, so prefer your own class in models that you save.
-- @classmod cusp.layers.Lambda
-- @tparam function|string function of the inputs (a registered name when loaded from a file)
-- @param[opt] output_shape a shape without the batch axis, or a function of the input shape; by
-- default it is inferred by running the function
-- @param[opt] mask a mask, or a function of inputs and mask
-- @tparam[opt] table arguments keyword arguments of the function
-- @usage local double = layers.Lambda(function(x) return x * 2 end)
local Layer = require "cusp.layers.machinery.layer"
local calling = require "cusp.layers.machinery.calling"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local registry = require "cusp.base.registry"
local structure = require "cusp.base.structure"

kinds.define("named_function", {
  check = function(value)
    if kinds.is_plain(value) and value.class_name then value = registry.deserialize(value) end
    if type(value) == "string" then value = registry.find(value, "activations") end
    return kinds.is_callable(value), value
  end,
  expects = "a function",
  to_config = function(value) return registry.serialize(value) end,
})

return Layer:extend("Lambda", {
  call_arguments = {"mask", "training"},
  first_is_list = false,
  config = {
    {"function", "named_function"}, {"output_shape", "any", optional = true, transient = true},
    {"mask", "any", optional = true,
      transient = true}, {"arguments", "any", optional = true},
    {"function_type", "any", optional = true, transient = true},
    {"module", "any", optional = true, transient = true},
  },

  call = function(self, inputs)
    local f = self["function"]
    if self.arguments and next(self.arguments) ~= nil then return f(inputs, self.arguments) end
    return f(inputs)
  end,

  -- A failure of an operation within: the function is the user's, and knows it by its name.
  explain_failure = function(_, message, operation)
    return ("%s: %s"):format(operation, message)
  end,

  compute_mask = function(self, inputs, mask)
    if kinds.is_callable(self.mask) then return self.mask(inputs, mask) end
    return self.mask
  end,

  compute_output_shape = function(self, input_shape)
    local own = rawget(self, "output_shape")
    if own == nil then return calling.infer_shape(self, input_shape) end
    if kinds.is_callable(own) then return own(input_shape) end
    if not structure.is_shape(own) then
      errors.raise("Lambda: output_shape should be a shape, got %s", errors.describe(own))
    end
    local first = structure.flatten(input_shape, structure.is_shape)[1]
    return {first[1], table.unpack(own)}
  end,
})
