--- Values in a file to be assigned to variables. All are checked first, then read, and only then
-- assigned, so a file that does not fit changes nothing.
-- @module cusp.saving.shared.stored

local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local sharding = require "cusp.base.sharding"
local whole = require "cusp.base.whole"

local stored = {}

--- Timeout in seconds for reading the structure of a file: a damaged one may contain cycles.
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
-- @raise if it is not numeric
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

--- Reads a value now and keeps it, for use after its file is closed.
function stored.keep(value)
  local tensor = value.read()
  value.read, value.is_kept = function() return tensor end, true
  return value
end

---------------------------------------------------------------- plans

local Plan = {}
Plan.__index = Plan

--- A list of assignments to make together.
function stored.plan() return setmetatable({}, Plan) end

function stored.same_shape(a, b) return table.concat(a, ",") == table.concat(b, ",") end

--- The reason why a value does not fit a variable; nil if it does.
function stored.misfit(variable, value)
  if value.dtype == "int8" and variable.dtype:find "float" then
    return ("the variable %s is %s, the file's value is of a quantized layer; quantize the layer "
      .. "first"):format(tostring(variable.path or variable.name), variable.dtype)
  end
  local shape = sharding.shape_of(variable)
  if stored.same_shape(shape, value.shape) then return nil end
  return ("the variable %s has shape %s, the file's value has %s"):format(tostring(variable.path
    or variable.name),
    errors.shape(shape), errors.shape(value.shape))
end

--- Records that a variable gets a value.
-- @raise if their shapes differ
function Plan:add(variable, value)
  local misfit = stored.misfit(variable, value)
  if misfit then errors.raise("%s: %s", value.where, misfit) end
  self[#self + 1] = {variable = variable, value = value}
end

--- Records an action for when the assignments are made.
function Plan:afterwards(f)
  self.last = self.last or {}
  table.insert(self.last, f)
end

--- Notes that an object takes its part itself, by `f`, when the assignments are made: where it
-- fails, everything is as it was.
function Plan:by_itself(object, f)
  self.objects = self.objects or {}
  table.insert(self.objects, object)
  self:afterwards(f)
end

-- What this process holds of a value; what was read of the whole is released.
local function part_of(variable, value)
  local tensor = value.read()
  if not variable.sharding then return tensor end
  local part = sharding.part_of(variable, tensor)
  if value.is_kept then return part end
  local read <close> = tensor -- luacheck: ignore
  return part
end

local function run(self)
  local variables, tensors, done = {}, {}, {}
  for i, entry in ipairs(self) do
    local tensor = part_of(entry.variable, entry.value)
    if tensor.dtype ~= entry.variable.dtype then
      tensor = engine.ops.cast(tensor, entry.variable.dtype)
    end
    variables[i], tensors[i], done[entry.variable] = entry.variable, tensor, true
  end
  engine.assign_all(variables, tensors)
  for _, f in ipairs(self.last or {}) do f() end
  return done
end

--- Reads all values, then assigns them. Outside any trace, so that what is read is not computed
-- again.
-- @treturn {[Variable]=true} what was assigned
function Plan:run()
  if not self.objects then return engine.untraced(run, self) end
  local roots = table.move(self.objects, 1, #self.objects, 1, {})
  for _, entry in ipairs(self) do roots[#roots + 1] = entry.variable end
  return whole.with(roots, engine.untraced, run, self)
end

--- Warns about skipped values.
function stored.warn(format, ...)
  require("cusp.base.warnings").warn(format, ...)
end

return stored
