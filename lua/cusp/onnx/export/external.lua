--- Weights in the model's file, or in one beside it: messages of protocol buffers end at 2 GB.
-- @module cusp.onnx.export.external
local dtypes = require "cusp.onnx.messages.dtypes"
local engine = require "cusp.engine"
local shapes = require "cusp.base.shape"
local tensors = require "cusp.onnx.messages.tensors"

local external = {}

local smallest <const> = 1024   -- bytes; smaller tensors stay in the model, as onnx has it
local alignment <const> = 4096  -- so that readers may map the file
local largest = 2 ^ 31 - 2 ^ 26 -- of all weights in the message, with room for its nodes

local function bytes_of(tensor) return shapes.size(tensor.shape) * dtypes.bytes[tensor.dtype] end

local function total(weights)
  local bytes = 0
  for _, weight in ipairs(weights) do bytes = bytes + bytes_of(weight.tensor) end
  return bytes
end

local function any_large(weights)
  for _, weight in ipairs(weights) do
    if bytes_of(weight.tensor) >= smallest then return true end
  end
  return false
end

-- Adds the tensor to the file; its message says where.
local function place(writer, location, weight)
  local tensor = weight.tensor
  local padding = -writer.position % alignment
  if padding > 0 then writer:write(("\0"):rep(padding)) end
  local offset, dims = writer.position, {}
  writer:write(tensor)
  for i, size in ipairs(tensor.shape) do dims[i] = size end
  return {name = weight.name, dims = dims, data_type = dtypes.number(tensor.dtype),
    data_location = 1, external_data = {{key = "location", value = location},
      {key = "offset", value = ("%d"):format(offset)},
      {key = "length", value = ("%d"):format(bytes_of(tensor))}}}
end

--- The messages of all weights.
-- @tparam {table,...} weights `name` and `tensor`
-- @tparam string path of the model
-- @tparam ?boolean wanted whether large ones go into `path .. ".data"`; nil: where they are too
-- many
-- @treturn {table,...}
-- @treturn ?writer of the file beside, if there is one, to be committed with the model's
function external.encode(weights, path, wanted)
  if wanted == nil then wanted = total(weights) > largest end
  local writer = wanted and any_large(weights) and engine.files.create(path .. ".data") or nil
  local location, messages = path:match "[^/]*$" .. ".data", {}
  for i, weight in ipairs(weights) do
    local beside = writer and bytes_of(weight.tensor) >= smallest
    messages[i] = beside and place(writer, location, weight)
      or tensors.encode(weight.name, weight.tensor)
  end
  return messages, writer
end

return external
