--- Readers of the rows of HDF5 datasets: where the numbers lie is asked of `cusp.hdf5`, and the
-- engine's threads read them there.
-- @module cusp.data.hdf5_rows
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local hdf5_rows = {}

--- A reader.
-- @tparam string path of the file
-- @tparam string name of the dataset, for messages
-- @tparam Dataset dataset of cusp.hdf5
-- @raise for datasets of strings or of types that Cusp has no dtype for, and for scalars
function hdf5_rows.of(path, name, dataset)
  local shape, dtype = dataset.shape, dataset.dtype
  if not dtype or dtype == "string" then
    errors.raise("from_hdf5: %s: the dataset '%s' holds %s; expected numbers", path, name,
      dtype or "a type without a dtype of Cusp's")
  end
  if #shape == 0 then
    errors.raise("from_hdf5: %s: the dataset '%s' is a scalar, which has no rows", path, name)
  end
  local description = dataset._description
  if description.offset and description.layout ~= "chunked" then
    return engine.data.file_rows{
      path = path, offset = description.offset, rows = shape[1], dtype = dtype,
      shape = table.move(shape, 2, #shape, 1, {}),
      big_endian = description.big_endian,
    }
  end
  -- a dataset in chunks looks its chunks up when it is first read
  local small = shape[1] == 0 or dataset:rows(1, 1)
  local chunked = rawget(dataset, "_chunked")
  if chunked and small then return engine.data.chunked(chunked, path) end
  return engine.data.arrays{dataset:read()}
end

return hdf5_rows
