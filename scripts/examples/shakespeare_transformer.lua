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

--- Embeddings of the characters and of their positions, of which the first may be given.
local Positions = layers.Layer:extend "Positions"

function Positions:init(args)
  layers.Layer.init(self, args)
  self.characters = layers.Embedding(#vocabulary, width)
  self.places = layers.Embedding(window, width)
end

function Positions:call(inputs, args)
  return self.characters(inputs) + self.places(cusp.arange(inputs.shape[2]) + (args.first or 0))
end

--- Attention to earlier characters, then two dense layers, each with a residual connection (Vaswani
-- et al., 2017; normalised first). With a cache, also returns the cache after the call.
local Block = layers.Layer:extend "Block"

function Block:init(args)
  layers.Layer.init(self, args)
  self.attention = layers.MultiHeadAttention{num_heads = heads, key_dim = width // heads}
  self.wide, self.narrow = layers.Dense{4 * width, activation = "gelu"}, layers.Dense(width)
  self.before_attention, self.before_dense = layers.LayerNormalization(),
    layers.LayerNormalization()
end

function Block:call(x, args)
  local normal = self.before_attention(x)
  local attended, cache = self.attention(normal, normal, {use_causal_mask = true,
    cache = args.cache, cache_update_index = args.first}), nil
  if args.cache then attended, cache = table.unpack(attended) end
  x = x + attended
  x = x + self.narrow(self.wide(self.before_dense(x)))
  return cache and {x, cache} or x
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

--- The logits of the last of some characters, and the caches with them written from `first` on.
local read = cusp.compile(function(characters, caches, first)
  local list, after = model.layers, {}
  local x = list[1](characters, {first = first})
  for i = 1, blocks do
    x, after[i] = table.unpack(list[i + 1](x, {cache = caches[i], first = first}))
  end
  x = list[blocks + 3](list[blocks + 2](x))
  return x:slice{{}, {-1, -1}}:squeeze(2), after
end)

local function empty_caches()
  local caches = {}
  for i = 1, blocks do caches[i] = cusp.zeros{1, 2, window, heads, width // heads} end
  return caches
end

--- The logits of position `index`, from the character before it.
local function next_logits(prompt, caches, index)
  local logits, after = read(ops.take(prompt, index - 1, 2):reshape{1, 1}, caches, index - 1)
  return logits, nil, after
end

--- Continues a text to the end of the window, with one pass over what is there.
local function fill_window(sampler, written)
  local count, row = #written, table.move(written, 1, #written, 1, {})
  for i = count + 1, window do row[i] = 0 end
  local prompt = cusp.tensor({row}, {dtype = "int32"})
  local caches = empty_caches()
  if count > 1 then
    local _, after = read(prompt:slice{{}, {1, count - 1}}, caches, cusp.tensor(0))
    caches = after
  end
  return sampler(next_logits, prompt, {cache = caches, index = count}):tolist()[1]
end

local sampler = cusp.samplers.TopKSampler{k = 10, temperature = 0.7, seed = 7}

--- Writes on from a prompt. Where the window is full, it goes on from its second half.
local function write(prompt, length)
  local written = {}
  for i = 1, #prompt do written[i] = id_of[prompt:sub(i, i)] end
  while #written < #prompt + length do
    local first = #written < window and 1 or #written - window // 2 + 1
    local row = fill_window(sampler, table.move(written, first, #written, 1, {}))
    table.move(row, 1, window, first, written)
  end
  for i, id in ipairs(written) do written[i] = vocabulary[id + 1] end
  return table.concat(written, "", 1, #prompt + length)
end

model:fit{batches, steps_per_epoch = steps, epochs = epochs, callbacks = {{
  on_epoch_end = function(_, epoch)
    print(("\n--- after epoch %d\n%s\n"):format(epoch, write("ROMEO:\n", 200)))
  end,
}}}
