--- A time series: predicts the temperature of the next hours from the last days, with made-up
-- weather.
-- Usage: build/cusp scripts/examples/time_series.lua [EPOCHS [PICTURE.png]]
local cusp = require "cusp"
local layers, ops = cusp.layers, cusp.ops
local epochs, picture = tonumber(arg[1] or 5), arg[2]
local hours, past, ahead = 24 * 365, 48, 6

cusp.random.set_seed(4)

--- A year of hourly temperatures: seasons, days, and weather that lasts for days.
local hour = cusp.arange(hours):cast "float32"
local weather, level = {}, 0
for i, push in ipairs(cusp.random.normal({hours}, {stddev = 0.4}):tolist()) do
  level = 0.98 * level + push
  weather[i] = level
end
local temperature = 10 - 8 * ops.cos(hour * (2 * math.pi / hours))
  - 4 * ops.cos(hour * (2 * math.pi / 24)) + cusp.tensor(weather)
local mean, deviation = ops.mean(temperature):item(), ops.std(temperature):item()
local series = (temperature - mean) / deviation

--- Windows of `past` hours; the target is the temperature `ahead` hours after the window's last
-- one.
local function windows(first, last, shuffle)
  local part = series:slice{{first, last}}
  return cusp.utils.timeseries_dataset_from_array{
    part:slice{{1, #part - past - ahead + 1}}:reshape{-1, 1}, part:slice{{past + ahead, #part}},
    sequence_length = past, batch_size = 64, shuffle = shuffle, seed = 1,
  }
end
local split = hours * 3 // 4
local train, test = windows(1, split, true), windows(split + 1, hours, false)

local model = cusp.Sequential{
  cusp.Input{shape = {past, 1}},
  layers.GRU(32), layers.Dense(1),
}
model:compile{optimizer = cusp.optimizers.Adam(0.003), loss = "mse", metrics = {"mae"}}
model:summary()
local history = model:fit{train, epochs = epochs, validation_data = test}
if picture then history:plot(picture) end

local _, error_ = model:evaluate{test, verbose = 0}
local last = series:slice{{split + past, hours - ahead}}
local naive = ops.mean(ops.abs(series:slice{{split + past + ahead, hours}} - last)):item()
print(("%d hours ahead it is wrong by %.2f degrees; taking the last temperature, by %.2f."):format(
  ahead, error_ * deviation, naive * deviation))
