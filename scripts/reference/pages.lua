--- The pages of the reference, in their order: `{name = "layers", title = "cusp.layers", text =,
-- items = {...}}`. An item is an entry (`entries.lua`), `{heading =}` or `{text =}`.
local Object = require "cusp.base.class"
local cusp = require "cusp"
local doc_comments = require "cusp.base.doc_comments"
local entries = require "reference.entries"
local methods = require "cusp.prompt.methods"
local parameters = require "cusp.prompt.parameters"

local pages, page = {}, nil

---------------------------------------------------------------- what pages are made of

local function new_page(name, title, text)
  page = {name = name, title = title, text = text, items = {}}
  pages[#pages + 1] = page
end

local function add(item) page.items[#page.items + 1] = item end
local function add_heading(text) add{heading = text} end
local function add_text(text) add{text = text} end

-- Where a namespace is not the module of its name.
local modules = {
  config = "base.config", random = "tensors.random", tree = "utils.tree",
  backend = "utils.backend", dtype_policies = "base.dtype_policies",
  mixed_precision = "optimizers.mixed_precision",
  ["datasets.digits"] = "datasets.digits", ["ops.image"] = "ops.image",
}
for name in ("hdf5 json numpy safetensors tfrecord yaml zip"):gmatch "%S+" do
  modules[name] = "formats." .. name
end

local function text_of_module(path)
  local module = "cusp." .. (modules[path] or path)
  local comment = doc_comments.of_file(package.searchpath(module, package.path))
  return (entries.paragraph(comment.text))
end

local function space_of(path)
  local space = cusp
  for part in path:gmatch "[^.]+" do space = space[part] end
  return space
end

---------------------------------------------------------------- methods of classes

-- Methods that programs call or override, besides those with their own section; the others are
-- internal.
local public_methods = {}
for name in ([[adapt get_vocabulary set_vocabulary vocabulary_size update_state result reset_state
  add_variable apply apply_gradients exclude_from_weight_decay finalize_variable_values
  add_optimizer_variables update_step plot length get_item on_epoch_begin on_epoch_end
  iterate]]):gmatch "%S+" do
  public_methods[name] = true
end

local function by_place(a, b)
  local first, _, file = doc_comments.range(a.value)
  local other, _, other_file = doc_comments.range(b.value)
  if file == other_file then return first < other end
  return file < other_file
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
        list[#list + 1] = entries.of_function(":" .. name, f, comment)
      end
    end
    class = rawget(class, "__super")
  until class == nil or space[class.__name] == class
  for i = #list, 1, -1 do
    if class and class[list[i].name] then table.remove(list, i) end
  end
  table.sort(list, by_place)
  return list
end

---------------------------------------------------------------- namespaces

-- Omits parameters that a page documents once, if they have their usual form.
local function shown(list, common)
  local kept = {}
  for _, parameter in ipairs(list) do
    local usual = common[parameter.name]
    if usual == nil or usual ~= true and usual ~= entries.value_text(parameter.default) then
      kept[#kept + 1] = parameter
    end
  end
  return kept
end

-- `options`: `prefix` of the names; `common`: parameters that the page documents (name → true, or
-- the default as text); `skip`: names to leave out.
local function add_members(path, options)
  local space = space_of(path)
  for _, entry in ipairs(entries.of_space(path, space, options.prefix or path)) do
    if not (options.skip and options.skip[entry.name]) then
      if entry.class then
        entry.shown = shown(entry.parameters, options.common or {})
        -- those of Layer have a section of their own
        if entry.class.__name ~= "Layer" then entry.methods = own_methods(entry.class, space) end
      end
      entry.space = path
      add(entry)
    end
  end
end

local function add_space(path, options)
  options = options or {}
  new_page((path:gsub("%.", "_")), "cusp." .. path, text_of_module(path))
  if options.note then add_text(options.note) end
  add_members(path, options)
end

-- A smaller namespace on the page of a larger one.
local function add_part(path, options)
  add_heading("cusp." .. path)
  add_text(text_of_module(path))
  add_members(path, options or {})
end

---------------------------------------------------------------- functions by name

-- Functions and classes of a table by name.
local function add_named(object, names, prefix)
  for name in names:gmatch "%S+" do
    local value = object[name]
    local class = Object.is_subclass(value, Object)
    local comment = class and doc_comments.of_class(value)
      or not class and doc_comments.of_function(value, name)
    if not comment then error(prefix .. name .. " has no comment") end
    local new = class and entries.of_class or entries.of_function
    local entry = new(prefix .. name, value, comment)
    if prefix == "model:" and entry.parameters[1] and entry.parameters[1].name == "model" then
      table.remove(entry.parameters, 1) -- what stands before the colon
    end
    add(entry)
  end
end

-- The parameters between the brackets of a function's first line.
local function written(text)
  local list = {}
  for name in text:gmatch "[%w_.]+" do list[#list + 1] = {name = name} end
  return list
end

-- All documented functions of a file, by owner: `{["Archive:"] = "archive:"}`; `values` provides
-- their arguments.
local function add_file(module, owners, values)
  for _, found in ipairs(doc_comments.functions(assert(package.searchpath(module,
    package.path)))) do
    local owner = owners[found.owner .. found.separator]
    if owner and not found.comment.hidden then
      local f = values and values[found.name]
      add(f and entries.of_function(owner .. found.name, f, found.comment)
        or entries.new(owner .. found.name, "()", written(found.parameters), found.comment))
    end
  end
end

---------------------------------------------------------------- tensors

local indexing = [[
Tensors are values: nothing changes one. They have the fields `shape` (a list that prints, compares
and concatenates), `dtype` and `ndim`. Every operation of [cusp.ops](ops.md) is also a method:
`x:softmax()`, `x:sum{axis = 1}`.

- **`t[i]`** The part at index `i` of the first axis: a row of a matrix, an element (a tensor of no
  axes) of a vector. Indices count from 1, negative ones from the end.
- **`t[mask]`** The elements where a tensor of booleans is true.
- **`#t`** The size of the first axis.
- **`pairs(t)`** Goes through the first axis: `for i, row in pairs(t) do ... end`.
- **`t + u`**, `t - u`, `t * u`, `t / u`, `t // u`, `t % u`, `t ^ u`, `-t` Elementwise, with
  broadcasting. One operand may be a number or a nested table.
- **`t & u`**, `t | u`, `t ~ u`, `~t`, `t << u`, `t >> u` The same for integers and booleans.
- **`t == u`** Lua compares identities here: the result is always one boolean, true for one and the
  same tensor. `t:equal(u)` compares elements, as do `t:not_equal(u)`, `t:less(u)`,
  `t:less_equal(u)`, `t:greater(u)` and `t:greater_equal(u)`; `t:allclose(u)` compares all at once.
- **`t < u`**, `t <= u`, `t > u`, `t >= u` Of tensors of one element: a boolean.
- **`"loss " .. t`** The text of a tensor, as `print(t)` shows it.]]

local variables = [[
A variable stands wherever a tensor does, and has its operators and methods. Fields: `value` (a
tensor), `shape`, `dtype`, `ndim`, `name`, `path`, `trainable`, `constraint`, `regularizer`.]]

-- Methods of tensors, or of variables, that are written in C.
local function add_engine_methods(owner)
  local names = {}
  for name, note in pairs(methods.engine) do
    if note.owner == owner then names[#names + 1] = name end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local note = methods.engine[name]
    local head, rest = note.signature:match "^([%w_:]+)(.*)$"
    local list = written(rest:match "^%((.*)%)$" or "ranges")
    for _, parameter in ipairs(list) do parameter.optional = list[#list].name == "..." end
    add(entries.new(head, "", list, entries.comment(note.text, {usage = {note.example}}),
      {signature = note.signature, engine = true}))
  end
end

local function add_tensors()
  new_page("tensors", "Tensors and variables", "Making tensors, what they can do, and variables.")
  add_named(cusp, "tensor", "cusp.")
  add_text("`cusp.zeros`, `ones`, `full`, `arange`, `linspace`, `eye`, `zeros_like` and "
    .. "`ones_like` are the operations of those names.")
  add_heading "Methods and operators of tensors"
  add_text(indexing)
  add_engine_methods "tensor"
  add_heading "Variables"
  add_text(variables)
  add_named(cusp, "Variable", "cusp.")
  add_engine_methods "variable"
end

---------------------------------------------------------------- the first pages

local function add_top()
  new_page("cusp", "cusp", "Gradients, compiled functions, and files of tensors.")
  add_named(cusp, "GradientTape", "cusp.")
  add_file("cusp.tensors.gradients", {["GradientTape:"] = "tape:"}, cusp.GradientTape)
  add_named(cusp, "grad value_and_grad compile remat save load inspect name_scope", "cusp.")
  add(entries.new("cusp.display", "()", {{name = "..."}},
    doc_comments.of_function(cusp.display.clear, "cusp.display")))
  add_named(cusp.display, "clear", "cusp.display.")
  add_text("`cusp.time()` counts seconds. `cusp.set_num_threads(n)` and `cusp.get_num_threads()` "
    .. "are about the engine's threads. `cusp.None` is a size not known, `cusp.null` Python's "
    .. "None, in files and where nil would mean a default; in `t:slice{...}`, `cusp.newaxis` makes "
    .. "a new axis.")
end

local function add_models()
  local Model, saving = cusp.Model, require "cusp.saving.methods"
  new_page("models", "Models", "`cusp.Model{inputs = ..., outputs = ...}` is the graph between "
    .. "symbolic tensors, `cusp.Sequential{layer, layer, ...}` a stack of layers; both take a "
    .. "`name`.")
  add_named({Input = require("cusp.symbolic.tensors").input}, "Input", "cusp.")
  add_named(Model, "compile fit evaluate predict train_on_batch test_on_batch predict_on_batch",
    "model:")
  add_named(Model, "summary get_layer set_trainable to_json to_yaml", "model:")
  local trees = require "cusp.models.state_tree"
  add_named({get_state_tree = trees.get, set_state_tree = trees.set},
    "get_state_tree set_state_tree", "model:")
  add_named(Model, "profile", "model:")
  add_named({export_c = require("cusp.export_c").export}, "export_c", "model:")
  add_named(Model, "export", "model:")
  add_named(saving, "save save_weights load_weights", "model:")
  add_named(
    Model, "train_step test_step predict_step compute_loss compute_metrics reset_metrics "
      .. "get_metrics_result", "model:")
  add_named(cusp.Sequential, "add pop", "sequential:")
  add_named(saving, "load_model", "models.")
  add_members("models", {skip = {Model = true, Functional = true, Sequential = true,
    load_model = true}})
end

local function add_layers()
  new_page("layers", "cusp.layers", text_of_module "layers")
  add_text("Every layer also takes `name`, `dtype` and `trainable`, and the first one of a stack "
    .. "`input_shape`.")
  add_heading "Methods of layers"
  add_text("Models are layers, and have them too. Fields: `weights`, `trainable_weights`, "
    .. "`non_trainable_weights`, `losses`, `trainable`, `name`, `input`, `output`.")
  add_named(cusp.layers.Layer, "build call add_weight add_loss get_weights set_weights "
    .. "count_params get_config", "layer:")
  add_heading "All layers"
  add_members("layers", {skip = {Input = true}})
end

local function add_operations()
  local _, rows = cusp.ops.image.resize, {} -- describes the operations on images, too
  for _, row in pairs(cusp.ops.describe()) do
    if not (row.flags and row.flags.hidden) then rows[#rows + 1] = row end
  end
  table.sort(rows, function(a, b) return a.name < b.name end)
  local parts = {{"ops", "cusp.ops", "^[^.]+$"}, {"ops_image", "cusp.ops.image", "^image%."}}
  for _, part in ipairs(parts) do
    new_page(part[1], part[2], part[1] == "ops"
      and "Every operation is also a method of tensors: `x:softmax()`."
      or text_of_module "ops.image")
    for _, row in ipairs(rows) do
      if row.name:find(part[3]) then add(entries.of_operation(row, "ops." .. row.name)) end
    end
    if part[1] == "ops" then add_named(cusp.ops, "switch", "ops.") end -- has no row
  end
end

---------------------------------------------------------------- training

local function add_optimizers()
  local common, names = {name = true}, {}
  for _, parameter in ipairs(parameters.of(cusp.optimizers.Optimizer)) do
    if parameter.name ~= "learning_rate" then
      common[parameter.name] = common[parameter.name] or entries.value_text(parameter.default)
      names[#names + 1] = parameter.name
    end
  end
  add_space("optimizers", {common = common,
    note = ("Every optimizer also takes `%s`."):format(table.concat(names, "`, `"))})
  add_part("optimizers.schedules", {prefix = "schedules"})
  add_part "mixed_precision"
end

local function add_training()
  add_space "activations"
  add_space("losses", {note = "Every class also takes `reduction`, `name` and `dtype`.",
    common = {reduction = entries.value_text "sum_over_batch_size", name = true, dtype = true}})
  add_space("metrics", {note = "Every class also takes `name` and `dtype`.",
    common = {name = true, dtype = true}})
  add_optimizers()
  for _, path in ipairs{"initializers", "regularizers", "constraints", "callbacks"} do
    add_space(path)
  end
  new_page("plot", "Charts", text_of_module "plot")
  add_named(cusp.callbacks.History, "plot", "history:")
  add_named(require "cusp.plot", "history", "plot.")
  add_named({plot_model = cusp.utils.plot_model}, "plot_model", "utils.")
end

---------------------------------------------------------------- data and files

local function add_data()
  add_space "data"
  add_heading "Datasets"
  add_file("cusp.data.dataset", {["Dataset."] = "Dataset.", ["Dataset:"] = "dataset:"},
    cusp.data.Dataset)
  for _, file in ipairs{"groups", "choices", "saved"} do
    add_file("cusp.data." .. file, {[file .. "."] = "Dataset.", [file .. ":"] = "dataset:"},
      cusp.data.Dataset)
  end
  add_heading "Pictures to begin with"
  add_named(cusp.datasets.digits, "load_data", "datasets.digits.")
  add_named(cusp.datasets.mnist, "load_data", "datasets.mnist.")
end

local function add_hdf5()
  add_space "hdf5"
  add_heading "Files that are read"
  add_text("A file is its root group as well: `file:get(path)`, `file:names()`, "
    .. "`file.attributes`. Fields of groups and datasets: `name`, `kind`, `attributes`; of "
    .. "datasets `shape`, `dtype`, `chunks`.")
  add_file("cusp.formats.hdf5.reader", {["methods:"] = "file:"})
  add_file("cusp.formats.hdf5.group", {["methods:"] = "group:"})
  add_file("cusp.formats.hdf5.dataset", {["methods:"] = "dataset:"})
  add_file("cusp.formats.hdf5.attributes", {["Attributes:"] = "attributes:"})
  add_heading "Files that are written"
  add_file("cusp.formats.hdf5.writer",
    {["file_methods:"] = "file:", ["group_methods:"] = "group:",
      ["NewAttributes:"] = "attributes:"})
end

local function add_files()
  add_space "saving"
  add_heading "Checkpoints"
  add_members("saving.checkpoint", {})
  add_hdf5()
  add_space "numpy"
  add_space "safetensors"
  add_space("onnx", {skip = {OnnxGraph = true}})
  add_space "zip"
  add_heading "Archives"
  add_file("cusp.formats.zip", {["Archive:"] = "archive:", ["Writer:"] = "writer:"})
  add_space "json"
  add_space "yaml"
  add_space "tfrecord"
  add_space("summary", {note = "Functions named like the writer's methods write to the default "
    .. "writer."})
  add_heading "Writers"
  add_file("cusp.summary.writer", {["SummaryWriter:"] = "writer:"}, cusp.summary.SummaryWriter)
end

add_tensors()
add_top()
add_models()
add_layers()
add_operations()
add_space "random"
add_training()
add_data()
add_files()
add_space "applications"
add_heading "Pixels and classes"
add_text("Each family is a namespace as well, such as `applications.resnet_v2`: it has its "
  .. "networks, and these functions for the pixels that they want.")
add_named(cusp.applications.imagenet_utils, "preprocess_input decode_predictions",
  "applications.imagenet_utils.")
add_space "utils"
add_part "utils.bounding_boxes"
add_part "tree"
add_space "samplers"
add_space "distillation"
add_space "quantizers"
add_space "visualization"
add_space "distribution"
add_space "profiler"
add_space "config"
add_part "dtype_policies"
add_part "backend"

return pages
