--- Matches a model with a checkpoint, and loads what matches.
--
-- The walk starts at both roots and follows children with the same name, as in TensorFlow. It finds
-- all values and compares their shapes before reading, and reads all before assigning, so an error
-- leaves the model unchanged. Unbuilt objects wait (`cusp.base.deferred`), as does the optimizer of
-- a model that is not compiled.
-- @module cusp.saving.checkpoint.restore

local deferred = require "cusp.base.deferred"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local optimizer_children = require "cusp.saving.checkpoint.optimizer_children"
local optimizer_state = require "cusp.saving.shared.optimizer_state"
local sharding = require "cusp.base.sharding"
local tracking = require "cusp.base.tracking"
local trackables = require "cusp.saving.checkpoint.trackables"
local warnings = require "cusp.base.warnings"
local whole = require "cusp.base.whole"

-- Restorations with a failed part: the user has been told, so no warning need follow.
local failing = setmetatable({}, {__mode = "k"})

local Restoration = {}
Restoration.__index = Restoration

--- The name of the restored object in messages.
function Restoration:root_name()
  return tracking.kind(self.root) == "layer" and ("'%s'"):format(self.root.name)
    or "what is restored"
end

--- Starts restoring.
-- @tparam Reader reader a bundle
-- @tparam Graph graph its object graph
-- @tparam Model|table model
-- @tparam table options `skip_mismatch`
-- @treturn Restoration
function Restoration.new(reader, graph, model, options)
  return setmetatable({
    reader = reader, graph = graph, root = model, options = options,
    objects = {},  -- what each node was matched with
    matched = 1,   -- how many nodes were, the root included
    restored = {}, -- variables that have their value
    waiting = {},  -- objects that a later build continues from
  }, Restoration)
end

---------------------------------------------------------------- matching

--- Records the object of a node. Returns false if it has another already, such as a layer used once
-- here and twice there.
local function claim(self, id, object)
  local present = self.objects[id]
  if present == nil then
    self.objects[id], self.matched = object, self.matched + 1
    return true
  end
  return present == object
end

local function describe_owner(layer)
  return layer and ("layer '%s' (%s)"):format(layer.name, layer.__name) or "the optimizer"
end

--- Adds a variable's value to the list to load.
local function plan(self, variable, id, layer, plans)
  local key = self.graph:value_key(id)
  if not key or not variable or self.restored[variable] then return end
  local entry = self.reader:entry(key)
  if not entry then
    errors.raise("%s: the object graph says that %s is stored as '%s', but there is no such tensor",
      self.reader.path, self.graph:name(id),
      key)
  end
  plans[#plans + 1] = {variable = variable, key = key, entry = entry, layer = layer}
end

--- If the waiting work of an object fails, this is restored too (see cusp.base.whole).
local function belongs_to(self, object)
  local list = object.__own.restorations or {}
  list[#list + 1] = whole.only{self, self.objects, self.restored, self.waiting}
  object.__own.restorations = list
end

--- Objects that no longer wait need no entry.
local function leaves(self, object)
  local kept = {}
  for _, tables in ipairs(object.__own.restorations or {}) do
    if tables[1] ~= self then kept[#kept + 1] = tables end
  end
  object.__own.restorations = #kept > 0 and kept or nil
end

--- Continues at an object when it is built, or at a model when it is compiled.
local function wait_for(self, object, id, layer)
  if self.waiting[object] then return end
  local is_layer = tracking.kind(object) == "layer"
  if (is_layer or trackables.is_optimizer(object)) and not deferred.is_built(object) then
    self.waiting[object] = true
    belongs_to(self, object)
    deferred.when_built(object, function()
      self.waiting[object] = nil
      failing[self] = true
      self:continue(object, id, layer)
      failing[self] = nil
      leaves(self, object)
    end, is_layer and self.reader.path or "optimizer", function()
      self.superseded = true
      leaves(self, object)
    end)
  end
end

--- Loads the optimizer of a compiled model; for other models, loads it once they are compiled.
local function wait_for_compile(self, model, id)
  if not self.graph:child(id, "optimizer") or rawget(model, "optimizer") then return end
  belongs_to(self, model)
  model.__own.when_compiled = function() self:continue(model, id) end
end

--- The slots of TensorFlow 2.0 to 2.10: a list in the optimizer, with the variable and slot of
-- each.
local function match_legacy_slots(self, optimizer, id, plans)
  local slots = {}
  for _, slot in ipairs(optimizer_state.slots(optimizer)) do
    slots[slot.of] = slots[slot.of] or {}
    slots[slot.of][slot.legacy] = slot.variable
  end
  for _, slot in ipairs(self.graph:node(id).slots) do
    local of = self.objects[slot.of]
    local variable = of and slots[of] and slots[of][slot.name]
    if variable and claim(self, slot.node, variable) then
      plan(self, variable, slot.node, nil, plans)
    end
  end
end

local function match_legacy_optimizer(self, optimizer, id, plans)
  local state = optimizer_children.legacy(optimizer)
  for _, name in ipairs(self.graph:node(id).order) do
    local child, variable = self.graph:child(id, name), state[name]
    if variable ~= nil and claim(self, child, variable or name) then
      plan(self, variable, child, nil, plans)
    end
  end
  if optimizer.built then match_legacy_slots(self, optimizer, id, plans) end
end

local function index_by_name(children)
  local result = {}
  for _, child in ipairs(children) do result[child.name] = child.object end
  return result
end

--- The identity of a node's object: lists of an optimizer's state are created anew on every access.
local function identity(self, object, id)
  return tracking.kind(object) and object or self.objects[id] or object
end

--- Matches the children of one object; appends containers to the queue.
local function match_children(self, item, queue, plans)
  local ours = index_by_name(trackables.children(item.object))
  local layer = tracking.kind(item.object) == "layer" and item.object or item.layer
  for _, name in ipairs(self.graph:node(item.id).order) do
    local object, id = ours[name], self.graph:child(item.id, name)
    local leaf = object and trackables.as_leaf(object)
    if leaf then
      if claim(self, id, leaf.variable or self.graph:node(id)) then
        plan(self, leaf.variable, id, layer, plans)
      end
    elseif object and claim(self, id, identity(self, object, id)) then
      queue[#queue + 1] = {object = object, id = id, layer = layer}
    end
  end
end

--- Matches everything below an object, nearest first. An object that can be reached on several
-- paths, or in a cycle, is matched once.
local function match(self, object, id, layer)
  local queue, seen, plans, late = {{object = object, id = id, layer = layer}}, {}, {}, {}
  local position = 1
  while queue[position] do
    local item = queue[position]
    if not seen[item.object] then
      seen[item.object] = true
      if trackables.is_optimizer(item.object) and self.graph:child(item.id, "iter") then
        late[#late + 1] = item -- after the variables that its slots are of
      else
        match_children(self, item, queue, plans)
      end
      wait_for(self, item.object, item.id, item.layer)
      if tracking.kind(item.object) == "layer" and item.object.compile then
        wait_for_compile(self, item.object, item.id)
      end
    end
    position = position + 1
  end
  for _, item in ipairs(late) do match_legacy_optimizer(self, item.object, item.id, plans) end
  return plans
end

---------------------------------------------------------------- loading

local function family(dtype)
  return dtype:find "float" and "float" or dtype:find "int" and "int" or dtype
end

--- The reason why a value cannot be loaded, or nil.
local function objection(one)
  local entry, variable = one.entry, one.variable
  if family(entry.dtype) ~= family(variable.dtype) then
    return ("is %s in the model, but %s in the checkpoint"):format(variable.dtype, entry.dtype)
  end
  local shape = errors.shape(sharding.shape_of(variable))
  if shape ~= errors.shape(entry.shape) then
    return ("has shape %s in the model, but %s in the checkpoint"):format(shape,
      errors.shape(entry.shape))
  end
end

local function check(self, plans)
  local kept = {}
  for _, one in ipairs(plans) do
    local reason = objection(one)
    if not reason then
      kept[#kept + 1] = one
    elseif self.options.skip_mismatch then
      warnings.warn("%s: %s, variable '%s' %s ('%s'); it is skipped", self.reader.prefix,
        describe_owner(one.layer),
        tostring(one.variable.name), reason, one.key)
    else
      errors.raise("%s: %s, variable '%s' %s ('%s'); nothing was loaded", self.reader.prefix,
        describe_owner(one.layer),
        tostring(one.variable.name), reason, one.key)
    end
  end
  return kept
end

-- What this process holds of a value; the whole is released.
local function part_of(variable, tensor)
  if not variable.sharding then return tensor end
  local read <close> = tensor
  return (sharding.part_of(variable, read))
end

local function assign(self, plans)
  local variables, values = {}, {}
  for i, one in ipairs(plans) do
    variables[i] = one.variable
    values[i] = part_of(one.variable, self.reader:tensor(one.key))
  end
  engine.assign_all(variables, values)
  for _, variable in ipairs(variables) do self.restored[variable] = true end
end

--- What an optimizer needs but the file lacks.
local function complete(self, object, id)
  local optimizer = trackables.is_optimizer(object) and object
    or type(object) == "table" and rawget(object, "optimizer")
  local node = object == optimizer and id or optimizer and self.graph:child(id, "optimizer")
  if node and optimizer.built and next(self.restored) then
    optimizer_state.complete(optimizer, self.restored)
  end
end

local function root_children(graph)
  local names = {}
  for i, name in ipairs(graph:node(0).order) do
    if i > 8 then
      names[#names + 1] = "..."
      break
    end
    names[i] = name
  end
  return table.concat(names, ", ")
end

--- Raises if no value to load belongs to the model's weights.
local function check_any(self, plans)
  local has_weights, planned = false, {}
  for _, one in ipairs(plans) do planned[one.variable] = true end
  local weights = tracking.kind(self.root) == "layer" and self.root.weights or {}
  for _, variable in ipairs(weights) do
    has_weights = true
    if planned[variable] then return end
  end
  if has_weights and not self.options.skip_mismatch then
    errors.raise(
      "%s: none of the weights of %s are in this checkpoint, whose root has: %s; nothing was "
      .. "loaded", self.reader.prefix,
      self:root_name(), root_children(self.graph))
  end
end

--- Matches and loads everything below an object, which corresponds to a node.
function Restoration:continue(object, id, layer)
  local plans = check(self, match(self, object, id, layer))
  if not self.running then check_any(self, plans) end
  self.running = true
  assign(self, plans)
  complete(self, object, id)
  self.reader:close()
end

--- Matches and loads from the root.
-- @raise if nothing in the file belongs to a model that has weights
function Restoration:run()
  self.objects[0] = self.root
  self:continue(self.root, 0)
end

---------------------------------------------------------------- what was not used

--- The nodes with values that match no object of the model.
-- @treturn {string,...} their names
function Restoration:unused()
  local result = {}
  for id = 0, self.graph.count - 1 do
    if #self.graph:node(id).attributes > 0 and self.objects[id] == nil then
      result[#result + 1] = self.graph:name(id)
    end
  end
  return result
end

--- The variables of the model without a value in the checkpoint.
-- @treturn {string,...} "layer 'dense' (Dense), variable 'kernel'"
function Restoration:unmatched()
  local known, result = {}, {}
  for _, object in pairs(self.objects) do known[object] = true end
  trackables.each_leaf(self.root, function(leaf, path, layer)
    if leaf.variable and not known[leaf.variable] then
      local owner = path[1] == "optimizer" and "the optimizer" or describe_owner(layer)
      result[#result + 1] = ("%s, variable '%s' (%s)"):format(owner, tostring(leaf.variable.name),
        table.concat(path, "/"))
    end
  end)
  return result
end

--- TensorFlow's warning about unused values, given when nothing can use them any more.
function Restoration:__gc()
  if self.expected_partial or self.failed or self.superseded or failing[self] then return end
  local unused = self:unused()
  if #unused == 0 then return end
  warnings.warn(
    "%s: what was restored from this checkpoint is gone, and these of its values were not used "
    .. "(load_weights(...):expect_partial() says that this is meant):", self.reader.prefix)
  for _, name in ipairs(unused) do
    warnings.warn("value in the checkpoint without a counterpart in the model: %s", name)
  end
end

return Restoration
