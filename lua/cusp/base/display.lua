--- Values shown as a notebook shows them: in several forms at once, of which the reader's program
-- takes the best. Without a notebook they are printed.
-- @module cusp.display
local engine = require "cusp.engine"
local inspect = require "cusp.base.inspect"

local display = {}

local sink     -- function(forms, id, is_update); nil outside a notebook
local forms_of -- function(value) for the library's own values
local clear    -- function(wait)

--- Sets where forms go, and what the library's values look like there; the notebook does.
-- @tparam ?function to `to(forms, id, is_update)`: forms by MIME type; what has an id can be
-- replaced
-- @tparam ?function of `of(value)`: the forms of a value
-- @tparam ?function away `away(wait)` takes what was shown away
-- @local
function display.open(to, of, away) sink, forms_of, clear = to, of, away end

--- Whether a notebook shows what is displayed.
-- @treturn boolean
-- @local
function display.is_open() return sink ~= nil end

--- Shows forms that are there already, such as `{["image/svg+xml"] = text}`.
-- @local
function display.forms(forms, id, is_update) sink(forms, id, is_update) end

--- Shows a picture in SVG, no wider than the page.
-- @tparam string svg
-- @tparam string text instead of it, where no picture can be shown
-- @local
function display.svg(svg, text)
  svg = svg:gsub("<svg ", '<svg style="max-width: 100%%; height: auto" ', 1)
  sink{["image/svg+xml"] = svg, ["text/plain"] = text}
end

--- The forms that a value has of its own: what its method `__mimebundle` gives, and its text.
-- @treturn table MIME type → text
-- @local
function display.forms_of(value)
  local meta = debug.getmetatable(value)
  local method = type(meta) == "table" and meta.__mimebundle
  local forms = {}
  if method then
    for kind, form in pairs(method(value)) do forms[kind] = form end
  end
  forms["text/plain"] = forms["text/plain"] or inspect(value)
  return forms
end

local function show(value)
  if sink then return sink(forms_of(value)) end
  local ok, text = engine.attempt(inspect, value)
  print(ok and text or tostring(value))
end

--- Takes away what the running cell has shown so far; without a notebook nothing happens.
-- @tparam[opt=false] boolean wait whether it stays until something else is shown
function display.clear(wait)
  if sink then clear(wait == true) end
end

--- Shows values: in a notebook as tables and pictures, elsewhere as the prompt does. A class of
-- your own says how by a method `__mimebundle(self)`, which returns forms by MIME type:
-- `{["text/html"] = "<b>…</b>"}`.
-- @function cusp.display
-- @param ... values
-- @usage cusp.display(model)
return setmetatable(display, {
  __call = function(_, ...)
    for i = 1, select("#", ...) do show((select(i, ...))) end
  end,
})
