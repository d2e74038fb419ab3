--- The rows of `make bench-inference`, as rows.lua has those of training: known networks beside
-- onnxruntime, which runs the file that Cusp exports, and a transformer beside PyTorch.
-- @param context as for rows.lua
return function(context)
  local cusp, rows = context.build .. "/cusp", {}
  os.execute(("mkdir -p '%s/bench'"):format(context.build))

  local function add(title, command, peers)
    local cases = {
      {label = "Cusp, predict", command = command},
      {label = "Cusp, model(x)", command = command, field = "eager_seconds"},
    }
    table.move(peers, 1, #peers, #cases + 1, cases)
    rows[#rows + 1] = {title = title, unit = "ms", scale = 1e3, field = "seconds_per_step",
      cases = cases}
  end

  local function add_network(network, size, batch)
    local file = ("%s/bench/%s-%d.onnx"):format(context.build, network, size)
    add(("%s on %d x %d, batch %d"):format(network, size, size, batch),
      {cusp, context.scripts .. "inference.lua", network, size, batch, file}, {
        {label = "onnxruntime", framework = "onnxruntime",
          command = {context.python.onnxruntime, context.scripts .. "inference.py", file, batch}},
      })
  end

  for _, batch in ipairs{1, 16} do
    add_network("MobileNetV2", 32, batch)
    add_network("EfficientNetB0", 32, batch)
    add_network("ResNet50", 32, batch)
    add_network("InceptionV3", 75, batch)
    add_network("VGG16", 32, batch)
    add_network("Xception", 71, batch)
    add_network("DenseNet121", 32, batch)
    add_network("NASNetMobile", 32, batch)
  end
  local function torch(label, mode)
    return {label = label, framework = "torch",
      command = {context.python.torch, context.scripts .. "networks.py", mode, "transformer"}}
  end
  add("transformer 256, 4 blocks, 128 words, batch 16",
    {cusp, context.scripts .. "inference.lua", "transformer", 128, 16},
    {torch("PyTorch", "inference"), torch("PyTorch, compiled", "inference-compiled")})
  return rows
end
