-- Compares the configuration of every class with Keras's, key for key and value for value.
local cases = require "spec.support.cases"
local cusp = require "cusp"
local keras3 = require "cusp.saving.configuration.keras3"
local registry = require "cusp.base.registry"

local json = cusp.json

-- What Keras loses, or writes and then refuses, and what this library writes instead: Keras can
-- read it, and nothing is lost.
local kept_here = {
  ["Identity.gain"] = true, ["MaxNumBoundingBoxes.fill_value"] = true,
  ["RandomGrayscale.seed"] = true, ["SimpleRNN.seed"] = true,
  ["SimpleRNN.activity_regularizer"] = true, ["CosineSimilarity.axis"] = true,
  ["Huber.delta"] = true,
  ["SparseCategoricalCrossentropy.axis"] = true, ["RandomShear.x_factor"] = true,
  ["RandomShear.y_factor"] = true,
}
-- Keras draws a seed if none is given, and stores no shape if a size is open.
local drawn = {["RandomCrop.seed"] = true, ["Reshape.build_config"] = true}

local function is_leaf(value) return type(value) ~= "table" or value == cusp.null end

local function differences(got, wanted, path, list)
  if is_leaf(got) or is_leaf(wanted) then
    if got ~= wanted then
      list[path] = ("got %s, expected %s"):format(json.encode(got), json.encode(wanted))
    end
    return list
  end
  for key, value in pairs(got) do
    if wanted[key] == nil then
      list[path .. "." .. key] = "is not in Keras's: " .. json.encode(value)
    end
  end
  for key, value in pairs(wanted) do
    if got[key] == nil then list[path .. "." .. key] = "is missing: " .. json.encode(value)
    else differences(got[key], value, path .. "." .. key, list) end
  end
  return list
end

-- Numbered names, and shapes of inner layers shared by the cases, depend on earlier cases.
local function without_history(value, is_inner)
  if is_leaf(value) then return value end
  if is_inner then value.build_config = nil end
  for key, item in pairs(value) do
    if key == "name" and type(item) == "string" then
      value[key] = item:gsub("_%d+$", "")
    else
      without_history(item, true)
    end
  end
  return value
end

local function plain(value) return without_history(json.decode(json.encode(value))) end

local function object_of(case, form)
  local object = registry.deserialize(form, {build = false})
  if case.input then object(cusp.Input{shape = case.input}) end
  return object
end

-- Keras creates these with arguments, or calls them on inputs, that exclude each other.
local function is_misfit(case)
  local rank = #(case.input or {})
  if case.class_name == "Resizing" then
    return case.arguments.pad_to_aspect_ratio and case.arguments.crop_to_aspect_ratio
  end
  local wanted = case.class_name:match "^Adaptive%a+(%d)D$"
    or case.class_name == "EinsumDense" and "0"
  return rank > 0 and wanted and rank ~= tonumber(wanted) + 1
end

local function check(case, form, failures)
  if is_misfit(case) then return end
  local ok, got = pcall(function()
    local object = object_of(case, form)
    local result = registry.serialize(object)
    return plain(case.input and keras3.of(result) or result)
  end)
  if not ok then failures[#failures + 1] = ("%s: %s"):format(case.class_name, got); return end
  if not case.input then got.build_config = nil end
  for path, text in pairs(differences(got, plain(case.form), "", {})) do
    local key = case.class_name .. path:gsub("^%.config", "")
    local given = case.arguments[key:match "([%w_]+)$"] ~= nil or key:find "^RandomShear"
    if not drawn[key] and not (kept_here[key] and given) then
      failures[#failures + 1] = ("%s: %s (made with %s)"):format(key, text,
        json.encode(case.arguments))
    end
  end
end

local function report(failures)
  assert(#failures == 0,
    ("%d differences:\n%s"):format(#failures,
      table.concat(failures, "\n", 1, math.min(#failures, 40))))
end

describe("the configuration of every class", function()
  local all = cases.read "classes/configurations.json.gz".cases

  it("is Keras's where it is made from arguments", function()
    local failures = {}
    for _, case in ipairs(all) do
      local module = "keras." .. case.space
      check(case, {module = module, class_name = case.class_name, config = case.arguments,
        registered_name = cusp.null}, failures)
    end
    report(failures)
  end)

  it("is Keras's where it is read from Keras's", function()
    local failures = {}
    for _, case in ipairs(all) do check(case, case.form, failures) end
    report(failures)
  end)

  it("says in words what a quantized layer is told", function()
    local dense = cusp.layers.Dense{2,
      quantization_config = {class_name = "Int8QuantizationConfig", config = {}}}
    assert.are.equal("int8", dense.quantization_config.mode)
    local ok, message = pcall(cusp.layers.Dense, {2, quantization_config = 3})
    assert.is_false(ok)
    assert.matches("a configuration such as cusp.quantizers", message)
  end)
end)
