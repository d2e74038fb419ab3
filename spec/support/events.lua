-- Reads event files with the project's own readers.
local engine = require "cusp.engine"
local protobuf = require "cusp.formats.protobuf"
local tfrecord = require "cusp.formats.tfrecord"

local events = {}

--- All events of a run's folder.
function events.read(folder)
  local list = {}
  for _, name in ipairs(engine.files.list(folder)) do
    if name:find "tfevents" then
      for record in tfrecord.records(folder .. "/" .. name) do
        list[#list + 1] = protobuf.decode("tensorflow.Event", record)
      end
    end
  end
  return list
end

-- The elements of a tensor message.
local function elements(tensor)
  if tensor.dtype == "DT_STRING" then return tensor.string_val end
  if #tensor.float_val > 0 then return tensor.float_val end
  local format, list = tensor.dtype == "DT_FLOAT" and "<f" or "<d", {}
  local size = format:packsize()
  for i = 1, #tensor.tensor_content // size do
    list[i] = format:unpack(tensor.tensor_content, size * (i - 1) + 1)
  end
  return list
end

--- All values of a run's folder: `{step =, tag =, plugin =, shape =, data =, metadata =}`.
function events.values(folder)
  local list = {}
  for _, event in ipairs(events.read(folder)) do
    for _, value in ipairs(event.summary and event.summary.value or {}) do
      local shape = {}
      for i, dim in ipairs(value.tensor.tensor_shape.dim) do shape[i] = dim.size end
      list[#list + 1] = {
        step = event.step, tag = value.tag, plugin = value.metadata.plugin_data.plugin_name,
        shape = shape,
        data = elements(value.tensor), metadata = value.metadata,
      }
    end
  end
  return list
end

return events
