--- A small causal transformer with custom layers learns to write like Shakespeare.
-- Usage: build/cusp scripts/examples/shakespeare_transformer.lua FILE.txt [EPOCHS [STEPS]]
local cusp = require "cusp"
local layers, ops = cusp.layers, cusp.ops
local path, epochs, steps = arg[1], tonumber(arg[2] or 3), tonumber(arg[3] or 300)
local window, batch_size, width, heads, blocks = 64, 32, 128, 4, 3

cusp.random.set_seed(7)

---------------------------------------------------------------- the text as numbers

local file = assert(io.open(assert(path,
  "usage: shakespeare_transformer.lua FILE.txt [EPOCHS [STEPS]]"), "rb"))
local text = file:read "a"
file:close()

local vocabulary = {}
do
  local seen = {}
  for character in text:gmatch "." do
    if not seen[character] then seen[character], vocabulary[#vocabulary + 1] = true, character end
  end
  table.sort(vocabulary)
end
local id_of = {}
for i, character in ipairs(vocabulary) do id_of[character] = i - 1 end

local ids = {}
for i = 1, #text do ids[i] = id_of[text:sub(i, i)] end
ids = cusp.tensor(ids, {dtype = "int32"})

local function batches()
  local at = cusp.random.randint({batch_size, 1}, 0, #text - window - 1)
    + cusp.arange(window):reshape{1, window}
  return ops.take(ids, at), ops.take(ids, at + 1)
end

---------------------------------------------------------------- the model

--- Embeddings of the characters and of their positions.
local Positions = layers.Layer:extend "Positions"

function Positions:init(args)
  layers.Layer.init(self, args)
  self.characters = layers.Embedding(#vocabulary, width)
  self.places = layers.Embedding(window, width)
end

function Positions:call(inputs)
  return self.characters(inputs) + self.places(cusp.arange(inputs.shape[2]))
end

--- Attention to earlier characters, then two dense layers, each with a residual connection (Vaswani
-- et al., 2017; normalised first).
local Block = layers.Layer:extend "Block"

function Block:init(args)
  layers.Layer.init(self, args)
  self.attention = layers.MultiHeadAttention{num_heads = heads, key_dim = width // heads}
  self.wide, self.narrow = layers.Dense{4 * width, activation = "gelu"}, layers.Dense(width)
  self.before_attention, self.before_dense = layers.LayerNormalization(),
    layers.LayerNormalization()
end

function Block:call(x)
  local normal = self.before_attention(x)
  x = x + self.attention(normal, normal, {use_causal_mask = true})
  return x + self.narrow(self.wide(self.before_dense(x)))
end

local model = cusp.Sequential{cusp.Input{shape = {window}, dtype = "int32"}, Positions()}
for _ = 1, blocks do model:add(Block()) end
model:add(layers.LayerNormalization())
model:add(layers.Dense(#vocabulary))
model:compile{
  optimizer = cusp.optimizers.AdamW{0.002, weight_decay = 0.01, clipnorm = 1},
  loss = cusp.losses.SparseCategoricalCrossentropy{from_logits = true},
  metrics = {"accuracy"},
}
model:summary()

---------------------------------------------------------------- writing

local function write(prompt, length, temperature)
  local written = {}
  for i = 1, #prompt do written[i] = id_of[prompt:sub(i, i)] end
  for _ = 1, length do
    local first = math.max(1, #written - window + 1)
    local seen = table.move(written, first, #written, 1, {})
    local count = #seen
    -- the causal mask hides what follows the last character
    for i = count + 1, window do seen[i] = 0 end
    local logits = model(cusp.tensor({seen}, {dtype = "int32"}))[1][count]
    written[#written + 1] = cusp.random.categorical(logits:reshape{1, -1} / temperature, 1):item(1,
      1)
  end
  for i, id in ipairs(written) do written[i] = vocabulary[id + 1] end
  return table.concat(written)
end

model:fit{batches, steps_per_epoch = steps, epochs = epochs, callbacks = {{
  on_epoch_end = function(_, epoch)
    print(("\n--- after epoch %d\n%s\n"):format(epoch, write("ROMEO:\n", 200, 0.7)))
  end,
}}}
