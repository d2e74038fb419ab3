-- Operations without a golden case: arguments, and the values from Keras or SciPy.
local cusp = require "cusp"

local function list(...) return cusp.tensor({...}, {dtype = "float32"}) end

return {
  {"copysign", {list(1, -2, 3), list(-1, 1, -0.5)}, {-1, 2, -3}},
  {"digamma", {list(1, 2, 0.5)}, {-0.5772157, 0.4227843, -1.9635100}},
  {"lgamma", {list(0.5, 4, 10)}, {0.5723649, 1.7917595, 12.8018275}},
  {"i1", {list(-1, 0.5, 3)}, {-0.5651591, 0.2578943, 3.9533702}},
  {"mish", {list(-1, 0, 2)}, {-0.3034015, 0, 1.9439590}},
  {"multiply_add", {list(2, 3), list(4, 5), list(1, -1)}, {9, 14}},
  {"at_least_2d", {list(1, 2, 3)}, {1, 2, 3}, {1, 3}},
  {"at_least_3d", {cusp.tensor{{1, 2}, {3, 4}}}, {1, 2, 3, 4}, {2, 2, 1}},
  {"relu_gradient", {list(3, 4), list(0, 2)}, {0, 4}},
  {"sigmoid_gradient", {list(3), list(0.25)}, {0.5625}},
  {"tanh_gradient", {list(3), list(0.5)}, {2.25}},
  {"round_to_whole", {list(2.5, 3.5, -0.6)}, {2, 4, -1}},
  {"trunc_to_whole", {list(2.5, -3.5)}, {2, -3}},
  {"sign_bit", {list(2, -3)}, {0, 1}},
  {"shift_axis", {list(1, 2, 3), 1, 1}, {0, 1, 2}},
  {"reduce_prod", {list(2, 3, 4)}, {24}, {}},
  {"linear_recurrence", {list(0.5, 0.5, 2), list(1, 2, 3), 1, false}, {1, 2.5, 8}},
  {"select_where", {cusp.tensor{true, false}, list(1, 2), list(3, 4)}, {1, 4}},
  {"on_diagonal", {list(1, 2), 2, 3, 1}, {0, 1, 0, 0, 0, 2}, {2, 3}},
  {"boolean_mask", {list(1, 2, 3), cusp.tensor{true, false, true}}, {1, 3}},
  {"with", {list(1, 2, 3), {{2, 3}}, 0}, {1, 0, 0}},
  {"all_reduce", {list(1, -2, 3), cusp.tensor(0.5)}, {0.5, -1, 1.5}},
  {"all_reduce_list", {{cusp.tensor(0.5), list(1, -2), list(3)}}, {0.5, -1, 1.5}},
  {"group_sum", {list(1, -2, 3), 0}, {1, -2, 3}}, {"group_copy", {list(1, -2), 0}, {1, -2}},
  {"group_gather", {list(1, -2), 0, 1, 0, 1}, {1, -2}},
  {"group_part", {cusp.tensor{{1, 2, 3, 4}, {5, 6, 7, 8}}, 0, 2, 1, 2}, {3, 4, 7, 8}, {2, 2}},
  {"empty", {{2, 2}}, {0, 0, 0, 0}, {2, 2}},
  {"vectorized_map", {function(x) return x * 2 end, list(1, 2, 3)}, {2, 4, 6}, {3}},
}
