--- Batches by number, from a user's class.
--
--     local Batches = cusp.utils.Sequence:extend "Batches"
--     function Batches:init(args) ... ; cusp.utils.Sequence.init(self, args) end
--     -- number of batches, nil: infinite; `__len` may be given instead
--     function Batches:length() return self.count end
--     -- batch `index`, counted from 1: x, (x, y) or (x, y, sample_weight)
--     function Batches:get_item(index) return x, y end
--     -- after each epoch
--     function Batches:on_epoch_end() end
--     model:fit{Batches{...}, epochs = 3}
--
-- With `shuffle`, fit's default, the batches of an epoch come in random order. `workers`,
-- `use_multiprocessing` and `max_queue_size` are accepted for compatibility with Keras: batches are
-- made in the program's own thread. `Sequence` is an alias of the class.
-- @classmod cusp.utils.PyDataset
local Object = require "cusp.base.class"
local errors = require "cusp.base.errors"
local plain = require "cusp.base.plain"

local PyDataset = Object:extend("PyDataset", {
  config = {
    {"workers", "integer", default = 1, min = 0},
    {"use_multiprocessing", "boolean", default = false},
    {"max_queue_size", "integer", default = 10, min = 0},
  },
})
PyDataset.__module = "keras.utils"

local function class_name(self) return getmetatable(self).__name end

--- Returns batch `index`, counted from 1. Override it.
function PyDataset:get_item(index)
  errors.raise("%s: define get_item(%s), which returns batch `index`", class_name(self),
    plain.tostring(index))
end

--- Returns the number of batches, nil if infinite. Override it.
function PyDataset:length()
  errors.raise("%s: define length(), which returns the number of batches", class_name(self))
end

function PyDataset:__len() return self:length() end

--- The number of batches by whichever of `length`, `__len` and `num_batches` the class defines.
-- @treturn ?integer
function PyDataset:batches()
  local class = getmetatable(self)
  local count = self.num_batches
  if type(count) == "function" then count = count(self) end
  if count == nil then
    if class.__len ~= PyDataset.__len then count = class.__len(self) else count = self:length() end
  end
  if count == nil or count == math.huge then return nil end
  local integer = math.tointeger(count)
  if not integer or integer < 0 then
    errors.raise("%s: the number of batches should be an integer of at least 0, got %s",
      class.__name, errors.describe(count))
  end
  return integer
end

--- Called before each epoch.
function PyDataset:on_epoch_begin() end -- luacheck: ignore 212

--- Called after each epoch.
function PyDataset:on_epoch_end() end -- luacheck: ignore 212

--- Iterates over the batches: `for x, y in sequence:iterate() do`.
function PyDataset:iterate()
  local index, count = 0, self:batches()
  return function()
    index = index + 1
    if not count or index <= count then return self:get_item(index) end
  end
end

return PyDataset
