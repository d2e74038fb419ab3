-- Damaged and hostile files: everything in them is requested, and is returned or refused by a Lua
-- error that names the file, in bounded time. Whether returned data is correct cannot be known.
local engine = require "cusp.engine"
local folders = require "spec.support.folder"
local hdf5 = require "cusp.formats.hdf5"
local mutate = require "spec.support.mutate"

local fixtures = "spec/fixtures/hdf5/"
local sanitized = (os.getenv "CUSP_BUILD" or ""):find "check" ~= nil
local most_objects = 200 -- visited in one file: a damaged one may contain itself in many ways

-- The result for a damaged file, or the error.
local function ask(errors_seen, f, ...)
  local ok, result = pcall(f, ...)
  if ok then return result end
  errors_seen[#errors_seen + 1] = tostring(result)
end

local function visit(state, object)
  state.left = state.left - 1
  if state.left < 0 then return end
  for _, name in ipairs(ask(state.errors, object.attributes.names, object.attributes) or {}) do
    ask(state.errors, object.attributes.get, object.attributes, name)
    ask(state.errors, object.attributes.describe, object.attributes, name)
  end
  if object.kind == "dataset" then
    ask(state.errors, object.read, object)
    ask(state.errors, object.rows, object, 1, 1)
    return
  end
  for _, name in ipairs(ask(state.errors, object.names, object) or {}) do
    local member = ask(state.errors, object.get, object, name)
    if member then visit(state, member) end
  end
end

-- Reads everything. Returns the error messages.
local function read_all(path)
  local seen = {}
  local file = ask(seen, hdf5.open, path, {timeout = sanitized and 5 or 1})
  if file then
    ask(seen, tostring, file)
    ask(seen, function() visit({left = most_objects, errors = seen}, file.root) end)
    file:close()
  end
  return seen
end

describe("cusp.hdf5 with damaged files", function()
  local folder

  setup(function() folder = folders.new() end)
  teardown(function() getmetatable(folder).__close(folder) end)

  local function check(path, what)
    local start = engine.monotonic()
    local messages = read_all(path)
    assert.is_true(engine.monotonic() - start < 20, what .. " took too long")
    for _, message in ipairs(messages) do
      assert.is_truthy(message:find(path, 1, true), what .. ": the file is not named: " .. message)
    end
    collectgarbage "step"
    return messages
  end

  for name, count in pairs{
    types = 120, strings = 120, layouts = 150, layouts_v110 = 200, layouts_user_block = 60,
    groups = 120, groups_latest = 150, refused = 80,
    keras2_weights = 120, keras3_model = 100, tf20_model = 60,
  } do
    it("ends on every mutation of " .. name, function()
      local original, path = mutate.read(fixtures .. name .. ".h5"),
        folder.path .. "/" .. name .. ".h5"
      for what, bytes in mutate.mutations(original,
        {seed = #name, count = sanitized and count // 2 or count}) do
        mutate.write(path, bytes)
        check(path, what)
      end
    end)
  end

  it("ends where the first bytes alone are changed", function()
    local original, path = mutate.read(fixtures .. "layouts.h5"):sub(1, 2048),
      folder.path .. "/head.h5"
    local rest = mutate.read(fixtures .. "layouts.h5"):sub(2049)
    for what, bytes in mutate.mutations(original, {seed = 77, count = 150}) do
      mutate.write(path, bytes .. rest)
      check(path, what)
    end
  end)

  it("refuses what is no file of this kind", function()
    for name, odd in pairs(mutate.odd_files(folder.path)) do
      if odd.bytes then mutate.write(odd.path, odd.bytes) end
      local messages = check(odd.path, name)
      assert.equal(1, #messages, name)
    end
    os.execute(("mkfifo %s/pipe"):format(folder.path))
    assert.matches("pipe", check(folder.path .. "/pipe", "a pipe")[1])
  end)

  it("says which part of a large file is missing", function()
    local path = folder.path .. "/short.h5"
    local bytes = mutate.read(fixtures .. "keras3_model.h5")
    mutate.write(path, bytes:sub(1, #bytes - 100))
    assert.matches("short%.h5: .*truncated", check(path, "a truncated file")[1])
  end)

  it("gives up at a file that takes too long", function()
    local message = select(2, pcall(hdf5.open, fixtures .. "layouts.h5", {timeout = 1e-9}))
    assert.matches("layouts%.h5: reading it took too long", message)
    assert.matches("timeout expects seconds above 0",
      select(2, pcall(hdf5.open, "x", {timeout = 0})))
    assert.matches("unknown option 'timeuot' %(did you mean 'timeout'%?%)",
      select(2, pcall(hdf5.open, "x", {timeuot = 1})))
    assert.matches("expected a path, got nil", select(2, pcall(hdf5.open)))
  end)
end)
