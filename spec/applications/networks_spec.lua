-- The known networks against Keras's: layers, names, weights, and what small ones compute.
-- scripts/fixtures/applications.py made the fixture and says how its numbers come about.
local cases = require "spec.support.cases"
local cusp = require "cusp"

local ops, null = cusp.ops, cusp.null
local document = cases.read "applications/networks.json.gz"
local most = 30e6 -- parameters of a network that is built here: the others differ in numbers alone

local function values(shape, start)
  local count = 1
  for _, size in ipairs(shape) do count = count * size end
  local numbers = (ops.arange(0, count, 1, "int64") + start) * 40503 % 65536
  return ops.reshape(ops.cast(numbers, "float32") / 32768 - 1, shape), count
end

local around_one = {gamma = true, moving_variance = true, variance = true}
local around_zero = {beta = true, moving_mean = true, mean = true, bias = true}

local function scaled(fresh, name, shape)
  if around_one[name] then return fresh * 0.5 + 1 end
  if around_zero[name] then return fresh * 0.1 end
  local fan_in = 1
  for i = 1, #shape - 1 do fan_in = fan_in * shape[i] end
  return fresh * math.sqrt(3 / fan_in)
end

local function set_weights(model)
  local start = 0
  for _, layer in ipairs(model.layers) do
    for _, weight in ipairs(layer.weights) do
      local shape = table.move(weight.shape, 1, #weight.shape, 1, {})
      local fresh, count = values(shape, start)
      start = start + count
      weight:assign(ops.cast(scaled(fresh, weight.name, shape), weight.dtype))
    end
  end
end

local function line(class, name, weights)
  local parts = {class, name}
  for _, weight in ipairs(weights) do
    parts[#parts + 1] = ("%s[%s]"):format(weight[1]:gsub("_%d+$", ""),
      table.concat(weight[2], ","))
  end
  return table.concat(parts, " ")
end

local function described(model)
  local lines = {}
  for i, layer in ipairs(model.layers) do
    local weights = {}
    for k, weight in ipairs(layer.weights) do weights[k] = {weight.name, weight.shape} end
    lines[i] = line(getmetatable(layer).__name, layer.name, weights)
  end
  return table.concat(lines, "\n")
end

local function expected_description(case)
  local lines = {}
  for i, layer in ipairs(case.layers) do lines[i] = line(layer[1], layer[2], layer[4]) end
  return table.concat(lines, "\n")
end

local function build(case)
  cusp.utils.clear_session()
  local arguments = {weights = null}
  for key, value in pairs(case.arguments) do
    arguments[key] = cases.is_null(value) and null or value
  end
  return cusp.applications[case["function"]](arguments)
end

describe("the network", function()
  for _, case in ipairs(document.cases) do
    if case.parameters < most then
      local title = case["function"] .. cusp.json.encode(case.arguments)
      it(title .. " has Keras's layers, names and weights", function()
        local model = build(case)
        assert.equal(case.name, model.name)
        assert.equal(case.parameters, model:count_params())
        assert.equal(expected_description(case), described(model))
      end)
      if case.outputs then
        it(title .. " computes what Keras's computes", function()
          local model = build(case)
          set_weights(model)
          local shape = {2}
          for i = 2, 4 do shape[i] = model.inputs[1].shape[i] end
          local found = ops.reshape(model:predict{(values(shape, 7) + 1) * (127.5 / 128),
            verbose = 0}, {-1}):tolist()
          local scale = 0
          for _, expected in ipairs(case.outputs) do scale = math.max(scale, math.abs(expected)) end
          for i, expected in ipairs(case.outputs) do
            assert.near(expected, found[i], 1e-4 * scale)
          end
        end)
      end
    end
  end
end)
