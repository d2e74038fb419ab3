--- Where a checkpoint's files go, so that whatever happens the checkpoint at a prefix is the old
-- one or the new one, also for TensorFlow.
--
-- A checkpoint is two files, and no system renames two at once. But an index says how many data
-- files there are, and their names follow from that: data file 0 of 1 and data file 0 of 2 are
-- different files. The new data go under the name that the present index does not speak of, and the
-- rename of an index that speaks of them is the one moment of change. An overwritten checkpoint is
-- then brought back to the usual name, `data-00000-of-00001`, in steps each of which leaves a whole
-- checkpoint: the data get a second name, an index for that name replaces the first, the first name
-- goes.
-- @module cusp.saving.checkpoint.placing

local engine = require "cusp.engine"
local files = engine.files

local placing = {}

--- The path of a data file.
-- @tparam string prefix
-- @tparam integer shard from 0
-- @tparam integer shards how many there are
-- @treturn string
function placing.data_path(prefix, shard, shards)
  return ("%s.data-%05d-of-%05d"):format(prefix, shard, shards)
end

--- How many data files the index at a prefix speaks of: nil if there is no index, or none that
-- can be read.
local function present_shards(prefix)
  if not files.exists(prefix .. ".index") then return nil end
  local ok, reader = engine.attempt(function()
    return require("cusp.saving.checkpoint.bundle").open(prefix)
  end)
  return ok and reader.shards or nil
end

--- Chooses the name of the new data file.
-- @tparam string prefix
-- @treturn table `prefix`; `data`: the path to write to; `shards`: what the index for it must say
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

--- The moment of change, and before it everything that can fail for want of room.
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

--- Back to one data file under the usual name.
local function rename_data(place, index)
  local writer <close> = files.create(place.prefix .. ".index")
  writer:write(index(1))
  writer:sync()
  if not files.link(place.data, placing.data_path(place.prefix, 0, 1)) then return end
  writer:place()
  remove_data(place.prefix, 2)
end

--- Puts the files in place. All bytes are synced before the first rename, the folder after the
-- last: file systems keep the order of what happens in a folder.
-- @tparam table place what `begin` gave
-- @tparam Writer data the writer of `place.data`
-- @tparam function index gives the index's bytes for a number of data files
function placing.finish(place, data, index)
  replace(place, data, index)
  if place.shards == 2 then
    -- where that fails, the checkpoint is whole all the same, under its two other names
    engine.attempt(rename_data, place, index)
  elseif place.before then
    remove_data(place.prefix, place.before)
  end
  files.sync_folder_of(place.data)
end

return placing
