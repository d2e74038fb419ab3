--- Datasets: `digits`, which the engine draws itself, and `mnist`, read from its files.
-- @module cusp.datasets
return require("cusp.base.namespace").new("cusp.datasets", {digits = "digits", mnist = "mnist"})
