--- The base of the layers that merge a list of tensors into one.
-- @classmod cusp.layers.Merge
local Layer = require "cusp.layers.machinery.layer"
local arguments = require "cusp.base.arguments"
local define = require "cusp.ops.define"
local errors = require "cusp.base.errors"
local names = require "cusp.base.names"
local ops = require "cusp.ops"
local shapes = require "cusp.base.shape"
local structure = require "cusp.base.structure"

local Merge = Layer:extend("Merge", {
  supports_masking = true,
  keeps_dtype = true,
  least = 1,            -- how many inputs there must be
  aligns_ranks = true,  -- inputs of lower rank get axes of size 1 after the batch axis
})

local function check_broadcast(a, b, all)
  for axis = 0, math.min(#a, #b) - 2 do
    local x, y = a[#a - axis], b[#b - axis]
    if x ~= y and x ~= 1 and y ~= 1 and x ~= shapes.None and y ~= shapes.None then
      errors.raise("the inputs have incompatible shapes: %s", structure.describe(all))
    end
  end
end

--- Checks the shapes of the inputs.
function Merge:check_shapes(input_shapes)
  local batch
  for _, shape in ipairs(input_shapes) do
    local size = shape[1]
    if size ~= nil and size ~= shapes.None then
      if batch and batch ~= size then
        errors.raise("the inputs have different batch sizes: %s", structure.describe(input_shapes))
      end
      batch = size
    end
    check_broadcast(input_shapes[1], shape, input_shapes)
  end
end

function Merge:build(input_shapes)
  if structure.is_shape(input_shapes) or #input_shapes < self.least then
    errors.raise("expected a list of at least %d tensor%s, got %s", self.least,
      self.least == 1 and "" or "s",
      structure.describe(input_shapes))
  end
  self:check_shapes(input_shapes)
end

local function align(inputs)
  local most, result = 0, {}
  for _, tensor in ipairs(inputs) do most = math.max(most, tensor.ndim) end
  for i, tensor in ipairs(inputs) do
    for _ = tensor.ndim + 1, most do tensor = ops.expand_dims(tensor, 2) end
    result[i] = tensor
  end
  return result
end

function Merge:call(inputs, args)
  if not structure.is_container(inputs) then errors.raise "expected a list of tensors, got one" end
  if self.aligns_ranks then inputs = align(inputs) end
  return self:merge(inputs, args.mask)
end

--- A step counts where it counts in any input; none does where an input has no mask.
function Merge:compute_mask(_, mask)
  if not mask then return nil end
  if not structure.is_container(mask) then
    errors.raise("%s.compute_mask: expected a list of masks, one for each input", self.name)
  end
  local result = mask[1]
  for i = 1, #mask do
    if not mask[i] then return nil end
    if i > 1 then result = ops.logical_or(result, mask[i]) end
  end
  return result or nil
end

--- `layers.add{a, b}` for `layers.Add(){a, b}`: a function of the list and of the layer's own
-- arguments.
function Merge.as_function(class)
  return function(...)
    local positional, n, keywords = arguments.split(true, ...)
    if type(positional[1]) ~= "table" or define.is_symbolic(positional[1]) then
      local name = names.snake_case(class.__name)
      errors.raise("%s: expected a list of tensors, %s{a, b}, got %s", name, name,
        errors.describe(positional[1]))
    end
    local own = {table.unpack(positional, 2, n)}
    for key, value in pairs(keywords) do own[key] = value end
    return class(own)(positional[1])
  end
end

return Merge
