--- A stack of layers, each called on the output of the one before. It is built immediately if the
-- first layer declares its input (`cusp.Input`, or a layer with `input_shape`), otherwise at its
-- first call.
-- @classmod cusp.Sequential
-- @tparam[opt] {layer,...} layers
-- @tparam[opt] string name
-- @usage local model = cusp.Sequential{layers.Dense{32, activation = "relu"}, layers.Dense(10)}
local Graph = require "cusp.models.graph"
local InputLayer = require "cusp.layers.core.input_layer"
local Layer = require "cusp.layers.machinery.layer"
local Model = require "cusp.models.model"
local Node = require "cusp.symbolic.node"
local Object = require "cusp.base.class"
local calling = require "cusp.layers.machinery.calling"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local lists = require "cusp.base.lists"
local names = require "cusp.base.names"
local null = require "cusp.base.null"
local ordered = require "cusp.base.ordered"
local place = require "cusp.base.place"
local registry = require "cusp.base.registry"
local repeated = require "cusp.models.repeated"
local shapes = require "cusp.base.shape"
local structure = require "cusp.base.structure"
local whole = require "cusp.base.whole"

local Sequential = Model:extend("Sequential", {__module = "keras", first_is_list = true})

Sequential.__call = repeated.call

function Sequential:init(args)
  local own = self.__own
  own.stack = {}   -- the layers, an input layer first if there is one
  own.named = {}   -- the layers by the names that they were added with
  own.results = {} -- the symbolic tensor that each gives, as far as it is built
  -- not Model.init: an Input among the layers is not an input of a functional model
  Layer.init(self, args)
  local layers = args.layers or args[1]
  if layers == nil then return end
  if not structure.is_container(layers) then
    errors.raise("Sequential: expected a list of layers, got %s", errors.describe(layers))
  end
  lists.check("Sequential", layers)
  for _, layer in ipairs(layers) do self:add(layer) end
  -- true keeps frozen layers frozen
  if args.trainable == false then self.trainable = false end
end

---------------------------------------------------------------- the stack

local function extend_results(self)
  local stack, results = self.__own.stack, self.__own.results
  for i = #results + 1, #stack do
    if i == 1 then results[1] = stack[1].output else results[i] = stack[i](results[i - 1]) end
  end
  if #stack > 1 then
    self.__own.graph = Graph.later(results[1], results[#results])
    self.built = true
  end
end

local function extend_under_name(self)
  names.within(self.name, engine.untraced, extend_results, self)
end

local function check_new(self, layer)
  if not Object.is_instance(layer, Layer) then
    errors.raise("%s: expected a layer to add to a Sequential model, got %s", self.name,
      errors.describe(layer))
  end
  local other = self.__own.named[layer.name]
  if other and other ~= layer and other.name == layer.name then
    errors.raise("%s: has a layer named '%s' already; give the new one another name",
      self.name, layer.name)
  end
  if Object.is_instance(layer, InputLayer) and #self.__own.stack > 0 then
    errors.raise("%s: an input can only come first; the model begins with %s", self.name,
      self.__own.stack[1].name)
  end
end

local function add(self, layer)
  local stack = self.__own.stack
  if #stack == 0 and Object.is_instance(layer, Layer) and layer.__own.batch_input_shape then
    stack[1] = InputLayer{batch_shape = layer.__own.batch_input_shape,
      dtype = layer.input_dtype or layer.compute_dtype}
  end
  check_new(self, layer)
  stack[#stack + 1] = layer
  self.__own.named[layer.name] = layer
  if Object.is_instance(stack[1], InputLayer) then
    extend_under_name(self)
  elseif #stack == 1 and layer.__own.graph and not structure.is_container(layer.input) then
    calling.build(self, layer.input.shape) -- a model that knows its input
  elseif self.built then
    self.built = false
    self.__own.graph = nil
  end
end

-- The part of the stack that adding and removing layers change.
local function own_tables(self)
  local own = self.__own
  return {self, self.__order, own, own.stack, own.named, own.results}
end

-- The places in the stack that adding a layer changes: the others are many.
local function places_of(self, layer)
  local own, fields = self.__own, {}
  local last = #own.stack + 2 -- an input layer may come before it
  for i = #own.stack + 1, last do whole.note_field(fields, own.stack, i) end
  for i = #own.results + 1, last do whole.note_field(fields, own.results, i) end
  whole.note_field(fields, own.named, layer.name)
  return fields
end

--- Adds a layer (or the result of `cusp.Input`) at the end.
function Sequential:add(layer)
  if Node.is_symbolic(layer) and Object.is_instance(layer._history.operation, InputLayer) then
    layer = layer._history.operation
  end
  local roots = {alone = {self, self.__order, self.__own}}
  if Object.is_instance(layer, Layer) then
    roots[1], roots.fields = layer, places_of(self, layer)
  end
  whole.with(roots, add, self, layer)
end

local function pop(self)
  local stack, results = self.__own.stack, self.__own.results
  if #self.layers == 0 then errors.raise("%s: has no layers to remove", self.name) end
  local layer = table.remove(stack)
  self.__own.named[layer.name] = nil
  if results[#stack + 1] then results[#stack + 1] = nil end
  self.__own.graph = nil
  self.built = false
  if #results > 1 then extend_under_name(self) end
  return layer
end

--- Removes the last layer.
-- @treturn layer
function Sequential:pop() return whole.with({alone = own_tables(self)}, pop, self) end

--- Builds all layers.
-- @tparam table input_shape with the batch axis
function Sequential:build(input_shape)
  local stack = self.__own.stack
  if #stack == 0 then errors.raise("%s: cannot be built: it has no layers", self.name) end
  -- several inputs: the layers are built one by one, as they are called
  if not structure.is_shape(input_shape) then return end
  if Object.is_instance(stack[1], InputLayer) then
    extend_results(self)
    return
  end
  local shape = shapes.copy(input_shape)
  if #shape > 0 then shape[1] = shapes.None end
  local dtype = stack[1].input_dtype or stack[1].compute_dtype
  -- layers of strings take integers, too
  if dtype == "string" then dtype = self.__own.given_dtype or dtype end
  self.__own.given_dtype = nil
  table.insert(stack, 1, InputLayer{batch_shape = shape, dtype = dtype})
  self.__own.deferred = true -- made without saying what comes in
  extend_results(self)
end

--- Runs the stack.
function Sequential:call(inputs, args)
  if self.__own.graph then return Model.call(self, inputs, args) end
  for _, layer in ipairs(self.layers) do inputs = layer(inputs) end
  return inputs
end

--- An unbuilt stack is built for the rank and sizes of its first inputs, which then become the
-- inputs of its graph.
-- @local
function Sequential:prepare_inputs(inputs)
  if not self.__own.graph then
    inputs = calling.convert(self, inputs, nil, true)
    if not structure.is_container(inputs) then
      if #self.layers == 0 then errors.raise("%s: was called but has no layers", self.name) end
      self.__own.given_dtype = inputs.dtype
      calling.build(self, inputs.shape)
    end
    if not self.__own.graph then return inputs end
  end
  return Model.prepare_inputs(self, inputs)
end

function Sequential:sublayers()
  local result = table.move(self.__own.stack, 1, #self.__own.stack, 1, {})
  for _, layer in ipairs(Layer.sublayers(self)) do result[#result + 1] = layer end
  return result
end

--- The layers, without the input.
function Sequential.__getters.layers(self)
  local stack = self.__own.stack
  local first = Object.is_instance(stack[1], InputLayer) and 2 or 1
  return table.move(stack, first, #stack, 1, {})
end

---------------------------------------------------------------- configuration

local function input_shape_of(self)
  local first = self.__own.stack[1]
  if not self.__own.graph or not Object.is_instance(first, InputLayer) then return nil end
  return kinds.to_config({"shape", "shape"}, first.batch_shape)
end

--- The name, the layers and the shape that it was built for.
function Sequential:get_config()
  local config = ordered.object({}, {"name", "trainable", "dtype", "layers", "build_input_shape"})
  for key, value in pairs(Layer.get_config(self)) do config[key] = value end
  config.layers = {}
  for i, layer in ipairs(self.__own.stack) do config.layers[i] = registry.serialize(layer) end
  config.build_input_shape = input_shape_of(self)
  return config
end

function Sequential:get_build_config()
  local shape = input_shape_of(self)
  return shape and ordered.object({input_shape = shape}, {"input_shape"}) or nil
end

--- If a user's class restores itself from its configuration, the stack still restores the input
-- shape.
local function keep_input_shape(layer, data)
  local shape = kinds.is_plain(data.config) and data.config.batch_input_shape
  if kinds.is_plain(shape) and layer.__own.batch_input_shape == nil
    and not Object.is_instance(layer, InputLayer) then
    layer.__own.batch_input_shape = kinds.check("Sequential", {"batch_input_shape", "shape"}, shape)
  end
end

local function read_layer(data)
  local layer = registry.deserialize(data, {module = "keras.layers", build = false})
  if not Object.is_instance(layer, Layer) then
    errors.raise("a layer should be a table with class_name and config, got %s",
      errors.describe(data))
  end
  keep_input_shape(layer, data)
  return layer
end

local function build_for(model, shape)
  if not kinds.is_plain(shape) or model.__own.graph or #model.layers == 0 then return end
  model:build(kinds.check("Sequential", {"build_input_shape", "shape"}, shape))
end

--- Accepts Keras 3's configuration, Keras 2's, or a plain list of layers (before Keras 2.2.3).
function Sequential.from_config(class, config)
  Object.expect_config(class, config)
  local list = config.layers or config
  if not kinds.is_plain(list) then
    errors.raise("layers should be a list, got %s", errors.describe(list))
  end
  local own = {name = config.name, trainable = config.trainable, dtype = config.dtype}
  for key, value in pairs(own) do
    if value == null then own[key] = nil end
  end
  local model = class(own)
  for i = 1, #list do
    local where = ("layers[%d]"):format(i)
    local layer = place.within(where, list[i], read_layer, list[i])
    place.within(where, list[i], model.add, model, layer)
  end
  build_for(model, config.build_input_shape)
  return model
end

return Sequential
