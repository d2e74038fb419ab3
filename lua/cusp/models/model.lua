--- Models: layers that can be trained, saved and summarised.
--
-- `cusp.Model{inputs = x, outputs = y}` is the graph between symbolic tensors (single ones, lists,
-- or tables keyed by name). Your own model is a class: `Model:extend("MyModel", {init = ..., call =
-- ...})`, whose `init` calls `Model.init(self, args)`.
-- @classmod cusp.Model
local Graph = require "cusp.models.graph"
local Layer = require "cusp.layers.machinery.layer"
local Node = require "cusp.symbolic.node"
local arguments = require "cusp.base.arguments"
local calling = require "cusp.layers.machinery.calling"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local lists = require "cusp.base.lists"
local masks = require "cusp.base.masks"
local null = require "cusp.base.null"
local ordered = require "cusp.base.ordered"
local rooms = require "cusp.base.rooms"
local shapes = require "cusp.base.shape"
local state_tree = require "cusp.models.state_tree"
local structure = require "cusp.base.structure"

local Model = Layer:extend("Model", {
  __module = "keras", __is_model = true, supports_masking = true,
  call_arguments = {"training", "mask"},
  __passing = lists.names("results named steps calls compile_config when_compiled",
    Layer.__passing),
})
-- Those, and what is of no account where the model is a part of the one that is trained.
Model.__untrained = lists.names("compile_loss compile_metrics loss_tracker", Model.__passing)

-- A model that knows its inputs builds itself.
Model.__checks = setmetatable({
  build = function(model, shape)
    if shape ~= nil then Layer.__checks.build(model, shape) end
  end,
}, {__index = Layer.__checks})
local is_symbolic = Node.is_symbolic

local function symbolic_argument(args, name, position)
  if args[name] ~= nil then return args[name] end
  local value = args[position]
  if value ~= nil and structure.find(value, is_symbolic) then return value end
end

--- Outputs by name as the last argument: `Model(inputs, {pitch = a, step = b})`.
local function named_outputs(args)
  local _, keywords = arguments.raw(args)
  local outputs
  for key, value in pairs(keywords) do
    if key ~= "inputs" and structure.find(value, is_symbolic) then
      outputs = outputs or {}
      outputs[key] = value
      arguments.touch(args, key)
    end
  end
  return outputs
end

--- Takes `inputs` and `outputs` (or neither, for a subclass), `name`, `trainable`, `dtype`.
function Model:init(args)
  args = arguments.wrap(Model, args)
  local inputs, outputs = symbolic_argument(args, "inputs", 1),
    symbolic_argument(args, "outputs", 2)
  if inputs ~= nil and outputs == nil then outputs = named_outputs(args) end
  if inputs == nil and args[1] ~= nil and getmetatable(self) == Model then
    errors.raise(
      "Model: inputs should be symbolic tensors, from cusp.Input or a layer called on one, got %s",
      errors.describe(args[1]))
  end
  if (inputs == nil) ~= (outputs == nil) then
    local missing, given = "outputs", args.outputs or args[2]
    if inputs == nil then missing, given = "inputs", args.inputs end
    local what = given == nil and "is missing"
      or "should be symbolic tensors, got " .. errors.describe(given)
    errors.raise("Model: needs both inputs and outputs; %s %s", missing, what)
  end
  lists.check_nested("Model: inputs", inputs)
  lists.check_nested("Model: outputs", outputs)
  if inputs ~= nil and getmetatable(self) == Model then
    setmetatable(self, require "cusp.models.functional")
  end
  Layer.init(self, args)
  if inputs ~= nil then
    self.__own.graph = Graph.new(inputs, outputs)
    self.built = true
    -- true keeps frozen layers frozen
    if args.trainable == false then self.trainable = false end
  end
end

---------------------------------------------------------------- inputs of a graph

--- Keras 2 named the input of a stack after its first layer: "lstm_1_input".
local function implicit_name(model)
  if model.__name ~= "Sequential" then return nil end
  for _, layer in ipairs(model.layers) do
    if layer.__name ~= "InputLayer" then return layer.name .. "_input" end
  end
end

local function take_by_name(model, tensors, inputs)
  local flat = {}
  for i, tensor in ipairs(tensors) do
    local name = tensor._history.operation.name
    local value = inputs[name]
    if value == nil then value = inputs[implicit_name(model) or name] end
    if value == nil then
      errors.raise("%s (%s): the input named '%s' is missing; got %s", model.name,
        getmetatable(model).__name, name,
        table.concat(structure.keys(inputs), ", "))
    end
    flat[i] = value
  end
  return flat
end

local function take_by_key(model, graph, inputs)
  local flat, keys = {}, structure.keys(graph.input_structure)
  for i, key in ipairs(keys) do
    if inputs[key] == nil then
      errors.raise("%s (%s): the input named '%s' is missing; expected %s, got %s", model.name,
        getmetatable(model).__name, key,
        table.concat(keys, ", "), table.concat(structure.keys(inputs), ", "))
    end
    flat[i] = inputs[key]
  end
  return flat
end

local function is_keyed(value)
  return structure.is_container(value) and #value == 0 and type((next(value))) == "string"
end

--- Raises if named inputs are passed as a list, whose order would be that of the names.
local function check_named(model, form, inputs)
  if not structure.is_container(form) then return end
  if is_keyed(form) and not is_keyed(inputs) and #structure.flatten(form) > 1 then
    errors.raise("%s (%s): the inputs have names: expected a table with %s, got %s", model.name,
      getmetatable(model).__name,
      table.concat(structure.keys(form), ", "),
      structure.is_container(inputs) and "a list of " .. #inputs or errors.describe(inputs))
  end
  if not structure.is_container(inputs) then return end
  for key, part in pairs(form) do
    if inputs[key] ~= nil then check_named(model, part, inputs[key]) end
  end
end

--- The value for each leaf of a form, in order.
local function parts_of(form, inputs, out)
  if not structure.is_container(form) then
    out[#out + 1] = inputs
  elseif structure.is_container(inputs) then
    if is_keyed(form) then
      for _, key in ipairs(structure.keys(form)) do parts_of(form[key], inputs[key], out) end
    else
      for i, part in ipairs(form) do parts_of(part, inputs[i], out) end
    end
  end
  return out
end

--- The given inputs as a list in the order of the graph's inputs.
local function flat_inputs(model, graph, inputs)
  local count = #graph.inputs
  if is_keyed(inputs) then
    if is_keyed(graph.input_structure) then
      return structure.flatten(take_by_key(model, graph, inputs))
    end
    return take_by_name(model, graph.inputs, inputs)
  end
  check_named(model, graph.input_structure, inputs)
  if not structure.is_container(inputs) then
    if count ~= 1 then
      errors.raise("%s (%s): expected %d inputs, got one", model.name, getmetatable(model).__name,
        count)
    end
    return {inputs}
  end
  local first = inputs[1]
  local is_data = type(first) == "string" or #inputs ~= 1 and structure.is_container(first)
  if type(first) == "number" or count == 1 and is_data then
    return {inputs}
  end
  local flat = inputs
  if structure.is_container(graph.input_structure) and #inputs == #graph.input_structure then
    flat = parts_of(graph.input_structure, inputs, {})
  end
  if #flat ~= count then
    errors.raise("%s (%s): expected %d input%s, got %d", model.name, getmetatable(model).__name,
      count, count == 1 and "" or "s", #flat)
  end
  return flat
end

local function to_dtype(model, value, reference)
  local dtype = reference.dtype
  if type(value) ~= "userdata" then return engine.tensor(value, {dtype = dtype}) end
  if value.dtype == dtype then return value end
  if value.dtype == "string" or dtype == "string" then
    errors.raise("%s (%s): the input '%s' should be of dtype %s, got %s", model.name,
      getmetatable(model).__name, reference.name, dtype, value.dtype)
  end
  return engine.ops.cast(value, dtype)
end

local function compatible(shape, reference)
  if #shape ~= #reference then return false end
  for i = 2, #shape do
    if reference[i] ~= shapes.None and shape[i] ~= shapes.None and shape[i] ~= reference[i] then
      return false
    end
  end
  return true
end

--- Adds or drops a last axis of size 1 if that makes the ranks agree, as Keras does.
local function adjust_rank(value, shape, reference)
  if #shape == #reference + 1 and shape[#shape] == 1 then
    return engine.ops.squeeze(value, #shape)
  end
  if #shape == #reference - 1 and reference[#reference] == 1 then
    return engine.ops.expand_dims(value, -1)
  end
  return value
end

--- A stack that was made without saying what comes in takes other sizes than the first, where its
-- layers do.
local function fits(model, shape, reference)
  if model.__own.deferred then return #shape == #reference end
  return compatible(shape, reference)
end

local function prepare_one(model, reference, value)
  if is_symbolic(value) then return value, value.shape end
  local converted = to_dtype(model, value, reference)
  converted = adjust_rank(converted, converted.shape, reference._shape)
  local mask = type(value) == "userdata" and masks.get(value)
  if mask then masks.set(converted, mask) end
  if not fits(model, converted.shape, reference._shape) then
    errors.raise("%s (%s): the input '%s' should have shape %s, got %s", model.name,
      getmetatable(model).__name, reference.name,
      errors.shape(reference._shape), errors.shape(converted.shape))
  end
  return converted
end

local function prepare_graph_inputs(model, inputs)
  local graph = model.__own.graph
  local flat = flat_inputs(model, graph, inputs)
  local prepared = {}
  for i, reference in ipairs(graph.inputs) do
    prepared[i] = (prepare_one(model, reference, flat[i]))
  end
  return structure.pack(graph.input_structure, prepared)
end

--- Prepares the inputs of a call: converts them to the structure, dtypes and ranks of the graph's
-- inputs.
-- @local
function Model:prepare_inputs(inputs)
  if self.__own.graph then return prepare_graph_inputs(self, inputs) end
  return calling.convert(self, inputs, self.autocast and self.compute_dtype or nil, true)
end

---------------------------------------------------------------- calling

local function unpack_single(outputs)
  if structure.is_container(outputs) and #outputs == 1 and next(outputs, 1) == nil then
    return outputs[1]
  end
  return outputs
end

--- Runs the graph. A subclass without one defines its own `call`.
function Model:call(inputs, args)
  local graph = self.__own.graph
  if not graph then
    errors.raise(
      "%s (%s): a model needs inputs and outputs, or a class with a method call(self, inputs, "
      .. "args)", self.name,
      getmetatable(self).__name)
  end
  local flat = structure.flatten(inputs)
  if args.mask then
    masks.attach(flat, structure.is_container(args.mask) and structure.flatten(args.mask)
      or {args.mask})
  end
  return unpack_single(structure.pack(graph.output_structure, graph:run(flat)))
end

--- The layers of a graph have already put masks on its outputs; a subclass passes none on by
-- default.
function Model:compute_mask()
  return nil
end

--- The types of a graph's outputs, if the inputs have the shapes that it was made with.
-- @local
function Model:known_output_types(inputs)
  local graph = self.__own.graph
  if not graph then return nil end
  for i, tensor in ipairs(structure.flatten(inputs)) do
    if not shapes.equal(tensor.shape, graph.inputs[i]._shape) then return nil end
  end
  local types = structure.map(graph.output_structure, function(tensor)
    return setmetatable({shape = tensor.shape, dtype = tensor.dtype, mask = masks.get(tensor)},
      {__name = "type"})
  end)
  return unpack_single(types)
end

---------------------------------------------------------------- what it consists of

--- The direct layers: those of the graph in Keras's order, then those among the fields.
-- @local
function Model:sublayers()
  local graph = self.__own.graph
  if not graph then return Layer.sublayers(self) end
  local result, seen = {}, {}
  for _, operation in ipairs(graph.operations) do
    if operation.__is_layer then
      result[#result + 1] = operation
      seen[operation] = true
    end
  end
  for _, layer in ipairs(Layer.sublayers(self)) do
    if not seen[layer] then result[#result + 1] = layer end
  end
  return result
end

local getters = Model.__getters

--- The layers; those of a graph start at the inputs.
function getters.layers(self) return self:sublayers() end

local function graph_of(self, what)
  return self.__own.graph
    or errors.raise("%s (%s): has no %s: it is not a functional model", self.name,
    getmetatable(self).__name, what)
end

--- The symbolic inputs and outputs of a functional model: as lists, and in their original
-- structure.
function getters.inputs(self) return graph_of(self, "inputs").inputs end
function getters.outputs(self) return graph_of(self, "outputs").outputs end
function getters.input(self) return graph_of(self, "input").input_structure end
function getters.output(self) return graph_of(self, "output").output_structure end

local function names_of(tensors)
  local names = {}
  for i, tensor in ipairs(tensors) do names[i] = tensor._history.operation.name end
  return names
end

--- The names of the layers behind the inputs and outputs; nil for a subclassed model.
function getters.input_names(self)
  local graph = self.__own.graph
  return graph and names_of(graph.inputs)
end
function getters.output_names(self)
  local graph = self.__own.graph
  return graph and names_of(graph.outputs)
end

local bind_export = arguments.named_binder("export", {
  {"filepath", "string"},
  {"format", "choice", optional = true,
    choices = {"tf_saved_model", "onnx", "openvino", "litert", "torch"}},
  {"verbose", "boolean", optional = true}, {"input_signature", "any", optional = true},
  {"opset_version", "integer", optional = true, min = 13, max = 22},
  {"opset", "integer", default = 17, min = 13, max = 22},
  {"external_data", "boolean", optional = true},
}, false)

local get_layer_parameters = {{"name", "any", optional = true},
  {"index", "integer", optional = true}}

--- Finds a layer by its name or index; by name also an operation of a functional model, such as
-- `tf.math.multiply_2` in a file of tf.keras 2.
-- @tparam[opt] string name
-- @tparam[opt] integer index from 1; negative from the end
-- @raise if there is none
-- @usage model:get_layer "dense_1"; model:get_layer{index = 2}
function Model:get_layer(...)
  local name, index = arguments.bind("get_layer", get_layer_parameters, false, ...)
  if math.type(name) == "integer" then name, index = nil, name end
  local layers = self.layers
  if index then
    return layers[index < 0 and #layers + 1 + index or index]
      or errors.raise("%s: there is no layer %d; the model has %d", self.name, index, #layers)
  end
  if name == nil then errors.raise("%s: get_layer needs a name or an index", self.name) end
  local known = {}
  for i, layer in ipairs(layers) do
    if layer.name == name then return layer end
    known[i] = layer.name
  end
  local graph = self.__own.graph
  for _, operation in ipairs(graph and graph.operations or {}) do
    if operation.name == name then return operation end
  end
  errors.raise("%s: there is no layer named %s%s; the layers are %s", self.name,
    type(name) == "string" and ("%q"):format(name) or errors.describe(name),
    errors.suggestion(name, known), table.concat(known, ", "))
end

Model.set_trainable = require "cusp.models.trainable"
Model.get_state_tree = state_tree.get
Model.set_state_tree = state_tree.set
Model.profile = require "cusp.models.profile"
function Model:quantize(...)
  require("cusp.training.checks").receiver(self, "quantize")
  return require("cusp.models.quantize")(self, ...)
end

--- The order of a model's blocks, for quantization that calibrates them in turn. Override it.
-- @tparam[opt] string mode
-- @treturn ?table nil: there is none
function Model:get_quantization_layer_structure() return nil end

--- Prints a table of the layers: output shapes, parameter counts, and connections.
-- @tparam[opt] integer line_length
-- @tparam[opt] table positions of the columns' ends, as parts of the line or in characters
-- @tparam[opt] function print_fn called with each line, by default `print`
-- @tparam[opt=false] boolean expand_nested show the layers of nested models
-- @tparam[opt=false] boolean show_trainable
-- @tparam[opt] table layer_range names (or patterns) of the first and the last layer to show
function Model:summary(...)
  require("cusp.training.checks").receiver(self, "summary")
  return require("cusp.models.summary").print(self, ...)
end

--- The configuration as JSON text, by default in TF 2.0's form.
-- @tparam[opt="tf2"] string format "keras3" for Keras 3's
-- @param[opt] indent spaces (or a string) for multi-line text, as in Python's `json.dumps`
-- @tparam[opt=true] boolean ensure_ascii whether to write non-ASCII characters as `\u` escapes
-- @tparam[opt=false] boolean sort_keys
-- @treturn string
-- @raise if a class has no configuration, explaining what to write
-- @usage model:to_json(); model:to_json{format = "keras3", indent = 2}
function Model:to_json(...)
  return rooms.get("saving.configuration").to_json(self, ...)
end

--- The configuration as YAML text, by default in TF 2.0's form.
-- @tparam[opt="tf2"] string format "keras3" for Keras 3's
-- @tparam[opt=true] boolean sort_keys
-- @treturn string
function Model:to_yaml(...)
  return rooms.get("saving.configuration").to_yaml(self, ...)
end

--- Saving and loading; see `cusp.saving.methods`.
for _, name in ipairs{"save", "save_weights", "load_weights"} do
  Model[name] = function(self, ...) return rooms.get("saving.methods")[name](self, ...) end
end

--- Writes what the model predicts for other runtimes: as an ONNX file.
-- @tparam string filepath ends in ".onnx", where `format` is not given
-- @tparam[opt] string format "onnx"; Keras's others cannot be written
-- @tparam[opt=false] boolean verbose whether to print where the file is
-- @tparam[opt=17] integer opset_version version of ONNX's operators, 13 to 22; also `opset`
-- @tparam[opt] boolean external_data whether weights go into a file beside, `filepath .. ".data"`;
-- by default where they have nearly 2 GB or more
-- @raise for another format, and if something in the model cannot be said in ONNX; nothing is
-- written then
-- @usage model:export "model.onnx"
function Model:export(...)
  require("cusp.training.checks").receiver(self, "export")
  require "cusp.models.export"(self, bind_export(...))
end
engine.name_function(Model.export, "export")

--- Writes the model as one C99 file without allocation, and a header; see `cusp.export_c`.
-- @usage model:export_c("net.c", {prefix = "net", main = true})
function Model:export_c(...)
  require("cusp.training.checks").receiver(self, "export_c")
  return rooms.get("export_c").export(self, ...)
end

--- A functional model's graph, or the result of `Layer:get_config`.
function Model:get_config()
  if self.__own.graph and getmetatable(self).get_config == Model.get_config then
    return rooms.get("saving.configuration.functional_writer").of(self)
  end
  return Layer.get_config(self)
end

--- The shape that a model was built for; a graph always knows it.
function Model:get_build_config()
  local shape = self.__own.build_shape
  if self.__own.graph or not structure.is_shape(shape) then shape = null end
  return ordered.object({input_shape = kinds.to_config({"input_shape", "shape"},
    shape ~= null and shape or nil)}, {"input_shape"})
end

--- Builds a user's model for the shape that it had been built for; others are built already, or on
-- their first inputs.
function Model:build_from_config(config)
  local shape = config.input_shape
  if self.built or not kinds.is_plain(shape) or #shape == 0 or getmetatable(self).__library then
    return
  end
  self:build(kinds.check("build_config", {"input_shape", "shape"}, shape))
end

--- Makes a model from its configuration: a graph (in Keras 3's or Keras 2's form), or the arguments
-- of a subclass.
function Model.from_config(class, config)
  if type(config) == "table" and config.layers and config.input_layers then
    return rooms.get("saving.configuration.functional_reader").read(class, config)
  end
  return Layer.from_config(class, config)
end

--- `Functional(name = model, 4 layers)`
function Model:__tostring()
  local count = #self.layers
  return ("%s(name = %s, %d layer%s)"):format(getmetatable(self).__name, self.name, count,
    count == 1 and "" or "s")
end

-- Methods for training, from their own module: compile, fit, evaluate, predict and related ones.
for name, method in pairs(require "cusp.training.trainer") do
  if rawget(Model, name) == nil then Model[name] = method end
end
for name, getter in pairs(require "cusp.training.properties") do getters[name] = getter end

return Model
