--- `cusp predict`: what a model says of arrays, tables, texts or pictures.
-- @module cusp.commands.predict
local classes = require "cusp.commands.machinery.classes"
local errors = require "cusp.base.errors"
local files = require "cusp.commands.machinery.files"
local inputs = require "cusp.commands.machinery.inputs"
local plain = require "cusp.base.plain"
local preprocessing = require "cusp.commands.machinery.preprocessing"
local structure = require "cusp.base.structure"
local whole_file = require "cusp.base.whole_file"

local formats = {npy = true, npz = true, json = true, csv = true, safetensors = true, h5 = true,
  yaml = true}

local function check_output(path)
  if not path then return end
  local extension = plain.lower(path:match "%.([^./]+)$" or "")
  if not formats[extension] then
    errors.raise("--output: the end of the name should be .npy, .npz, .json, .csv, .safetensors, "
      .. ".yaml or .h5, got '%s'", path)
  end
  return extension
end

---------------------------------------------------------------- best classes

local function print_best(result, given)
  for i, best in ipairs(result) do
    if #result > 1 then print(#given == #result and given[i] or ("sample %d"):format(i)) end
    for _, entry in ipairs(best) do
      print(plain.format("%8.4f  %s", entry.score,
        entry.name and ("%d %s"):format(entry.class, entry.name) or ("%d"):format(entry.class)))
    end
  end
end

local function save_best(path, extension, result)
  if extension ~= "json" and extension ~= "yaml" then
    errors.raise("--output: with --top it should end in .json or .yaml, got '%s'", path)
  end
  require("cusp.saving.tensors").save(path, result)
end

---------------------------------------------------------------- arrays

local function save_csv(path, value)
  if #value.shape > 2 then
    errors.raise("--output: a .csv file holds rows of numbers, the output has shape %s",
      errors.shape(value.shape))
  end
  local lines = {}
  for i, row in ipairs(value:tolist()) do
    local cells = {}
    for k, number in ipairs(type(row) == "table" and row or {row}) do
      cells[k] = plain.tostring(number)
    end
    lines[i] = table.concat(cells, ",") .. "\n"
  end
  whole_file.write(path, table.concat(lines))
end

local function only(path, outputs)
  local first, second = outputs[1], outputs[2]
  if first and not second then return first.value end
  errors.raise("--output: '%s' holds one array, the model has %d outputs; .npz holds them by name",
    path, #outputs)
end

local function by_name(outputs, convert)
  local result = {}
  for _, output in ipairs(outputs) do result[output.name] = convert(output.value) end
  return result
end

local function as_lists(value) return value:tolist() end
local function as_it_is(value) return value end

local function save(path, extension, outputs)
  local tensors = require "cusp.saving.tensors"
  if extension == "npy" then return tensors.save(path, only(path, outputs)) end
  if extension == "csv" then return save_csv(path, only(path, outputs)) end
  if extension == "json" or extension == "yaml" then
    return tensors.save(path, #outputs == 1 and outputs[1].value:tolist()
      or by_name(outputs, as_lists))
  end
  tensors.save(path, by_name(outputs, as_it_is))
end

-- The outputs in order, with their names.
local function list_outputs(model, predicted)
  local list, names = {}, model.output_names or {}
  for i, value in ipairs(structure.flatten(predicted)) do
    list[i] = {name = names[i] or ("output_%d"):format(i), value = value}
  end
  return list
end

local function report(given, extension, outputs)
  if given.top then
    local result = classes.best(only("--top", outputs), given.top, given["class-names"])
    if given.output then return save_best(given.output, extension, result) end
    return print_best(result, given.input)
  end
  if given.output then return save(given.output, extension, outputs) end
  for _, output in ipairs(outputs) do
    if #outputs > 1 then print(output.name .. ":") end
    print(output.value)
  end
end

local function run(given)
  local extension = check_output(given.output)
  if not given.input then errors.raise "--input is missing: the files that the model is given" end
  files.run_scripts(given.require)
  local model = files.model_with_weights(given.FILE, given.weights)
  local values = inputs.read_all(given.input, inputs.of_model(model), given)
  preprocessing.apply(values, given.preprocess)
  local predicted = model:predict{inputs.arrange(model, values), verbose = 0,
    batch_size = given["batch-size"] or 32}
  report(given, extension, list_outputs(model, predicted))
end

return {
  name = "predict", run = run,
  usage = "predict FILE --input x.npy|x.csv|x.npz|picture ... [--top N] [--output FILE]",
  about = "Prints or saves what a model predicts.\nPictures are resized to the model's input; "
    .. "several are a batch.",
  operands = {"FILE"},
  options = {
    {"input", "texts", value = "FILE ...",
      about = "arrays (.npy, .npz, .csv, .json, .safetensors, .h5), pictures, or lines of text\n"
        .. "(.txt); of a model with several inputs, one each in order, or name=FILE, or\n"
        .. "one file with all of them by name, such as the columns of a .csv"},
    {"output", "text", value = "FILE",
      about = ".npy, .npz, .csv, .json, .yaml, .safetensors or .h5"},
    {"top", "integer", value = "N", min = 1, about = "print the N best classes of each sample"},
    {"class-names", "text", value = "FILE", about = "the classes' names: a line each, or JSON"},
    preprocessing.option,
    preprocessing.interpolation,
    {"weights", "text", value = "FILE", about = "weights for the model of FILE"},
    {"batch-size", "integer", value = "N", min = 1, about = "samples computed at once (32)"},
    files.require_option,
  },
}
