-- Names with a test of their values: in golden cases, rows of the layer checks, listed specs and
-- the C accuracy tests.
local cases = require "spec.support.cases"

local coverage = {
  spaces = {"layers", "losses", "metrics", "optimizers", "callbacks", "ops"},
}

-- Kinds of golden cases → the namespaces of their classes.
local spaces = {layer = "layers", loss = "losses", metric = "metrics", optimizer = "optimizers"}

-- Specs with values for what golden files cannot hold: callbacks, functions of layers, control
-- flow.
local specs = {
  callbacks = {"callbacks/runs_spec", "callbacks/backup_spec", "callbacks/hooks_spec",
    "callbacks/callback_list_spec", "callbacks/tensorboard_spec", "callbacks/history_spec"},
  layers = {"layers/functions_spec", "layers/input_spec_spec"},
  metrics = {"metrics/loss_functions_spec"},
  optimizers = {"optimizers/multi_optimizer_spec"},
  ops = {"ops/custom_gradient_spec", "ops/eig_spec", "ops/control_spec", "ops/int8_spec",
    "ops/moments_spec", "ops/random_spec", "ops/recurrent_spec", "layers/image_layers_spec",
    "layers/remat_spec", "tensors/strings_spec"},
}

local function mark_classes(value, seen)
  if type(value) ~= "table" then return end
  local name = rawget(value, "class_name")
  if type(name) == "string" then seen[name] = true end
  for _, item in pairs(value) do mark_classes(item, seen) end
end

local function mark_case(case, kind, covered)
  if kind == "op" then
    covered.ops[case["function"]:match "[%w_]+$"] = true
  elseif spaces[kind] then
    mark_classes({class_name = case.class_name, config = case.config}, covered[spaces[kind]])
  end
end

local function mark_golden(covered)
  local pipe = assert(io.popen "find spec/fixtures/golden spec/fixtures/training -name '*.json.gz'")
  for path in pipe:lines() do
    local document = cases.read(path:match "^spec/fixtures/(.*)$")
    for _, case in ipairs(document.kind and document.cases or {}) do
      mark_case(case, case.kind or document.kind, covered)
    end
  end
  pipe:close()
  for _, case in ipairs(cases.read("preprocessing/cases.json.gz").cases) do
    covered.layers[case.class_name] = true
  end
end

local function mark_rows(covered)
  for _, row in ipairs(require "spec.support.layer_rows") do covered.layers[row[1]] = true end
  for _, row in ipairs(require "spec.support.op_values") do covered.ops[row[1]] = true end
end

local function mark_specs(covered)
  for space, paths in pairs(specs) do
    for _, path in ipairs(paths) do
      local file = assert(io.open("spec/" .. path .. ".lua"))
      for name in file:read "a":gmatch(space .. "%.([%w_.]+)") do
        covered[space][name:match "[%w_]*$"] = true
      end
      file:close()
    end
  end
end

-- The C tests compare vector functions with libm; operations of the same name use them.
local function mark_accuracy(covered)
  local file <close> = assert(io.open "spec/core/vector_test.c")
  local cases_text = file:read "a":match "accuracy_cases%[%] = (%b{})"
  for name in cases_text:gmatch "CUSP_VECTOR_([%w_]+)" do covered.ops[name] = true end
end

--- All names with a case: `{layers = {Dense = true, ...}, losses = ..., ops = ...}`.
function coverage.read()
  local covered = {}
  for _, space in ipairs(coverage.spaces) do covered[space] = {} end
  mark_golden(covered)
  mark_rows(covered)
  mark_specs(covered)
  mark_accuracy(covered)
  return covered
end

return coverage
