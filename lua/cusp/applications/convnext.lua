--- ConvNeXt: convolutions arranged like a transformer (Liu et al., "A ConvNet for the 2020s",
-- 2022).
-- @module cusp.applications.convnext
local layers = require "cusp.layers"
local models = require "cusp.models"
local network = require "cusp.applications.network"
local plain = require "cusp.base.plain"
local weights = require "cusp.applications.weights"

local function normalization(name)
  return layers.LayerNormalization{epsilon = 1e-6, name = name}
end

local function block(inputs, filters, name)
  local x = layers.Conv2D{
    filters, 7, padding = "same", groups = filters, name = name .. "_depthwise_conv",
  }(inputs)
  x = normalization(name .. "_layernorm")(x)
  x = layers.Dense{4 * filters, name = name .. "_pointwise_conv_1"}(x)
  x = layers.Activation{"gelu", name = name .. "_gelu"}(x)
  x = layers.Dense{filters, name = name .. "_pointwise_conv_2"}(x)
  x = layers.LayerScale{1e-6, filters, name = name .. "_layer_scale"}(x)
  x = layers.Activation{"linear", name = name .. "_identity"}(x)
  return inputs + x
end

-- Pixels of pictures, 0 to 255, standardised by ImageNet's mean and deviation.
local function standardize(x, name)
  local mean, variance = {}, {}
  for i, value in ipairs{0.485, 0.456, 0.406} do mean[i] = value * 255 end
  for i, value in ipairs{0.229, 0.224, 0.225} do variance[i] = (value * 255) ^ 2 end
  return layers.Normalization{
    mean = mean, variance = variance, name = name .. "_prestem_normalization",
  }(x)
end

-- The layers that make images smaller: one before each stage.
local function downsampling(filters, name)
  local list = {
    models.Sequential{
      layers.Conv2D{filters[1], 4, strides = 4, name = name .. "_stem_conv"},
      normalization(name .. "_stem_layernorm"),
      name = name .. "_stem",
    },
  }
  for i = 0, 2 do
    list[i + 2] = models.Sequential{
      normalization(("%s_downsampling_layernorm_%d"):format(name, i)),
      layers.Conv2D{filters[i + 2], 2, strides = 2,
        name = ("%s_downsampling_conv_%d"):format(name, i)},
      name = ("%s_downsampling_block_%d"):format(name, i),
    }
  end
  return list
end

local function features(depths, filters)
  return function(x, options)
    local name = options.name
    if options.include_preprocessing and x.shape[4] == 3 then x = standardize(x, name) end
    local smaller = downsampling(filters, name)
    for i, depth in ipairs(depths) do
      x = smaller[i](x)
      for k = 1, depth do
        x = block(x, filters[i], ("%s_stage_%d_block_%d"):format(name, i - 1, k - 1))
      end
    end
    return x
  end
end

local function top(x, options)
  local name = options.name
  x = layers.GlobalAveragePooling2D{name = name .. "_head_gap"}(x)
  x = normalization(name .. "_head_layernorm")(x)
  return layers.Dense{
    options.classes, activation = options.classifier_activation, name = name .. "_head_dense",
  }(x)
end

local function convnext(kind, depths, filters, hash, hash_without_top)
  local default_name = "convnext_" .. plain.lower(kind)
  return network.define{
    name = "ConvNeXt" .. kind, default_name = default_name, default_size = 224, min_size = 32,
    channels_last_only = true,
    order = "include_top include_preprocessing weights input_tensor input_shape pooling classes "
      .. "classifier_activation name",
    features = features(depths, filters), top = top,
    after_pooling = function(x) return normalization()(x) end,
    file = weights.files(default_name, "convnext/", hash, hash_without_top),
  }
end

local deep = {3, 3, 27, 3}

return {
  ConvNeXtTiny = convnext("Tiny", {3, 3, 9, 3}, {96, 192, 384, 768},
    "8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff",
    "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1"),
  ConvNeXtSmall = convnext("Small", deep, {96, 192, 384, 768},
    "ce1277d8f1ee5a0ef0e171469089c18f5233860ceaf9b168049cb9263fd7483c",
    "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab"),
  ConvNeXtBase = convnext("Base", deep, {128, 256, 512, 1024},
    "52cbb006d3dadd03f6e095a8ca1aca47aecdd75acb4bc74bce1f5c695d0086e6",
    "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45"),
  ConvNeXtLarge = convnext("Large", deep, {192, 384, 768, 1536},
    "070c5ed9ed289581e477741d3b34beffa920db8cf590899d6d2c67fba2a198a6",
    "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd"),
  ConvNeXtXLarge = convnext("XLarge", deep, {256, 512, 1024, 2048},
    "c1f5ccab661354fc3a79a10fa99af82f0fbf10ec65cb894a3ae0815f17a889ee",
    "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05"),
}
