--- Which methods of a value are for everybody, and what those do that are written in C.
-- @module cusp.prompt.methods
local doc_comments = require "cusp.base.doc_comments"
local engine = require "cusp.engine"
local lists = require "cusp.base.lists"

local methods = {}

-- Keras's methods that a class of the library may have without a comment of its own.
local known = {call = true, build = true, get_config = true, compute_output_shape = true,
  compute_mask = true, from_config = true, save = true, save_weights = true, load_weights = true}

-- Whether a method is public: always in a program's class, else where a comment says what it does.
local function is_public(class, name, value)
  if type(value) ~= "function" or name:sub(1, 1) == "_" then return false end
  if rawget(class, "__super") and not rawget(class, "__library") then return name ~= "init" end
  local comment = doc_comments.of_function(value)
  if comment and not comment.hidden and #comment.text > 0 and name ~= "init" then return true end
  return known[name] == true and not (comment and comment.hidden)
end

local function add_class(names, class)
  while type(class) == "table" and rawget(class, "__name") ~= "Object" do
    for name, value in next, class do
      if type(name) == "string" and names[name] == nil and is_public(class, name, value) then
        names[name] = true
      end
    end
    class = rawget(class, "__super")
  end
end

--- The public methods of a class, with those that it has from others, sorted.
-- @tparam table class
-- @treturn {string,...}
function methods.of_class(class)
  local found = {}
  add_class(found, class)
  return lists.keys(found)
end

--- The public fields that a class computes when they are asked for.
-- @treturn {string,...}
function methods.getters(class)
  local names = {}
  while type(class) == "table" do
    for name in next, rawget(class, "__getters") or {} do
      if name:sub(1, 1) ~= "_" then names[#names + 1] = name end
    end
    class = rawget(class, "__super")
  end
  return names
end

--- Methods of tensors and variables that are written in C: name → `{owner =, signature =, text =,
-- example =}`.
methods.engine = {
  item = {owner = "tensor", signature = "tensor:item(i, j, ...)",
    text = "An element as a Lua number or boolean, by its indices from 1; without indices, of a "
      .. "tensor of one element.",
    example = "local t = cusp.tensor{{1, 2}, {3, 4}}\nprint(t:item(2, 1)) --> 3"},
  tolist = {owner = "tensor", signature = "tensor:tolist()",
    text = "The elements as nested Lua tables; a number or boolean for a scalar.",
    example = "local t = cusp.tensor{{1, 2}, {3, 4}}\nprint(t:tolist()[2][1]) --> 3"},
  flat = {owner = "tensor", signature = "tensor:flat()",
    text = "The elements as one flat Lua table, row by row.",
    example = "local t = cusp.tensor{{1, 2}, {3, 4}}\nprint(#t:flat()) --> 4"},
  tobytes = {owner = "tensor", signature = "tensor:tobytes()",
    text = "The elements as they lie in memory, row by row, in a string.",
    example = "print(#cusp.ones{2, 2}:tobytes()) --> 16"},
  slice = {owner = "tensor", signature = "tensor:slice{{first, last, step}, ...}",
    text = "A part of the tensor: for each axis {first, last} or {first, last, step}, from 1 and "
      .. "inclusive; -1 is the last; {} is the whole axis; a number takes one index and drops the "
      .. "axis; cusp.newaxis is a new axis of size 1; \"...\" stands for the axes that are not "
      .. "mentioned. Axes that are left out at the end are whole.",
    example = "local t = cusp.tensor{{1, 2, 3}, {4, 5, 6}}\n"
      .. "print(t:slice{{}, {2, -1}}:tolist()[1][1]) --> 2"},
  assign = {owner = "variable", signature = "variable:assign(value)",
    text = "Sets the variable's value; the shape has to be the variable's.",
    example = "local v = cusp.Variable{1.0, 2.0}\nv:assign{3.0, 4.0}\nprint(v:item(1)) --> 3.0"},
  assign_add = {owner = "variable", signature = "variable:assign_add(value)",
    text = "Adds to the variable's value.",
    example = "local v = cusp.Variable{1.0, 2.0}\nv:assign_add(1)\nprint(v:item(1)) --> 2.0"},
  assign_sub = {owner = "variable", signature = "variable:assign_sub(value)",
    text = "Subtracts from the variable's value.",
    example = "local v = cusp.Variable{1.0, 2.0}\nv:assign_sub(1)\nprint(v:item(2)) --> 1.0"},
}

--- The methods of tensors, or of variables, by name.
-- @treturn table name → function
function methods.of_engine(value)
  local all = {}
  for name, f in pairs(engine.tensor_methods) do all[name] = f end
  if engine.is_variable(value) then
    for name, f in pairs(engine.variable_methods) do all[name] = f end
  end
  return all
end

return methods
