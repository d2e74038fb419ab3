--- Random programs around a step function: variables, assignments, tapes, layers, optimizers,
-- branches and loops. The step runs several times, directly or compiled; between steps, variables
-- are read and assigned. Shapes are known while a program is generated, so most programs run; for
-- the others, all ways of running must raise the same error.
-- @module program_steps
local steps = {}

local Builder = {}
Builder.__index = Builder

---------------------------------------------------------------- names in scope

function Builder:name(prefix)
  self.counter = self.counter + 1
  return prefix .. self.counter
end

local function same(a, b)
  if #a ~= #b then return false end
  for i = 1, #a do
    if a[i] ~= b[i] then return false end
  end
  return true
end

local function size(shape)
  local n = 1
  for _, length in ipairs(shape) do n = n * length end
  return n
end

local function list(shape) return "{" .. table.concat(shape, ", ") .. "}" end

--- A tensor or variable in scope, with a shape or satisfying a condition.
function Builder:any(wanted)
  local found = {}
  for _, value in ipairs(self.values) do
    if not wanted or type(wanted) == "function" and wanted(value.shape) or type(wanted) == "table"
      and same(wanted, value.shape) then
      found[#found + 1] = value
    end
  end
  if #found == 0 then return nil end
  -- Prefers recent values.
  if #found > 3 and self.draw:chance(0.5) then return found[self.draw:integer(#found - 2,
    #found)] end
  return self.draw:pick(found)
end

function Builder:push(nodes, prefix, text, shape)
  local value = {name = self:name(prefix), shape = shape}
  nodes[#nodes + 1] = ("local %s = %s"):format(value.name, text)
  self.values[#self.values + 1] = value
  return value
end

-- Runs `fill(block)` with a new scope.
function Builder:block(nodes, head, tail, fill, open)
  local block, kept = {head = head, tail = tail, open = open}, #self.values
  self.depth = self.depth + 1
  local result = fill(block)
  self.depth = self.depth - 1
  for i = #self.values, kept + 1, -1 do self.values[i] = nil end
  nodes[#nodes + 1] = block
  return result
end

---------------------------------------------------------------- expressions

local unary = {"ops.tanh(%s)", "%s * 0.5", "%s - 0.25", "ops.relu(%s)", "ops.sigmoid(%s)",
  "ops.sin(%s)", "ops.softplus(%s)", "-%s", "2 / (1 + %s * %s)",
  "ops.square(ops.tanh(%s))", "ops.exp(-ops.square(%s))", "ops.abs(%s)", "ops.clip(%s, -0.7, 0.7)",
    "ops.stop_gradient(%s)", "%s:cast('float32')",
  "ops.where(%s:greater(0.1), %s, 0.5)", "ops.log1p(ops.abs(%s))", "ops.round(%s * 4) / 4",
    "ops.cumsum(ops.reshape(%s, {-1})):sum() * 0.125 + %s",
  "ops.sqrt(1 + ops.square(%s))", "ops.gelu(%s)", "ops.zeros_like(%s)",
    "%s + cusp.random.normal(%s.shape) * 0.125", "ops.erf(%s)"}

local binary = {"%s + %s", "%s - %s", "ops.tanh(%s * %s)", "ops.maximum(%s, %s)",
  "ops.minimum(%s, %s)", "%s / (1 + ops.square(%s))",
  "ops.where(%s:less(%s), 0.5, -0.5)", "ops.logaddexp(%s, %s)", "%s:stop_gradient() * 0.5 + %s",
    "ops.arctan2(%s, 1.5) * %s:sigmoid()"}

local function filled(text, ...)
  local names, at = {...}, 0
  return (text:gsub("%%s", function()
    at = math.min(at + 1, #names)
    return names[at]
  end))
end

local function without_axis(shape, axis)
  local result = {table.unpack(shape)}
  table.remove(result, axis)
  return result
end

local function reversed(shape)
  local result = {}
  for i = #shape, 1, -1 do result[#result + 1] = shape[i] end
  return result
end

-- Each makes a text and a shape from a value with at least one axis.
local reshaping = {
  function(self, v)
    local axis = self.draw:integer(1, #v.shape)
    local f = v.shape[axis] == 0 and "sum" or self.draw:pick{"sum", "mean", "max", "min",
      "logsumexp", "prod", "std"}
    return ("ops.tanh(ops.%s(%s, %d))"):format(f, v.name, axis), without_axis(v.shape, axis)
  end,
  function(_, v) return ("ops.transpose(%s)"):format(v.name), reversed(v.shape) end,
  function(_, v) return ("ops.reshape(%s, {-1})"):format(v.name), {size(v.shape)} end,
  function(self, v)
    local shape = {table.unpack(v.shape)}
    local at = self.draw:integer(1, #shape + 1)
    table.insert(shape, at, 1)
    return ("ops.expand_dims(%s, %d)"):format(v.name, at), shape
  end,
  function(_, v)
    if v.shape[1] == 0 then return v.name .. " * 1", v.shape end
    return v.name .. "[1]", without_axis(v.shape, 1)
  end,
  function(_, v) return ("ops.flip(%s, 1)"):format(v.name), v.shape end,
  function(_, v)
    local shape = {table.unpack(v.shape)}
    if shape[1] < 2 then return v.name .. " + 1", shape end
    shape[1] = shape[1] - 1
    return ("%s:slice{{2, %d}}"):format(v.name, v.shape[1]), shape
  end,
  function(_, v)
    local shape = {table.unpack(v.shape)}
    shape[1] = shape[1] * 2
    return ("ops.concatenate({%s, %s}, 1)"):format(v.name, v.name), shape
  end,
  function(_, v) return ("ops.softmax(%s)"):format(v.name), v.shape end,
  function(_, v) return ("ops.cumsum(%s, 1) * 0.25"):format(v.name), v.shape end,
  function(_, v) return ("ops.sort(%s)"):format(v.name), v.shape end,
  function(_, v)
    if v.shape[1] == 0 then return v.name .. " * 1", v.shape end
    local shape = {table.unpack(v.shape)}
    shape[1] = 2
    return ("ops.take(%s, {0, %d}, 1)"):format(v.name, v.shape[1] - 1), shape
  end,
  function(_, v)
    if #v.shape ~= 2 then return ("%s * 0.5"):format(v.name), v.shape end
    return ("ops.tanh(ops.matmul(%s, ops.transpose(%s)))"):format(v.name, v.name), {v.shape[1],
      v.shape[1]}
  end,
  function(_, v) return ("ops.roll(%s, 1, 1)"):format(v.name), v.shape end,
  function(_, v) return ("ops.stack({%s, %s * 2}, 1)"):format(v.name, v.name), {2,
    table.unpack(v.shape)} end,
}

function Builder:expression()
  local v = self:any()
  local kind = self.draw:weighted{{4, "unary"}, {5, "binary"}, {4, "reshaping"}, {1,
    "scalar"}}
  if kind == "scalar" then return ("ops.tanh(%s:sum())"):format(v.name), {} end
  if kind == "reshaping" and #v.shape > 0
    and size(v.shape) < 200 then return self.draw:pick(reshaping)(self, v) end
  if kind == "binary" then
    local w = self:any(function(shape) return same(shape, v.shape) or #shape == 0 end)
    return filled(self.draw:pick(binary), v.name, w.name), v.shape
  end
  return filled(self.draw:pick(unary), v.name), v.shape
end

-- A value of a given shape, created if necessary.
function Builder:of_shape(shape)
  local v = self.draw:chance(0.8) and self:any(shape)
  if v then return self.draw:chance(0.5) and v.name or filled(self.draw:pick(unary), v.name) end
  local s = self:any()
  return ("ops.tanh(%s:sum()) + ops.zeros(%s, '%s')"):format(s.name, list(shape), self.dtype)
end

---------------------------------------------------------------- statements

local statements = {}

function statements.tensor(self, nodes)
  local text, shape = self:expression()
  self:push(nodes, "t", text, shape)
end

function statements.assign(self, nodes)
  local v = self.draw:pick(self.variables)
  local method = self.draw:pick{"assign", "assign", "assign_add", "assign_sub"}
  nodes[#nodes + 1] = ("%s:%s(%s)"):format(v.name, method, self:of_shape(v.shape))
end

function statements.read(self, nodes)
  local v = self.draw:pick(self.variables)
  self:push(nodes, "r", self.draw:pick{"%s.value", "%s * 1", "%s.value + 0"}:format(v.name),
    v.shape)
end

function statements.look(self, nodes)
  nodes[#nodes + 1] = ("mode.look(%s)"):format(self:any().name)
end

local function body(self, nodes, low, high)
  for _ = 1, self.draw:integer(low, high) do self:statement(nodes) end
end

-- Declares sources in scope and their gradients as locals before the tape's block.
local function take_gradients(self, block, tape, sources, names, last)
  local target = self:any()
  local text = ("%s:gradient(%s, {"):format(tape, self.draw:chance(0.7)
    and ("ops.sum(%s)"):format(target.name) or target.name)
  local parts = {}
  for i, source in ipairs(sources) do parts[i] = source.name end
  local found = self:name "found"
  block[#block + 1] = ("local %s = %s%s})"):format(found, text, table.concat(parts, ", "))
  -- An unchosen branch gives zeros when compiled; uncompiled, there is no path at all.
  local none = self.has_branches and "%s * 0" or "%s * 0 - 7"
  for i, source in ipairs(sources) do
    local or_else = none:format(source.name)
    block[#block + 1] = ("%s = %s[%d] or %s"):format(names[i], found, i, or_else)
  end
  if last then return end
  for i, source in ipairs(sources) do self.values[#self.values + 1] = {name = names[i],
    shape = source.shape} end
end

local function gradient_names(self, nodes, sources)
  local names = {}
  for i, source in ipairs(sources) do
    names[i] = self:name "g"
    nodes[#nodes + 1] = ("local %s = %s * 0 - 9"):format(names[i], source.name)
  end
  return names
end

function statements.tape(self, nodes)
  if self.depth > 2 then return statements.tensor(self, nodes) end
  local sources = {self.draw:pick(self.variables), self:any()}
  local names = gradient_names(self, nodes, sources)
  local tape = self:name "tape"
  local persistent = self.draw:chance(0.3)
  self:block(nodes, "do", "end", function(block)
    block[#block + 1] = ("local %s <close> = cusp.GradientTape{persistent = %s}"):format(tape,
      persistent)
    if self.draw:chance(0.5) then block[#block + 1] = ("%s:watch(%s)"):format(tape,
      sources[2].name) end
    body(self, block, 1, 4)
    if persistent then
      take_gradients(self, block, tape, sources, names)
      body(self, block, 0, 2)
    end
    take_gradients(self, block, tape, sources, names, true)
  end, true)
  for i, source in ipairs(sources) do self.values[#self.values + 1] = {name = names[i],
    shape = source.shape} end
end

function statements.grad(self, nodes)
  local v = self:any()
  local f = self:name "f"
  self:block(nodes, ("local function %s(a)"):format(f), "end", function(block)
    self.values[#self.values + 1] = {name = "a", shape = v.shape}
    body(self, block, 0, 2)
    block[#block + 1] = ("return ops.sum(ops.tanh(%s))"):format(self:any().name .. " + a:sum() * 0")
  end)
  self:push(nodes, "d", self.draw:pick{"cusp.grad(%s)(%s * 1)",
    "select(2, cusp.value_and_grad(%s)(%s * 1))"}:format(f, v.name), v.shape)
end

function statements.apply(self, nodes)
  local v = self.draw:pick(self.trainable)
  local gradient = self:any(v.shape)
  if not gradient then return statements.tensor(self, nodes) end
  local text = "%s:apply({ops.tanh(%s):cast('%s')}, {%s})"
  nodes[#nodes + 1] = text:format(self.draw:pick(self.optimizers), gradient.name, self.dtype,
    v.name)
end

function statements.metric(self, nodes)
  local v = self:any()
  nodes[#nodes + 1] = ("metric:update_state(%s)"):format(v.name)
  if self.draw:chance(0.5) then self:push(nodes, "m", "metric:result()", {}) end
end

function statements.layer(self, nodes)
  local layer = self.draw:pick(self.layers)
  local v = self:any(layer.shape)
  if not v then return statements.tensor(self, nodes) end
  local arguments = self.draw:pick{"", ", {training = true}", ", {training = false}"}
  local result = self:push(nodes, "y", ("%s(%s%s)"):format(layer.name, v.name, arguments),
    layer.result)
  if self.draw:chance(0.3) then nodes[#nodes + 1] = ("mode.look(%s)"):format(result.name) end
end

local function branch(self, block, shape)
  body(self, block, 1, 3)
  block[#block + 1] = "return " .. ("ops.cast(%s, 'float32') * 1"):format(self:of_shape(shape))
end

function statements.cond(self, nodes)
  if self.depth > 2 then return statements.tensor(self, nodes) end
  self.has_branches = true
  local test, shape = self:any(), self.draw:pick(self.variables).shape
  local name = self:name "c"
  local predicate = self.draw:pick{"ops.sum(%s):greater(0.15)", "ops.mean(%s):less(0.3)",
    "ops.any(ops.greater(%s, 0.4))", "%s:size() < 3"}:format(test.name)
  if predicate:find "size" then predicate = self.draw:pick{"true", "false",
    "cusp.tensor(true)"} end
  for _, which in ipairs{"then", "else"} do
    self:block(nodes, ("local function %s_%s()"):format(name, which), "end",
      function(block) branch(self, block, shape) end)
  end
  nodes[#nodes + 1] = ("local %s = ops.cond(%s, %s_then, %s_else)"):format(name, predicate, name,
    name)
  self.values[#self.values + 1] = {name = name, shape = shape}
end

function statements.switch(self, nodes)
  if self.depth > 2 then return statements.tensor(self, nodes) end
  self.has_branches = true
  local shape, name = self.draw:pick(self.variables).shape, self:name "c"
  local first = self:name "branch"
  for i = 1, 2 do
    self:block(nodes, ("local function %s_%d()"):format(first, i), "end",
      function(block) branch(self, block, shape) end)
  end
  local index = self.draw:pick{"ops.cast(ops.sum(%s):greater(0.2), 'int32')", "0",
    "1"}:format(self:any().name)
  nodes[#nodes + 1] = ("local %s = ops.switch(%s, {%s_1, %s_2})"):format(name, index, first, first)
  self.values[#self.values + 1] = {name = name, shape = shape}
end

function statements.loop(self, nodes)
  if self.depth > 2 then return statements.tensor(self, nodes) end
  local v, name = self:any(), self:name "l"
  local head = self.draw:pick{
    "local %s = ops.fori_loop(0, 2, function(_, c)",
      "local _, %s = ops.while_loop(function(n) return n < 2 end, function(n, c)",
  }
  self:block(nodes, head:format(name), ("end, %s)"):format(head:find "while"
    and ("{0, %s}"):format(v.name) or v.name), function(block)
    self.values[#self.values + 1] = {name = "c", shape = v.shape}
    body(self, block, 0, 3)
    block[#block + 1] = head:find "while" and "return n + 1, ops.tanh(c * 0.5)"
      or "return ops.tanh(c * 0.5)"
  end)
  self.values[#self.values + 1] = {name = name, shape = v.shape}
end

function statements.scan(self, nodes)
  local v = self:any(function(shape) return #shape > 0 and shape[1] > 0 and shape[1] < 6 end)
  if not v or self.depth > 2 then return statements.tensor(self, nodes) end
  local name, row = self:name "n", without_axis(v.shape, 1)
  local mapped = self.draw:chance(0.5)
  local head = mapped and ("local %s = ops.map(function(c)"):format(name)
    or ("local carry_%s, %s = ops.scan(function(carry, c)"):format(name, name)
  self:block(nodes, head, mapped and ("end, %s)"):format(v.name)
    or ("end, %s[1] * 0, %s)"):format(v.name, v.name), function(block)
    self.values[#self.values + 1] = {name = "c", shape = row}
    body(self, block, 0, 2)
    block[#block + 1] = mapped and "return ops.tanh(c)" or "return carry * 0.5 + c, carry + 1"
  end)
  self.values[#self.values + 1] = {name = name, shape = v.shape}
end

function statements.repeated(self, nodes)
  if self.depth > 2 then return statements.tensor(self, nodes) end
  self:block(nodes, "for _ = 1, 2 do", "end", function(block) body(self, block, 1, 3) end, true)
end

-- Only in the step: an unchosen branch is traced, and would raise only in a compiled step.
function statements.wrong(self, nodes)
  if self.depth > 1 then return statements.tensor(self, nodes) end
  local v, w = self:any(), self:any()
  if self.draw:chance(0.1) then self:push(nodes, "t", ("ops.matmul(%s, %s)"):format(v.name, w.name),
    {}) end
end

local likely = {{20, "tensor"}, {12, "assign"}, {5, "read"}, {8, "look"}, {9, "tape"},
  {3, "grad"}, {5, "apply"}, {3, "metric"},
  {7, "layer"}, {4, "cond"}, {2, "switch"}, {3, "loop"}, {3, "scan"}, {2, "repeated"},
    {1, "wrong"}}

function Builder:statement(nodes)
  statements[self.draw:weighted(likely)](self, nodes)
end

---------------------------------------------------------------- the whole program

local function numbers(self, shape)
  local parts = {}
  for i = 1, size(shape) do parts[i] = tostring(self.draw:integer(-8, 8) / 8) end
  return ("cusp.tensor({%s}, {shape = %s, dtype = '%s'})"):format(table.concat(parts, ", "),
    list(shape), self.dtype)
end

local optimizer_texts = {"SGD(0.1)", "SGD{0.1, momentum = 0.9}", "Adam(0.05)", "RMSprop(0.02)",
  "Adagrad(0.1)", "AdamW(0.05)", "Nadam(0.02)",
  "Adam{0.05, clipnorm = 0.5}", "SGD{0.1, use_ema = true}", "Lion(0.01)", "Adafactor(0.05)",
    "Ftrl(0.1)"}

local function layer_texts(self, n, d)
  local dtype = self.dtype == "float32" and "" or (", dtype = '%s'"):format(self.dtype)
  return {
    {("layers.Dense{2, activation = 'tanh'%s}"):format(dtype), {n, d}, {n, 2}},
    {("layers.BatchNormalization{momentum = 0.7%s}"):format(dtype), {n, d}, {n, d}},
    {("layers.Dropout{0.5%s}"):format(dtype), {n, d}, {n, d}},
    {("layers.LayerNormalization{%s}"):format(dtype:sub(3)), {n, d}, {n, d}},
    {("layers.GaussianNoise{0.25%s}"):format(dtype), {n, d}, {n, d}},
    {("layers.PReLU{%s}"):format(dtype:sub(3)), {n, d}, {n, d}},
  }
end

local function set_up(self, nodes)
  local n, d = self.draw:pick{1, 2, 2, 3, 3, 4, 0}, self.draw:pick{1, 2, 3, 3, 5}
  local shapes = {{n, d}, {n, d}, {d}, {}, {n}}
  for i = 1, 2 do self:push(nodes, "k", numbers(self, shapes[i == 1 and 1 or self.draw:integer(1,
    #shapes)]), shapes[1]) end
  self.values[#self.values] = nil
  for i = 1, self.draw:integer(2, 4) do
    local shape, trainable = self.draw:pick(shapes), i == 1 or self.draw:chance(0.75)
    local v = self:push(nodes, "v", ("cusp.Variable(%s, {trainable = %s})"):format(numbers(self,
      shape), trainable), shape)
    self.variables[#self.variables + 1] = v
    if trainable then self.trainable[#self.trainable + 1] = v end
  end
  for _ = 1, 2 do
    local name = self:name "optimizer"
    nodes[#nodes + 1] = ("local %s = cusp.optimizers.%s"):format(name,
      self.draw:pick(optimizer_texts))
    self.optimizers[#self.optimizers + 1] = name
    local parts = {}
    for i, v in ipairs(self.trainable) do parts[i] = v.name end
    nodes[#nodes + 1] = ("%s:build({%s})"):format(name, table.concat(parts, ", "))
  end
  for _ = 1, 3 do
    local text = self.draw:pick(layer_texts(self, n, d))
    local layer = {name = self:name "layer", shape = text[2], result = text[3]}
    nodes[#nodes + 1] = ("local %s = %s"):format(layer.name, text[1])
    nodes[#nodes + 1] = ("%s:build(%s)"):format(layer.name, list(text[2]))
    self.layers[#self.layers + 1] = layer
  end
  nodes[#nodes + 1] = ("local metric = cusp.metrics.%s()"):format(self.draw:pick{"Mean", "Sum"})
  return {n, d}
end

local function step_function(self, nodes, shape)
  self:block(nodes, "local step = mode.step(function(x)", "end)", function(block)
    self.values[#self.values + 1] = {name = "x", shape = shape}
    body(self, block, 3, 12)
    local parts = {}
    for i = 1, self.draw:integer(1, 4) do parts[i] = self:any().name .. " * 1" end
    block[#block + 1] = ("return {%s}"):format(table.concat(parts, ", "))
  end)
end

local function final_results(self, nodes)
  local parts = {}
  for i, v in ipairs(self.variables) do parts[i] = ("%s.value"):format(v.name) end
  parts[#parts + 1] = "metric:result()"
  for _, name in ipairs(self.optimizers) do parts[#parts + 1] = name .. ".iterations" end
  nodes[#nodes + 1] = ("results[#results + 1] = {%s}"):format(table.concat(parts, ", "))
  nodes[#nodes + 1] = ("for _, layer in ipairs{%s} do for _, w in ipairs(layer.weights) do "
    .. "results[#results + 1] = w.value end end"):format(
    table.concat({self.layers[1].name, self.layers[2].name, self.layers[3].name}, ", "))
end

--- A program.
-- @tparam draw source
-- @treturn table a tree of nodes
function steps.make(source)
  local self = setmetatable({draw = source, counter = 0, depth = 0, values = {}, variables = {},
    trainable = {}, optimizers = {}, layers = {}}, Builder)
  self.dtype = source:weighted{{14, "float32"}, {3, "float64"}, {1, "bfloat16"}, {1,
    "float16"}}
  local nodes = {}
  local shape = set_up(self, nodes)
  step_function(self, nodes, shape)
  for _ = 1, source:integer(2, 4) do
    nodes[#nodes + 1] = ("results[#results + 1] = step(%s)"):format(numbers(self, shape))
    for _ = 1, source:integer(0, 2) do
      statements[source:pick{"assign", "look", "tensor"}](self, nodes)
    end
  end
  final_results(self, nodes)
  return nodes
end

return steps
