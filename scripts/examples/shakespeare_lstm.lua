--- A character model: an LSTM reads Shakespeare and then continues the text.
-- Usage: build/cusp scripts/examples/shakespeare_lstm.lua FILE.txt [EPOCHS [STEPS]]
-- On two cores an epoch of 400 steps takes about half a minute; after three the text has words,
-- names and lines.
local cusp = require "cusp"
local layers, ops = cusp.layers, cusp.ops
local path, epochs, steps = arg[1], tonumber(arg[2] or 3), tonumber(arg[3] or 400)
local window, batch_size, prompt = 64, 64, "ROMEO:\n"

cusp.random.set_seed(7)

---------------------------------------------------------------- the text as numbers

local file = assert(io.open(assert(path, "usage: shakespeare_lstm.lua FILE.txt [EPOCHS [STEPS]]"),
  "rb"))
local text = file:read "a"
file:close()

local id_of, characters = {}, {}
for character in text:gmatch "." do id_of[character] = true end
for character in pairs(id_of) do characters[#characters + 1] = character end
table.sort(characters)
for i, character in ipairs(characters) do id_of[character] = i - 1 end -- token ids count from 0

local function encode(s)
  local ids = {}
  for i = 1, #s do ids[i] = id_of[s:sub(i, i)] end
  return ids
end
local ids = cusp.tensor(encode(text), {dtype = "int32"})
print(("%d characters, %d different ones"):format(#text, #characters))

--- Batches of windows from anywhere in the text; the targets are the characters one position later.
local function batches()
  local start = cusp.random.randint({batch_size, 1}, 0, #text - window - 1)
  local at = start + cusp.arange(window):reshape{1, window}
  return ops.take(ids, at), ops.take(ids, at + 1)
end

---------------------------------------------------------------- the model

--- Layers shared by two models: one learns from batches of windows, one writes a character at a
-- time.
local embed = layers.Embedding(#characters, 64)
local lstm = layers.LSTM{256, return_sequences = true, return_state = true}
local head = layers.Dense(#characters)

local inputs = cusp.Input{shape = {window}, dtype = "int32"}
local model = cusp.Model{inputs = inputs, outputs = head(lstm(embed(inputs))[1])}
model:compile{
  optimizer = cusp.optimizers.Adam{0.003, clipnorm = 1},
  loss = cusp.losses.SparseCategoricalCrossentropy{from_logits = true},
  metrics = {"accuracy"},
}
model:summary()

---------------------------------------------------------------- writing

local character, h, c = cusp.Input{shape = {1}, dtype = "int32"}, cusp.Input{shape = {256}},
  cusp.Input{shape = {256}}
local outputs = lstm(embed(character), {initial_state = {h, c}})
local writer = cusp.Model{inputs = {character, h, c},
  outputs = {head(outputs[1]), outputs[2], outputs[3]}}

--- Continues the prompt, character by character; low temperatures prefer likely characters.
local function write(length, temperature)
  local state_h, state_c = cusp.zeros{1, 256}, cusp.zeros{1, 256}
  local written, logits = {prompt}, nil
  local function read(id)
    local results = writer{cusp.tensor({{id}}, {dtype = "int32"}), state_h, state_c}
    logits, state_h, state_c = results[1], results[2], results[3]
  end
  for _, id in ipairs(encode(prompt)) do read(id) end
  for _ = 1, length do
    local id = cusp.random.categorical(logits:reshape{1, -1} / temperature, 1):item(1, 1)
    written[#written + 1] = characters[id + 1]
    read(id)
  end
  return table.concat(written)
end

model:fit{batches, steps_per_epoch = steps, epochs = epochs, callbacks = {{
  on_epoch_end = function(_, epoch)
    print(("\n--- after epoch %d\n%s\n"):format(epoch, write(200, 0.7)))
  end,
}}}
