--- Datasets larger than memory, read in the background: `cusp.data.Dataset`, after tf.data, and
-- readers of files.
-- @module cusp.data
local namespace = require "cusp.base.namespace"

local members = {Dataset = "dataset"}
for file, names in pairs{
  ["machinery.spec"] = "TensorSpec",
  files = "from_hdf5 from_numpy from_idx FixedLengthRecordDataset",
  csv = "from_csv",
  tfrecord = "from_tfrecord TFRecordDataset FixedLenFeature parse_example",
  images = "from_images read_image",
  text = "TextLineDataset",
} do
  for name in names:gmatch "%S+" do members[name] = {file, name} end
end

local data = namespace.new("cusp.data", members)
data.AUTOTUNE, data.INFINITE_CARDINALITY, data.UNKNOWN_CARDINALITY = -1, -1, -2
return data
