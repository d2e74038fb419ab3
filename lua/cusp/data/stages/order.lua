--- Stages that change which elements come, and when: shuffle, repeat, take, skip, shard,
-- take_while. Each works on any elements; on bare rows of arrays and files the engine's threads do
-- the same (`lower`).
-- @module cusp.data.stages.order
local native = require "cusp.data.machinery.native"
local seeds = require "cusp.data.machinery.seeds"

local order = {}
local INFINITE, UNKNOWN = -1, -2

local function none() end

order.shuffle = {
  name = "shuffle",
  open = function(dataset)
    local options, fetch, close = dataset.options, dataset.input:open()
    local below = seeds.sequence(seeds.next(options))
    local buffer, exhausted = {}, false
    return function()
      while not exhausted and #buffer < options.buffer_size do
        local element = fetch()
        if element then buffer[#buffer + 1] = element else exhausted = true end
      end
      if #buffer == 0 then return nil end
      local chosen = below(#buffer) + 1
      local element = buffer[chosen]
      buffer[chosen] = buffer[#buffer]
      buffer[#buffer] = nil
      return element
    end, close
  end,
  cardinality = function(dataset) return dataset.input:count() end,
  lower = function(dataset)
    local options, description = dataset.options, dataset.input:lower()
    if not description then return nil end
    local keep, window, block_rows = native.decoded_rows(description, options)
    description = native.with(description, function()
      return {"shuffle", options.buffer_size, seeds.next(options), options.reshuffle_each_iteration,
        window, block_rows}
    end, "shuffle")
    description.keep = description.keep + keep
    return description
  end,
}

order.repeated = {
  name = "repeat",
  open = function(dataset)
    local count = dataset.options.count
    local passes, given = 0, 0
    local fetch, close = none, none
    local function start()
      if count >= 0 and passes >= count or passes > 0 and given == 0 then return false end
      passes, given = passes + 1, 0
      close()
      fetch, close = dataset.input:open()
      return true
    end
    local element
    return function()
      element = fetch()
      while not element do
        if not start() then return nil end
        element = fetch()
      end
      given = given + 1
      return element
    end, function() close() end
  end,
  cardinality = function(dataset)
    local count, inner = dataset.options.count, dataset.input:count()
    if count == 0 or inner == 0 then return 0 end
    if inner == INFINITE or count < 0 and inner ~= UNKNOWN then return INFINITE end
    if inner == UNKNOWN then return count < 0 and INFINITE or UNKNOWN end
    return inner * count
  end,
  lower = function(dataset)
    return native.with(dataset.input:lower(), function()
      return {"repeat", dataset.options.count}
    end)
  end,
}

order.take = {
  name = "take",
  open = function(dataset)
    local left = dataset.options.count
    local fetch, close = dataset.input:open()
    if left < 0 then return fetch, close end
    return function()
      if left == 0 then
        close()
        return nil
      end
      left = left - 1
      return fetch()
    end, close
  end,
  cardinality = function(dataset)
    local count, inner = dataset.options.count, dataset.input:count()
    if inner == UNKNOWN then return count == 0 and 0 or UNKNOWN end
    if count < 0 then return inner end
    return inner == INFINITE and count or math.min(count, inner)
  end,
  lower = function(dataset)
    return native.with(dataset.input:lower(), function() return {"take", dataset.options.count} end)
  end,
}

order.skip = {
  name = "skip",
  open = function(dataset)
    local count = dataset.options.count
    local fetch, close = dataset.input:open()
    return function()
      while count > 0 do
        count = count - 1
        if not fetch() then return nil end
      end
      return fetch()
    end, close
  end,
  cardinality = function(dataset)
    local inner = dataset.input:count()
    return inner < 0 and inner or math.max(0, inner - dataset.options.count)
  end,
  lower = function(dataset)
    return native.with(dataset.input:lower(), function() return {"skip", dataset.options.count} end)
  end,
}

order.shard = {
  name = "shard",
  open = function(dataset)
    local fetch, close = dataset.input:open()
    local position = -1
    return function()
      while true do
        local element = fetch()
        if not element then return nil end
        position = position + 1
        if position % dataset.options.num_shards == dataset.options.index then return element end
      end
    end, close
  end,
  cardinality = function(dataset)
    local inner, shards, index = dataset.input:count(), dataset.options.num_shards,
      dataset.options.index
    return inner < 0 and inner or (inner - index + shards - 1) // shards
  end,
  lower = function(dataset)
    local options = dataset.options
    local description = native.with(dataset.input:lower(), function()
      return {"shard", options.num_shards, options.index}
    end)
    if description then description.apart = description.apart * options.num_shards end
    return description
  end,
}

order.prefetch = {
  name = "prefetch",
  open = function(dataset) return dataset.input:open() end,
  cardinality = function(dataset) return dataset.input:count() end,
  lower = function(dataset)
    local description = dataset.input:lower()
    if not description or dataset.options.buffer_size < 1 then return description end
    local copy = native.copy(description)
    copy.depth = dataset.options.buffer_size
    return copy
  end,
}

-- They all give elements of their input.
for _, stage in pairs(order) do
  stage.types = function(dataset, peek) return dataset.input:known_types(peek) end
  stage.sample = function(dataset) return dataset.input:sample() end
end

return order
