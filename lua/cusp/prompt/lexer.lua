--- Lua text as tokens: for colours, completion and what is declared at the prompt.
-- @module cusp.prompt.lexer
local lexer = {}

local words =
  "and break do else elseif end false for function goto if in local nil not or repeat return then "
  .. "true until while"

--- Lua's reserved words, as keys.
lexer.keywords = {}
for word in words:gmatch "%a+" do lexer.keywords[word] = true end

-- Where a long bracket that opens at `at` ends; the text's end where it is not closed; nil where
-- none opens.
local function long_end(text, at)
  local equals = text:match("^%[(=*)%[", at)
  if not equals then return nil end
  local _, last = text:find("]" .. equals .. "]", at + 2 + #equals, true)
  return last or #text, last ~= nil
end

local function string_end(text, at)
  local quote, i = text:sub(at, at), at + 1
  while i <= #text do
    local c = text:sub(i, i)
    if c == quote then return i, true end
    if c == "\n" then return i - 1, false end
    i = i + (c == "\\" and (text:match("^z%s*()", i + 1) or i + 2) - i or 1)
  end
  return #text, false
end

local function comment_end(text, at)
  local last, closed = long_end(text, at + 2)
  if last then return last, closed end
  return (text:find("\n", at, true) or #text + 1) - 1, true
end

local function number_end(text, at)
  local exponent = text:find("^0[xX]", at) and "[pP]" or "[eE]"
  local i = at
  while i <= #text do
    if text:find("^" .. exponent .. "[+-]", i) then i = i + 2
    elseif text:find("^[%w.]", i) and not text:find("^%.%.", i) then i = i + 1
    else break end
  end
  return i - 1
end

local symbols = {"...", "<<", ">>", "//", "==", "~=", "<=", ">=", "::", ".."}

local function symbol_end(text, at)
  for _, symbol in ipairs(symbols) do
    if text:sub(at, at + #symbol - 1) == symbol then return at + #symbol - 1 end
  end
  return at
end

-- The kind of the token at a place, where it ends, and whether it is whole.
local function token_at(text, at)
  local c = text:sub(at, at)
  if c:find "%s" then return "space", text:match("^%s+()", at) - 1, true end
  if c:find "[%a_]" then
    local last = text:match("^[%w_]+()", at) - 1
    return lexer.keywords[text:sub(at, last)] and "keyword" or "name", last, true
  end
  if text:find("^%.?%d", at) then return "number", number_end(text, at), true end
  if text:find("^%-%-", at) then return "comment", comment_end(text, at) end
  if c == '"' or c == "'" then return "string", string_end(text, at) end
  local last, closed = long_end(text, at)
  if last then return "string", last, closed end
  return "symbol", symbol_end(text, at), true
end

--- The tokens of a text: `{kind =, text =, first =, last =, whole = whether it is closed}`. All of
-- the text is in some token; `kind` is "space", "comment", "string", "number", "name", "keyword" or
-- "symbol".
-- @tparam string text
-- @treturn {table,...}
function lexer.tokens(text)
  local list, at = {}, 1
  while at <= #text do
    local kind, last, whole = token_at(text, at)
    list[#list + 1] = {kind = kind, text = text:sub(at, last), first = at, last = last,
      whole = whole}
    at = last + 1
  end
  return list
end

--- The tokens that mean something to Lua: neither blanks nor comments.
function lexer.code(text)
  local list = {}
  for _, token in ipairs(lexer.tokens(text)) do
    if token.kind ~= "space" and token.kind ~= "comment" then list[#list + 1] = token end
  end
  return list
end

return lexer
