--- Symbolic tensors, which represent data while a functional model is built. A symbolic tensor has
-- a shape (with `cusp.None` for unknown sizes), a dtype and a history: the call that returned it.
-- Operations, methods and operators on it are recorded as calls, too.
--
-- The engine never sees an unknown size. A call is traced with two different trial sizes for the
-- unknown axes: a size that differs between the two is unknown in the result.
-- @module cusp.symbolic.tensors

local binding = require "cusp.base.arguments"
local context = require "cusp.base.context"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local masks = require "cusp.base.masks"
local names = require "cusp.base.names"
local Node = require "cusp.symbolic.node"
local plain = require "cusp.base.plain"
local rooms = require "cusp.base.rooms"
local shapes = require "cusp.base.shape"
local structure = require "cusp.base.structure"

local symbolic = {}
local None = shapes.None

-- Large and with many divisors, so that windows fit and reshapes work; unusual, so that messages
-- can identify it.
local first_size, second_size = 5040, 10080

--- The trial size while a call is traced only for shapes, else nil.
function symbolic.standing() return context.get().standing end

---------------------------------------------------------------- the tensor

local KerasTensor = {__symbolic = true, __name = "cusp.KerasTensor"}
symbolic.KerasTensor = KerasTensor
symbolic.is_symbolic = Node.is_symbolic
local is_symbolic = Node.is_symbolic

--- A symbolic tensor.
-- @tparam table shape sizes and `None`
-- @tparam string dtype
-- @tparam ?string name
function symbolic.tensor(shape, dtype, name)
  return setmetatable({_shape = shapes.copy(shape), dtype = dtype,
    name = name or names.unique "keras_tensor"}, KerasTensor)
end

local no_value = {item = true, tolist = true, flat = true, assign = true}

-- Methods that Keras has under another name: its slice is another operation than x[...].
local recorded_as = {slice = "get_item"}

local function method(key)
  local ops = require "cusp.ops"
  if ops[key] and not engine.tensor_methods[key] then return ops[key] end
  local own = engine.tensor_methods[key]
  if not own then return nil end
  local op = recorded_as[key] or key
  return function(self, ...)
    if not is_symbolic(self) then return own(self, ...) end
    return symbolic.call_operation(op, own, self, ...)
  end
end

local methods = {}

function KerasTensor.__index(self, key)
  if key == "shape" then return shapes.copy(rawget(self, "_shape")) end
  if key == "ndim" then return #rawget(self, "_shape") end
  if math.type(key) == "integer" then
    return symbolic.call_operation("get_item", function(tensor, index)
      return tensor[index]
    end, self, key)
  end
  if no_value[key] then
    errors.raise(
      "%s: a symbolic tensor has no values; it represents the inputs of a model under "
      .. "construction", key)
  end
  if type(key) ~= "string" then return nil end
  local found = methods[key]
  if found == nil then
    found = method(key) or false
    methods[key] = found
  end
  return found or nil
end

function KerasTensor.__tostring(self)
  return ("<KerasTensor shape=%s, dtype=%s, name=%s>"):format(structure.shape_text(self._shape),
    self.dtype, self.name)
end

function KerasTensor.__len(self)
  local shape = rawget(self, "_shape")
  if #shape == 0 then errors.raise "a scalar has no length" end
  return shape[1]
end

local operators = {
  __add = "add", __sub = "subtract", __mul = "multiply", __div = "divide", __idiv = "floor_divide",
  __mod = "mod", __pow = "power",
  __band = "bitwise_and", __bor = "bitwise_or", __bxor = "bitwise_xor", __shl = "left_shift",
  __shr = "right_shift",
}
for event, name in pairs(operators) do
  KerasTensor[event] = function(a, b) return engine.ops[name](a, b) end
end
function KerasTensor.__unm(a) return engine.ops.negative(a) end
function KerasTensor.__bnot(a) return engine.ops.bitwise_not(a) end
engine.set_comparisons(KerasTensor)

---------------------------------------------------------------- what a call gives

--- The placeholder of a symbolic tensor in a trace, with its mask.
local function stand_in(trace, tensor, size)
  local shape = tensor.shape
  for i = 1, #shape do
    if shape[i] == None then shape[i] = size end
  end
  local placeholder, mask = trace:placeholder(shape, tensor.dtype), masks.get(tensor)
  if mask then masks.set(placeholder, is_symbolic(mask) and stand_in(trace, mask, size) or mask) end
  return placeholder
end

local function type_of(value)
  if type(value) == "number" or type(value) == "boolean" then value = engine.tensor(value) end
  local ok, shape, dtype = pcall(function() return value.shape, value.dtype end)
  if not ok or type(shape) ~= "table" then
    errors.raise("expected a tensor from a call on symbolic tensors, got %s",
      errors.describe(value))
  end
  local mask = masks.get(value)
  return setmetatable({shape = shape, dtype = dtype, mask = mask and type_of(mask)},
    {__name = "type"})
end

local function types_in_trace(trace, size, unknown, f, arguments)
  local function replace(leaf)
    if is_symbolic(leaf) then return stand_in(trace, leaf, size) end
    return leaf
  end
  local given = {}
  trace:try(unknown)
  for i = 1, arguments.n do
    if arguments[i] ~= nil then given[i] = structure.map(arguments[i], replace) end
  end
  local outputs = table.pack(f(table.unpack(given, 1, arguments.n)))
  for i = 1, outputs.n do outputs[i] = structure.map(outputs[i], type_of) end
  return outputs
end

local function trace_types(size, unknown, f, arguments)
  local ok, result = context.attempt({standing = size}, engine.traced, types_in_trace, size,
    unknown, f, arguments)
  if not ok then
    if type(result) == "string" then result = result:gsub("%f[%d]" .. size .. "%f[%D]", "None") end
    error(result, 0)
  end
  return result
end

local function has_unknown(arguments)
  for i = 1, arguments.n do
    local found = structure.find(arguments[i], function(leaf)
      return is_symbolic(leaf) and not shapes.is_known(leaf._shape)
    end)
    if found then return true end
  end
  return false
end

local function merge_types(type, other)
  if #other.shape ~= #type.shape then
    errors.raise "the rank of the result depends on an unknown size"
  end
  for i = 1, #type.shape do
    if type.shape[i] ~= other.shape[i] then type.shape[i] = None end
  end
  if type.mask and other.mask then merge_types(type.mask, other.mask) end
  return type
end

local function merge(first, second)
  local flat, at = structure.flatten(second), 0
  return structure.map(first, function(type)
    at = at + 1
    return merge_types(type, flat[at])
  end)
end

--- The types of the results of `f(...)` for symbolic arguments.
-- @tparam function f is called (twice if a size is unknown) with placeholders for symbolic tensors,
-- at any depth
-- @tparam table arguments a list with its count `n`
-- @treturn table one structure of `{shape =, dtype =}` per value that `f` returns, with their count
-- `n`
-- @raise errors of `f`, with unknown sizes written as None
function symbolic.infer(f, arguments)
  return engine.untraced(function()
    local unknown = has_unknown(arguments)
    local first = trace_types(first_size, unknown, f, arguments)
    if not unknown then return first end
    local second = trace_types(second_size, unknown, f, arguments)
    for i = 1, first.n do first[i] = merge(first[i], second[i]) end
    return first
  end)
end

--- Symbolic tensors of the given types. Their masks have no history: only traced calls see them.
function symbolic.from_types(types, name)
  return structure.map(types, function(type)
    local tensor = symbolic.tensor(type.shape, type.dtype, name)
    if type.mask then
      masks.set(tensor, symbolic.tensor(type.mask.shape, type.mask.dtype, "mask"))
    end
    return tensor
  end)
end

---------------------------------------------------------------- operations as nodes

local Operation = {__is_operation = true, __name = "Operation"}
symbolic.Operation = Operation

-- The symbolic inputs and outputs of the first call, as of layers.
local of_first_call = {
  input = function(node)
    return #node.input_tensors == 1 and node.input_tensors[1] or node.input_tensors
  end,
  output = function(node) return node.outputs end,
}

function Operation:__index(key)
  local get = of_first_call[key]
  local node = get and self.__own.nodes[1]
  if node then return get(node) end
  return Operation[key]
end

-- Keras's classes that are not spelt after their operation.
local spelt = {rgb_to_grayscale = "RGBToGrayscale", rgb_to_hsv = "RGBToHSV",
  hsv_to_rgb = "HSVToRGB", ssim = "SSIM", fft = "FFT", fft2 = "FFT2", ifft2 = "IFFT2",
  rfft = "RFFT", irfft = "IRFFT", stft = "STFT", istft = "ISTFT", searchsorted = "SearchSorted"}

local function camel_case(name)
  local text = name:gsub("_(%w)", plain.upper):gsub("^%l", plain.upper)
  return text
end

--- An operation as a step of a functional model.
-- @tparam string op its name in `cusp.ops` (or of the tensor's method)
-- @tparam ?function f what to run; by default `cusp.ops[op]`
-- @tparam ?string name unique in the model
function Operation.new(op, f, name)
  local run = f or require("cusp.ops")[op] or engine.ops[op]
  if not run then errors.raise("unknown operation %s", errors.describe(op)) end
  local short = op:match "%.(.+)$" or op -- of "image.resize"
  return setmetatable({op = op, run = run, name = name or names.unique(short),
    class_name = spelt[short] or camel_case(short), __own = {nodes = {}}}, Operation)
end

function Operation:__call(...)
  local arguments = table.pack(...)
  for i = 1, arguments.n do
    if structure.find(arguments[i], is_symbolic) then return symbolic.record(self, arguments) end
  end
  return self.run(...)
end

function Operation:__tostring() return ("%s (%s)"):format(self.name, self.class_name) end

--- Calls an operation on symbolic tensors: records a node and returns one symbolic tensor per
-- result.
function symbolic.record(operation, arguments)
  local types = symbolic.infer(operation.run, arguments)
  local outputs = {}
  for i = 1, types.n do outputs[i] = symbolic.from_types(types[i], operation.name) end
  Node.new(operation, arguments, nil, types.n == 1 and outputs[1] or outputs)
  return table.unpack(outputs, 1, types.n)
end

--- Calls a new operation of that name.
function symbolic.call_operation(op, f, ...)
  return symbolic.record(Operation.new(op, f), table.pack(...))
end

local input_parameters = {
  {"shape", "shape", optional = true, allow_integer = true},
  {"batch_size", "integer", optional = true, min = 1},
  {"dtype", "dtype", optional = true, strings = true}, {"sparse", "boolean", default = false},
  {"ragged", "boolean", default = false},
  {"batch_shape", "shape", optional = true}, {"name", "string", optional = true},
  {"tensor", "any", optional = true},
  {"optional", "boolean", default = false},
}

--- The input of a functional model: a symbolic tensor.
-- @tparam table shape without the batch axis; sizes may be `cusp.None`
-- @tparam[opt] integer batch_size
-- @tparam[opt] string dtype by default float32
-- @tparam[opt] table batch_shape the whole shape, instead of `shape` and `batch_size`
-- @tparam[opt] string name
-- @treturn KerasTensor
-- @usage local x = cusp.Input{shape = {72}}
function symbolic.input(...)
  local args = binding.bind_named("Input", input_parameters, true, ...)
  if type(args.shape) == "number" then args.shape = {args.shape} end
  args.input_tensor, args.tensor = args.tensor, nil
  return rooms.get("layers").InputLayer(args).output
end

engine.set_symbolic_handler(function(name, ...)
  return symbolic.call_operation(name, nil, ...)
end)

return symbolic
