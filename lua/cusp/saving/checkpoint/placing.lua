--- The file names of a checkpoint, chosen so that a prefix always has either the old or the new
-- checkpoint, also for TensorFlow.
--
-- A checkpoint has two files, and no system renames two at once. But the index holds the number of
-- data files, which determines their names: data file 0 of 1 and data file 0 of 2 are different
-- files. New data goes under the name that the present index does not use; renaming the new index
-- then switches over atomically. Afterwards an overwritten checkpoint returns to the usual name,
-- `data-00000-of-00001`, and every step leaves a complete checkpoint. The data gets a second name,
-- an index for that name replaces the first, and the first name is removed.
-- @module cusp.saving.checkpoint.placing

local engine = require "cusp.engine"
local files = engine.files

local placing = {}

--- The path of a data file.
-- @tparam string prefix
-- @tparam integer shard from 0
-- @tparam integer shards number of data files
-- @treturn string
function placing.data_path(prefix, shard, shards)
  return ("%s.data-%05d-of-%05d"):format(prefix, shard, shards)
end

--- The number of data files in the index at a prefix; nil if there is no readable index.
local function present_shards(prefix)
  if not files.exists(prefix .. ".index") then return nil end
  local ok, reader = engine.attempt(function()
    return require("cusp.saving.checkpoint.bundle").open(prefix)
  end)
  return ok and reader.shards or nil
end

--- Chooses the name of the new data file.
-- @tparam string prefix
-- @treturn table `prefix`; `data`: the path to write to; `shards`: the number for its index
function placing.begin(prefix)
  local folder = prefix:match "^(.*)/[^/]*$"
  if folder and folder ~= "" then files.make_directories(folder) end
  local before = present_shards(prefix)
  local shards = before == 1 and 2 or 1
  return {prefix = prefix, before = before, shards = shards,
    data = placing.data_path(prefix, 0, shards)}
end

local function remove_data(prefix, shards)
  for shard = 0, shards - 1 do files.remove(placing.data_path(prefix, shard, shards)) end
end

--- Switches over atomically, after all steps that may run out of space.
local function replace(place, data, index)
  data:sync()
  local writer <close> = files.create(place.prefix .. ".index")
  writer:write(index(place.shards))
  writer:sync()
  data:place()
  local ok, reason = pcall(writer.place, writer)
  if not ok then
    files.remove(place.data) -- no index speaks of it
    error(reason, 0)
  end
end

--- Returns to a single data file with the usual name.
local function rename_data(place, index)
  local writer <close> = files.create(place.prefix .. ".index")
  writer:write(index(1))
  writer:sync()
  if not files.link(place.data, placing.data_path(place.prefix, 0, 1)) then return end
  writer:place()
  remove_data(place.prefix, 2)
end

--- Puts the files in place. All bytes are synced before the first rename, and the folder after the
-- last: file systems preserve the order of changes in a folder.
-- @tparam table place the result of `begin`
-- @tparam Writer data the writer of `place.data`
-- @tparam function index returns the bytes of the index for a number of data files
function placing.finish(place, data, index)
  replace(place, data, index)
  if place.shards == 2 then
    -- if that fails, the checkpoint is still complete under its two other names
    engine.attempt(rename_data, place, index)
  elseif place.before then
    remove_data(place.prefix, place.before)
  end
  files.sync_folder_of(place.data)
end

return placing
