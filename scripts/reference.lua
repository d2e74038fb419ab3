--- Writes docs/reference.md from the operation table, the declared arguments of classes and
-- functions, and the comments in the sources. `make docs` runs it with BUILD/cusp in the project's
-- folder.
local Object = require "cusp.base.class"
local cusp = require "cusp"
local doc_comments = require "cusp.base.doc_comments"
local help = require "cusp.prompt.help"
local namespace = require "cusp.base.namespace"

---------------------------------------------------------------- text

-- A comment's text as one paragraph, and its indented examples.
local function paragraph(lines)
  local text, example = {}, {}
  for _, line in ipairs(lines) do
    if line:find "^    " then
      example[#example + 1] = line:sub(5)
    elseif line ~= "" then
      text[#text + 1] = line
    end
  end
  return table.concat(text, " "), table.concat(example, "\n")
end

-- Removes the indentation of an example's later lines in the comment.
local function dedent(text)
  local least
  for spaces in text:gmatch "\n( *)%S" do least = math.min(least or #spaces, #spaces) end
  return (text:gsub("\n" .. (" "):rep(least or 0), "\n"):gsub("^%s+", ""):gsub("%s+$", ""))
end

local function sentence(text) return text:find "[%w`)\"}]$" and text .. "." or text end

local function value_text(value)
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) == "table" and not getmetatable(value) then
    local parts = {}
    for i, item in ipairs(value) do parts[i] = value_text(item) end
    return "{" .. table.concat(parts, ", ") .. "}"
  end
  return tostring(value)
end

---------------------------------------------------------------- arguments

local function parameter_text(parameter)
  if parameter.kind == "tensors" then return parameter.name .. "..." end
  if parameter.default ~= nil then
    return ("%s = %s"):format(parameter.name, value_text(parameter.default))
  end
  return parameter.name .. (parameter.optional and "?" or "")
end

local function signature(parameters, brackets)
  local parts = {}
  for i, parameter in ipairs(parameters) do parts[i] = parameter_text(parameter) end
  return brackets:sub(1, 1) .. table.concat(parts, ", ") .. brackets:sub(2)
end

local constants = {["true"] = true, ["false"] = false}

-- Parameters from a comment, if none are declared.
local function commented_parameters(comment)
  local list = {}
  for i, parameter in ipairs(comment.parameters) do
    local text, default = parameter.default, nil
    if text then
      default = text:match '^"(.*)"$' or tonumber(text)
      if default == nil then default = constants[text] end
    end
    list[i] = {name = parameter.name, default = default, optional = parameter.optional}
  end
  return list
end

-- Parameters from a function's code.
local function plain_parameters(f)
  local list, info = {}, debug.getinfo(f, "u")
  for i = 1, info.nparams do
    local name = debug.getlocal(f, i)
    if name ~= "self" then list[#list + 1] = {name = name} end
  end
  if info.isvararg then list[#list + 1] = {name = "..."} end
  return list
end

local function lacks(list, parameters)
  local names = {}
  for _, parameter in ipairs(list) do names[parameter.name] = true end
  for _, parameter in ipairs(parameters) do
    if not names[parameter.name] then return true end
  end
  return false
end

local function all_optional(parameters)
  for _, parameter in ipairs(parameters) do
    if not parameter.optional then return false end
  end
  return true
end

local function function_parameters(f, comment)
  local declared = help.parameters(f)
  if declared and not lacks(declared, comment.parameters) then return declared end
  if #comment.parameters == 0 then return declared or plain_parameters(f) end
  local list = commented_parameters(comment)
  if debug.getinfo(f, "u").isvararg and not declared and all_optional(list) then
    table.insert(list, 1, {name = "..."})
  end
  return list
end

---------------------------------------------------------------- entries

local lines = {}
local function add(format, ...)
  lines[#lines + 1] = select("#", ...) > 0 and format:format(...) or format
end

-- One line of description, and one for each documented argument.
local function add_entry(heading, comment, others)
  local text, example = paragraph(comment.text)
  if #comment.returns > 0 then
    text = ("%s Returns %s"):format(sentence(text), sentence(table.concat(comment.returns, ", ")))
  end
  if #comment.raises > 0 then
    text = ("%s Raises an error %s"):format(sentence(text),
      sentence(table.concat(comment.raises, "; ")))
  end
  local names = others and #others > 0 and (", `%s`"):format(table.concat(others, "`, `")) or ""
  add("- **`%s`**%s %s", heading, names, text)
  for _, parameter in ipairs(comment.parameters) do
    if parameter.text ~= "" then add("  - `%s`: %s", parameter.names, parameter.text) end
  end
  local usage = dedent(table.concat(comment.usage, "\n"))
  if usage == "" then usage = example end
  if usage ~= "" then add("\n  ```lua\n  %s\n  ```", (usage:gsub("\n", "\n  "))) end
end

local function add_function(heading, f, comment, others)
  add_entry(heading .. signature(function_parameters(f, comment), "()"), comment, others)
end

---------------------------------------------------------------- namespaces

-- The members of a namespace as `{names = {...}, value =, comment =}`, one for all that share a
-- comment; and names without one.
local function members_of(space)
  local list, by_value, by_comment, bare = {}, {}, {}, {}
  for _, name in ipairs(namespace.names(space)) do
    local value = space[name]
    local class = Object.is_subclass(value, Object)
    local comment = class and doc_comments.of_class(value)
      or type(value) == "function" and doc_comments.of_function(value, name)
    local known = by_value[value] or comment and class and by_comment[comment]
    if known then
      known.names[#known.names + 1] = name
    elseif comment and #comment.text > 0 then
      list[#list + 1] = {names = {name}, value = value, class = class, comment = comment}
      by_value[value], by_comment[comment] = list[#list], list[#list]
    elseif class or type(value) == "function" then
      bare[#bare + 1] = name
    end
  end
  return list, bare
end

-- Lists a class's own name first, then Keras's aliases.
local function ordered_names(member)
  local own = member.class and member.value.__name
  table.sort(member.names, function(a, b)
    if (a == own) ~= (b == own) then return a == own end
    return a < b
  end)
  return member.names
end

-- Methods that programs call or override, besides those with their own section; the others are
-- internal.
local public_methods = {}
for name in ([[adapt get_vocabulary set_vocabulary vocabulary_size update_state result reset_state
  add_variable apply apply_gradients exclude_from_weight_decay finalize_variable_values
  add_optimizer_variables update_step plot length get_item on_epoch_begin on_epoch_end
  iterate]]):gmatch "%S+" do
  public_methods[name] = true
end

-- The public methods of a class, its own or from a base outside its namespace, in the order of the
-- source.
local function own_methods(class, space)
  local list, seen = {}, {}
  repeat
    for name in pairs(public_methods) do
      local f = rawget(class, name)
      local comment = type(f) == "function" and not seen[name] and doc_comments.of_function(f)
      seen[name] = seen[name] or f ~= nil
      if comment and #comment.text > 0 then
        list[#list + 1] = {name = name, f = f, comment = comment}
      end
    end
    class = rawget(class, "__super")
  until class == nil or space[class.__name] == class
  for i = #list, 1, -1 do
    if class and class[list[i].name] then table.remove(list, i) end
  end
  table.sort(list, function(a, b)
    local first, _, file = doc_comments.range(a.f)
    local other, _, other_file = doc_comments.range(b.f)
    if file == other_file then return first < other end
    return file < other_file
  end)
  return list
end

-- Omits parameters that a section documents once, if they have their usual form.
local function without_common(parameters, common)
  local kept = {}
  for _, parameter in ipairs(parameters) do
    local usual = common[parameter.name]
    if usual == nil or usual ~= true and usual ~= value_text(parameter.default) then
      kept[#kept + 1] = parameter
    end
  end
  return kept
end

local function add_member(prefix, space, member, common)
  local names = ordered_names(member)
  local heading, others = prefix .. "." .. names[1], {table.unpack(names, 2)}
  if not member.class then return add_function(heading, member.value, member.comment, others) end
  local parameters = help.parameters(member.value)
  if #parameters == 0 then parameters = commented_parameters(member.comment) end
  add_entry(heading .. signature(without_common(parameters, common), "{}"), member.comment, others)
  if member.value.__name == "Layer" then return end -- these have a section of their own
  for _, method in ipairs(own_methods(member.value, space)) do
    local name = ":" .. method.name
      .. signature(function_parameters(method.f, method.comment), "()")
    add("  - `%s` %s", name, (paragraph(method.comment.text)))
  end
end

-- Where a namespace is not the module of its name.
local modules = {
  config = "base.config", random = "tensors.random", tree = "utils.tree",
  backend = "utils.backend", dtype_policies = "base.dtype_policies",
  mixed_precision = "optimizers.mixed_precision",
}
for name in ("hdf5 json numpy tfrecord yaml zip"):gmatch "%S+" do
  modules[name] = "formats." .. name
end

local function add_title(path)
  local module = "cusp." .. (modules[path] or path)
  local comment = doc_comments.of_file(package.searchpath(module, package.path))
  add("\n## cusp.%s\n%s\n", path, (paragraph(comment.text)))
end

-- `options`: `prefix` of the names; `note` under the title; `common`: parameters that the note
-- documents (name → true, or the default as text); `skip`: names to leave out; `bare`: description
-- of members without a comment; `inside`: without a title.
local function add_space(path, options)
  local space = cusp
  for part in path:gmatch "[^.]+" do space = space[part] end
  if not options.inside then add_title(path) end
  if options.note then add(options.note .. "\n") end
  local list, bare = members_of(space)
  for _, member in ipairs(list) do
    local skipped = member.comment.hidden or options.skip and options.skip[member.names[1]]
    if not skipped then add_member(options.prefix or path, space, member, options.common or {}) end
  end
  if options.bare and #bare > 0 then add("\n%s `%s`.", options.bare, table.concat(bare, "`, `")) end
end

---------------------------------------------------------------- methods

-- Functions and classes of a table by name.
local function add_named(object, names, prefix)
  for name in names:gmatch "%S+" do
    local value = object[name]
    local class = Object.is_subclass(value, Object)
    local comment = class and doc_comments.of_class(value)
      or not class and doc_comments.of_function(value, name)
    if not comment then error(prefix .. name .. " has no comment") end
    if class then
      add_entry(prefix .. name .. signature(help.parameters(value), "{}"), comment)
    else
      add_function(prefix .. name, value, comment)
    end
  end
end

-- All documented functions of a file, by owner: `{["Archive:"] = "archive:"}`; `values` provides
-- their arguments.
local function add_file(module, owners, values)
  for _, entry in ipairs(doc_comments.functions(assert(package.searchpath(module,
    package.path)))) do
    local owner = owners[entry.owner .. entry.separator]
    if owner and not entry.comment.hidden then
      local f = values and values[entry.name]
      if f then
        add_function(owner .. entry.name, f, entry.comment)
      else
        add_entry(("%s%s(%s)"):format(owner, entry.name, entry.parameters), entry.comment)
      end
    end
  end
end

---------------------------------------------------------------- the page

local function add_top()
  add "\n## cusp\n"
  add_named(cusp, "tensor Variable GradientTape", "cusp.")
  add_file("cusp.tensors.gradients", {["GradientTape:"] = "tape:"}, cusp.GradientTape)
  add_named(cusp, "grad value_and_grad compile save load", "cusp.")
  add("\n`zeros`, `ones`, `full`, `arange`, `linspace`, `eye`, `zeros_like` and `ones_like` are "
    .. "the operations of those names. `time()` "
    .. "counts seconds. `set_num_threads(n)` and `get_num_threads()` are about the engine's "
      .. "threads. `cusp.None` is a size not known, "
    .. "`cusp.null` Python's None, in files and where nil would mean a default.")
end

local function add_models()
  local Model, Layer, saving = cusp.Model, cusp.layers.Layer, require "cusp.saving.methods"
  add "\n## Models"
  add("`cusp.Model{inputs = ..., outputs = ...}` is the graph between symbolic tensors, "
    .. "`cusp.Sequential{layer, layer, ...}` a stack of "
    .. "layers; both take a `name`.\n")
  add_named({Input = require("cusp.symbolic.tensors").input}, "Input", "cusp.")
  add_named(Model, "compile fit evaluate predict train_on_batch test_on_batch predict_on_batch",
    "model:")
  add_named(Model, "summary get_layer to_json to_yaml", "model:")
  add_named(saving, "save save_weights load_weights", "model:")
  add_named(
    Model, "train_step test_step predict_step compute_loss compute_metrics reset_metrics "
      .. "get_metrics_result", "model:")
  add_named(cusp.Sequential, "add pop", "sequential:")
  add_named(saving, "load_model", "models.")
  add_space("models", {inside = true,
    skip = {Model = true, Functional = true, Sequential = true, load_model = true}})
  add "\n## Methods of layers"
  add("Models are layers, and have them too. Fields: `weights`, `trainable_weights`, "
    .. "`non_trainable_weights`, `losses`, `trainable`, "
    .. "`name`, `input`, `output`.\n")
  add_named(Layer, "build call add_weight add_loss get_weights set_weights count_params get_config",
    "layer:")
end

local function add_operations()
  local rows = {}
  for _, row in pairs(require("cusp.ops").describe()) do rows[#rows + 1] = row end
  table.sort(rows, function(a, b) return a.name < b.name end)
  add "\n## cusp.ops\nEvery operation is also a method of tensors: `x:softmax()`.\n"
  for _, row in ipairs(rows) do
    if not (row.flags and row.flags.hidden) then
      add("- **`ops.%s%s`** %s", row.name, signature(row.arguments or {}, "()"), row.help or "")
    end
  end
end

local function add_optimizers()
  local common, names = {name = true}, {}
  for _, parameter in ipairs(help.parameters(cusp.optimizers.Optimizer)) do
    if parameter.name ~= "learning_rate" then
      common[parameter.name] = common[parameter.name] or value_text(parameter.default)
      names[#names + 1] = parameter.name
    end
  end
  add_space("optimizers", {prefix = "optimizers", common = common,
    note = ("Every optimizer also takes `%s`."):format(table.concat(names, "`, `"))})
end

local function add_training()
  add_space("activations", {prefix = "activations", bare = "The operations of these names:"})
  add_space("losses", {prefix = "losses",
    note = "Every class also takes `reduction`, `name` and `dtype`.",
    common = {reduction = value_text "sum_over_batch_size", name = true, dtype = true},
    bare = "Functions:"})
  add_space("metrics", {prefix = "metrics", note = "Every class also takes `name` and `dtype`.",
    common = {name = true, dtype = true},
    bare = "Functions:"})
  add_optimizers()
  for _, space in ipairs{"optimizers.schedules", "initializers", "regularizers", "constraints",
    "callbacks"} do
    add_space(space, {prefix = space:match "%w+$"})
  end
end

local function add_data()
  add_space("data", {prefix = "data"})
  add "\n### Data sets\n"
  add_file("cusp.data.dataset", {["Dataset."] = "Dataset.", ["Dataset:"] = "dataset:"},
    cusp.data.Dataset)
  for _, file in ipairs{"groups", "choices", "saved"} do
    add_file("cusp.data." .. file, {[file .. "."] = "Dataset.", [file .. ":"] = "dataset:"},
      cusp.data.Dataset)
  end
  add "\n### Pictures to begin with\n"
  add_named(cusp.datasets.digits, "load_data", "datasets.digits.")
  add_named(cusp.datasets.mnist, "load_data", "datasets.mnist.")
end

local function add_hdf5()
  add_space("hdf5", {})
  add "\n### Files that are read"
  add("A file is its root group as well: `file:get(path)`, `file:names()`, `file.attributes`. "
    .. "Fields of groups and datasets: `name`, "
    .. "`kind`, `attributes`; of datasets `shape`, `dtype`, `chunks`.\n")
  add_file("cusp.formats.hdf5.reader", {["methods:"] = "file:"})
  add_file("cusp.formats.hdf5.group", {["methods:"] = "group:"})
  add_file("cusp.formats.hdf5.dataset", {["methods:"] = "dataset:"})
  add_file("cusp.formats.hdf5.attributes", {["Attributes:"] = "attributes:"})
  add "\n### Files that are written\n"
  add_file("cusp.formats.hdf5.writer",
    {["file_methods:"] = "file:", ["group_methods:"] = "group:",
      ["NewAttributes:"] = "attributes:"})
end

local function add_files()
  add_space("saving", {})
  add "\n### Checkpoints\n"
  add_space("saving.checkpoint", {inside = true})
  add_hdf5()
  add_space("numpy", {})
  add_space("zip", {})
  add "\n### Archives\n"
  add_file("cusp.formats.zip", {["Archive:"] = "archive:", ["Writer:"] = "writer:"})
  add_space("json", {})
  add_space("yaml", {})
  add_space("tfrecord", {})
  add_space(
    "summary", {
      bare = "Functions that write to the default writer, with the arguments of its methods:"})
  add "\n### Writers\n"
  add_file("cusp.summary.writer", {["SummaryWriter:"] = "writer:"}, cusp.summary.SummaryWriter)
end

-- The sections' titles as links.
local function contents()
  local links = {}
  for _, line in ipairs(lines) do
    local title = line:match "^\n## ([^\n]*)"
    if title then
      links[#links + 1] = ("[%s](#%s)"):format(title,
        (title:lower():gsub("[^%w _-]", ""):gsub(" ", "-")))
    end
  end
  return table.concat(links, " · ")
end

local introduction = [[
# Reference
Written by `make docs` from the operation table and the sources; `help "NAME"` at the prompt shows
the same.

Axes count from 1, negative ones from the end. Positional arguments stand in this order; keyword
arguments go in a last table, and classes take them all in one:
`layers.Dense{32, activation = "relu"}`. `?` marks what may be left out, `...` a list of tensors.
]]

add_top()
add_models()
add_space("layers", {prefix = "layers", skip = {Input = true},
  bare = "Functions that make the layer and call it:",
  note = "Every layer also takes `name`, `dtype` and `trainable`, and the first one of a stack "
    .. "`input_shape`."})
add_operations()
add_space("random", {prefix = "random"})
add_training()
add_data()
add_files()
add_space("utils", {prefix = "utils"})
add_space("utils.bounding_boxes", {})
add_space("tree", {})
add_space("distillation", {})
add_space("config", {prefix = "config"})
add_space("dtype_policies", {})
add_space("mixed_precision", {})
add_space("backend", {})

local text = introduction .. "\n" .. contents() .. "\n" .. table.concat(lines, "\n") .. "\n"
local file = assert(io.open("docs/reference.md", "w"))
file:write(text)
assert(file:close())
print(("docs/reference.md: %d lines"):format(select(2, text:gsub("\n", "\n"))))
