--- Quantizers: integers that stand for weights and activations.
-- @module cusp.quantizers
-- @usage local integers, scale = cusp.quantizers.abs_max_quantize(kernel, 1)
local namespace = require "cusp.base.namespace"

local space = namespace.new("cusp.quantizers", {
  Quantizer = "quantizer",
  AbsMaxQuantizer = {"abs_max_quantizer", "AbsMaxQuantizer"},
  abs_max_quantize = {"abs_max_quantizer", "abs_max_quantize"},
  abs_max_quantize_grouped_with_zero_point = {"grouped",
    "abs_max_quantize_grouped_with_zero_point"},
  QuantizationConfig = {"quantization_config", "QuantizationConfig"},
  Int8QuantizationConfig = {"quantization_config", "Int8QuantizationConfig"},
  Int4QuantizationConfig = {"quantization_config", "Int4QuantizationConfig"},
  Float8QuantizationConfig = {"quantization_config", "Float8QuantizationConfig"},
  pack_int4 = {"int4", "pack_int4"}, unpack_int4 = {"int4", "unpack_int4"},
  compute_float8_scale = {"float8", "compute_float8_scale"},
  compute_float8_amax_history = {"float8", "compute_float8_amax_history"},
  quantize_and_dequantize = {"float8", "quantize_and_dequantize"},
  fake_quant_with_min_max_vars = {"fake_quantization", "fake_quant_with_min_max_vars"},
})

return namespace.of_objects(space, {what = "quantizer", module = "keras.quantizers"})
