--- Values in a file on their way into variables: looked at first, all of them, then read, and only
-- then assigned, so that a file that does not fit leaves everything as it was.
-- @module cusp.saving.shared.stored

local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local stored = {}

--- Seconds after which looking at what a file consists of is given up: a damaged one may lead in
-- circles.
stored.timeout = 20

--- Opens an HDF5 file.
-- @tparam string path
-- @treturn cusp.hdf5.File
function stored.open(path)
  return require("cusp.formats.hdf5").open(path, {timeout = stored.timeout})
end

--- A dataset of an HDF5 file as a value.
-- @tparam string path of the file
-- @tparam cusp.hdf5.Dataset dataset
-- @treturn table `where`, `shape`, `dtype`, `read()`
-- @raise if it holds no numbers
function stored.of_dataset(path, dataset)
  local where = ("%s: %s"):format(path, dataset.name)
  local dtype = dataset.dtype
  if dtype == nil or dtype == "string" then
    errors.raise("%s: expected numeric values of a variable, got %s", where,
      dtype and "strings" or "data of another type")
  end
  return {where = where, shape = dataset.shape, dtype = dtype, read = function()
    return dataset:read()
  end}
end

--- Reads a value now and keeps it: for use after its file is closed.
function stored.keep(value)
  local tensor = value.read()
  value.read = function() return tensor end
  return value
end

---------------------------------------------------------------- plans

local Plan = {}
Plan.__index = Plan

--- A list of assignments to be made together.
function stored.plan() return setmetatable({}, Plan) end

function stored.same_shape(a, b) return table.concat(a, ",") == table.concat(b, ",") end

--- Why a value does not fit a variable; nil if it does.
function stored.misfit(variable, value)
  if stored.same_shape(variable.shape, value.shape) then return nil end
  return ("the variable %s has shape %s, the file's value has %s"):format(tostring(variable.path
    or variable.name),
    errors.shape(variable.shape), errors.shape(value.shape))
end

--- Notes that a variable is to get a value.
-- @raise if their shapes differ
function Plan:add(variable, value)
  local misfit = stored.misfit(variable, value)
  if misfit then errors.raise("%s: %s", value.where, misfit) end
  self[#self + 1] = {variable = variable, value = value}
end

--- Notes what is to be done when the assignments are made.
function Plan:afterwards(f)
  self.last = self.last or {}
  table.insert(self.last, f)
end

--- Reads all values, then assigns them. Outside any trace, so that what is read is not computed
-- again.
-- @treturn {[Variable]=true} what was assigned
function Plan:run()
  return engine.untraced(function()
    local variables, tensors, done = {}, {}, {}
    for i, entry in ipairs(self) do
      local tensor = entry.value.read()
      if tensor.dtype ~= entry.variable.dtype then
        tensor = engine.ops.cast(tensor, entry.variable.dtype)
      end
      variables[i], tensors[i], done[entry.variable] = entry.variable, tensor, true
    end
    engine.assign_all(variables, tensors)
    for _, f in ipairs(self.last or {}) do f() end
    return done
  end)
end

--- Says what was passed over.
function stored.warn(format, ...)
  require("cusp.base.warnings").warn(format, ...)
end

return stored
