--- Random models and their training: nested and shared models, masks, normalisation, dropout,
-- recurrent layers, callbacks, metrics, a train_step with two optimizers. `fit` runs compiled, or
-- with run_eagerly.
-- @module program_models
local models = {}

---------------------------------------------------------------- layers by the rank of what they
------------------------------------------- take

local on_vectors = {
  "layers.Dense{%d, activation = 'tanh'}", "layers.Dense(%d)",
    "layers.Dense{%d, activation = 'relu', kernel_regularizer = 'l2'}",
  "layers.Dense{%d, use_bias = false, kernel_constraint = 'max_norm'}",
}
local keeping = {"layers.BatchNormalization{momentum = 0.6}", "layers.Dropout(0.4)",
  "layers.LayerNormalization()", "layers.GaussianNoise(0.1)",
  -- no UnitNormalization: it amplifies rounding errors near zero
  "layers.Activation('elu')", "layers.PReLU()",
    "layers.ActivityRegularization{l2 = 0.01}", "layers.AlphaDropout(0.2)",
  "layers.Rescaling(0.5, 0.1)", "layers.Lambda(function(a) return a * 0.5 end)",
    "layers.SpectralNormalization(layers.Dense(3))", "counting()"}
local on_sequences = {"layers.LSTM{3, return_sequences = true}",
  "layers.GRU{3, return_sequences = true, dropout = 0.2}",
  "layers.SimpleRNN{3, return_sequences = true}",
    "layers.Bidirectional(layers.LSTM{2, return_sequences = true})",
  "layers.TimeDistributed(layers.Dense(3))", "layers.Conv1D{3, 2, padding = 'same'}",
    "layers.Dropout(0.3)", "layers.LayerNormalization()",
  "layers.Masking()", "layers.BatchNormalization()", "layers.SpatialDropout1D(0.3)",
    "layers.RNN(layers.GRUCell(3), {return_sequences = true})",
  "layers.GRU{3, return_sequences = true, reset_after = false, recurrent_dropout = 0.2}"}
local to_vectors = {"layers.LSTM(3)", "layers.GRU(3)", "layers.SimpleRNN(3)",
  "layers.GlobalAveragePooling1D()", "layers.GlobalMaxPooling1D()",
  "layers.Flatten()", "layers.Bidirectional(layers.GRU(2))",
    "layers.RNN(layers.StackedRNNCells{layers.LSTMCell(2), layers.LSTMCell(3)})"}

local function dense(source) return source:pick(on_vectors):format(source:integer(2, 4)) end

local function vector_layers(source)
  local list = {}
  for _ = 1, source:integer(1, 3) do list[#list + 1] = source:chance(0.4) and dense(source)
    or source:pick(keeping) end
  return list
end

---------------------------------------------------------------- bodies of models

local function sequential(source, nodes, input)
  nodes[#nodes + 1] = ("local model = cusp.Sequential{%s}"):format(input.text)
  if input.sequence then
    for _ = 1, source:integer(0,
      2) do nodes[#nodes + 1] = ("model:add(%s)"):format(source:pick(on_sequences)) end
    nodes[#nodes + 1] = ("model:add(%s)"):format(source:pick(to_vectors))
  end
  for _,
    text in ipairs(vector_layers(source)) do nodes[#nodes + 1] = ("model:add(%s)"):format(text) end
  nodes[#nodes + 1] = "model:add(layers.Dense(1))"
end

local function nested(source)
  local list = vector_layers(source)
  list[#list + 1] = "layers.Dense(2)"
  return ("cusp.Sequential{%s}"):format(table.concat(list, ", "))
end

local function functional(source, nodes, input)
  nodes[#nodes + 1] = ("local a = %s"):format(input.text)
  nodes[#nodes + 1] = "local h = a"
  if input.embedding then nodes[#nodes + 1] = ("h = %s(h)"):format(input.embedding) end
  if input.sequence then
    for _ = 1, source:integer(0,
      2) do nodes[#nodes + 1] = ("h = %s(h)"):format(source:pick(on_sequences)) end
    nodes[#nodes + 1] = ("h = %s(h)"):format(source:pick(to_vectors))
  end
  nodes[#nodes + 1] = ("local shared = %s"):format(source:chance(0.5) and nested(source)
    or "layers.Dense{2, activation = 'tanh'}")
  if source:chance(0.3) then
    nodes[#nodes + 1] = "shared:compile{optimizer = 'sgd', loss = 'mse', metrics = {'mae'}}"
  end
  nodes[#nodes + 1] = "h = layers.Dense(2)(h)"
  nodes[#nodes + 1] = source:pick{"h = layers.Add(){shared(h), shared(h * 2)}",
    "h = layers.Concatenate(){h, shared(h)}", "h = shared(h) + h",
    "h = ops.tanh(shared(h))", "h = shared(shared(h))", "h = layers.Multiply(){shared(h), h}"}
  for _, text in ipairs(vector_layers(source)) do nodes[#nodes + 1] = ("h = %s(h)"):format(text) end
  nodes[#nodes + 1] = "local model = cusp.Model{a, layers.Dense(1)(h)}"
end

local function subclassed(source, nodes, input)
  nodes[#nodes + 1] = "local Net = cusp.Model:extend 'Net'"
  local init = {head = "function Net:init(args)", tail = "end", "cusp.Model.init(self, args)"}
  local call = {head = "function Net:call(h, args)", tail = "end"}
  local function add(text, how)
    local name = "layer" .. #init
    init[#init + 1] = ("self.%s = %s"):format(name, text)
    call[#call + 1] = ("h = %s"):format((how or "self.%s(h)"):format(name))
  end
  if input.embedding then add(input.embedding) end
  if input.sequence then add(source:pick(to_vectors)) end
  for _, text in ipairs(vector_layers(source)) do add(text, source:chance(0.2)
    and "self.%s(h, {training = args.training})" or nil) end
  add(nested(source))
  if source:chance(0.3) then call[#call + 1] = "self:add_loss(h:square():mean() * 0.1)" end
  if source:chance(0.3) then
    init[#init + 1] =
      "self.seen = self:add_weight{name = 'seen', shape = {}, initializer = 'zeros', trainable = "
      .. "false}"
    call[#call + 1] = source:pick{"self.seen:assign_add(h:mean())",
      "if args.training then self.seen:assign(self.seen * 0.5 + h:mean()) end",
      "ops.cond(h:mean():greater(0.1), function() self.seen:assign_add(1) return h end, "
      .. "function() return h end)"}
    call[#call + 1] = source:pick{"h = h + self.seen * 0.1", "h = h * 1"}
  end
  init[#init + 1] = "self.out = layers.Dense(1)"
  call[#call + 1] = "return self.out(h)"
  nodes[#nodes + 1], nodes[#nodes + 2] = init, call
  if source:chance(0.5) then nodes[#nodes + 1] = models.train_step(source) end
  nodes[#nodes + 1] = "local model = Net{}"
end

-- A custom step: one tape, or two with two optimizers over halves of the variables.
function models.train_step(source)
  local step = {head = "function Net:train_step(batch)", tail = "end"}
  local two = source:chance(0.6)
  step[#step + 1] = "local tape <close> = cusp.GradientTape{persistent = true}"
  step[#step + 1] = "local loss = (self(batch[1], {training = true}) - batch[2]):square():mean()"
  step[#step + 1] =
    "local first, second = {self.trainable_variables[1]}, {table.unpack(self.trainable_variables, "
    .. "2)}"
  step[#step + 1] = "self.optimizer:apply(tape:gradient(loss, first), first)"
  if two then
    step[#step + 1] = "self.other = self.other or cusp.optimizers.SGD(0.05)"
    if source:chance(0.5) then
      step[#step + 1] = "loss = (self(batch[1], {training = true}) - batch[2]):abs():mean()"
    end
    step[#step + 1] = "self.other:apply(tape:gradient(loss, second), second)"
  end
  step[#step + 1] = source:pick{"local again = self(batch[1], {training = false}):mean()",
    "local again = loss * 2"}
  step[#step + 1] = "return {loss = loss, again = again}"
  return step
end

---------------------------------------------------------------- inputs, training

local function numbers(source, shape)
  local n, parts = 1, {}
  for _, length in ipairs(shape) do n = n * length end
  for i = 1, n do parts[i] = tostring(source:integer(-6, 6) / 4) end
  return ("cusp.tensor({%s}, {shape = {%s}, dtype = 'float32'})"):format(table.concat(parts, ", "),
    table.concat(shape, ", "))
end

local function ids(source, shape)
  local n, parts = 1, {}
  for _, length in ipairs(shape) do n = n * length end
  for i = 1, n do parts[i] = tostring(math.max(0, source:integer(-3, 4))) end
  return ("cusp.tensor({%s}, {shape = {%s}, dtype = 'int32'})"):format(table.concat(parts, ", "),
    table.concat(shape, ", "))
end

local function input_of(source, rows)
  local kind, t, d = source:weighted{{4, "vectors"}, {3, "sequences"}, {3, "ids"}},
    source:integer(1, 4), source:integer(1, 3)
  if kind == "vectors" then return {text = ("cusp.Input{%d}"):format(d), data = numbers(source,
    {rows, d})} end
  if kind == "sequences" then
    return {text = ("cusp.Input{%d, %d}"):format(t, d), data = numbers(source, {rows, t, d}),
      sequence = true}
  end
  local embedding = ("layers.Embedding{5, 3, mask_zero = %s}"):format(source:chance(0.7))
  return {text = ("cusp.Input{shape = {%d}, dtype = 'int32'}"):format(t), data = ids(source,
    {rows, t}), sequence = true, embedding = embedding}
end

local callback_texts =
  {"cusp.callbacks.EarlyStopping{monitor = 'loss', patience = 1, restore_best_weights = true}",
  "cusp.callbacks.LearningRateScheduler(function(epoch, rate) return rate / epoch end)",
  "cusp.callbacks.ReduceLROnPlateau{monitor = 'loss', patience = 1, factor = 0.5}",
  "{on_epoch_end = function(self, epoch, logs) seen[#seen + 1] = logs.loss end}",
  "{on_batch_end = function(self, batch, logs) seen[#seen + 1] = logs.loss end}",
  "{on_epoch_begin = function(self, epoch) if epoch == 2 then seen[#seen + 1] = "
  .. "self.model.weights[1].value end end}",
  "cusp.callbacks.TerminateOnNaN()",
    "cusp.callbacks.LambdaCallback{on_train_end = function() seen[#seen + 1] = 1 end}"}

-- If a gradient is zero except for rounding, a small epsilon turns it into a full step, so epsilons
-- are large here.
local optimizers = {"'sgd'", "cusp.optimizers.Adam{0.01, epsilon = 0.01}",
  "cusp.optimizers.RMSprop{0.01, epsilon = 0.01}",
  "cusp.optimizers.SGD{0.05, momentum = 0.9, nesterov = true}",
  "cusp.optimizers.Adam{0.01, amsgrad = true, epsilon = 0.01}",
  "cusp.optimizers.Adam{0.01, global_clipnorm = 1, epsilon = 0.01}",
  "cusp.optimizers.AdamW{0.01, epsilon = 0.01}",
  "cusp.optimizers.Nadam{0.01, epsilon = 0.01}", "cusp.optimizers.Adagrad{0.05, epsilon = 0.01}",
  "cusp.optimizers.SGD(cusp.optimizers.schedules.ExponentialDecay(0.1, 3, 0.9))",
  "cusp.optimizers.Adam{0.01, epsilon = 0.01, use_ema = true, ema_overwrite_frequency = 2}",
  "cusp.optimizers.Lamb{0.01, epsilon = 0.01}",
  "cusp.optimizers.SGD{0.05, gradient_accumulation_steps = 2}"}
local losses = {"'mse'", "'mae'", "'huber'", "'log_cosh'",
  "cusp.losses.MeanSquaredError{reduction = 'sum'}",
  "function(a, b) return ops.abs(a - b):mean(-1) end"}
local metrics = {"", "metrics = {'mae'}, ",
  "metrics = {'mse', cusp.metrics.RootMeanSquaredError()}, ", "weighted_metrics = {'mae'}, ",
  "metrics = {cusp.metrics.MeanSquaredError(), function(a, b) return ops.maximum(a, b):mean(-1) "
  .. "end}, "}

local function fit_text(source, rows)
  local parts = {"x", "y", ("epochs = %d"):format(source:integer(1, 3)),
    ("batch_size = %d"):format(source:integer(1, rows + 1)), "verbose = 0"}
  if source:chance(0.5) then parts[#parts + 1] = "shuffle = false" end
  if source:chance(0.3)
    and rows > 2 then parts[#parts + 1] = source:pick{"validation_data = {x, y}",
    "validation_split = 0.34"} end
  if source:chance(0.25) then parts[#parts + 1] = "sample_weight = w" end
  local chosen = {}
  for _ = 1, source:pick{0, 0, 1, 2} do chosen[#chosen + 1] = source:pick(callback_texts) end
  parts[#parts + 1] = ("callbacks = {%s}"):format(table.concat(chosen, ", "))
  return ("model:fit{%s}"):format(table.concat(parts, ", "))
end

local function training(source, nodes, rows)
  nodes[#nodes + 1] =
    ("model:compile{optimizer = %s, loss = %s, %srun_eagerly = mode.run_eagerly}"):format(
      source:pick(optimizers),
    source:pick(losses), source:pick(metrics))
  for _ = 1, source:integer(1, 2) do
    nodes[#nodes + 1] = ("results[#results + 1] = %s.history"):format(fit_text(source, rows))
    if source:chance(0.2) then nodes[#nodes + 1] = "model.layers[1].trainable = false" end
    if source:chance(0.3) then nodes[#nodes + 1] = "mode.look(model.weights[1])" end
    if source:chance(0.3) then
      nodes[#nodes + 1] = "results[#results + 1] = table.pack(model:train_on_batch(x, y))"
    end
    if source:chance(0.3) then
      nodes[#nodes + 1] = "model.weights[1]:assign(model.weights[1] * 0.5)"
    end
  end
  nodes[#nodes + 1] = "results[#results + 1] = table.pack(model:evaluate{x, y, verbose = 0})"
  nodes[#nodes + 1] = "results[#results + 1] = model:predict{x, verbose = 0}"
  nodes[#nodes + 1] = "results[#results + 1] = model(x)"
  nodes[#nodes + 1] = "results[#results + 1] = seen"
  nodes[#nodes + 1] = "for _, w in ipairs(model.weights) do results[#results + 1] = w.value end"
end

local counting = {
  head = "local Counting = layers.Layer:extend('Counting', {", tail = "})",
  "build = function(self) self.count = self:add_weight{name = 'count', shape = {}, initializer = "
  .. "'zeros', trainable = false} end,",
  {head = "call = function(self, a, args)", tail = "end,",
    "self.count:assign_add(1)",
      "if args.training then self.count:assign(self.count * 0.5 + a:mean()) end",
      "return a + self.count * 0.01"},
  "compute_output_shape = function(self, shape) return shape end,",
}

--- A program.
function models.make(source)
  local rows = source:integer(1, 6)
  local input = input_of(source, rows)
  local nodes = {counting, "local function counting() return Counting() end", "local seen = {}"}
  nodes[#nodes + 1] = "local x = " .. input.data
  nodes[#nodes + 1] = "local y = " .. numbers(source, {rows, 1})
  nodes[#nodes + 1] = "local w = ops.abs(" .. numbers(source, {rows}) .. ")"
  local shape = input.embedding and source:pick{functional, subclassed}
    or source:pick{sequential, functional, subclassed}
  shape(source, nodes, input)
  training(source, nodes, rows)
  return nodes
end

return models
