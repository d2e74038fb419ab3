--- The layers that `RandAugment` and `AugMix` choose from.
-- @module cusp.layers.image.augmentations
local ops = require "cusp.ops"
local random = require "cusp.tensors.random"
local rooms = require "cusp.base.rooms"

local augmentations = {}

--- Makes layers.
-- @tparam Layer owner passes on its factor, value_range, interpolation, data_format and dtype
-- @tparam {string,...} names of classes
-- @treturn {Layer,...}
function augmentations.make(owner, names)
  local layers, factor, result = rooms.get "layers", owner.factor, {}
  local arguments = {
    RandomShear = {x_factor = factor, y_factor = factor},
    RandomTranslation = {height_factor = factor, width_factor = factor},
    Solarization = {addition_factor = factor, threshold_factor = factor}, AutoContrast = {},
    Equalization = {},
    RandomPosterization = {factor = math.max(1, math.floor(8 * factor[2]))},
  }
  local is_geometric = {RandomShear = true, RandomTranslation = true, RandomRotation = true}
  for i, name in ipairs(names) do
    local own = arguments[name] or {factor = factor}
    own.data_format, own.dtype, own.bounding_box_format = owner.data_format, owner.dtype_policy,
      owner.bounding_box_format
    if is_geometric[name] then
      own.interpolation = owner.interpolation
    else
      own.value_range = owner.value_range
    end
    result[i] = layers[name](own)
  end
  return result
end

--- Draws `count` choices from 0 to `limit - 1`.
-- @treturn {tensor,...} scalars
function augmentations.choose(count, limit, seed)
  return ops.unstack(random.randint({count}, 0, limit, {seed = seed}))
end

--- The result of the chosen function for x. If the choice is already known, the others do not run;
-- in a plan, all run and one result is kept.
-- @tparam tensor choice from 0
-- @tparam {function,...} functions
-- @param x
function augmentations.apply(choice, functions, x)
  return ops.switch(choice, functions, x)
end

return augmentations
