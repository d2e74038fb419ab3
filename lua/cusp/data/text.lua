--- Datasets of text files.
-- @module cusp.data.text
local Dataset = require "cusp.data.dataset"
local arguments = require "cusp.base.arguments"
local errors = require "cusp.base.errors"

local text = {}

local bind = arguments.binder("TextLineDataset", {{"filenames", "any"}}, true)

--- The lines of text files, without their ends, one after another.
-- @param filenames a path, or a list of paths
-- @treturn Dataset of strings
-- @raise while iterating, where a file cannot be read
function text.TextLineDataset(...)
  local paths = bind(...)
  paths = type(paths) == "table" and paths or {paths}
  local function start()
    local which, file = 0, nil
    local function close()
      if file then file:close() end
      file = nil
    end
    return function()
      while true do
        local line, problem
        if file then line, problem = file:read "l" end
        if problem then errors.raise("TextLineDataset: %s: %s", paths[which], problem) end
        if line then return {(line:gsub("\r$", "")), form = 1} end
        close()
        which = which + 1
        if not paths[which] then return nil end
        file, problem = io.open(paths[which], "r")
        if not file then errors.raise("TextLineDataset: %s", problem) end
      end
    end, close
  end
  return Dataset.make(require("cusp.data.stages.source").reader,
    {start = start, form = 1, types = {{shape = {}, dtype = "string"}}})
end

return text
