--- A family of pooling layers: by the largest and by the mean value, over one to three axes.
-- @module cusp.layers.pooling.family

--- Makes the classes of a family.
-- @tparam function make gives a class for "Max" or "Average" and a number of axes
-- @treturn table the classes by name
return function(make)
  local classes = {}
  for rank = 1, 3 do
    for _, kind in ipairs{"Max", "Average"} do
      local class = make(kind, rank)
      classes[class.__name] = class
    end
  end
  return classes
end
