--- A file opened for reading. It is also its own root group: `file:names()`, `file.attributes`.
-- Fields: `path`, `root`.
-- @classmod cusp.hdf5.File
local Group = require "cusp.formats.hdf5.group"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local values = require "cusp.formats.hdf5.values"

local File = {__name = "cusp.hdf5.File"}
local methods = {}

local default_timeout = 60

function File:__index(key)
  local method = methods[key]
  if method ~= nil then return method end
  if key == "attributes" then return self.root.attributes end
end

local function check_interrupt()
  if engine.take_interrupt() then error("interrupted!", 0) end
end

function methods:_where(name) return self.path .. (name and ": " .. name or "") end

function methods:_check_open()
  if not self._reader then errors.raise("hdf5: %s: the file has been closed", self.path) end
end

-- Has the separate process read the tree, or the contents of the dataset at an address.
function methods:_parse(address)
  self:_check_open()
  local native = require "cusp.formats.hdf5.library"
  local ok, result = engine.attempt(native.parse, self.path, self._reader.descriptor, self._timeout,
    check_interrupt, address)
  if ok and type(result) == "table" then return result end
  errors.raise("hdf5: %s",
    ok and self.path .. ": the file is damaged: it has no description" or tostring(result))
end

-- See cusp.hdf5.open.
function File.open(path, timeout)
  local reader = engine.files.open(path)
  local self = setmetatable({path = path, _reader = reader, _timeout = timeout or default_timeout},
    File)
  local tree = self:_parse()
  values.check_readable(path, tree)
  values.check(type(tree.objects) == "table", path, "it has no description")
  self._objects = tree.objects
  self.root = Group.object_of(self, "/", 1)
  values.check(self.root.kind == "group", path, "its root is not a group")
  return self
end

--- Looks up a member; see `Group:get`.
function methods:get(path) return self.root:get(path) end
function methods:has(path) return self.root:has(path) end
function methods:names() return self.root:names() end

--- Closes the file. Tensors already read stay valid; datasets can no longer be read.
function methods:close()
  if self._reader then self._reader:close() end
  self._reader = nil
end

File.__close = methods.close

function File:__tostring() return require "cusp.formats.hdf5.tree"(self.root) end

return File
