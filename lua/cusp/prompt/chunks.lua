--- Inputs as functions: an expression gives its values, and what is declared `local` lives on as a
-- variable of the prompt.
-- @module cusp.prompt.chunks
local engine = require "cusp.engine"
local globals = require "cusp.prompt.globals"
local lexer = require "cusp.prompt.lexer"

local chunks = {}

local KEEP = "__keep_locals"
-- The input's frame is to be there when what it calls fails.
local NO_TAIL_CALL = "local __frame <close> = nil "

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

local function keeping(text, declared)
  local names = {}
  for i, declaration in ipairs(declared) do names[i] = declaration.name end
  return ("%s\n;%s(%s)"):format(text, KEEP, table.concat(names, ", "))
end

--- Compiles an input.
-- @tparam string text
-- @tparam string name of the chunk: "=[7]"
-- @treturn ?table `{run = function, declared = {...}, hooked = whether locals are read when it
-- returns}`
-- @treturn ?string what is wrong with the text
-- @treturn ?boolean whether more lines would make it right
function chunks.compile(text, name)
  local expression = load(NO_TAIL_CALL .. "return " .. (text:match "^%s*=(.*)$" or text), name)
  if expression then return {run = expression, declared = {}} end
  local run, problem = load(text, name)
  if not run then return nil, problem, problem:find "<eof>$" ~= nil end
  local declared = declarations(text)
  if #declared == 0 then return {run = run, declared = declared} end
  text = without_attributes(text, declared)
  local kept = load(keeping(text, declared), name)
  return {run = kept or load(text, name) or run, declared = declared, hooked = not kept}
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
