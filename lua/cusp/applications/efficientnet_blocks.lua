--- What both generations of EfficientNet share.
-- @module cusp.applications.efficientnet_blocks
local initializers = require "cusp.initializers"
local layers = require "cusp.layers"
local widths = require "cusp.applications.widths"
local null = require "cusp.base.null"

local blocks = {}

--- The initializer of convolutions.
function blocks.convolutions()
  return initializers.VarianceScaling{
    scale = 2, mode = "fan_out", distribution = "truncated_normal",
  }
end

--- How often a block of a stage is repeated in a deeper network.
function blocks.repeats(count, depth) return math.ceil(count * depth) end

--- Names the blocks of a stage: "block2b_".
function blocks.name(stage, index) return ("block%d%s_"):format(stage, string.char(96 + index)) end

--- A convolution without bias, a batch normalisation and, with a name for it, an activation.
-- @tparam KerasTensor x
-- @tparam table options `axis`, `momentum`
-- @tparam table arguments of the convolution
-- @tparam string normalization its name
-- @tparam[opt] string activation its name
function blocks.convolve(x, options, arguments, normalization, activation)
  arguments.use_bias = false
  arguments.kernel_initializer = blocks.convolutions()
  x = layers.Conv2D(arguments)(x)
  return blocks.normalize(x, options, normalization, activation)
end

--- A batch normalisation and, with a name for it, an activation.
function blocks.normalize(x, options, normalization, activation)
  x = layers.BatchNormalization{
    axis = options.axis, momentum = options.momentum, name = normalization,
  }(x)
  return activation and layers.Activation{"swish", name = activation}(x) or x
end

--- Weighs channels by what is in all of them (Hu et al., "Squeeze-and-excitation networks", 2017).
-- @tparam KerasTensor x
-- @tparam table options
-- @tparam integer filters of x
-- @tparam integer narrow filters between
-- @tparam string name of the block
function blocks.squeeze(x, options, filters, narrow, name)
  local shape = options.axis == 2 and {filters, 1, 1} or {1, 1, filters}
  local weight = layers.GlobalAveragePooling2D{name = name .. "se_squeeze"}(x)
  weight = layers.Reshape{shape, name = name .. "se_reshape"}(weight)
  weight = layers.Conv2D{
    narrow, 1, padding = "same", activation = "swish",
    kernel_initializer = blocks.convolutions(), name = name .. "se_reduce",
  }(weight)
  weight = layers.Conv2D{
    filters, 1, padding = "same", activation = "sigmoid",
    kernel_initializer = blocks.convolutions(), name = name .. "se_expand",
  }(weight)
  return layers.Multiply{name = name .. "se_excite"}{x, weight}
end

--- A shortcut beside a block that is left out of some samples while training.
function blocks.add(x, inputs, rate, name)
  if rate > 0 then
    x = layers.Dropout{rate, noise_shape = {null, 1, 1, 1}, name = name .. "drop"}(x)
  end
  return layers.Add{name = name .. "add"}{x, inputs}
end

--- Visits the blocks of a network in order.
-- @tparam {table,...} stages each `{repeats =, filters_in =, filters_out =, strides =, ...}`
-- @tparam table scale `width(filters)` and `depth`
-- @tparam number total the blocks that the rate of dropping is spread over
-- @tparam function visit called with the stage, and of the block its `filters_in`, `filters_out`,
-- `strides`, `rate` and `name`
function blocks.each(stages, scale, total, visit)
  local done = 0
  for i, stage in ipairs(stages) do
    local filters_in, filters_out = scale.width(stage.filters_in), scale.width(stage.filters_out)
    for k = 1, blocks.repeats(stage.repeats, scale.depth) do
      visit(stage, {
        filters_in = k == 1 and filters_in or filters_out, filters_out = filters_out,
        strides = k == 1 and stage.strides or 1, rate = 0.2 * done / total,
        name = blocks.name(i, k),
      })
      done = done + 1
    end
  end
end

--- The last convolution.
function blocks.finish(x, options, filters)
  return blocks.convolve(x, options, {filters, 1, padding = "same", name = "top_conv"}, "top_bn",
    "top_activation")
end

--- The classifier.
function blocks.classify(x, options, dropout_rate)
  x = layers.GlobalAveragePooling2D{name = "avg_pool"}(x)
  x = layers.Dropout{dropout_rate, name = "top_dropout"}(x)
  return layers.Dense{
    options.classes, activation = options.classifier_activation, name = "predictions",
    kernel_initializer = initializers.VarianceScaling{
      scale = 1 / 3, mode = "fan_out", distribution = "uniform",
    },
  }(x)
end

--- Filters of a wider network: the nearest multiple of 8.
function blocks.width_without_loss(factor)
  return function(filters) return widths.nearest(filters * factor) end
end

--- The same, at most 10% below it.
function blocks.width(factor)
  return function(filters) return widths.divisible(filters * factor) end
end

return blocks
