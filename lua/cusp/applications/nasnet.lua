--- NASNet-A: cells that a search found (Zoph et al., "Learning transferable architectures for
-- scalable image recognition", 2017).
-- @module cusp.applications.nasnet
local layers = require "cusp.layers"
local network = require "cusp.applications.network"
local padding = require "cusp.applications.padding"

local function rectify(x) return layers.Activation "relu"(x) end

local function normalize(x, name)
  return layers.BatchNormalization{axis = -1, momentum = 0.9997, epsilon = 1e-3, name = name}(x)
end

local function project(x, filters, name)
  return layers.Conv2D{
    filters, 1, padding = "same", use_bias = false, kernel_initializer = "he_normal", name = name,
  }(x)
end

-- Two separable convolutions, the first of which may make images smaller.
local function separable(x, filters, size, id, strides)
  x = rectify(x)
  if strides == 2 then
    x = layers.ZeroPadding2D{padding.before_strides(x, size),
      name = "separable_conv_1_pad_" .. id}(x)
  end
  x = layers.SeparableConv2D{
    filters, size, strides = strides or 1, padding = strides == 2 and "valid" or "same",
    use_bias = false, name = "separable_conv_1_" .. id,
  }(x)
  x = rectify(normalize(x, "separable_conv_1_bn_" .. id))
  x = layers.SeparableConv2D{
    filters, size, padding = "same", use_bias = false, name = "separable_conv_2_" .. id,
  }(x)
  return normalize(x, "separable_conv_2_bn_" .. id)
end

local function every_other(x, filters, number, id)
  x = layers.AveragePooling2D{
    1, strides = 2, padding = "valid", name = ("adjust_avg_pool_%d_%s"):format(number, id),
  }(x)
  return project(x, filters // 2, ("adjust_conv_%d_%s"):format(number, id))
end

-- Half the size: every other pixel, and those beside them.
local function shrink(x, filters, id)
  x = layers.Activation{"relu", name = "adjust_relu_1_" .. id}(x)
  local even = every_other(x, filters, 1, id)
  local odd = layers.ZeroPadding2D{{{0, 1}, {0, 1}}}(x)
  odd = layers.Cropping2D{{{1, 0}, {1, 0}}}(odd)
  odd = every_other(odd, filters, 2, id)
  x = layers.Concatenate{axis = -1}{even, odd}
  return normalize(x, "adjust_bn_" .. id)
end

-- The output of the cell before the last, in the size and with the channels of this cell.
local function adjust(before, x, filters, id)
  if not before then return x end
  if before.shape[3] ~= x.shape[3] then return shrink(before, filters, id) end
  if before.shape[4] == filters then return before end
  before = project(rectify(before), filters, "adjust_conv_projection_" .. id)
  return normalize(before, "adjust_bn_" .. id)
end

local function add(a, b, name) return layers.Add{name = name}{a, b} end

local function average(x, strides, same, name)
  return layers.AveragePooling2D{
    3, strides = strides, padding = same and "same" or "valid", name = name,
  }(x)
end

local function normal_cell(x, before, filters, id)
  local function name(text) return ("normal_%s_%s"):format(text, id) end
  local p = adjust(before, x, filters, id)
  local h = normalize(project(rectify(x), filters, name "conv_1"), name "bn_1")
  local outputs = {p}
  local left = separable(h, filters, 5, name "left1")
  outputs[2] = add(left, separable(p, filters, 3, name "right1"), name "add_1")
  left = separable(p, filters, 5, name "left2")
  outputs[3] = add(left, separable(p, filters, 3, name "right2"), name "add_2")
  outputs[4] = add(average(h, 1, true, name "left3"), p, name "add_3")
  left = average(p, 1, true, name "left4")
  outputs[5] = add(left, average(p, 1, true, name "right4"), name "add_4")
  outputs[6] = add(separable(h, filters, 3, name "left5"), h, name "add_5")
  return layers.Concatenate{axis = -1, name = name "concat"}(outputs), x
end

local function reduction_cell(x, before, filters, id)
  local function name(text) return ("reduction_%s_%s"):format(text, id) end
  local p = adjust(before, x, filters, id)
  local h = normalize(project(rectify(x), filters, name "conv_1"), name "bn_1")
  local padded = layers.ZeroPadding2D{padding.before_strides(h, 3), name = name "pad_1"}(h)
  local left = separable(h, filters, 5, name "left1", 2)
  local x1 = add(left, separable(p, filters, 7, name "right1", 2), name "add_1")
  left = layers.MaxPooling2D{3, strides = 2, name = name "left2"}(padded)
  local x2 = add(left, separable(p, filters, 7, name "right2", 2), name "add_2")
  left = average(padded, 2, false, name "left3")
  local x3 = add(left, separable(p, filters, 5, name "right3", 2), name "add3")
  local x4 = add(x2, average(x1, 1, true, name "left4"))
  left = separable(x1, filters, 3, name "left4")
  local right = layers.MaxPooling2D{3, strides = 2, name = name "right5"}(padded)
  local x5 = add(left, right, name "add4")
  return layers.Concatenate{axis = -1, name = name "concat"}{x2, x3, x4, x5}, x
end

local function features(definition)
  return function(x)
    local filters, count, before = definition.filters // 24, definition.blocks, nil
    x = layers.Conv2D{
      definition.stem_filters, 3, strides = 2, padding = "valid", use_bias = false,
      name = "stem_conv1", kernel_initializer = "he_normal",
    }(x)
    x = normalize(x, "stem_bn1")
    x, before = reduction_cell(x, before, filters // 4, "stem_1")
    x, before = reduction_cell(x, before, filters // 2, "stem_2")
    for stage = 0, 2 do
      if stage > 0 then
        local reduced, last = reduction_cell(x, before, filters << stage,
          "reduce_" .. stage * count)
        x, before = reduced, definition.skips and before or last
      end
      for i = 0, count - 1 do
        local id = stage == 0 and i or stage * count + i + 1
        x, before = normal_cell(x, before, filters << stage, ("%d"):format(id))
      end
    end
    return rectify(x)
  end
end

local function nasnet(name, definition)
  return network.define{
    name = name, default_name = definition.default_name, default_size = definition.size,
    min_size = 32, needs_size = definition.needs_size, channels_last_only = true,
    order = "input_shape include_top weights input_tensor pooling classes "
      .. "classifier_activation name",
    features = features(definition),
    file = function(options)
      local origin = "NASNet-" .. definition.kind
      if options.include_top then
        return definition.default_name .. ".h5", "nasnet/", definition.hashes[1], origin .. ".h5"
      end
      return definition.default_name .. "_no_top.h5", "nasnet/", definition.hashes[2],
        origin .. "-no-top.h5"
    end,
  }
end

return {
  NASNetMobile = nasnet("NASNetMobile", {
    default_name = "nasnet_mobile", kind = "mobile", size = 224, filters = 1056, blocks = 4,
    stem_filters = 32, skips = false, needs_size = true,
    hashes = {"020fb642bf7360b370c678b08e0adf61", "1ed92395b5b598bdda52abe5c0dbfd63"},
  }),
  NASNetLarge = nasnet("NASNetLarge", {
    default_name = "nasnet_large", kind = "large", size = 331, filters = 4032, blocks = 6,
    stem_filters = 96, skips = true,
    hashes = {"11577c9a518f0070763c2b964a382f17", "d81d89dc07e6e56530c4e77faddd61b5"},
  }),
}
