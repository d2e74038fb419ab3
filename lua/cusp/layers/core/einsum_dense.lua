--- A dense layer whose product is any einsum: `layers.EinsumDense { "abc,cd->abd", { cusp.None, 64
-- }, bias_axes = "d" }`.
-- @classmod cusp.layers.EinsumDense
-- @tparam string equation of input and kernel; "..." is allowed in the input and output
-- @tparam integer|table output_shape without the batch axis; `cusp.None` follows the input
-- @param[opt="linear"] activation
-- @tparam[opt] string bias_axes letters of the output that the bias has
-- @param[opt] kernel_initializer, bias_initializer, kernel_regularizer
-- @param[opt] bias_regularizer, activity_regularizer
-- @param[opt] kernel_constraint, bias_constraint
-- @tparam[opt] integer lora_rank trains a product of this rank beside the kernel, see `enable_lora`
-- @tparam[opt] number lora_alpha scale of the product times its rank
local Layer = require "cusp.layers.machinery.layer"
local errors = require "cusp.base.errors"
local low_rank = require "cusp.layers.machinery.low_rank"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"
local parallel = require "cusp.layers.machinery.parallel"
local quantizable = require "cusp.layers.core.quantizable"
local shapes = require "cusp.base.shape"

local lora_rank, lora_alpha = low_rank.options()
local activity = options.regularizer "activity"
activity.keyword_only = true

local EinsumDense = Layer:extend("EinsumDense", {
  positional_order =
    "equation output_shape activation bias_axes kernel_initializer bias_initializer "
    .. "kernel_regularizer bias_regularizer kernel_constraint bias_constraint",
  call_arguments = {"training"},
  divides = {kernel = true, bias = true},
  config = {
    {"equation", "string"}, {"output_shape", "shape", allow_integer = true}, options.activation(),
    {"bias_axes", "string", optional = true},
    options.initializer("kernel", "glorot_uniform"), options.initializer("bias", "zeros"),
    options.regularizer "kernel",
    options.regularizer "bias", activity, options.constraint "kernel", options.constraint "bias",
    lora_rank, lora_alpha, options.quantization(),
  },
})

--- The parts of the equation, and the side of the letters that the ellipsis is on.
local function parse(equation)
  local text = equation:gsub("%s", "")
  local input, kernel, output = text:match "^([%a%.]+),(%a+)%->([%a%.]+)$"
  if not input then
    errors.raise(
      "EinsumDense: the equation should be like \"ab,bc->ac\" or \"...b,bc->...c\", got %q",
      equation)
  end
  local side = input:find "^%.%.%." and "left" or input:find "%.%.%.$" and "right" or nil
  local function letters(part) return (part:gsub("%.", "")) end
  return letters(input), kernel, letters(output), side
end

--- The whole output shape, and the sizes of the letters in input and output.
local function analyse(self, input_shape)
  local input, kernel, output, side = parse(self.equation)
  local given = type(self.output_shape) == "table" and self.output_shape or {self.output_shape}
  local elided = #input_shape - #input
  if elided < 0 or elided > 0 and not side then
    errors.raise("the equation %q does not fit an input of shape %s", self.equation,
      errors.shape(input_shape))
  end
  local first = side == "left" and elided or 0
  local of_input = {}
  for i = 1, #input do of_input[input:sub(i, i)] = input_shape[first + i] end
  local shape = {input_shape[1]}
  if side == "left" then
    for i = 2, elided do shape[i] = input_shape[i] end
  end
  table.move(given, 1, #given, #shape + 1, shape)
  if side == "right" then
    for i = #input + 1, #input_shape do shape[#shape + 1] = input_shape[i] end
  end
  local of_output = {}
  for i = 1, #output do
    local letter = output:sub(i, i)
    local size = shape[first + i]
    if size == shapes.None and of_input[letter] then
      size = of_input[letter]
      shape[first + i] = size
    end
    of_output[letter] = size
  end
  return {input = input, kernel = kernel, output = output, side = side, elided = elided,
    of_input = of_input, of_output = of_output,
    shape = shape}
end

local function kernel_shape(self, parts)
  local sizes = {}
  for letter in parts.kernel:gmatch "." do
    local size = parts.of_output[letter] or parts.of_input[letter]
    if size == nil then
      errors.raise("the letter '%s' of the kernel in %q is in neither input nor output", letter,
        self.equation)
    end
    sizes[#sizes + 1] = size
  end
  return sizes
end

-- The letters of the output from the first that the bias has.
local function bias_letters(self, parts)
  local first = #parts.output + 1
  for letter in self.bias_axes:gmatch "." do
    local at = parts.output:find(letter, 1, true)
    if not at then
      errors.raise("the bias axis '%s' is not in the output of %q", letter, self.equation)
    end
    first = math.min(first, at)
  end
  return parts.output:sub(first)
end

local function bias_shape(self, parts)
  local sizes = {}
  for letter in bias_letters(self, parts):gmatch "." do
    sizes[#sizes + 1] = self.bias_axes:find(letter, 1, true) and parts.of_output[letter] or 1
  end
  if parts.side == "right" then
    for _ = 1, parts.elided do sizes[#sizes + 1] = 1 end
  end
  return sizes
end

function EinsumDense:build(shape)
  local parts = analyse(self, shape)
  local full_shape = kernel_shape(self, parts)
  self.__own.full_shape = full_shape
  self.__own.parts = parts
  local mode = self.quantization_mode
  if mode then self:quantized_build(full_shape, mode, self.quantization_config) end
  if not mode or mode == "float8" then
    self.kernel = options.weight(self, "kernel", full_shape)
  end
  if self.bias_axes then self.bias = options.weight(self, "bias", bias_shape(self, parts)) end
  self.input_spec = {ndim = #shape}
  low_rank.built(self, "kernel")
end

function EinsumDense:call(inputs, args)
  if self.__own.divided then
    return parallel.product(self.equation, inputs, self.kernel, self.bias,
      self.bias and bias_letters(self, analyse(self, inputs.shape)), self.activation)
  end
  local quantized = self.__own.quantized and require "cusp.layers.core.quantized_kernel"
  local outputs = quantized and quantized.product(self, inputs, args.training)
    or ops.einsum(self.equation, inputs, self.kernel)
  if self.bias then
    outputs = ops.add(outputs, quantized and quantized.bias(self) or self.bias)
  end
  if self.activation then outputs = self.activation(outputs) end
  return outputs
end

function EinsumDense:compute_output_shape(input_shape)
  return analyse(self, input_shape).shape
end

low_rank.add(EinsumDense, "kernel")
quantizable.add(EinsumDense, "cusp.layers.core.quantized_kernel", "kernel",
  {int8 = true, int4 = true, float8 = true})

--- How the scales of a quantized kernel lie.
-- @local
function EinsumDense:kernel_geometry()
  local own = self.__own
  return require("cusp.layers.core.kernel_geometry").einsum(own.parts, own.full_shape)
end

return EinsumDense
