--- Reads zip archives (stored and deflated members) and writes them, through libzip. Archives are
-- untrusted: sizes are checked before memory or disk space is used, checksums are verified, and
-- names of members are never used as paths. Output depends only on the members (no times), and is
-- written atomically.
-- @module cusp.formats.zip
-- @usage
-- local writer = cusp.zip.create "notes.zip"
-- writer:add("hello.txt", "Hello!")
-- writer:close()
-- print(cusp.zip.open("notes.zip"):read "hello.txt")
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local zip = {}

-- libzip is needed only here, so it is loaded on demand.
local function library()
  local ok, found = engine.attempt(require, "cusp.native.zip")
  if not ok then errors.raise("zip: libzip is needed (Debian: libzip4): %s", found) end
  return found
end

local function expect_string(what, value)
  if type(value) ~= "string" then
    errors.raise("%s, a string, got %s", what, errors.describe(value))
  end
  return value
end

---------------------------------------------------------------- reading

--- An archive opened for reading.
-- @type Archive
local Archive = {__name = "cusp.zip.Archive"}
Archive.__index = Archive

local default_read_limit = 256 << 20

--- Opens an archive.
-- @tparam string path
-- @tparam[opt] table options `limit`: how many bytes may be read from it in total; by default the
-- larger of 1 GB and a hundred times its size, so that a small file cannot fill memory or disk
-- @treturn Archive with its `path`; may be a to-be-closed variable
-- @raise if the file does not exist or is not a zip archive
function zip.open(path, options)
  expect_string("zip.open: expected the archive's path", path)
  if options ~= nil and type(options) ~= "table" then
    errors.raise("zip.open: the options should be a table, got %s", errors.describe(options))
  end
  local reader, reason = library().open(path, options and options.limit or 0)
  if not reader then errors.raise("zip.open: %s: %s", path, reason) end
  return setmetatable({path = path, _reader = reader}, Archive)
end

function Archive:_check(method, name)
  if not self._reader then errors.raise("zip: %s: %s was called after close", self.path, method) end
  if name ~= nil or method ~= "names" then
    expect_string("zip: " .. self.path .. ": " .. method .. " expects a member's name", name)
  end
  return self._reader
end

function Archive:_raise(name, reason)
  local near = errors.suggestion(name, self:names())
  errors.raise("zip: %s: member '%s': %s%s", self.path, name, reason,
    reason:find "no such" and near or "")
end

--- The names of the members, in the archive's order.
-- @treturn {string,...}
function Archive:names() return self:_check("names"):names() end

--- Whether a member of that name exists.
function Archive:has(name) return self:_check("has", name):size(name) ~= nil end

--- A member's size in bytes, according to its header.
-- @raise if there is no such member
function Archive:size(name)
  local size, reason = self:_check("size", name):size(name)
  if not size then self:_raise(name, reason) end
  return size
end

--- Reads a member.
-- @tparam string name
-- @tparam[opt=268435456] integer limit refuse to read more bytes than this
-- @treturn string
-- @raise for members that are missing, damaged, encrypted, compressed with anything but deflate, or
-- too large
function Archive:read(name, limit)
  local bytes, reason = self:_check("read", name):read(name, limit or default_read_limit)
  if not bytes then self:_raise(name, reason) end
  return bytes
end

--- Copies a member to a temporary file (in TMPDIR, or else /tmp), which is removed when the archive
-- is closed or collected.
-- @treturn string the file's path
-- @raise like read
function Archive:extract(name)
  local path, reason = self:_check("extract", name):extract(name)
  if not path then self:_raise(name, reason) end
  return path
end

--- Position in the archive of an uncompressed member, after verifying its checksum.
-- @treturn ?integer offset from the beginning of the file; nil if the member is compressed or empty
-- @treturn ?integer size in bytes
-- @raise like read
function Archive:stored(name)
  local offset, size = self:_check("stored", name):stored(name)
  if offset == nil then self:_raise(name, size) end
  if offset then return offset, size end
end

--- Closes the archive and removes extracted files.
function Archive:close()
  if self._reader then self._reader:close() end
  self._reader = nil
end

Archive.__close = Archive.close

function Archive:__tostring() return ("cusp.zip archive %s"):format(self.path) end

---------------------------------------------------------------- writing

--- An archive being written.
-- @type Writer
local Writer = {__name = "cusp.zip.Writer"}
Writer.__index = Writer

--- Starts an archive. Until `close`, nothing appears at `path`, and an old file remains.
-- @tparam string path
-- @treturn Writer may be a to-be-closed variable: without `close`, it is discarded
-- @raise if a file cannot be created there
function zip.create(path)
  expect_string("zip.create: expected the archive's path", path)
  local file = engine.files.create(path)
  local writer, reason = library().create(file.temporary)
  if not writer then
    file:abort()
    errors.raise("zip.create: %s: %s", path, reason)
  end
  return setmetatable({path = path, _file = file, _writer = writer, _names = {}}, Writer)
end

function Writer:_check(method, name)
  if not self._writer then
    errors.raise("zip: %s: %s was called after close or abort", self.path, method)
  end
  expect_string("zip: " .. self.path .. ": " .. method .. " expects the member's name", name)
  if name == "" or #name > 65535 or name:find("\0", 1, true) or not utf8.len(name) then
    errors.raise("zip: %s: a member's name is 1 to 65535 bytes of UTF-8 without NUL, got %s",
      self.path, errors.describe(name))
  end
  if self._names[name] then
    errors.raise("zip: %s: already has a member '%s'", self.path, name)
  end
  self._names[name] = true
  return self._writer
end

function Writer:_result(name, done, reason)
  if not done then errors.raise("zip: %s: member '%s': %s", self.path, name, reason) end
end

-- Prepares part of a member for the native writer: strings as they are, tensors lent.
local function piece(path, name, value)
  if engine.is_tensor(value) or engine.is_variable(value) then return engine.lend(value) end
  if type(value) == "string" then return value end
  errors.raise("zip: %s: member '%s': expected a string or a tensor as its contents, got %s", path,
    name, errors.describe(value))
end

--- Adds a member.
-- @tparam string name
-- @tparam string|tensor|table contents bytes; the elements of a tensor in row-major order; or a
-- list of up to 8 strings and tensors, concatenated. `close` reads them
-- @tparam[opt] table options `compress = true`: use deflate; the default is to store
function Writer:add(name, contents, options)
  local writer = self:_check("add", name)
  local pieces = {}
  if type(contents) ~= "table" then contents = {contents} end
  for i, value in ipairs(contents) do pieces[i] = piece(self.path, name, value) end
  self:_result(name, writer:add(name, options and options.compress or false, table.unpack(pieces)))
end

--- Adds a file as a member. It is opened now and read by `close`; in between you may remove it, but
-- not change it.
-- @tparam string name
-- @tparam string path
-- @tparam[opt] table options as for add
function Writer:add_file(name, path, options)
  local writer = self:_check("add_file", name)
  expect_string(("zip: %s: member '%s': expected the path of a file"):format(self.path, name), path)
  local done, reason = writer:add_file(name, path, options and options.compress)
  self:_result(name, done, reason and path .. ": " .. reason)
end

--- Writes the archive to disk and puts it in place.
-- @raise if it cannot be written; the old file is then unchanged
function Writer:close()
  local writer, file = self._writer, self._file
  if not writer then return end
  self._writer, self._file = nil, nil
  local done, reason = writer:finish()
  if not done then
    file:abort()
    errors.raise("zip: %s: the archive cannot be written: %s", self.path, reason)
  end
  file:commit()
end

--- Discards the archive.
function Writer:abort()
  if not self._writer then return end
  self._writer:discard()
  self._file:abort()
  self._writer, self._file = nil, nil
end

-- An archive left early, by an error or a return, is incomplete, so it is discarded.
Writer.__close = Writer.abort

function Writer:__tostring() return ("cusp.zip writer of %s"):format(self.path) end

return zip
