--- Inputs as functions: an expression gives its values, and what is declared `local` lives on as a
-- variable of the prompt.
-- @module cusp.prompt.chunks
local engine = require "cusp.engine"
local globals = require "cusp.prompt.globals"
local lexer = require "cusp.prompt.lexer"
local lists = require "cusp.base.lists"

local chunks = {}

local KEEP = "__keep_locals"
-- The input's frame is to be there when what it calls fails.
local NO_TAIL_CALL = "local __frame <close> = nil "
local MOST_BEGINNINGS = 50 -- where the expression at the end of an input is looked for

---------------------------------------------------------------- what an input declares

local opening = {["do"] = 1, ["function"] = 1, ["then"] = 1, ["repeat"] = 1, ["end"] = -1,
  ["until"] = -1, ["elseif"] = -1}

-- The attribute after token i of a declaration, and the index of its last token.
local function attribute_at(tokens, i)
  local open, name, close = tokens[i + 1], tokens[i + 2], tokens[i + 3]
  if open and name and close and open.text == "<" and close.text == ">" then
    return name, i + 3
  end
  return nil, i
end

-- Notes the names declared from token i on, which is after `local`.
local function note_names(declared, tokens, i)
  if tokens[i] and tokens[i].text == "function" then i = i + 1 end
  while tokens[i] and tokens[i].kind == "name" do
    local attribute, last = attribute_at(tokens, i)
    declared[#declared + 1] = {name = tokens[i].text, attribute = attribute and attribute.text,
      first = attribute and tokens[i + 1].first, last = attribute and tokens[last].last}
    if not tokens[last + 1] or tokens[last + 1].text ~= "," then return end
    i = last + 2
  end
end

-- The locals of an input itself, not of the blocks in it.
local function declarations(text)
  local tokens, depth, declared = lexer.code(text), 0, {}
  for i, token in ipairs(tokens) do
    if depth == 0 and token.text == "local" then note_names(declared, tokens, i + 1) end
    depth = depth + (token.kind == "keyword" and opening[token.text] or 0)
  end
  return declared
end

-- The text without its attributes, so that nothing is closed when the input ends. Columns stay.
local function without_attributes(text, declared)
  for i = #declared, 1, -1 do
    local first, last = declared[i].first, declared[i].last
    if first then
      text = text:sub(1, first - 1) .. (" "):rep(last - first + 1) .. text:sub(last + 1)
    end
  end
  return text
end

---------------------------------------------------------------- compiling

-- The text, and behind it the call that keeps its locals and what it gives.
local function keeping(text, declared, expression)
  local keep = ("%s(%s) "):format(KEEP, table.concat(lists.pick(declared, "name"), ", "))
  if expression then return text .. ";" .. keep .. NO_TAIL_CALL .. "return " .. expression end
  return ("%s\n;%s"):format(text, keep)
end

-- What begins an expression and cannot continue one of the line before.
local can_begin = {["not"] = true, ["nil"] = true, ["true"] = true, ["false"] = true,
  ["function"] = true}

local function begins_statement(text, before, token)
  if before.text == ";" then return true end
  local is_new_line = text:sub(before.first, token.first - 1):find "\n"
  return is_new_line and (token.kind == "name" or token.kind == "number" or can_begin[token.text])
end

-- Statements with an expression behind them, as `x = f()` and `x` on the next line.
local function split_expression(text)
  local tokens, tries = lexer.code(text), 0
  for i = #tokens, 2, -1 do
    if begins_statement(text, tokens[i - 1], tokens[i]) then
      local place = tokens[i].first
      local head, tail = text:sub(1, place - 1), text:sub(place):gsub(";%s*$", "")
      if load("return " .. tail) then return load(head) and head, tail end
      tries = tries + 1
      if tries == MOST_BEGINNINGS then return nil end
    end
  end
end

-- Statements, and maybe an expression behind them, as a function that keeps its locals.
local function with_locals(text, name, expression)
  local declared = declarations(text)
  if #declared == 0 and not expression then return {run = load(text, name), declared = declared} end
  text = without_attributes(text, declared)
  local kept = load(keeping(text, declared, expression), name)
  if expression and not kept then return nil end
  return {run = kept or load(text, name), declared = declared, hooked = not kept}
end

--- Compiles an input: an expression, or statements, of which the last may be an expression.
-- @tparam string text
-- @tparam string name of the chunk: "=[7]"
-- @treturn ?table `{run = function, declared = {...}, hooked = whether locals are read when it
-- returns}`
-- @treturn ?string what is wrong with the text
-- @treturn ?boolean whether more lines would make it right
function chunks.compile(text, name)
  local expression = load(NO_TAIL_CALL .. "return " .. (text:match "^%s*=(.*)$" or text), name)
  if expression then return {run = expression, declared = {}} end
  local head, tail = split_expression(text)
  local split = head and with_locals(head, name, tail)
  if split then return split end
  local run, problem = load(text, name)
  if not run then return nil, problem, problem:find "<eof>$" ~= nil end
  return with_locals(text, name)
end

---------------------------------------------------------------- running

local function store(declared, values)
  for i, declaration in ipairs(declared) do
    globals.declare(declaration.name, values[i], declaration.attribute)
  end
end

-- The locals of the frame at a level, as far as they have been declared.
local function read_frame(declared, level)
  local values, found = {}, {}
  for i = 1, 250 do
    local name, value = debug.getlocal(level + 1, i)
    if not name then break end
    values[name], found[name] = value, true
  end
  for _, declaration in ipairs(declared) do
    if found[declaration.name] then
      globals.declare(declaration.name, values[declaration.name], declaration.attribute)
    end
  end
end

-- After an error, what was declared before it is there to be looked at. Called in a handler.
function chunks.keep_after_error(chunk)
  for level = 2, 200 do
    local info = debug.getinfo(level, "f")
    if not info then return end
    if info.func == chunk.run then
      read_frame(chunk.declared, level)
      return
    end
  end
end

local function hook(chunk)
  debug.sethook(function()
    if debug.getinfo(2, "f").func == chunk.run then read_frame(chunk.declared, 2) end
  end, "r")
end

--- Runs a chunk.
-- @tparam table chunk
-- @tparam function call `call(f, handler)`, as xpcall
-- @tparam function handler of errors
-- @treturn table the results of `call`, packed
function chunks.run(chunk, call, handler)
  rawset(_G, KEEP, function(...) store(chunk.declared, {...}) end)
  if chunk.hooked then hook(chunk) end
  local results = table.pack(call(chunk.run, function(...)
    engine.attempt(chunks.keep_after_error, chunk)
    return handler(...)
  end))
  if chunk.hooked then debug.sethook() end
  rawset(_G, KEEP, nil)
  return results
end

return chunks
