--- What an expression before the cursor is, found without running any of it: the value where names,
-- fields and indexes lead to one, else the class of what a call gives.
-- @module cusp.prompt.expressions
local doc_comments = require "cusp.base.doc_comments"
local engine = require "cusp.engine"
local globals = require "cusp.prompt.globals"
local lexer = require "cusp.prompt.lexer"
local parameters = require "cusp.prompt.parameters"

local expressions = {}

local pairs_of = {["("] = ")", ["["] = "]", ["{"] = "}"}
local TENSOR = {kind = "tensor"}

-- Looks without raising. A metamethod of the user's may run: that of an index.
local function index(value, key)
  local ok, result = engine.attempt(function() return value[key] end)
  if ok then return result end
  return nil
end

---------------------------------------------------------------- what calls give

-- The class that a comment's "@treturn Dataset" names.
local function class_named(name)
  local cusp = require "cusp"
  if name == "tensor" or name == "Tensor" then return TENSOR end
  if name == "Variable" then return {kind = "variable"} end
  for _, space in ipairs{cusp, cusp.models, cusp.data, cusp.callbacks, cusp.layers} do
    local found = index(space, name)
    if parameters.is_class(found) then return {class = found} end
    -- a table of methods that is no class of ours
    if type(found) == "table" then return {value = found} end
  end
end

-- Functions of datasets give datasets where they do not say otherwise.
local function is_of_dataset(owner)
  local Dataset = require("cusp").data.Dataset
  return owner == Dataset or type(owner) == "table" and getmetatable(owner) == Dataset
end

local function result_of_function(f, found)
  if parameters.operation(f) then return TENSOR end
  local comment = doc_comments.of_function(f, found.name)
  if comment and #comment.returns == 0 and is_of_dataset(found.owner) then
    return class_named "Dataset"
  end
  local name = comment and comment.returns[1] and comment.returns[1]:match "^(%a[%w_]*)"
  return name and class_named(name)
end

-- What a call of something gives: `{value =}`, `{class =}`, `{kind =}` or nil.
local function result(found)
  if found.kind == "method of tensor" then return TENSOR end
  local value = found.value
  if parameters.is_class(value) then return {class = value} end
  if type(value) == "function" then return result_of_function(value, found) end
  local class = found.class or type(value) == "table" and getmetatable(value)
  -- a layer or model is called on tensors
  if parameters.is_class(class) then return TENSOR end
end

local function member(found, name)
  if found.value ~= nil then
    local value = index(found.value, name)
    return value ~= nil and {value = value, name = name, owner = found.value} or nil
  end
  if found.class then
    local value = index(found.class, name)
    return value ~= nil and {value = value, name = name} or nil
  end
  local method = engine.tensor_methods[name]
  return method and {value = method, kind = "method of tensor"} or nil
end

---------------------------------------------------------------- reading backwards

local function matching_open(tokens, i)
  local depth = 0
  for at = i, 1, -1 do
    local text = tokens[at].kind == "symbol" and tokens[at].text
    if text == ")" or text == "]" or text == "}" then depth = depth + 1 end
    if pairs_of[text] then
      depth = depth - 1
      if depth == 0 then return at end
    end
  end
end

local closes = {[")"] = true, ["]"] = true, ["}"] = true}

-- The index of the token that the primary expression which ends at token i begins with; nil where
-- none does.
local function beginning(tokens, i)
  while tokens[i] do
    local token = tokens[i]
    if token.kind == "symbol" and closes[token.text] then
      local open = matching_open(tokens, i)
      if not open then return nil end
      local before = tokens[open - 1]
      local called = before and (before.kind == "name" or before.kind == "string"
        or closes[before.text])
      if not called then return token.text == ")" and open or nil end
      i = open - 1
    elseif token.kind == "string" and tokens[i - 1]
      and (tokens[i - 1].kind == "name" or closes[tokens[i - 1].text]) then
      i = i - 1
    elseif token.kind == "name" then
      local before = tokens[i - 1]
      if not before or before.text ~= "." and before.text ~= ":" then return i end
      i = i - 2
    else
      return token.kind == "string" and i or nil
    end
  end
end

---------------------------------------------------------------- following

local function literal(tokens)
  if #tokens ~= 1 or tokens[1].kind ~= "number" and tokens[1].kind ~= "string" then return nil end
  local f = load("return " .. tokens[1].text, "=key", "t", {})
  return f and f()
end

local function inner_tokens(tokens, first, last)
  return table.move(tokens, first + 1, last - 1, 1, {})
end

local function matching_close(tokens, i)
  for at = i + 1, #tokens do
    if closes[tokens[at].text] and matching_open(tokens, at) == i then return at end
  end
end

local evaluate -- forward

local function start(tokens)
  local first = tokens[1]
  if first.kind == "name" then
    local value = globals.get(first.text)
    return value ~= nil and {value = value} or nil, 2
  end
  if first.kind == "string" then return {value = "text"}, 2 end
  local close = matching_close(tokens, 1)
  return close and evaluate(inner_tokens(tokens, 1, close)), (close or 0) + 1
end

local function step(found, tokens, i)
  local token = tokens[i]
  if token.text == "." or token.text == ":" then
    return tokens[i + 1] and member(found, tokens[i + 1].text), i + 2
  end
  if token.kind == "string" then return result(found), i + 1 end
  local close = matching_close(tokens, i)
  if not close then return nil, i end
  if token.text ~= "[" then return result(found), close + 1 end
  local key = literal(inner_tokens(tokens, i, close))
  if found.kind == "tensor" then return TENSOR, close + 1 end
  return key ~= nil and member(found, key), close + 1
end

evaluate = function(tokens)
  if #tokens == 0 then return nil end
  local found, i = start(tokens)
  while found and tokens[i] do found, i = step(found, tokens, i) end
  return found or nil
end

--- What the text's last primary expression is.
-- @tparam string text
-- @treturn ?table `{value =}`, `{class =}` of an instance, or `{kind = "tensor"|"variable"}`
function expressions.last(text)
  local tokens = lexer.code(text)
  local first = beginning(tokens, #tokens)
  return first and evaluate(table.move(tokens, first, #tokens, 1, {}))
end

return expressions
