--- Annotations for lua-language-server and EmmyLua: files that no program runs. Classes have
-- two types: that of their instances, and with ".class" that of what makes them. What takes keyword
-- arguments has a type with ".options".
local Object = require "cusp.base.class"
local arguments = require "cusp.base.arguments"
local cusp = require "cusp"
local doc_comments = require "cusp.base.doc_comments"
local engine = require "cusp.engine"
local entries = require "reference.entries"
local methods = require "cusp.prompt.methods"
local namespace = require "cusp.base.namespace"
local types = require "reference.types"

local annotations = {}

local lines
local function add(format, ...)
  lines[#lines + 1] = select("#", ...) > 0 and format:format(...) or format
end

---------------------------------------------------------------- text

local keywords = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat
  return then true until while]]):gmatch "%a+" do
  keywords[word] = true
end

local function parameter_name(name) return keywords[name] and name .. "_" or name end

local function add_text(text)
  text = text:gsub("(%[[^%]]*%])%([^)]*%)", "%1")
  if text ~= "" then add("---%s", text) end
end

local function add_documentation(entry)
  add_text(entry.text)
  if entry.example and entry.example ~= "" then
    add "---```lua"
    for line in (entry.example .. "\n"):gmatch "(.-)\n" do add("---%s", line) end
    add "---```"
  end
end

local function note_of(parameter)
  local parts = {}
  if parameter.text then parts[1] = parameter.text end
  if parameter.default ~= nil then
    parts[#parts + 1] = "default `" .. entries.value_text(parameter.default) .. "`"
  end
  local text = table.concat(parts, "; ")
  return text == "" and "" or " # " .. text
end

---------------------------------------------------------------- options

local function is_needed(parameter)
  return not parameter.optional and parameter.default == nil
end

-- A table of keyword arguments, whose array part has the positional ones.
local function add_options(name, list, base)
  add("---@class %s%s", name, base and " : " .. base or "")
  for _, parameter in ipairs(list) do
    if parameter.name ~= "..." then
      add("---@field %s? %s%s", keywords[parameter.name] and ("[%q]"):format(parameter.name)
        or parameter.name, types.of_parameter(parameter), note_of(parameter))
    end
  end
  add "---@field [integer] any"
  add ""
end

---------------------------------------------------------------- functions

-- Whether a type for the keyword arguments is worth having.
local function takes_options(entry)
  return #entry.parameters > 1 and not entry.engine
end

-- The type of an argument, where a table of keyword arguments may stand instead.
local function type_in_call(parameter, options, place)
  local kind = types.of_parameter(parameter)
  if not options or kind == "any" or place == 1 then return kind end
  return kind .. "|" .. (place == 2 and options or "table")
end

-- `place`: that of the first parameter, 2 where the receiver stands for one.
local function add_parameters(entry, options, place)
  local names = {}
  for i = place == 2 and 2 or 1, #entry.parameters do
    local parameter = entry.parameters[i]
    local name = parameter_name(parameter.name)
    local optional = name ~= "..." and not is_needed(parameter)
    names[#names + 1] = name
    add("---@param %s%s %s%s", name, optional and "?" or "",
      type_in_call(parameter, options, i), note_of(parameter))
    if name == "..." then break end
  end
  return table.concat(names, ", ")
end

local function add_signature(owner, name, names)
  local head = owner:sub(1, -2)
  if not keywords[name] then return add("function %s%s(%s) end\n", owner, name, names) end
  if owner:find ":$" then names = names == "" and "self" or "self, " .. names end
  add("%s[%q] = function(%s) end\n", head, name, names)
end

-- `owner`: the local table, "space."; `more`: `returns`; `place` as above; `type_name`: that of the
-- options is made from it.
local function add_function(entry, owner, type_name, returns, place)
  local options = takes_options(entry) and type_name .. ".options"
  if options and not place then add_options(options, entry.parameters) end
  add_documentation(entry)
  local names = add_parameters(entry, options, place or 1)
  add("---@return %s", returns)
  if options and not place then
    add("---@overload fun(%soptions: %s|any[]): %s", owner:find ":$" and "self, " or "", options,
      returns:gsub(",.*", ""))
  end
  add_signature(owner, entry.name, names)
end

---------------------------------------------------------------- classes

local class_types = {} -- class → the type of its instances

local callable = {layers = "cusp.Tensor, any, any", losses = "cusp.Tensor",
  initializers = "cusp.Tensor", regularizers = "cusp.Tensor", constraints = "cusp.Tensor",
  ["optimizers.schedules"] = "cusp.Tensor", metrics = "cusp.Tensor"}

local function base_of(class)
  local base = rawget(class, "__super")
  while base and not class_types[base] do base = rawget(base, "__super") end
  return base and class_types[base] or "cusp.Object", base
end

-- What a class takes besides its own parameters: that of its bases, and a name.
local function further_parameters(class, list)
  local have, further = {}, {}
  for _, parameter in ipairs(list) do have[parameter.name] = true end
  for name, parameter in pairs(arguments.declaration(class).named) do
    if not have[name] then
      further[#further + 1] = {name = name, kind = parameter[2], default = parameter.default,
        choices = parameter.choices, optional = true}
      have[name] = true
    end
  end
  if not have.name then
    further[#further + 1] = {name = "name", kind = "string", optional = true}
  end
  table.sort(further, function(a, b) return a.name < b.name end)
  return table.move(further, 1, #further, #list + 1, table.move(list, 1, #list, 1, {}))
end

local function sorted_keys(map)
  local names = {}
  for name in next, map do
    if type(name) == "string" and not name:find "^_" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

-- What programs call or override, though it stands in a base without a type.
local inherited = {}
for name in ([[adapt build call compute_mask compute_output_shape get_config get_vocabulary
  reset_state result set_vocabulary update_state vocabulary_size]]):gmatch "%S+" do
  inherited[name] = true
end

local function is_shown(class, name, own)
  local f = rawget(class, name)
  local comment = type(f) == "function" and (own or inherited[name])
    and doc_comments.of_function(f)
  return comment and #comment.text > 0 and not comment.hidden and name ~= "init" and comment
end

-- Getters and documented methods of a class and of its bases that have no type.
local function own_members(class, base)
  local getters, found, names, own = {}, {}, {}, true
  while class and class ~= base and class ~= Object do
    for _, name in ipairs(sorted_keys(rawget(class, "__getters") or {})) do getters[name] = true end
    for _, name in ipairs(sorted_keys(class)) do
      local comment = not found[name] and is_shown(class, name, own)
      if comment then
        found[name] = entries.of_function(":" .. name, rawget(class, name), comment)
        names[#names + 1] = name
      end
    end
    class, own = rawget(class, "__super"), false
  end
  table.sort(names)
  return sorted_keys(getters), names, found
end

-- The type of instances: parameters are fields, which can be read.
local function add_instance(entry, type_name, calls)
  local class = entry.class
  local base, base_class = base_of(class)
  local getters, names, found = own_members(class, base_class)
  add("---@class %s : %s", type_name, base)
  for _, parameter in ipairs(entry.parameters) do
    if not found[parameter.name] and parameter.name:find "^[%a_][%w_]*$" then
      add("---@field %s any", parameter.name)
      getters[parameter.name] = true
    end
  end
  for _, name in ipairs(getters) do
    if not getters[name] and not found[name] then add("---@field %s any", name) end
  end
  if calls then add("---@overload fun(inputs: any, ...: any): %s", calls) end
  add "local instance = {}\n"
  for _, name in ipairs(names) do
    add_function(found[name], "instance:", type_name .. "." .. name,
      types.of_returns(found[name].comment, "any"))
  end
end

local function positional(list)
  local parts = {}
  for i, parameter in ipairs(list) do
    if parameter.name == "..." then return table.concat(parts, ", ") end
    parts[i] = ("%s%s: %s"):format(parameter_name(parameter.name),
      is_needed(parameter) and "" or "?", types.of_parameter(parameter))
  end
  return table.concat(parts, ", ")
end

-- The type of what makes instances, called with a table or with positional arguments.
local function add_constructor(entry, type_name)
  local options = type_name .. ".options"
  add_options(options, further_parameters(entry.class, entry.parameters))
  add_documentation(entry)
  add("---@class %s.class : cusp.Class", type_name)
  add("---@overload fun(options?: %s|any[]): %s", options, type_name)
  if #entry.parameters > 0 then
    add("---@overload fun(%s, options?: %s): %s", positional(entry.parameters), options, type_name)
  end
  add "local class = {}\n"
end

local function add_class(entry, type_name, space)
  add "do"
  add_instance(entry, type_name, callable[space])
  add_constructor(entry, type_name)
  add "end\n"
end

---------------------------------------------------------------- tensors

local operators = {"add", "sub", "mul", "div", "idiv", "mod", "pow", "band", "bor", "bxor", "shl",
  "shr"}

local function add_tensor_methods(rows)
  local owned = {}
  for name, note in pairs(methods.engine) do owned[name] = note end
  for _, name in ipairs(sorted_keys(engine.tensor_methods)) do
    local row = rows[name]
    if row and not owned[name] and #row.parameters > 0 then
      local list = row.row.flags and row.row.flags.list
      add_function(setmetatable({name = name, example = ""}, {__index = row}), "Tensor:",
        "cusp.ops." .. name,
        types.of_returns(row.comment, list and "cusp.Tensor[]" or "cusp.Tensor"), 2)
    end
  end
end

local function add_tensors(operations)
  local rows = {}
  for _, entry in ipairs(operations) do rows[entry.name] = entry end
  add "do"
  add_text("A tensor: a value of numbers or booleans with a shape. Symbolic tensors have this "
    .. "type, too.")
  add "---@class cusp.Tensor"
  add "---@field shape cusp.Shape"
  add "---@field dtype string"
  add "---@field ndim integer"
  add "---@field [integer] cusp.Tensor"
  for _, name in ipairs(operators) do
    add("---@operator %s(cusp.TensorLike): cusp.Tensor", name)
  end
  add "---@operator unm: cusp.Tensor"
  add "---@operator bnot: cusp.Tensor"
  add "---@operator len: integer"
  add "---@operator concat(any): string"
  add "local Tensor = {}\n"
  add_tensor_methods(rows)
  add "end\n"
end

---------------------------------------------------------------- what belongs to whom

-- Owners of methods as pages write them: page → owner → type; "" for all pages.
local owners = {
  [""] = {model = "cusp.Model", sequential = "cusp.Sequential", layer = "cusp.layers.Layer",
    tape = "cusp.GradientTape", history = "cusp.callbacks.History", tensor = "cusp.Tensor",
    variable = "cusp.Variable"},
  data = {dataset = "cusp.data.Dataset", Dataset = "cusp.data.Dataset.class"},
}

local function owner_type(page, owner)
  return owners[page.name] and owners[page.name][owner] or owners[""][owner]
    or ("cusp.%s.%s"):format(page.name, owner:sub(1, 1):upper() .. owner:sub(2))
end

-- Methods of datasets that give something else than another dataset.
local dataset_returns = {cardinality = "integer", iterate = "function", reduce = "any",
  save = "nil", apply = "any", get_single_element = "any"}

local engine_returns = {item = "any", tolist = "any", flat = "table", tobytes = "string",
  slice = "cusp.Tensor"}

-- Methods that a page lists, by the type of their owner, in the order of the page.
local function listed_methods(pages)
  local list, by_type = {}, {}
  for _, page in ipairs(pages) do
    for _, entry in ipairs(page.items) do
      local owner, separator = (entry.path or ""):match "^(%a+)([:.])[%w_]+$"
      if owner and (separator == ":" or owner == "Dataset") then
        local name = owner_type(page, owner)
        if not by_type[name] then
          by_type[name] = {name = name, separator = separator}
          list[#list + 1] = by_type[name]
        end
        table.insert(by_type[name], entry)
      end
    end
  end
  return list
end

local function returns_of(group, entry)
  if entry.engine then return engine_returns[entry.name] or "nil" end
  local otherwise = "any"
  if group.name:find "^cusp%.data%.Dataset" then
    otherwise = dataset_returns[entry.name] or "cusp.data.Dataset"
  end
  return types.of_returns(entry.comment, otherwise)
end

-- Methods beyond those that the class itself has shown.
local function add_listed(group, shown)
  add("do\n---@class %s\nlocal owner = {}\n", group.name)
  for _, entry in ipairs(group) do
    if not (shown[group.name] and shown[group.name][entry.name]) then
      add_function(entry, "owner" .. group.separator, group.name .. "." .. entry.name,
        returns_of(group, entry))
    end
  end
  add "end\n"
end

---------------------------------------------------------------- namespaces

local function is_member(page, entry)
  return entry.path and not entry.path:find ":" and not entry.path:find "^Dataset%."
    and not entry.path:find "^cusp%." and (entry.space or page.name == "ops"
      or page.name == "ops_image")
end

local function space_of(page, entry)
  return entry.space or (page.name == "ops" and "ops" or "ops.image")
end

-- A page lists classes that share a comment, such as Conv1D and Conv2D, in one entry; here each has
-- its own, with the names of that class alone.
local function add_separated(list, entry, path)
  local made, object = {}, cusp
  if not entry.class then
    list[#list + 1] = entry
    return
  end
  for part in path:gmatch "[^.]+" do object = object[part] end
  for _, name in ipairs{entry.name, table.unpack(entry.others)} do
    local class = object[name]
    if made[class] then
      table.insert(made[class].others, name)
    else
      made[class] = entries.of_class(path .. "." .. name, class, entry.comment, {})
      list[#list + 1] = made[class]
    end
  end
end

-- Namespaces in the order of the pages: `{path =, entries}`.
local function spaces_of(pages)
  local list, by_path = {}, {}
  for _, page in ipairs(pages) do
    for _, entry in ipairs(page.items) do
      if is_member(page, entry) then
        local path = space_of(page, entry)
        if not by_path[path] then
          by_path[path] = {path = path}
          list[#list + 1] = by_path[path]
        end
        add_separated(by_path[path], entry, path)
      end
    end
  end
  return list, by_path
end

local function name_classes(spaces)
  for _, space in ipairs(spaces) do
    for _, entry in ipairs(space) do
      if entry.class then
        class_types[entry.class] = ("cusp.%s.%s"):format(space.path, entry.name)
      end
    end
  end
end

-- What is no class of the library's kind, but is made like one.
local further_fields = {data = {"Dataset cusp.data.Dataset.class"}}

-- Values of a namespace that are neither functions nor classes.
local function add_values(path, shown)
  local object = cusp
  for part in path:gmatch "[^.]+" do object = object[part] end
  for _, name in ipairs(namespace.names(object)) do
    local kind = math.type(object[name]) or type(object[name])
    if not shown[name] and kind ~= "function" then
      add("---@field %s %s", name, (kind == "table" or kind == "userdata") and "any" or kind)
    end
  end
end

local function add_space(space, inner)
  local type_name = "cusp." .. space.path
  add "do"
  add("---@class %s", type_name)
  local shown = {Dataset = true}
  for _, name in ipairs(inner) do shown[name] = true end
  for _, entry in ipairs(space) do
    for _, name in ipairs{entry.name, table.unpack(entry.others)} do shown[name] = true end
    for _, name in ipairs(entry.class and {entry.name, table.unpack(entry.others)} or {}) do
      add("---@field %s %s.class # %s", name, class_types[entry.class], entry.text:match "^[^.\n]*")
    end
  end
  add_values(space.path, shown)
  for _, name in ipairs(further_fields[space.path] or {}) do add("---@field %s", name) end
  for _, name in ipairs(inner) do add("---@field %s cusp.%s.%s", name, space.path, name) end
  add "local space = {}\n"
  for _, entry in ipairs(space) do
    if not entry.class then
      add_function(entry, "space.", type_name .. "." .. entry.name, types.of_returns(entry.comment,
        space.path:find "^ops" and "cusp.Tensor" or "any"))
      for _, name in ipairs(entry.others) do add("space.%s = space.%s\n", name, entry.name) end
    end
  end
  add "end\n"
end

-- The namespaces below one: "schedules" of "optimizers".
local function inner_of(path, by_path)
  local names = {}
  for other in pairs(by_path) do
    local name = other:match("^" .. path:gsub("%.", "%%.") .. "%.([%w_]+)$")
    if name then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

---------------------------------------------------------------- cusp itself

local top_classes = {"Model", "Sequential", "Function", "GradientTape", "Object", "InputSpec",
  "SeedGenerator", "DTypePolicy"}

local function add_top_classes()
  local made = {}
  for _, name in ipairs(top_classes) do
    local class = cusp[name]
    local comment = Object.is_subclass(class, Object) and class ~= Object
      and doc_comments.of_class(class)
    if comment then
      made[#made + 1] = entries.of_class("cusp." .. name, class, comment, {})
      class_types[class] = class_types[class] or "cusp." .. name
    end
  end
  return made
end

local function type_of_member(name, value, by_path)
  if by_path[name] then return "cusp." .. name end
  if class_types[value] then return class_types[value] .. ".class" end
  if name == "Object" then return "cusp.Class" end
  return type(value) == "string" and "string" or "any"
end

local function add_cusp(by_path, top)
  local functions = {}
  for _, entry in ipairs(top) do functions[entry.name] = entry end
  add "---@class cusp"
  local names = sorted_keys(getmetatable(cusp).__members)
  for _, name in ipairs(names) do
    local value = cusp[name]
    if type(value) ~= "function" then
      add("---@field %s %s", name, type_of_member(name, value, by_path))
    end
  end
  add "---@field version string"
  add "local cusp = {}\n"
  for _, name in ipairs(names) do
    local value = cusp[name]
    if type(value) == "function" then
      local comment = doc_comments.of_function(value, name) or entries.comment ""
      local entry = functions[name] or entries.of_function("cusp." .. name, value, comment, {})
      local returns = name == "Variable" and "cusp.Variable" or (name == "Input" or entry.row)
        and "cusp.Tensor" or types.of_returns(entry.comment, "any")
      add_function(entry, "cusp.", "cusp." .. name, returns)
    end
  end
  add "return cusp"
end

-- Entries of `cusp.NAME`; makers of tensors are operations.
local function top_entries(pages, by_path)
  local list = {}
  for _, page in ipairs(pages) do
    for _, entry in ipairs(page.items) do
      if entry.path and entry.path:find "^cusp%.[%w_]+$" then list[#list + 1] = entry end
    end
  end
  for _, entry in ipairs(by_path.ops) do
    if rawget(getmetatable(cusp).__members, entry.name) then list[#list + 1] = entry end
  end
  return list
end

---------------------------------------------------------------- the file

local head = [[
---@meta cusp
-- Written by `make docs`: what lua-language-server and EmmyLua know of Cusp. docs/prompt.md says
-- how editors find it.

---@alias cusp.TensorLike cusp.Tensor|cusp.Variable|number|boolean|table

---@class cusp.Shape
---@field [integer] integer
---@operator len: integer
---@operator concat(any): string

---@class cusp.Object
---@field [string] any

---A class: `extend` makes one that inherits from it.
---@class cusp.Class
---@field extend fun(self: any, name: string, members?: table): any
---@field [string] any

---@class cusp.Variable : cusp.Tensor
---@field value cusp.Tensor
---@field name string
---@field path string
---@field trainable boolean

---@class cusp.callbacks.History
---@field history table<string, number[]>
---@field epoch integer[]
---@field params table

---@class cusp.data.Dataset
---@field class_names string[]
---@field file_paths string[]
---@field element_spec any
]]

-- Classes list their own methods; what pages list of them besides is added.
local function shown_methods()
  local shown = {}
  for class, name in pairs(class_types) do
    local _, base = base_of(class)
    local _, _, found = own_members(class, base)
    shown[name] = found
  end
  return shown
end

-- What `write` adds, as the text of a file.
local function file_of(first, write)
  lines = {first}
  write()
  return table.concat(lines, "\n") .. "\n"
end

local function add_space_with_classes(space, by_path)
  for _, entry in ipairs(space) do
    if entry.class then add_class(entry, class_types[entry.class], space.path) end
  end
  add_space(space, inner_of(space.path, by_path))
end

local function add_rest(pages, by_path, top)
  for _, entry in ipairs(top) do
    add_class(entry, class_types[entry.class], entry.name == "GradientTape" and "" or "layers")
  end
  add_tensors(by_path.ops)
  local shown = shown_methods()
  for _, group in ipairs(listed_methods(pages)) do add_listed(group, shown) end
  add_cusp(by_path, top_entries(pages, by_path))
end

local function alias_lines()
  local list = {}
  for i, alias in ipairs(types.aliases()) do
    list[i] = ("---@alias %s %s\n"):format(alias[1], alias[2])
  end
  return table.concat(list)
end

--- The files, by their paths in the folder of the library: one for `cusp` and one for each
-- namespace, since servers pass over files of more than 500 KB.
-- @treturn table path → text
function annotations.files(pages)
  local files = {}
  local spaces, by_path = spaces_of(pages)
  name_classes(spaces)
  local top = add_top_classes()
  for _, space in ipairs(spaces) do
    files[("cusp/%s.lua"):format(space.path)] = file_of("---@meta _\n",
      function() add_space_with_classes(space, by_path) end)
  end
  local rest = file_of("", function() add_rest(pages, by_path, top) end)
  files["cusp/engine.lua"] = "---@meta cusp.engine\n\n---@type table<string, any>\n"
    .. "local engine = {}\n\nreturn engine\n"
  files["cusp.lua"] = head .. "\n" .. alias_lines() .. rest
  return files
end

return annotations
