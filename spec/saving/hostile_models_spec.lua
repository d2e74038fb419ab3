-- Damaged and hostile files of models and weights: each loads, or is refused with a message that
-- names it, in bounded time. A model being loaded into is then unchanged.
local cusp = require "cusp"
local engine = require "cusp.engine"
local folders = require "spec.support.folder"
local mutate = require "spec.support.mutate"
local stored = require "cusp.saving.shared.stored"
local warnings = require "cusp.base.warnings"
local text_files = require "spec.support.text_files"

local sanitized = (os.getenv "CUSP_BUILD" or ""):find "check" ~= nil
local count = sanitized and 60 or 150 -- mutations of each file
local fixtures = "spec/fixtures/models/"

local contents = text_files.read
local write = text_files.write

local function state_of(model)
  local parts = {}
  for _, list in ipairs{model.weights, model.optimizer.variables} do
    for _, variable in ipairs(list) do parts[#parts + 1] = variable.value:tobytes() end
  end
  return table.concat(parts, "|")
end

describe("hostile files", function()
  local folder, timeout
  setup(function()
    folder, timeout = folders.new(), stored.timeout
    stored.timeout = sanitized and 5 or 1
  end)
  teardown(function()
    stored.timeout = timeout
    getmetatable(folder).__close(folder)
  end)

  local function quietly(f, ...)
    local results
    warnings.collect(function(...) results = table.pack(pcall(f, ...)) end, ...)
    return table.unpack(results, 1, results.n)
  end

  local function each(source, extension, check)
    local original, path = contents(fixtures .. source), folder.path .. "/damaged" .. extension
    for name, bytes in mutate.mutations(original, {seed = 11, count = count}) do
      write(path, bytes)
      local start = engine.monotonic()
      local ok, message = check(path)
      local what = ("%s, %s"):format(source, name)
      assert.is_true(engine.monotonic() - start < 20, what .. " took too long")
      if not ok then
        assert.are.equal("string", type(message), what)
        assert.is_truthy(message:find(path, 1, true),
          what .. ": the file is not named: " .. message)
      end
    end
  end

  for _, source in ipairs{
    "optimizer_sgd/tf2_model.h5", "optimizer_sgd/k3_model.h5",
    "optimizer_adam_schedule/k3_model.keras",
    "legacy/optimizer_adam_decay/model.h5",
  } do
    it("of whole models: " .. source, function()
      each(source, source:match "%.%w+$", function(path)
        local ok, result = quietly(cusp.models.load_model, path)
        if ok then result:predict{cusp.zeros{1, 5}, verbose = 0} end
        return ok, result
      end)
    end)
  end

  for _, source in ipairs{
    "optimizer_sgd/tf2_weights.h5", "optimizer_rmsprop_centered/k3.weights.h5",
    "optimizer_rmsprop_centered/k3_model.keras",
    "optimizer_rmsprop_centered/tf2_model.h5",
  } do
    it("of weights: " .. source, function()
      local model = cusp.models.load_model(fixtures .. source:match "^[^/]+" .. "/k3_model.keras")
      local before = state_of(model)
      local initial = model:get_weights()
      each(source, source:match "%.%w+$", function(path)
        local ok, message = quietly(model.load_weights, model, path)
        if not ok then assert.are.equal(before, state_of(model)) end
        if ok then
          model:set_weights(initial)
          before = state_of(model)
        end
        return ok, message
      end)
    end)
  end

  it("with groups that contain themselves", function()
    local path = folder.path .. "/deep.weights.h5"
    local file = cusp.hdf5.create(path)
    local group = file.root
    for _ = 1, 600 do group = group:create_group "layers" end
    file:close()
    local model = cusp.Sequential{cusp.Input{shape = {3}}, cusp.layers.Dense(2)}
    local ok, message = pcall(model.load_weights, model, path)
    assert.is_false(ok)
    assert.is_truthy(message:find(path, 1, true) and message:find("nested", 1, true), message)
  end)
end)
