--- Progress bars in a notebook: each is an output that is replaced in its place.
-- @module cusp.notebook.bars
local display = require "cusp.base.display"
local engine = require "cusp.engine"

local INTERVAL = 0.1 -- seconds between messages

local ids = setmetatable({}, {__mode = "k"}) -- bar → its output's id
local sent_at = setmetatable({}, {__mode = "k"})
local count = 0

local function new_id()
  count = count + 1
  return ("cusp-bar-%d"):format(count)
end

--- Draws a bar's line; what `cusp.base.progress` calls.
-- @tparam table bar
-- @tparam string line
-- @tparam boolean finished
return function(bar, line, finished)
  local now = engine.monotonic()
  if not finished and sent_at[bar] and now - sent_at[bar] < INTERVAL then return end
  sent_at[bar] = now
  local is_update = ids[bar] ~= nil
  ids[bar] = ids[bar] or new_id()
  display.forms({["text/plain"] = line}, ids[bar], is_update)
end
