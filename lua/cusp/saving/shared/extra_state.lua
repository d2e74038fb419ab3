--- State without a place in the tf.keras 2 layout, in a separate group that Keras ignores: that of
-- random layers, and optimizer state beyond tf.keras 2.15's (Nadam's momentum product, the scale of
-- a LossScaleOptimizer). With it a model continues exactly where it stopped. The group is omitted
-- if there is no such state.
-- @module cusp.saving.shared.extra_state

local errors = require "cusp.base.errors"
local keras3_paths = require "cusp.saving.shared.paths"
local optimizer_state = require "cusp.saving.shared.optimizer_state"
local stored = require "cusp.saving.shared.stored"

local extra_state = {}

local GROUP = "cusp_state"

--- The state as `{path, variable}`.
local function entries(model, with_optimizer)
  local result = {}
  for _, part in ipairs(keras3_paths.of(model, false)) do
    if part.kind == "generator" then
      result[#result + 1] = {"random/" .. part.path, part.variables[1]}
    end
  end
  local optimizer = with_optimizer and model.optimizer
  if optimizer and optimizer.built then
    for _, entry in ipairs(optimizer_state.extra_entries(optimizer)) do
      if entry.name:match "[^/]*$" ~= "learning_rate" then -- the configuration has it
        result[#result + 1] = {"optimizer/" .. entry.name, entry.value}
      end
    end
  end
  return result
end

--- Writes the state below a file's root.
-- @tparam cusp.hdf5.NewGroup root
-- @tparam Model model
-- @tparam boolean with_optimizer
function extra_state.write(root, model, with_optimizer)
  for _, entry in ipairs(entries(model, with_optimizer)) do
    root:create_dataset(GROUP .. "/" .. entry[1], entry[2])
  end
end

-- Limits far beyond real models; a group that contains itself exceeds them.
local most_levels, most_members = 500, 100000

local function below(path, group, name, found, level)
  for _, key in ipairs(group:names()) do
    local member = group:get(key)
    local place = name == "" and key or name .. "/" .. key
    found.count = found.count + 1
    if level > most_levels or found.count > most_members then
      errors.raise(
        "%s: %s: groups are nested more than %d levels deep, or there is more than %d of them",
        path, group.name, most_levels,
        most_members)
    elseif member and member.kind == "dataset" then
      found.values[place] = stored.keep(stored.of_dataset(path, member))
    elseif member then
      below(path, member, place, found, level + 1)
    end
  end
  return found.values
end

--- Reads the state into memory.
-- @treturn table values by path; empty if there are none
function extra_state.read(path, root)
  local group = root:get(GROUP)
  if not group or group.kind ~= "group" then return {} end
  return below(path, group, "", {values = {}, count = 0}, 1)
end

--- Creates the random generators that a layer creates on first use, if a file has their state.
-- @tparam {table,...} parts of the model
-- @tparam function has whether the file has a value at a path
function extra_state.prepare(parts, has)
  local made = false
  for _, part in ipairs(parts) do
    if part.kind == "layer" and rawget(part.object, "generator") == nil then
      local path = part.path == "" and "seed_generator" or part.path .. "/seed_generator"
      if has(path) then
        part.object.generator = require("cusp.tensors.random").SeedGenerator{}
        made = true
      end
    end
  end
  return made
end

--- Pairs the state with a model's variables.
-- @tparam table plan see cusp.saving.stored
-- @tparam table state what `read` gave
-- @tparam Model model
-- @tparam boolean with_optimizer
function extra_state.match(plan, state, model, with_optimizer)
  if next(state) == nil then return end
  extra_state.prepare(keras3_paths.of(model, false), function(path)
    return state["random/" .. path] ~= nil
  end)
  for _, entry in ipairs(entries(model, with_optimizer)) do
    local value = state[entry[1]]
    if value and not stored.misfit(entry[2], value) then plan:add(entry[2], value) end
  end
end

return extra_state
