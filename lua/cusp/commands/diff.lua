--- `cusp diff`: what differs between two models or two files of weights.
-- @module cusp.commands.diff
local compare = require "cusp.commands.machinery.compare"
local errors = require "cusp.base.errors"
local files = require "cusp.commands.machinery.files"

local has_layers = {model = true, configuration = true}

local function by_name(list)
  for _, entry in ipairs(list) do list[entry.name] = entry.value end
  return list
end

local function append(lines, more) table.move(more, 1, #more, #lines + 1, lines) end

local function compare_models(a, b, given, with_weights, with_training)
  local lines, tolerance = {}, given.tolerance or 0
  if not given.weights then append(lines, compare.structure(a, b)) end
  if with_weights and not given.structure then append(lines, compare.weights(a, b, tolerance)) end
  if with_training and not given.weights and not given.structure then
    append(lines, compare.training(a, b, tolerance))
  end
  return lines
end

-- The model of a file; of weights, another model of the same architecture with these.
local function model_of(path, kind, architecture)
  if has_layers[kind.kind] then return files.model(path, kind) end
  local model = files.model(architecture)
  files.load_weights(model, path)
  return model
end

local function architecture_of(given, kind_a, kind_b)
  if given.model then return given.model end
  if has_layers[kind_a.kind] then return given.A end
  if has_layers[kind_b.kind] then return given.B end
  errors.raise("%s and %s name their tensors in different ways; --model FILE says which model they "
    .. "are for", given.A, given.B)
end

local function differences(given, kind_a, kind_b)
  local only_tensors = not has_layers[kind_a.kind] and not has_layers[kind_b.kind]
  local alike = kind_a.format == kind_b.format or kind_a.kind == "tensors"
    or kind_b.kind == "tensors"
  if only_tensors and alike and not given.model then
    return compare.tensors(by_name(files.tensors(given.A, kind_a)),
      by_name(files.tensors(given.B, kind_b)), given.tolerance or 0, "tensor")
  end
  local architecture = architecture_of(given, kind_a, kind_b)
  local a, b = model_of(given.A, kind_a, architecture), model_of(given.B, kind_b, architecture)
  if only_tensors then return compare.weights(a, b, given.tolerance or 0) end
  local with_weights = kind_a.kind ~= "configuration" and kind_b.kind ~= "configuration"
  local with_training = kind_a.kind == "model" and kind_b.kind == "model"
  return compare_models(a, b, given, with_weights, with_training)
end

local function run(given)
  files.run_scripts(given.require)
  local lines = differences(given, files.kind(given.A), files.kind(given.B))
  for _, line in ipairs(lines) do print(line) end
  return #lines > 0 and 1 or 0
end

return {
  name = "diff", run = run,
  usage = "diff A B [--tolerance X] [--weights | --structure]",
  about = "Says what differs between two models or files of weights.\nThe exit code is 0 for no "
    .. "difference, 1 for some or for an error (on standard error).",
  operands = {"A", "B"},
  options = {
    {"tolerance", "number", value = "X", min = 0, about = "weights may differ by that much (0)"},
    {"weights", "flag", about = "compare weights only"},
    {"structure", "flag", about = "compare layers only"},
    {"model", "text", value = "FILE", about = "the model that files of weights are for"},
    files.require_option,
  },
}
