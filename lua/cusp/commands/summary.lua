--- `cusp summary`: the layers of a model, or the tensors of a file of weights.
-- @module cusp.commands.summary
local errors = require "cusp.base.errors"
local files = require "cusp.commands.machinery.files"
local shapes = require "cusp.base.shape"

local function print_tensors(path, kind)
  local list, width, total = files.tensors(path, kind), 0, 0
  for _, entry in ipairs(list) do width = math.max(width, utf8.len(entry.name) or #entry.name) end
  for _, entry in ipairs(list) do
    total = total + shapes.size(entry.shape)
    print(("%s%s  %s %s"):format(entry.name,
      (" "):rep(width - (utf8.len(entry.name) or #entry.name)), entry.dtype,
      errors.shape(entry.shape)))
  end
  print(("%d tensor%s, %d numbers"):format(#list, #list == 1 and "" or "s", total))
end

local function run(given)
  files.run_scripts(given.require)
  local kind = files.kind(given.FILE)
  if kind.kind == "weights" or kind.kind == "tensors" then
    return print_tensors(given.FILE, kind)
  end
  local model = files.model(given.FILE, kind, false)
  model:summary{expand_nested = given["expand-nested"], show_trainable = given["show-trainable"],
    line_length = given.width}
end

return {
  name = "summary", run = run,
  usage = "summary FILE [--expand-nested] [--show-trainable]",
  about = "Prints the layers of a model, or the tensors of a file of weights.\n"
    .. "FILE is .keras, .h5, .json, .yaml, a SavedModel folder, .weights.h5, .safetensors,\n"
    .. ".npz or a checkpoint.",
  operands = {"FILE"},
  options = {
    {"expand-nested", "flag", about = "also print the layers of models within"},
    {"show-trainable", "flag", about = "say of each layer whether it is trained"},
    {"width", "integer", value = "N", min = 20, about = "how long a line is"},
    files.require_option,
  },
}
