--- Archives and arrays damaged in every way: each gives an error that names the file, or a value,
-- quickly, and leaves nothing behind.
local cusp = require "cusp"
local folders = require "spec.support.folder"
local mutate = require "spec.support.mutate"

local fixtures = "spec/fixtures/numpy/"

describe("damaged files", function()
  local scope = folders.new()
  local folder = scope.path

  teardown(function() scope:remove() end)

  --- Uses every member in every way; each use may fail.
  local function use_archive(path)
    local archive <close> = cusp.zip.open(path)
    for _, name in ipairs(archive:names()) do
      for _, method in ipairs{"size", "read", "extract", "stored"} do
        local ok, message = pcall(archive[method], archive, name)
        if not ok then assert.matches(path, message, 1, true) end
      end
    end
  end

  local function use_value(path) return tostring(cusp.load(path)) end

  local function survives(source, use)
    local path = folder .. "/damaged" .. source:match "%.%w+$"
    local bytes = mutate.read(source)
    for name, damaged in mutate.mutations(bytes, {count = 300}) do
      mutate.write(path, damaged)
      local start = cusp.time()
      local ok, message = pcall(use, path)
      assert.is_true(cusp.time() - start < 5, name)
      if not ok then
        assert.is_true(tostring(message):find(path, 1, true) ~= nil,
          name .. ": " .. tostring(message))
      end
    end
  end

  for _, name in ipairs{"members.zip", "stored.npz", "deflated.npz"} do
    it("are survived by zip: " .. name, function() survives(fixtures .. name, use_archive) end)
  end

  for _, name in ipairs{"stored.npz", "deflated.npz", "f4_little.npy", "fortran_big.npy",
    "text.npy", "bytes.npy", "version_2.npy"} do
    it("are survived by load: " .. name, function() survives(fixtures .. name, use_value) end)
  end

  it("are survived by load: nested values", function()
    local path = folder .. "/nested.npz"
    cusp.save(path, {list = {cusp.ones{2}, 1, "text"}, keys = {[3] = cusp.None, [true] = {}},
      bytes = "\xff"})
    survives(path, use_value)
  end)

  it("are survived where they are no files at all", function()
    for name, odd in pairs(mutate.odd_files(folder)) do
      if odd.bytes then mutate.write(odd.path, odd.bytes) end
      for _, open in ipairs{cusp.zip.open, cusp.numpy.load} do
        local ok, message = pcall(open, odd.path)
        assert.is_false(ok, name)
        assert.matches(odd.path, message, 1, true)
      end
    end
  end)

  it("leave no temporary files", function()
    local pattern = ("%s/cusp-*"):format(os.getenv "TMPDIR" or "/tmp")
    local function count()
      local pipe = assert(io.popen("ls -d " .. pattern .. " 2>/dev/null | wc -l"))
      local number = pipe:read "n"
      pipe:close()
      return number
    end
    local before = count()
    for _ = 1, 20 do pcall(use_archive, fixtures .. "members.zip") end
    collectgarbage()
    assert.is_true(count() <= before)
  end)
end)
