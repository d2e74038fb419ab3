--- The contents of a training chart: a panel for the loss and one for each metric, with training
-- and validation. A panel is `{title =, series = {{label =, x = {...}, y = {...}}, ...}, x = axis,
-- y = axis}`; `order` in a series is 1 for training and 2 for validation, and determines the
-- colour.
-- @module cusp.plot.panels
local errors = require "cusp.base.errors"
local plain = require "cusp.base.plain"
local scale = require "cusp.plot.scale"

local panels = {}

local function is_finite(value)
  return type(value) == "number" and value == value and math.abs(value) < math.huge
end

local function values_of(list)
  local values, some = {}, false
  for i, value in ipairs(list) do
    if type(value) == "userdata" then value = value:item() end
    values[i] = type(value) == "number" and value or 0 / 0
    some = some or is_finite(values[i])
  end
  return some and values or nil
end

-- The epochs of the values. Fewer values than epochs come from every nth epoch (validation_freq).
local function epochs_of(epochs, count)
  local every, x = math.max(1, count > 0 and #epochs // count or 1), {}
  for i = 1, count do x[i] = epochs[i * every] or i end
  return x
end

local function add_series(panel, label, order, values, epochs)
  if values then
    panel.series[#panel.series + 1] = {label = label, order = order, y = values,
      x = epochs_of(epochs, #values)}
  end
end

-- Loss first, then metrics in alphabetical order, the learning rate last.
local function rank(name)
  if name == "loss" then return "1" end
  if name == "learning_rate" or name == "lr" then return "3" .. name end
  return "2" .. name
end

local function names_in(history, wanted)
  local names, seen = {}, {}
  for name in pairs(history) do
    local own = name:gsub("^val_", "")
    if not seen[own] then names[#names + 1], seen[own] = own, true end
  end
  if wanted then
    for _, name in ipairs(wanted) do
      if not seen[name] then
        errors.raise("plot: the history has no '%s'%s", tostring(name),
          errors.suggestion(name, seen))
      end
    end
    return wanted
  end
  plain.sort(names, function(a, b) return rank(a) < rank(b) end)
  return names
end

local function range_of(series, key, keep)
  local least, greatest = math.huge, -math.huge
  for _, one in ipairs(series) do
    for i, value in ipairs(one[key]) do
      if is_finite(value) and is_finite(one.y[i]) and keep(value) then
        least, greatest = math.min(least, value), math.max(greatest, value)
      end
    end
  end
  return least, greatest
end

local function always() return true end
local function positive(value) return value > 0 end

local function add_axes(panel, yscale)
  local first, last = range_of(panel.series, "x", always)
  panel.x = scale.linear(first, last, 6, {whole = true, tight = true})
  local least, greatest = range_of(panel.series, "y", always)
  if yscale == "log" and greatest <= 0 then
    errors.raise("plot: '%s' has no positive values for a logarithmic axis", panel.title)
  end
  if yscale == "log" or yscale == "auto" and least > 0 and greatest / least > 100 then
    panel.y = scale.logarithmic((range_of(panel.series, "y", positive)), greatest)
    panel.logarithmic = true
  else
    panel.y = scale.linear(least, greatest, 5)
  end
end

--- The panels of a history.
-- @tparam History history
-- @tparam[opt] {string,...} wanted names of the panels; all of them by default
-- @tparam[opt="auto"] string yscale "linear", "log", or "auto": logarithmic if positive values span
-- more than two powers of ten
-- @treturn {table,...}
-- @raise if there is nothing to show
function panels.of_history(history, wanted, yscale)
  local result = {}
  for _, name in ipairs(names_in(history.history, wanted)) do
    local panel = {title = name, series = {}}
    add_series(panel, "training", 1, values_of(history.history[name] or {}), history.epoch)
    add_series(panel, "validation", 2, values_of(history.history["val_" .. name] or {}),
      history.epoch)
    if #panel.series > 0 then
      add_axes(panel, yscale or "auto")
      result[#result + 1] = panel
    end
  end
  if #result == 0 then
    errors.raise("plot: the history has no numbers to show: %s",
      #history.epoch == 0 and "training had no epochs"
      or "all its values are NaN or infinite; training diverged, or its data contains NaN")
  end
  return result
end

--- The last finite value of a series, written with four digits.
function panels.last_text(series)
  for i = #series.y, 1, -1 do
    if is_finite(series.y[i]) then return plain.format("%.4g", series.y[i]) end
  end
  return ""
end

--- Calls `visit(x, y, x2, y2)` for each pair of neighbours that can be drawn, at positions from 0
-- to 1; x2 is nil for a single point.
function panels.each_segment(panel, series, visit)
  local before_x, before_y, joined
  for i, value in ipairs(series.y) do
    local x, y
    if is_finite(value) and not (panel.logarithmic and value <= 0) then
      x, y = panel.x.place(series.x[i]), panel.y.place(value)
    end
    if x and before_x then
      visit(before_x, before_y, x, y)
      joined = true
    elseif not x and before_x and not joined then
      visit(before_x, before_y)
    end
    if not x then joined = false end
    before_x, before_y = x, y
  end
  if before_x and not joined then visit(before_x, before_y) end
end

return panels
