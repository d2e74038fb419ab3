--- `cusp convert`: a model or its weights in another format. What the new file would lack is found
-- by reading it again, and needs `--force`.
-- @module cusp.commands.convert
local compare = require "cusp.commands.machinery.compare"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local files = require "cusp.commands.machinery.files"
local plain = require "cusp.base.plain"
local warnings = require "cusp.base.warnings"
local whole_file = require "cusp.base.whole_file"

---------------------------------------------------------------- formats

local endings = {
  {".weights.h5", "weights.h5"}, {".keras", "keras"}, {".h5", "h5"}, {".hdf5", "h5"},
  {".json", "json"}, {".yaml", "yaml"}, {".yml", "yaml"}, {".safetensors", "safetensors"},
  {".ckpt", "checkpoint"}, {".index", "checkpoint"}, {".onnx", "onnx"}, {".c", "c"},
}

local function format_of(path)
  local name = plain.lower(path)
  for _, row in ipairs(endings) do
    if name:sub(-#row[1]) == row[1] then return row[2] end
  end
  if not name:match "[^/]*$":find("%.", 1) then return "checkpoint" end
  errors.raise("'%s': the end of the name says the format: .keras, .h5, .weights.h5, .safetensors, "
    .. ".json, .yaml, .onnx, .c, or none for a checkpoint", path)
end

local function check_generation(given, format)
  if given.keras2 and given.keras3 then errors.raise "--keras2 and --keras3 exclude each other" end
  if given.keras2 and (format == "keras" or format == "weights.h5") then
    errors.raise("--keras2: '%s' is a format of Keras 3; tf.keras 2 reads .h5%s", given.B,
      format == "keras" and "" or " (--weights-only for weights alone)")
  end
  if given["weights-only"] and format ~= "h5" then
    errors.raise "--weights-only is for a .h5 file, which may hold a whole model"
  end
  for _, name in ipairs{"keras2", "keras3"} do
    if given[name] and (format == "onnx" or format == "c") then
      errors.raise("--%s: a .%s file has no form of Keras's", name, format)
    end
  end
  for _, row in ipairs{{"main", "c"}, {"int8", "c"}, {"opset", "onnx"},
    {"external-data", "onnx"}} do
    if given[row[1]] and format ~= row[2] then
      errors.raise("--%s is for a .%s file", row[1], row[2])
    end
  end
end

---------------------------------------------------------------- the model

-- Whether a file of weights has the state of an optimizer.
local function has_optimizer(path, kind)
  for _, entry in ipairs(files.tensors(path, kind)) do
    if entry.name:find "^optimizer/vars/[1-9]" or entry.name:find("OPTIMIZER_SLOT", 1, true)
      or entry.name:find "^optimizer/_variables/" then
      return true
    end
  end
  return false
end

local function read(given, kind)
  if kind.kind == "tensors" then
    errors.raise("%s holds tensors, but not those of a model", given.A)
  end
  if kind.kind ~= "weights" then
    if given.model then errors.raise("--model: %s is a model itself", given.A) end
    return files.model(given.A, kind)
  end
  if not given.model then
    errors.raise("%s holds weights without an architecture; --model FILE says which model they are "
      .. "for", given.A)
  end
  local model = files.model(given.model)
  files.load_weights(model, given.A)
  return model
end

---------------------------------------------------------------- writing

local function text_of(model, format, given)
  local options = {format = (given.keras2 or format == "yaml" and not given.keras3) and "tf2"
    or "keras3"}
  return format == "json" and model:to_json(options) or model:to_yaml(options)
end

-- A file for predictions: what training needs is not looked for.
local function write_onnx(model, given)
  require("cusp.onnx").export(model, given.B, {opset = given.opset,
    external_data = given["external-data"]})
end

-- Writes the model; the text of a configuration, for reading it again.
local function write(model, path, format, given)
  if format == "keras" then return model:save(path) end
  if format == "h5" and not given["weights-only"] then return model:save(path) end
  if format == "json" or format == "yaml" then
    return whole_file.write(path, text_of(model, format, given), "\n")
  end
  model:save_weights((path:gsub("%.index$", "")))
end

---------------------------------------------------------------- what is lost

local most_listed = 10

local is_whole = {keras = true, h5 = true}
local is_text = {json = true, yaml = true}

local function append(list, more)
  table.move(more, 1, #more, #list + 1, list)
  return list
end

-- What a file that is no whole model cannot hold of what there is.
local function lost_by_kind(model, kind, format, given)
  local lost = {}
  local keeps_state = format == "weights.h5" or format == "checkpoint"
  local has_state = kind.kind == "weights" and has_optimizer(given.A, kind)
    or kind.kind == "model" and model.compiled and model.optimizer and model.optimizer.built
  if is_text[format] and kind.kind ~= "configuration" then lost[1] = "the weights" end
  if not is_text[format] and kind.kind ~= "weights" then lost[1] = "the architecture" end
  if kind.kind == "model" and model.compiled and not is_text[format] then
    lost[#lost + 1] = "the arguments of compile"
  end
  if has_state and (not keeps_state or not model.compiled) then
    lost[#lost + 1] = "the state of the optimizer"
  end
  return lost
end

local function lost_of_whole(model, kind, path, given)
  local again = files.model(path)
  local lost = compare.structure(model, again)
  append(lost, compare.weights(model, again, 0))
  append(lost, compare.training(model, again, 0))
  append(lost, compare.random_state(model, again))
  if kind.kind == "weights" and not model.compiled and has_optimizer(given.A, kind) then
    lost[#lost + 1] = "the state of the optimizer (the model of --model is not compiled)"
  end
  return lost
end

local function lost_of_text(model, path, format)
  local again = files.model(path, {kind = "configuration", format = format})
  local lost = compare.structure(model, again)
  if model.compiled and not again.compiled then lost[#lost + 1] = "the arguments of compile" end
  return lost
end

-- Beside the new file, under a name with the same ending.
local function temporary_name(path)
  local folder, name = path:match "^(.*/)([^/]*)$"
  if folder and not engine.files.is_directory(folder) then
    errors.raise("there is no folder '%s'", folder)
  end
  return ("%s.converting-%d.%s"):format(folder or "", engine.monotonic() * 1e6 // 1 | 0,
    name or path)
end

local function report(lost, given)
  if #lost == 0 then return end
  local text = table.concat(lost, "; ", 1, math.min(#lost, most_listed))
  if #lost > most_listed then text = ("%s; and %d more"):format(text, #lost - most_listed) end
  if not given.force then
    errors.raise("%s would lack: %s; nothing is written without --force", given.B, text)
  end
  warnings.warn("%s lacks: %s", given.B, text)
end

-- Writes beside the file, reads that, and puts it in the file's place.
local function write_checked(model, kind, format, given)
  local path = temporary_name(given.B)
  local ok, problem = engine.attempt(function()
    local lost = warnings.collect(write, model, path, format, given)
    append(lost, is_text[format] and lost_by_kind(model, kind, format, given) or {})
    append(lost, is_text[format] and lost_of_text(model, path, format)
      or lost_of_whole(model, kind, path, given))
    report(lost, given)
    assert(os.rename(path, given.B))
  end)
  if ok then return end
  os.remove(path)
  error(problem, 0)
end

-- A program has the weights alone of what there is to lose, which nobody reads back.
local function export(model, kind, given)
  if kind.kind == "configuration" then
    warnings.warn("%s holds no weights: those of %s are new random ones", given.A, given.B)
  end
  model:export_c(given.B, {main = given.main, weights = given.int8 and "int8" or nil})
end

local function run(given)
  local format = format_of(given.B)
  check_generation(given, format)
  files.run_scripts(given.require)
  local kind = files.kind(given.A)
  local model = read(given, kind)
  if format == "c" then return export(model, kind, given) end
  if kind.kind == "configuration" and not is_text[format] then
    warnings.warn("%s holds no weights: those of %s are new random ones", given.A, given.B)
  end
  if is_text[format] or is_whole[format] and not given["weights-only"] then
    return write_checked(model, kind, format, given)
  end
  if format == "onnx" then return write_onnx(model, given) end
  report(lost_by_kind(model, kind, format, given), given)
  write(model, given.B, format, given)
end

return {
  name = "convert", run = run,
  usage = "convert A B [--model FILE] [--force]",
  about = "Writes a model, its architecture or its weights in another format.\nThe end of B says "
    .. "which: .keras, .h5, .weights.h5, .safetensors, .json, .yaml, .onnx, .c (a C99 file that\n"
    .. "predicts), or none (or .ckpt) for a TensorFlow checkpoint. A is any of these but .c, or a\n"
    .. "SavedModel folder.",
  operands = {"A", "B"},
  options = {
    {"model", "text", value = "FILE", about = "the model that the weights of A are for"},
    {"force", "flag", about = "write B although it lacks something that A has"},
    {"keras2", "flag", about = "a .json or .yaml file as tf.keras 2 reads it"},
    {"keras3", "flag", about = "a .json or .yaml file as Keras 3 reads it"},
    {"weights-only", "flag", about = "a .h5 file of weights alone, in tf.keras 2's layout"},
    {"opset", "integer", value = "N", min = 13, max = 22,
      about = "version of the operators of an .onnx file, 13 to 22 (17)"},
    {"external-data", "flag", about = "an .onnx file with its weights in B.data beside it"},
    {"main", "flag", about = "a .c file that is a program: --self-test, or numbers on stdin"},
    {"int8", "flag", about = "a .c file with a byte for each weight"},
    files.require_option,
  },
}
