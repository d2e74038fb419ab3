--- Where a checkpoint's files go, so that whatever happens the checkpoint at a prefix is the old one or the new one, also for
-- TensorFlow.
--
-- A checkpoint is two files, and no system renames two at once. But an index says how many data files there are, and their names
-- follow from that: data file 0 of 1 and data file 0 of 2 are different files. The new data go under the name that the present index
-- does not speak of, and the rename of an index that speaks of them is the one moment of change. An overwritten checkpoint is then
-- brought back to the usual name, `data-00000-of-00001`, in steps each of which leaves a whole checkpoint: the data get a second
-- name, an index for that name replaces the first, the first name goes.
-- @module cusp.saving.checkpoint.placing

local files = require "cusp.engine".files

local placing = {}

--- The path of a data file.
-- @tparam string prefix
-- @tparam integer shard from 0
-- @tparam integer shards how many there are
-- @treturn string
function placing.data_path(prefix, shard, shards) return ("%s.data-%05d-of-%05d"):format(prefix, shard, shards) end

--- How many data files the index at a prefix speaks of: nil where there is no index, or none that can be read.
local function present_shards(prefix)
  if not files.exists(prefix .. ".index") then return nil end
  local ok, reader = pcall(function() return require("cusp.saving.checkpoint.bundle").open(prefix) end)
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
  return {prefix = prefix, before = before, shards = shards, data = placing.data_path(prefix, 0, shards)}
end

local function write_index(prefix, bytes)
  local index <close> = files.create(prefix .. ".index")
  index:write(bytes)
  index:commit()
end

--- Gives a file a second name in place of what has that name; false where the file system knows no second names.
local function link_over(from, to)
  local hidden = to:gsub("[^/]*$", ".%0.link.tmp", 1)
  files.remove(hidden) -- left by a process that was killed
  if not pcall(files.link, from, hidden) then return false end
  files.rename(hidden, to)
  return true
end

local function remove_data(prefix, shards)
  for shard = 0, shards - 1 do files.remove(placing.data_path(prefix, shard, shards)) end
end

--- Puts the files in place.
-- @tparam table place what `begin` gave
-- @tparam Writer data the writer of `place.data`
-- @tparam function index gives the index's bytes for a number of data files
function placing.finish(place, data, index)
  local prefix = place.prefix
  data:commit()
  local ok, reason = pcall(write_index, prefix, index(place.shards))
  if not ok then
    files.remove(place.data) -- no index speaks of it
    error(reason, 0)
  end
  if place.shards == 2 then
    if not link_over(place.data, placing.data_path(prefix, 0, 1)) then return end
    write_index(prefix, index(1))
    remove_data(prefix, 2)
  elseif place.before then
    remove_data(prefix, place.before)
  end
end

return placing
