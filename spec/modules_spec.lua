-- Hosts that restore package.loaded, as busted does after each file.
local kept = {}

local function is_ours(name) return name == "cusp" or name:find "^cusp%." end

describe("modules of the library", function()
  before_each(function()
    for name, module in pairs(package.loaded) do
      if is_ours(name) then kept[name] = module end
    end
  end)
  after_each(function()
    for name, module in pairs(kept) do package.loaded[name] = module end
  end)

  local function forget()
    for name in pairs(package.loaded) do
      if is_ours(name) and not name:find "^cusp%.native%." then package.loaded[name] = nil end
    end
  end

  it("are the same ones after they were forgotten", function()
    local cusp = require "cusp"
    local Dense, engine = cusp.layers.Dense, require "cusp.engine"
    forget()
    assert.equal(cusp, require "cusp")
    assert.equal(engine, require "cusp.engine")
    assert.equal(Dense, require "cusp.layers.core.dense")
    assert.equal(Dense, require("cusp").layers.Dense)
  end)

  it("work together when they are forgotten between any two steps", function()
    local cusp = require "cusp"
    local layers = cusp.layers
    forget()
    local input = layers.Input{{4}}
    forget()
    local model = cusp.Model{input, layers.Dropout{0.1}(layers.Dense{3}(input))}
    forget()
    local stack = cusp.Sequential{layers.Input{{4}}, model, layers.Dense{1}}
    forget()
    stack:compile{optimizer = "rmsprop", loss = "mse", metrics = {"mae"}}
    forget()
    stack:fit(cusp.ones{8, 4}, cusp.ones{8, 1}, {verbose = 0, validation_split = 0.5})
    forget()
    local again = cusp.models.model_from_json(stack:to_json())
    forget()
    assert.same({2, 1}, again:predict(cusp.ones{2, 4}, {verbose = 0}).shape)
    assert.is_true(cusp.layers.Layer == require "cusp.layers.machinery.layer")
  end)

  it("that are not there are told of as by any require", function()
    local ok, message = pcall(require, "cusp.nothing")
    assert.is_false(ok)
    assert.matches("^module 'cusp.nothing' not found", message)
    assert.matches("no file [^\n]*/cusp/nothing%.lua", message)
  end)
end)
