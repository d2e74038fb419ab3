--- The result of `load_weights` for a checkpoint: reports how well it matched.
-- @classmod cusp.saving.checkpoint.Status

local errors = require "cusp.base.errors"

local Status = {}
Status.__index = Status

local most_named <const> = 10

--- @tparam Restoration restoration
function Status.new(restoration) return setmetatable({_restoration = restoration}, Status) end

function Status:__tostring() return ("Status(%s)"):format(self._restoration.reader.prefix) end

local function some(list)
  local shown = table.move(list, 1, math.min(#list, most_named), 1, {})
  if #list > most_named then shown[#shown + 1] = ("and %d more"):format(#list - most_named) end
  return table.concat(shown, "; ")
end

--- Raises unless the checkpoint had a value for every variable of the model. Unbuilt layers have no
-- variables yet.
-- @treturn Status itself
function Status:assert_existing_objects_matched()
  local unmatched = self._restoration:unmatched()
  if #unmatched > 0 then
    errors.raise("%s: the checkpoint has no value for %d of the model's variables: %s",
      self._restoration.reader.prefix, #unmatched,
      some(unmatched))
  end
  return self
end

--- Like the above, and raises unless every value of the checkpoint was used in the model.
-- @treturn Status itself
function Status:assert_consumed()
  self:assert_existing_objects_matched()
  local unused = self._restoration:unused()
  if #unused > 0 then
    errors.raise("%s: %d values of the checkpoint have no counterpart in the model: %s",
      self._restoration.reader.prefix, #unused,
      some(unused))
  end
  return self
end

--- Raises if only the model itself was matched.
-- @treturn Status itself
function Status:assert_nontrivial_match()
  if self._restoration.matched <= 1 then
    errors.raise("%s: nothing in this checkpoint matches %s", self._restoration.reader.prefix,
      self._restoration:root_name())
  end
  return self
end

--- Declares that unused values are intended, which suppresses the warning about them.
-- @treturn Status itself
function Status:expect_partial()
  self._restoration.expected_partial = true
  return self
end

return Status
