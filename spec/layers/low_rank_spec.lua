-- Low-rank adaptation: outputs and training as Keras computes them, files with the sum.
local cusp = require "cusp"
local folder = require "spec.support.folder"
local waves = require "spec.support.waves"

local layers = cusp.layers

describe("enable_lora", function()
  local x, y = waves.cosines{4, 3}, cusp.ops.reshape(cusp.ops.sin(cusp.arange(4.0)), {4, 1})

  local function model()
    return cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense{2, name = "d"}, layers.Dense{1}}
  end

  local function trained()
    local adapted = model()
    adapted.layers[1]:enable_lora{2, lora_alpha = 4}
    waves.fill(adapted.weights)
    adapted:compile{optimizer = cusp.optimizers.SGD(0.1), loss = "mse"}
    adapted:fit{x, y, epochs = 2, batch_size = 4, verbose = 0, shuffle = false}
    return adapted
  end

  it("trains the product and leaves the kernel", function()
    local adapted = trained()
    local dense = adapted.layers[1]
    waves.compare({-0.9813523888587952, -1.9929099082946777, 1.2185369729995728,
      0.7822601199150085, -0.9975181221961975, 0.3846975564956665}, dense.kernel)
    waves.compare({0.32317498326301575, -0.08130227029323578, 0.32298484444618225,
      -0.07302027940750122}, adapted:predict{x, verbose = 0})
    assert.are.equal(3, #dense.trainable_weights)
    assert.are.same({2, 4}, {dense.lora_rank, dense.lora_alpha})
  end)

  it("is in files as the kernel with the product, and the product as zeros", function()
    local adapted = trained()
    local want = adapted:predict{x, verbose = 0}
    do
      local place <close> = folder.new()
      adapted:save(place.path .. "/m.keras")
      adapted:save_weights(place.path .. "/m.weights.h5")
      local loaded = cusp.models.load_model(place.path .. "/m.keras")
      assert.is_true(loaded.layers[1].lora_enabled)
      waves.compare(want:flat(), loaded:predict{x, verbose = 0}, 1e-6)
      waves.compare({0, 0, 0, 0}, loaded.layers[1].lora_kernel_b)
      local plain = model()
      plain:load_weights(place.path .. "/m.weights.h5")
      waves.compare(want:flat(), plain:predict{x, verbose = 0}, 1e-6)
    end
  end)

  it("is in files of Keras 2's layout with the matrices and the rank", function()
    local adapted = trained()
    do
      local place <close> = folder.new()
      adapted:save(place.path .. "/m.h5")
      local loaded = cusp.models.load_model(place.path .. "/m.h5")
      assert.are.same({2, 4}, {loaded.layers[1].lora_rank, loaded.layers[1].lora_alpha})
      waves.compare(adapted:predict{x, verbose = 0}:flat(), loaded:predict{x, verbose = 0}, 1e-6)
    end
  end)

  it("is there for convolutions, einsums and embeddings", function()
    local conv = layers.Conv1D{2, 2, lora_rank = 1}
    conv:build{cusp.None, 4, 3}
    waves.fill(conv.weights)
    waves.compare({1.4928877353668213, -0.9593055844306946, 0.24568748474121094,
      2.6411349773406982, 1.3696963787078857, -0.6511116623878479}, conv(waves.cosines{1, 4, 3}))
    local embedding = layers.Embedding{4, 3, lora_rank = 2}
    embedding:build{cusp.None}
    waves.fill(embedding.weights)
    waves.compare({0.9951563477516174, -0.5254253149032593, -1.5629334449768066,
      0.06079503893852234, -0.727749228477478, -0.8472042083740234}, embedding(cusp.tensor{1, 3}))
    local einsum = layers.EinsumDense{"abc,cd->abd", {cusp.None, 2}, lora_rank = 1, lora_alpha = 3}
    einsum:build{cusp.None, 2, 3}
    waves.fill(einsum.weights)
    waves.compare({4.281679153442383, 1.8561491966247559, -4.593645095825195, -1.7846622467041016,
      4.8136677742004395, 1.6774550676345825, -4.937345504760742, -1.536673665046692},
      einsum(waves.cosines{2, 2, 3}))
  end)

  it("is refused before there are weights, twice, and with a constraint", function()
    local dense = layers.Dense{2, name = "d"}
    assert.error_matches(function() dense:enable_lora(1) end,
      "d %(Dense%): enable_lora: .*build it")
    dense:build{cusp.None, 3}
    assert.error_matches(function() dense:enable_lora(0) end, "argument 'rank'")
    dense:enable_lora(1)
    assert.error_matches(function() dense:enable_lora(1) end, "enabled already")
    local bound = layers.Dense{2, kernel_constraint = "non_neg"}
    bound:build{cusp.None, 3}
    assert.error_matches(function() bound:enable_lora(1) end, "kernel_constraint")
  end)

  it("computes in the dtype of a mixed policy", function()
    local dense = layers.Dense{2, dtype = "mixed_bfloat16", lora_rank = 1}
    local outputs = dense(x)
    assert.are.same({"bfloat16", "float32", "float32"},
      {outputs.dtype, dense._kernel.dtype, dense.lora_kernel_a.dtype})
  end)
end)
