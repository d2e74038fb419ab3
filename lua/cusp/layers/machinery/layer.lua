--- The base of all layers: weights, losses and the state around `call`.
--
-- A layer of one's own says what its weights are in `build(self, input_shape)` and what it computes
-- in `call(self, inputs, args)`; `args.training` and `args.mask` are always there to be read.
--
--     local Scale = layers.Layer:extend("Scale", {
--       build = function(self, shape)
--         self.gain = self:add_weight{name = "gain", shape = {shape[#shape]}, initializer = "ones"}
--       end,
--       call = function(self, x) return x * self.gain end,
--     })
--
-- Every layer takes the keyword arguments `name`, `dtype` (a dtype or a policy such as
-- "mixed_bfloat16"), `trainable`, `activity_regularizer`, `autocast`, and `input_shape` (without
-- the batch axis) or `batch_input_shape`, which tell the first layer of a Sequential what comes in.
-- @classmod cusp.layers.Layer
local arguments = require "cusp.base.arguments"
local context = require "cusp.base.context"
local calling = require "cusp.layers.machinery.calling"
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local given_arguments = require "cusp.base.given_arguments"
local input_spec = require "cusp.layers.machinery.input_spec"
local kinds = require "cusp.base.kinds"
local lists = require "cusp.base.lists"
local names = require "cusp.base.names"
local new_weight = require "cusp.layers.machinery.new_weight"
local null = require "cusp.base.null"
local Object = require "cusp.base.class"
local ordered = require "cusp.base.ordered"
local policy = require "cusp.layers.machinery.policy"
local remat = require "cusp.layers.machinery.remat"
local shapes = require "cusp.base.shape"
local gathering = require "cusp.base.gathering"
local sharding = require "cusp.base.sharding"
local structure = require "cusp.base.structure"
local tracking = require "cusp.base.tracking"

local Layer = Object:extend("Layer", {
  __is_layer = true,
  __module = "keras.layers",
  autocast = true,
  keeps_dtype = false,
  __passing = lists.names("nodes losses ran path build_shape build_others when_built restorations "
    .. "remat serial"),
  __closed = lists.names "policy weights",
})

local function class_name(self) return getmetatable(self).__name end

--- Gives a fresh layer what every layer has. Called by `init`, or when a layer whose `init` forgot
-- its base is first used.
local function prepare(self)
  local own = self.__own
  if own.nodes then return end
  own.nodes, own.weights, own.trainable, own.policy = {}, {}, true, policy.get(nil)
  own.remat = remat.current()
  self.built = false
  -- raw: a name that the class has is not the object's
  if rawget(self, "name") == nil then
    self.name = names.unique(names.snake_case(class_name(self)))
  end
end

local function batch_shape_of(args, class)
  local whole = args.batch_input_shape
  if whole then return kinds.check("Layer", {"batch_input_shape", "shape"}, whole) end
  local shape = args.input_shape
  if shape == nil and not arguments.declaration(class).named.input_dim and args.input_dim then
    shape = {args.input_dim}
  end
  if shape == nil then return nil end
  if type(shape) == "number" then shape = {shape} end
  return kinds.check("Layer", {"input_shape", "shape"},
    {args.batch_size or shapes.None, table.unpack(shape)})
end

--- Reads the keyword arguments that every layer takes.
function Layer:init(args)
  args = arguments.wrap(Layer, args)
  local name = args.name
  if name ~= nil and type(name) ~= "string" then
    errors.raise("%s: argument 'name' should be a string, got %s", class_name(self),
      errors.describe(name))
  end
  if name then self.name = name end
  prepare(self)
  self.__own.policy = policy.get(args.dtype)
  if args.autocast ~= nil then self.autocast = args.autocast end
  if self.activity_regularizer == nil and args.activity_regularizer ~= nil then
    self.activity_regularizer = require("cusp.regularizers").get(args.activity_regularizer)
  end
  local class = getmetatable(self)
  self.__own.batch_input_shape = class.reads_input_shape ~= false and batch_shape_of(args, class)
    or nil
  if args.trainable ~= nil then self.trainable = args.trainable end
end

--- Builds at once when called by the user; the layer's own `build` method runs under its name and
-- outside any trace.
local function build_by_hand(self, shape, others)
  if not Object.is_instance(self, Layer) then
    errors.raise("build: write it with a colon, layer:build(shape); got %s for the layer",
      errors.describe(self))
  end
  if shape ~= nil and structure.is_container(shape) then
    shape = structure.map(shape, shapes.copy, structure.is_shape)
  end
  calling.build(self, shape, others)
  local class = getmetatable(self)
  if class.build == calling.default_build and shape and #self:sublayers() > 0 then
    calling.infer_shape(self, shape)
  end
  calling.settle(self)
end

local made = 0 -- how many layers there have been

function Layer.__constructed(self, args)
  prepare(self)
  made = made + 1
  self.__own.serial = made -- the order in which tables by name are written
  self.build = build_by_hand
  given_arguments.record(self, args)
end

--- Makes the weights for inputs of a shape. Override it; called by itself at the first call.
-- @tparam table input_shape with the batch axis; sizes may be `cusp.None`; a table of shapes for
-- several inputs
function Layer:build()
  self.built = true
end
calling.default_build = Layer.build

--- Computes the outputs. Override it.
-- @param inputs a tensor or a table of them
-- @tparam table args keyword arguments of the call; `training` (boolean) and `mask` are filled in
function Layer:call()
  errors.raise("%s (%s): a layer needs a method call(self, inputs, args)", self.name,
    class_name(self))
end

Layer.__call = calling.call

---------------------------------------------------------------- weights

--- Makes a variable of the layer.
-- @tparam table shape
-- @param[opt] initializer by default glorot_uniform (zeros for dtypes that are not floating-point)
-- @tparam[opt] string dtype by default the layer's
-- @tparam[opt=true] boolean trainable
-- @param[opt] regularizer
-- @param[opt] constraint
-- @tparam[opt] string name
-- @treturn Variable
-- @usage self.kernel = self:add_weight{name = "kernel", shape = {4, 2}, initializer = "uniform"}
function Layer:add_weight(...)
  prepare(self)
  return new_weight(self, ...)
end

--- As `add_weight`.
-- @function add_variable
Layer.add_variable = Layer.add_weight

--- Variables that are fields but were not made by `add_weight`.
local function field_variables(self)
  local known, found = {}, {}
  for _, entry in ipairs(self.__own.weights) do known[entry.variable] = true end
  tracking.each(self, function(kind, value)
    if kind == "variable" and not known[value] then
      known[value] = true
      found[#found + 1] = {variable = value, trainable = value.trainable}
    end
  end)
  return found
end

--- The layer's own variables: those made trainable first, as Keras orders them.
local function own_variables(self)
  local entries, result = table.move(self.__own.weights, 1, #self.__own.weights, 1, {}), {}
  for _, entry in ipairs(field_variables(self)) do entries[#entries + 1] = entry end
  for _, wanted in ipairs{true, false} do
    for _, entry in ipairs(entries) do
      if entry.trainable == wanted then result[#result + 1] = entry.variable end
    end
  end
  return result
end

--- The variables that are the layer's itself: not those of the layers below it.
-- @treturn {Variable,...}
-- @local
function Layer:own_variables()
  prepare(self)
  return own_variables(self)
end

--- The layers directly below, in order.
-- @local
function Layer:sublayers()
  local result = {}
  tracking.each(self, function(kind, value)
    if kind == "layer" then result[#result + 1] = value end
  end)
  return tracking.unique(result)
end

local function select_weights(self, wanted)
  local result = {}
  for _, variable in ipairs(self.weights) do
    if (self.trainable and variable.trainable) == wanted then result[#result + 1] = variable end
  end
  return result
end

local getters, setters = Layer.__getters, Layer.__setters

--- All variables of the layer and the layers below it.
-- @field weights
function getters.weights(self)
  prepare(self)
  local result = own_variables(self)
  for _, layer in ipairs(self:sublayers()) do
    local below = layer.weights
    table.move(below, 1, #below, #result + 1, result)
  end
  return tracking.unique(result)
end
getters.variables = getters.weights

function getters.trainable_weights(self) return select_weights(self, true) end
getters.trainable_variables = getters.trainable_weights
function getters.non_trainable_weights(self) return select_weights(self, false) end
getters.non_trainable_variables = getters.non_trainable_weights

-- Of a model within, the metrics are its own affair, as all that it is trained with; those of its
-- layers count.
local function collect_metrics(self, out, is_within)
  local below = {}
  tracking.each(self, function(kind, value)
    if kind == "layer" then below[#below + 1] = value
    elseif kind == "metric" and not (is_within and self.__is_model) then out[#out + 1] = value end
  end)
  if self.sublayers ~= Layer.sublayers then below = self:sublayers() end
  for _, layer in ipairs(below) do
    if layer.__is_model or layer.__getters.metrics == getters.metrics then
      collect_metrics(layer, out, true)
    else
      local own = layer.metrics
      table.move(own, 1, #own, #out + 1, out)
    end
  end
  return out
end

--- Metrics among the fields of the layer and of the layers below it, not those of models.
function getters.metrics(self) return tracking.unique(collect_metrics(self, {}, false)) end

--- The variables of those metrics.
function getters.metrics_variables(self) return lists.gather(self.metrics, "variables") end

--- Whether training changes the layer's weights; setting it goes down to the layers below.
function getters.trainable(self)
  return self.__own.trainable ~= false
end

function setters.trainable(self, value)
  if type(value) ~= "boolean" then
    errors.raise("%s (%s): trainable should be true or false, got %s", self.name, class_name(self),
      errors.describe(value))
  end
  prepare(self)
  self.__own.trainable = value
  for _, entry in ipairs(self.__own.weights) do
    if entry.trainable then entry.variable.trainable = value end
  end
  for _, layer in ipairs(self:sublayers()) do layer.trainable = value end
end

--- The values of the weights; the whole ones of those that processes divide, all of which call it.
-- @treturn {tensor,...}
function Layer:get_weights()
  local values = {}
  for i, variable in ipairs(self.weights) do values[i] = gathering.whole(variable) end
  return values
end

local function same_shape(a, b) return table.concat(a, ",") == table.concat(b, ",") end

--- Sets the weights.
-- @tparam {tensor,...} values tensors or nested tables, in the order of `weights`
-- @raise where their number or a shape is wrong; nothing is set then
function Layer:set_weights(values)
  local variables, tensors = self.weights, {}
  if not structure.is_container(values) then
    errors.raise("%s: set_weights takes a list of tensors, got %s", self.name,
      errors.describe(values))
  end
  lists.check(self.name .. ": set_weights", values)
  if #values ~= #variables then
    errors.raise("%s: set_weights got %d tensors, but the layer has %d weights", self.name, #values,
      #variables)
  end
  for i, variable in ipairs(variables) do
    local tensor = sharding.part_of(variable, engine.tensor(values[i], {dtype = variable.dtype}))
    if not same_shape(tensor.shape, variable.shape) then
      errors.raise("%s: weight %d (%s) has shape %s, got %s", self.name, i,
        variable.path or variable.name or "?",
        errors.shape(variable.shape), errors.shape(tensor.shape))
    end
    tensors[i] = tensor
  end
  engine.assign_all(variables, tensors)
end

--- The number of elements in all weights.
function Layer:count_params()
  if not self.built and #self.weights == 0 then
    errors.raise("%s (%s): has no weights yet; build it, or call it on data, before counting them",
      self.name, class_name(self))
  end
  local total = 0
  for _, variable in ipairs(self.weights) do
    total = total + shapes.size(sharding.shape_of(variable))
  end
  return total
end

--- Puts into a table what a file keeps of the layer's own variables. Override it, with
-- `load_own_variables`, to keep something else.
-- @tparam table store name → tensor or variable; the names are "0", "1", ... unless overridden
-- @usage function L:save_own_variables(store) store.table = self.table end
function Layer:save_own_variables(store)
  require("cusp.layers.machinery.storing").save(self, store)
end

--- Takes back what `save_own_variables` put into a table.
-- @tparam table store name → tensor
-- @raise where something is missing or has another shape; nothing is changed then
function Layer:load_own_variables(store)
  require("cusp.layers.machinery.storing").load(self, store)
end

---------------------------------------------------------------- losses

--- Adds a term to the loss that is minimised in training.
-- @param loss a scalar tensor (or a list of them) of this call's values
function Layer:add_loss(loss)
  if require("cusp.symbolic.tensors").standing() then return end
  local losses = self.__own.losses or {}
  self.__own.losses = losses
  for _, one in ipairs(structure.is_container(loss) and loss or {loss}) do
    losses[#losses + 1] = one
  end
  calling.note_loss()
end

local function collect_losses(self, out)
  for _, loss in ipairs(self.__own.losses or {}) do out[#out + 1] = loss end
  for _, layer in ipairs(self:sublayers()) do collect_losses(layer, out) end
  return out
end

--- The losses where tensors stand for some variables.
-- @tparam table given variable → tensor
-- @local
function Layer:losses_with(given)
  local result = tracking.unique(collect_losses(self, {}))
  for _, variable in ipairs(self.trainable_weights) do
    if variable.regularizer then
      result[#result + 1] = sharding.total(variable,
        variable.regularizer(given[variable] or variable.value))
    end
  end
  return result
end

--- Terms added by `add_loss` and by activity regularizers in the last call, then those of
-- regularized weights.
function getters.losses(self) return self:losses_with{} end

---------------------------------------------------------------- dtypes

--- The dtype that floating-point inputs are converted to.
function getters.input_dtype(self) return self.compute_dtype end

--- The names of the layers that this one is in and its own, as in "encoder/attention"; its name
-- before it is built.
function getters.path(self) return self.__own.path or self.name end

--- The dtype of the layer's variables.
function getters.dtype(self) return (self.__own.policy or policy.get(nil)).variable end
getters.variable_dtype = getters.dtype
--- The dtype that the layer computes in.
function getters.compute_dtype(self) return (self.__own.policy or policy.get(nil)).compute end
--- The name of the dtype policy.
function getters.dtype_policy(self)
  local own = self.__own.policy or policy.get(nil)
  return own.map or own.name
end

--- Sets the dtype policy; weights that are there keep their dtype, unless the policy is that of a
-- quantized layer.
function setters.dtype_policy(self, value)
  prepare(self)
  local own, wanted = self.__own, policy.get(value)
  if wanted.map and own.path then wanted = policy.at(wanted, own.path) end
  local before = own.policy
  own.policy = wanted
  if not wanted.mode or not self.built or own.quantized then return end
  local ok, message = engine.attempt(self.quantize, self, wanted.mode)
  if ok then return end
  own.policy = before
  error(message, 0)
end

---------------------------------------------------------------- quantization

--- How the layer's weights are quantized: "int8", "int4" or "float8"; nil: they are not.
-- @field quantization_mode
function getters.quantization_mode(self) return (self.__own.policy or policy.get(nil)).mode end

--- Quantizes the layer: integers and scales take the place of its weights.
-- @tparam ?string mode "int8", "int4" or "float8"; nil: the configuration's
-- @tparam[opt=true] boolean type_check refuse classes derived from those that can be quantized
-- @tparam[opt] QuantizationConfig config how weights and inputs are rounded
-- @raise where the class cannot be quantized, is not built or is quantized already
-- @usage layer:quantize("int8")
function Layer:quantize(...)
  return require("cusp.layers.machinery.quantizing").quantize(self, ...)
end

--- Makes the variables of a quantized layer. Dense, EinsumDense, Embedding and ReversibleEmbedding
-- have it.
-- @tparam table input_shape of the weight that is quantized
-- @tparam string mode
function Layer:quantized_build(_, mode)
  errors.raise("%s (%s): layers of this class cannot be quantized to %q", self.name,
    class_name(self), mode)
end

--- The dtype of what the layer gives: that of its inputs where it only moves values, else what it
-- computes in.
-- @local
function Layer:output_dtype(inputs)
  if self.keeps_dtype then
    local first = structure.flatten(inputs)[1]
    if first then return first.dtype end
  end
  return self.compute_dtype
end

---------------------------------------------------------------- shapes and masks

--- The shape of the output for an input shape (both with the batch axis; tables of shapes where
-- there are several). By default `call` is traced with inputs of that shape.
-- @tparam table input_shape
-- @param ... shapes of what `call` takes after the inputs: `compute_output_shape(query, value)`
-- @treturn table
function Layer:compute_output_shape(input_shape, ...)
  input_spec.check_shape_argument(self, "compute_output_shape", input_shape)
  return calling.infer_shape(self, input_shape, ...)
end
calling.default_compute_output_shape = Layer.compute_output_shape

--- The mask of the output; by default the input's.
function Layer:compute_mask(_, mask)
  return mask
end
calling.default_compute_mask = Layer.compute_mask

local function is_mask(value)
  return value == nil or value == false or type(value) == "userdata" or define.is_symbolic(value)
end

local function check_mask(layer, _, mask)
  local bad = structure.is_container(mask) and structure.find(mask, function(leaf)
    return not is_mask(leaf)
  end)
  if bad or not structure.is_container(mask) and not is_mask(mask) then
    errors.raise("%s.compute_mask: expected a mask or a list of masks, got %s", class_name(layer),
      errors.describe(mask))
  end
end

local function check_build(layer, shape, others)
  input_spec.check_shape_argument(layer, "build", shape)
  if others ~= nil and type(others) ~= "table" then
    errors.raise("%s.build: expected the shapes of the other inputs by name, got %s",
      class_name(layer), errors.describe(others))
  end
end

local function check_build_config(layer, config)
  if type(config) ~= "table" then
    errors.raise("%s.build_from_config: expected a table, got %s", class_name(layer),
      errors.describe(config))
  end
end

Layer.__checks = setmetatable({
  build = check_build, build_from_config = check_build_config, compute_mask = check_mask,
  compute_output_shape = function(layer, shape)
    input_spec.check_shape_argument(layer, "compute_output_shape", shape)
  end,
}, {__index = Layer.__checks})

--- Whether the outputs get masks: what the class or the object says, or whether the class computes
-- masks of its own.
-- @field supports_masking
function getters.supports_masking(self) return self.compute_mask ~= calling.default_compute_mask end

--- The shape and dtype of the outputs for inputs of which those are known.
-- @param inputs a symbolic tensor, or a table of them
-- @param ... further arguments of a call
-- @return a symbolic tensor, or a table of them
function Layer:compute_output_spec(inputs, ...) return calling.output_spec(self, inputs, ...) end

--- Calls the layer as if its variables held other values, which are left as they are.
-- @tparam table trainable_variables a tensor for each; gradients flow to them
-- @tparam table non_trainable_variables a tensor for each
-- @param ... the arguments of the call; `return_losses = true` among those by name
-- @return the outputs
-- @treturn table what the non-trainable variables would hold after the call
-- @treturn ?table the losses, where they were asked for
-- @usage local y, state = layer:stateless_call(weights, state, x)
function Layer:stateless_call(trainable_variables, non_trainable_variables, ...)
  return require("cusp.layers.machinery.stateless").call(self, trainable_variables,
    non_trainable_variables, ...)
end

---------------------------------------------------------------- as a part of a model

local function first_node(self, what)
  prepare(self)
  local node = self.__own.nodes[1]
  if not node then
    errors.raise("%s (%s): has no %s yet: it was not called on a symbolic tensor", self.name,
      class_name(self), what)
  end
  return node
end

local function single(list)
  if #list == 1 then return list[1] end
  return list
end

--- The symbolic inputs and outputs of the layer's first call on symbolic tensors.
function getters.input(self) return single(first_node(self, "input").input_tensors) end
function getters.output(self) return first_node(self, "output").outputs end
function getters.input_shape(self) return calling.shapes_of(self.input) end
function getters.output_shape(self) return calling.shapes_of(self.output) end

---------------------------------------------------------------- configuration

--- Name, trainable flag and dtype policy, and for a class of the user's that declares no `config`,
-- the arguments it was made with.
function Layer:get_config()
  local config = ordered.object({
    name = self.name, trainable = self.trainable, dtype = policy.serialize(self.__own.policy),
  }, {"name", "trainable", "dtype"})
  local regularizer = self.activity_regularizer
  if regularizer and not arguments.declaration(getmetatable(self)).named.activity_regularizer then
    ordered.set(config, "activity_regularizer", require("cusp.regularizers").serialize(regularizer))
  end
  given_arguments.add_to(self, config)
  return config
end

local function nullable(shape)
  return structure.map(shape, function(size) return size == shapes.None and null or size end)
end

--- The shapes that the layer was built for: that of its inputs, or of attention's query, value and
-- key by their names.
function Layer:get_build_config()
  local shape, others = self.__own.build_shape, self.__own.build_others
  if not shape then return nil end
  if not others or not others.value then
    return ordered.object({input_shape = nullable(shape)}, {"input_shape"})
  end
  local shapes_dict = ordered.object({query_shape = nullable(shape),
    value_shape = nullable(others.value)},
    {"query_shape", "value_shape"})
  if others.key then ordered.set(shapes_dict, "key_shape", nullable(others.key)) end
  return ordered.object({shapes_dict = shapes_dict}, {"shapes_dict"})
end

local function read_shape(value)
  local is_shape = kinds.is_plain(value) and #value > 0 and not kinds.is_plain(value[1])
  return is_shape and kinds.check("build_config", {"input_shape", "shape"}, value) or nil
end

--- Builds for the shapes that a layer had been built for.
function Layer:build_from_config(config)
  check_build_config(self, config)
  if self.built then return end
  local dict = kinds.is_plain(config.shapes_dict) and config.shapes_dict or {}
  local shape, others = read_shape(config.input_shape) or read_shape(dict.query_shape), nil
  if dict.value_shape then
    others = {value = read_shape(dict.value_shape), key = read_shape(dict.key_shape)}
  end
  if shape then self:build(shape, others) end
end

--- What every configuration holds counts as read, also where a class's `init` does not hand it on
-- to its base.
function Layer.__construct(_, args)
  if context.get().restoring then
    for _, key in ipairs{"name", "trainable", "dtype"} do arguments.touch(args, key) end
  end
end

--- A layer from its configuration.
function Layer.from_config(class, config)
  Object.expect_config(class, config)
  local given = given_arguments.of_config(class, config)
  local restoring = {restoring = true}
  local layer = given and context.within(restoring, class, given)
    or context.within(restoring, Object.from_config, class, config)
  if type(config.name) == "string" then layer.name = config.name end
  if config.trainable == false then layer.trainable = false end
  return layer
end

--- `Dense(32, activation = relu)`: the required arguments, then what differs from the defaults.
function Layer:__tostring()
  local declaration, parts = arguments.declaration(getmetatable(self)), {}
  for i, parameter in ipairs(declaration.positional) do
    local value = rawget(self, parameter[1])
    local text = require("cusp.layers.machinery.describing").argument(parameter, value)
    if text then
      local required = i == 1 and parameter.default == nil and not parameter.optional
      parts[#parts + 1] = required and text or ("%s = %s"):format(parameter[1], text)
    end
  end
  return ("%s(%s)"):format(class_name(self), table.concat(parts, ", "))
end

return Layer
