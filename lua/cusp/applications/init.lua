--- Known networks, as in `keras.applications`: built by name, with Keras's layers, names and order
-- of weights.
-- @module cusp.applications
-- @usage
-- local base = cusp.applications.MobileNetV2{
--   input_shape = {96, 96, 3}, include_top = false, weights = cusp.null, pooling = "avg",
-- }
local imagenet_utils = require "cusp.applications.imagenet_utils"
local namespace = require "cusp.base.namespace"

-- A family: the file that it is in, its networks, and how it wants its pixels.
local families = {
  vgg16 = {"vgg", "VGG16", "caffe"},
  vgg19 = {"vgg", "VGG19", "caffe"},
  resnet = {"resnet", "ResNet50 ResNet101 ResNet152", "caffe"},
  resnet50 = {"resnet", "ResNet50", "caffe"},
  resnet_v2 = {"resnet", "ResNet50V2 ResNet101V2 ResNet152V2", "tf"},
  mobilenet = {"mobilenet", "MobileNet", "tf"},
  mobilenet_v2 = {"mobilenet_v2", "MobileNetV2", "tf"},
  mobilenet_v3 = {"mobilenet_v3", "MobileNetV3Small MobileNetV3Large", "none"},
  densenet = {"densenet", "DenseNet121 DenseNet169 DenseNet201", "torch"},
  nasnet = {"nasnet", "NASNetMobile NASNetLarge", "tf"},
  xception = {"xception", "Xception", "tf"},
  inception_v3 = {"inception_v3", "InceptionV3", "tf"},
  inception_resnet_v2 = {"inception_resnet_v2", "InceptionResNetV2", "tf"},
  efficientnet = {"efficientnet", "EfficientNetB0 EfficientNetB1 EfficientNetB2 EfficientNetB3 "
    .. "EfficientNetB4 EfficientNetB5 EfficientNetB6 EfficientNetB7", "none"},
  efficientnet_v2 = {"efficientnet_v2", "EfficientNetV2B0 EfficientNetV2B1 EfficientNetV2B2 "
    .. "EfficientNetV2B3 EfficientNetV2S EfficientNetV2M EfficientNetV2L", "none"},
  convnext = {"convnext", "ConvNeXtTiny ConvNeXtSmall ConvNeXtBase ConvNeXtLarge ConvNeXtXLarge",
    "none"},
}

local members = {imagenet_utils = "imagenet_utils"}
for _, family in pairs(families) do
  for name in family[2]:gmatch "%S+" do members[name] = {family[1], name} end
end

local applications = namespace.new("cusp.applications", members)

-- `applications.vgg16`: the networks of a family, and what goes with them.
for family, row in pairs(families) do
  local own = {}
  for name in row[2]:gmatch "%S+" do own[name] = members[name] end
  local space = namespace.new("cusp.applications", own)
  space.preprocess_input = imagenet_utils.preprocessor(row[3])
  space.decode_predictions = imagenet_utils.decode_predictions
  applications[family] = space
end

return applications
