--- Warnings: lines on standard error that begin with "warning: ".
-- @module cusp.base.warnings
local context = require "cusp.base.context"
local engine = require "cusp.engine"
local plain = require "cusp.base.plain"
local replicas = require "cusp.base.replicas"
local warnings = {}

--- Called before a line is written; an unfinished progress line on the terminal ends itself here.
-- @tfield ?function before
warnings.before = nil

--- Receives what is warned of; by default it is written to standard error.
-- @tfield function write
function warnings.write(text) io.stderr:write("warning: ", text, "\n") end

--- Warns.
-- @tparam string message a format for string.format when more arguments follow
-- @param ... arguments of the format
function warnings.warn(message, ...)
  if replicas.is_silent() then return end
  if select("#", ...) > 0 then message = plain.format(message, ...) end
  if warnings.before then warnings.before() end
  local receive = context.get().receive_warning or warnings.write
  receive(message)
end

--- Calls `f` and captures the warnings it gives instead of printing them.
-- @tparam function f
-- @treturn {string,...} the warnings
-- @return what f returns
function warnings.collect(f, ...)
  local list = {}
  local function receive(text) list[#list + 1] = text end
  return list, context.within({receive_warning = receive}, f, ...)
end

local warned = {}
engine.set_untouched_handler(function(place)
  if warned[place] then return end
  warned[place] = true
  warnings.warn("%s: nothing was done with the tensor that this comparison returns; in Lua every "
    .. "tensor is true, so 'if' and 'assert' always pass: ask (a < b):all():item()", place)
end)

return warnings
