-- Saves checkpoints until it is stopped: `cusp crashing_saver.lua PREFIX STEP [ROUNDS]`. If STEP is
-- above 0, the process ends, as if killed, before its STEPth change on disk; with 0 it saves ROUNDS
-- times and may be killed.
local prefix, stop_at, rounds = arg[1], math.tointeger(arg[2]), math.tointeger(arg[3] or 1)
local cusp = require "cusp"
local checkpoint = require "cusp.saving.checkpoint"
local files = require "cusp.engine".files

local step = 0
local function before_change()
  step = step + 1
  if step == stop_at then os.exit(9, false) end
end

for _, name in ipairs{"link", "remove", "sync_folder_of", "rename"} do
  local f = files[name]
  files[name] = function(...)
    before_change()
    return f(...)
  end
end

-- A writer that counts its changes.
local create = files.create
function files.create(path)
  before_change()
  local writer = create(path)
  local proxy = {}
  return setmetatable(proxy, {
    __index = function(_, key)
      local member = writer[key]
      if type(member) ~= "function" then return member end
      return function(_, ...)
        if key ~= "abort" then before_change() end
        return member(writer, ...)
      end
    end,
    __close = function() writer:abort() end,
  })
end

local size = stop_at > 0 and 3 or 700
for round = 1, rounds do
  local value = 2 - round % 2 -- 1 and 2 in turn; the checkpoint that was there has 1, or 2
  if stop_at > 0 then value = 2 end
  local model = cusp.Sequential{cusp.Input{shape = {size}}, cusp.layers.Dense(size)}
  model:set_weights{cusp.full({size, size}, value), cusp.full({size}, value)}
  checkpoint.save(prefix, model)
end
