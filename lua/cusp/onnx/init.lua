--- Models in the Open Neural Network Exchange format.
-- @module cusp.onnx
return {
  export = require "cusp.onnx.export",
  load = require "cusp.onnx.load",
  OnnxGraph = require "cusp.onnx.load.layer",
}
