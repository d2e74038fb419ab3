--- Defines a known network: its arguments, input, classifier, name and weights.
-- @module cusp.applications.network
local activations = require "cusp.activations"
local arguments = require "cusp.base.arguments"
local config = require "cusp.base.config"
local errors = require "cusp.base.errors"
local input_shapes = require "cusp.applications.input_shapes"
local layers = require "cusp.layers"
local models = require "cusp.models"
local weights = require "cusp.applications.weights"

local network = {}

-- The arguments that networks share; each lists its own in Keras's order.
local common = {
  include_top = {"include_top", "boolean", default = true},
  weights = {"weights", "any", default = "imagenet"},
  input_tensor = {"input_tensor", "any", optional = true},
  input_shape = {"input_shape", "shape", optional = true},
  pooling = {"pooling", "choice", choices = {"avg", "max"}, optional = true},
  classes = {"classes", "integer", min = 1, default = 1000},
  classifier_activation = {"classifier_activation", "any", default = "softmax"},
  include_preprocessing = {"include_preprocessing", "boolean", default = true},
  name = {"name", "string", optional = true},
}

local usual_order = "include_top weights input_tensor input_shape pooling classes "
  .. "classifier_activation name"

local function signature(definition)
  local parameters, own = {}, definition.own or {}
  if type(definition.default_name) == "string" then
    own.name = {"name", "string", default = definition.default_name}
  end
  for name in (definition.order or usual_order):gmatch "%S+" do
    parameters[#parameters + 1] = own[name] or common[name]
  end
  return parameters
end

-- Weights that were trained go with the scores that they were trained for.
local function check_activation(definition, options)
  if options.weights == nil or not options.include_top then return end
  local activation = activations.get(options.classifier_activation)
  if activation ~= activations.softmax and activation ~= activations.linear then
    errors.raise("%s: with trained weights, classifier_activation should be \"softmax\" or "
      .. "cusp.null, got %s", definition.name, errors.describe(options.classifier_activation))
  end
end

local function pool(definition, x, options)
  if options.pooling then
    local class = options.pooling == "avg" and layers.GlobalAveragePooling2D
      or layers.GlobalMaxPooling2D
    x = class{name = (definition.pool_names or {})[options.pooling]}(x)
  end
  return definition.after_pooling and definition.after_pooling(x) or x
end

local function check_data_format(definition)
  if definition.channels_last_only and config.image_data_format() ~= "channels_last" then
    errors.raise("%s: works with images of [height, width, channels] only: call "
      .. "cusp.config.set_image_data_format(\"channels_last\")", definition.name)
  end
end

--- The usual classifier: the mean of each channel, then a dense layer.
-- @tparam KerasTensor x `[batch, height, width, channels]`
-- @tparam table options of the network
-- @tparam[opt] string pool_name
-- @treturn KerasTensor `[batch, classes]`
function network.classify(x, options, pool_name)
  x = layers.GlobalAveragePooling2D{name = pool_name}(x)
  return layers.Dense{
    options.classes, activation = options.classifier_activation, name = "predictions",
  }(x)
end

local function inputs_of(options, input)
  if not options.input_tensor then return input end
  local found = require("cusp.utils").get_source_inputs(options.input_tensor)
  return #found == 1 and found[1] or found
end

local function build(definition, options)
  check_data_format(definition)
  weights.check(definition, options)
  check_activation(definition, options)
  options.input_shape = input_shapes.obtain(definition, options)
  options.rows = input_shapes.rows(options.input_shape)
  options.axis = config.image_data_format() == "channels_first" and 2 or 4
  local input = options.input_tensor or layers.Input{shape = options.input_shape}
  local x = definition.features(input, options)
  if options.include_top then
    x = (definition.top or network.classify)(x, options)
  else
    x = pool(definition, x, options)
  end
  local name = options.name or definition.default_name(options)
  local model = models.Model{inputs = inputs_of(options, input), outputs = x, name = name}
  weights.load(definition, options, model)
  return model
end

--- Makes the function that builds a network.
-- @tparam table definition `name`, as in Keras; `order`, its arguments, if they are not the usual
-- ones; `own`, those that others have not; `default_name` of the model, a string or a function of
-- the options; `default_size` and `min_size` of images; `features(input, options)`, all layers but
-- the classifier; `top(x, options)`, the classifier; `pool_names`, those of the layers of
-- `pooling`; `after_pooling(x)`; `needs_size`, whether images have one size even without a
-- classifier; `any_size`, whether they may have any with it; `channels_last_only`; `file(options)`,
-- see `cusp.applications.weights`
-- @treturn function returns the model
function network.define(definition)
  local bind = arguments.named_binder(definition.name, signature(definition), false)
  return function(...) return build(definition, bind(...)) end
end

return network
