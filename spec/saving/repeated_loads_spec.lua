-- Weights loaded repeatedly into objects that have no variables yet: the last ones win, and nothing
-- accumulates.
local cusp = require "cusp"
local engine = require "cusp.engine"
local warnings = require "cusp.base.warnings"
local Folder = require "spec.support.folder"
local layers = cusp.layers

local function new_model(built)
  local model = built and cusp.Sequential{layers.Input{{8}}, layers.Dense{16}, layers.Dense{1}}
    or cusp.Sequential{layers.Dense{16}, layers.Dense{1}}
  model:compile{optimizer = "adam", loss = "mse"}
  return model
end

local function held()
  collectgarbage()
  collectgarbage()
  return collectgarbage "count" * 1024 + engine.memory().live
end

describe("loading weights again and again", function()
  for _, name in ipairs{"a.weights.h5", "a.h5", "a.keras", "checkpoint"} do
    for _, built in ipairs{true, false} do
      it(("keeps the last ones of %s where the model is %s"):format(name,
        built and "not trained" or "not built"), function()
        local folder <close> = Folder.new()
        local path, trained = folder.path .. "/" .. name, new_model(true)
        trained:fit(cusp.ones{32, 8}, cusp.ones{32, 1}, {verbose = 0})
        if name == "a.keras" or name == "a.h5" then
          trained:save(path)
        else
          trained:save_weights(path)
        end
        local model = new_model(built)
        local grown
        local list = warnings.collect(function()
          for _ = 1, 20 do model:load_weights(path) end
          local before = held()
          for _ = 1, 40 do model:load_weights(path) end
          grown = held() - before
          local last = model:load_weights(path)
          if last then last:expect_partial() end -- the optimizer is not used
        end)
        assert.is_true(grown < 20000, grown .. " bytes")
        assert.same({}, list)
        local x = cusp.ones{2, 8}
        assert.same(trained:predict(x, {verbose = 0}):tolist(),
          model:predict(x, {verbose = 0}):tolist())
      end)
    end
  end
end)
