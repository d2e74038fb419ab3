-- Processes with small limits: separate programs, under limits set by the shell.
local build = os.getenv "CUSP_BUILD" or "build"
local Folder = require "spec.support.folder"

local function run(limit, script)
  local folder <close> = Folder.new()
  local path = folder.path .. "/program.lua"
  local file = assert(io.open(path, "w"))
  file:write('local cusp = require "cusp"\nlocal layers = cusp.layers\nlocal folder = "'
    .. folder.path .. '"\n', script)
  file:close()
  local pipe <close> = assert(io.popen(("ulimit %s; timeout 60 %s/cusp '%s' 2>&1"):format(limit,
    build, path)))
  return pipe:read "a"
end

local fit = [[
  local model = cusp.Sequential{layers.Input{{8}}, layers.Dense{4}}
  model:compile{loss = "mse"}
  print(pcall(model.fit, model, cusp.ones{16, 8}, cusp.ones{16, 4}, {verbose = 0}))
]]

-- AddressSanitizer needs terabytes of address space
local function is_sanitized() return build:find "check" ~= nil end

describe("under limits", function()
  for _, kilobytes in ipairs{150000, 250000, 300000} do
    it(("of %d kB of address space a fit is an error that says why"):format(kilobytes), function()
      if is_sanitized() then return end
      local printed = run("-v " .. kilobytes, fit)
      assert.matches("^false", printed)
      assert.matches("out of memory: OpenBLAS needs %d+ MB of address space", printed)
    end)
  end

  it("of 500 MB of address space a fit works", function()
    if is_sanitized() then return end
    assert.matches("^true", run("-v 600000", fit))
  end)

  it("on open files, files are saved and loaded, or it is said that there are too many", function()
    -- The program uses all descriptors up to the limit, whatever it inherited, and frees one more
    -- each round.
    local printed = run("-n 64", fit .. [[
      local held = {}
      local function hold() held[#held + 1] = io.open "/dev/null" end
      local function save_and_load()
        for _, name in ipairs{"a.keras", "a.h5"} do
          print(name, pcall(model.save, model, folder .. "/" .. name))
          print(name, pcall(cusp.models.load_model, folder .. "/" .. name))
        end
        print("checkpoint", pcall(model.save_weights, model, folder .. "/checkpoint"))
        print("checkpoint", pcall(model.load_weights, model, folder .. "/checkpoint"))
      end
      save_and_load()
      for _ = 1, 64 do hold() end
      for _ = 1, 12 do
        save_and_load()
        table.remove(held):close()
      end]])
    local good, bad = 0, 0
    for line in printed:gmatch "[^\n]+" do
      local failed = line:find "^[%w.]+\tfalse"
      good, bad = good + (failed and 0 or 1), bad + (failed and 1 or 0)
      assert.is_true(not failed or line:find "[Tt]oo many open files" ~= nil
        or line:find "enough files" ~= nil, line)
      assert.is_nil(line:find("damaged", 1, true), line)
    end
    assert.is_true(good > 10 and bad > 0, printed)
  end)
end)
