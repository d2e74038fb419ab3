--- Names of TensorFlow, NumPy, PyTorch and Torch7, and what is written here in their place.
-- @module cusp.base.foreign_names

-- A line is a name, and what to write.
local function read(text)
  local names = {}
  for name, ours in text:gmatch "([%w_]+) = ([^\n]+)" do names[name] = ours end
  return names
end

local foreign = {}

-- Operations of TensorFlow and PyTorch.
foreign.ops = read [[
argwhere = ops.nonzero
astype = ops.cast
batch_norm = ops.batch_normalization
bmm = ops.matmul
cat = ops.concatenate
clamp = ops.clip
clip_by_value = ops.clip
concat = ops.concatenate
concatenate_v2 = ops.concatenate
constant = cusp.tensor
detach = ops.stop_gradient
div = ops.divide
fill = ops.full
gather = ops.take
l2_normalize = ops.normalize
matrix_inverse = ops.inv
mm = ops.matmul
mul = ops.multiply
neg = ops.negative
numel = ops.size
permute = ops.transpose
placeholder = cusp.Input
pow = ops.power
range = ops.arange
rank = ops.ndim
reduce_all = ops.all
reduce_any = ops.any
reduce_logsumexp = ops.logsumexp
reduce_max = ops.max
reduce_mean = ops.mean
reduce_min = ops.min
reduce_std = ops.std
reduce_sum = ops.sum
reduce_variance = ops.var
sigmoid_cross_entropy_with_logits = ops.binary_crossentropy{from_logits = true}
softmax_cross_entropy_with_logits = ops.categorical_crossentropy{from_logits = true}
sparse_softmax_cross_entropy_with_logits = ops.sparse_categorical_crossentropy{from_logits = true}
squared_difference = ops.square(a - b)
stop_grad = ops.stop_gradient
sub = ops.subtract
to_float = ops.cast
unsqueeze = ops.expand_dims
]]

-- Layers and criteria of PyTorch and Torch7.
foreign.layers = read [[
AvgPool2d = layers.AveragePooling2D
BCECriterion = the loss "binary_crossentropy"
BatchNorm1d = layers.BatchNormalization
BatchNorm2d = layers.BatchNormalization
CAddTable = layers.Add
CMulTable = layers.Multiply
ClassNLLCriterion = the loss "sparse_categorical_crossentropy"
Conv1d = layers.Conv1D
Conv2d = layers.Conv2D
ConvTranspose2d = layers.Conv2DTranspose
CrossEntropyCriterion = the loss "sparse_categorical_crossentropy"
CrossEntropyLoss = the loss "sparse_categorical_crossentropy"
GroupNorm = layers.GroupNormalization
JoinTable = layers.Concatenate
LayerNorm = layers.LayerNormalization
Linear = layers.Dense
LogSoftMax = layers.Activation("log_softmax")
LookupTable = layers.Embedding
MSECriterion = the loss "mse"
MSELoss = the loss "mse"
MaxPool2d = layers.MaxPooling2D
Module = layers.Layer
MultiheadAttention = layers.MultiHeadAttention
Sigmoid = layers.Activation("sigmoid")
SoftMax = layers.Softmax
SpatialAveragePooling = layers.AveragePooling2D
SpatialBatchNormalization = layers.BatchNormalization
SpatialConvolution = layers.Conv2D
SpatialFullConvolution = layers.Conv2DTranspose
SpatialMaxPooling = layers.MaxPooling2D
Tanh = layers.Activation("tanh")
TemporalConvolution = layers.Conv1D
View = layers.Reshape
VolumetricConvolution = layers.Conv3D
]]

-- What other libraries have at their top.
foreign.cusp = read [[
FloatTensor = cusp.tensor
Module = cusp.Model
Tensor = cusp.tensor
array = cusp.tensor
cat = cusp.ops.concatenate
constant = cusp.tensor
from_numpy = cusp.numpy.load
keras = cusp itself
linalg = cusp.ops
load_model = cusp.models.load_model
manualSeed = cusp.random.set_seed
manual_seed = cusp.random.set_seed
nn = cusp.layers
no_grad = nothing: gradients are recorded by a cusp.GradientTape alone
optim = cusp.optimizers
rand = cusp.random.uniform
randn = cusp.random.normal
range = cusp.arange
set_random_seed = cusp.utils.set_random_seed
set_seed = cusp.random.set_seed
setnumthreads = cusp.set_num_threads
]]

-- Random numbers.
foreign.random = read [[
choice = random.categorical
multinomial = random.categorical
permutation = random.shuffle
rand = random.uniform
randn = random.normal
seed = random.set_seed
]]

-- Datasets.
foreign.data = read [[
from_generator = data.Dataset.from_generator
from_tensor_slices = data.Dataset.from_tensor_slices
DataLoader = data.Dataset with :batch and :shuffle
TensorDataset = data.Dataset.from_tensor_slices
]]

-- Fields and methods of tensors.
foreign.tensor = read [[
T = t:transpose()
assign = cusp.Variable: a tensor does not change
astype = t:cast(dtype)
backward = tape:gradient(loss, variables) of a cusp.GradientTape
bmm = t:matmul(u)
byte = t:cast("uint8")
cdiv = t:divide(u)
clamp = t:clip(low, high)
clone = t itself: no operation changes a tensor
cmul = t:multiply(u)
contiguous = t itself
cpu = nothing: computing is done on the CPU
cuda = nothing: computing is done on the CPU
data = t itself
detach = t:stop_gradient()
device = nothing: computing is done on the CPU
dim = t.ndim
div = t:divide(u)
double = t:cast("float64")
eq = t:equal(u)
expand = t:broadcast_to(shape)
expandAs = t:broadcast_to(shape)
fill = ops.full_like(t, value)
flatten = t:reshape{-1}
float = t:cast("float32")
gather = t:take_along_axis(indices, axis)
ge = t:greater_equal(u)
grad = tape:gradient(loss, t) of a cusp.GradientTape
gt = t:greater(u)
half = t:cast("float16")
index = t:take(indices, axis)
index_select = t:take(indices, axis)
int = t:cast("int32")
le = t:less_equal(u)
len = #t
long = t:cast("int64")
lt = t:less(u)
masked_fill = ops.where(mask, value, t)
masked_select = t[mask]
mm = t:matmul(u)
mul = t:multiply(u)
mv = t:matmul(v)
nDimension = t.ndim
nElement = ops.size(t)
narrow = t:slice{{first, last}}
ne = t:not_equal(u)
neg = -t
numel = ops.size(t)
numpy = t:tolist(), or cusp.numpy.save
permute = t:transpose{2, 1, 3}
pow = t:power(n)
rank = t.ndim
repeatTensor = t:tile(repeats)
requires_grad = cusp.Variable, or tape:watch(t)
resize = t:reshape(shape)
size = t.shape (all sizes), #t (the first) or ops.size(t) (their product)
storage = t:flat()
sub = t:slice{{first, last}}, or t:subtract(u)
t = t:transpose()
to = t:cast(dtype)
totable = t:tolist()
type = t.dtype, or t:cast(dtype)
unsqueeze = t:expand_dims(axis)
values = t:tolist()
zero = ops.zeros_like(t)
]]

-- And of variables.
foreign.variable = read [[
data = v.value
numpy = v.value:tolist()
read_value = v.value
]]

-- Methods of models, layers and optimizers.
foreign.object = read [[
backward = fit, or a cusp.GradientTape
cuda = nothing: computing is done on the CPU
eval = model(x, {training = false})
evaluate_generator = model:evaluate{generator}
fit_generator = model:fit{generator}
forward = model(x)
getParameters = model.weights
load_state_dict = model:set_weights(values)
minimize = optimizer:apply(gradients, variables)
new = the class, called: layers.Dense{32}
parameters = model.weights
predict_classes = model:predict(x):argmax(-1)
predict_proba = model:predict(x)
state_dict = model:get_weights()
step = optimizer:apply(gradients, variables)
to = nothing: computing is done on the CPU
train = model:fit{x, y}
trainable_params = model.trainable_weights
training = model(x, {training = true})
updateParameters = optimizer:apply(gradients, variables)
zeroGradParameters = nothing: gradients do not add up
zero_grad = nothing: gradients do not add up
]]

-- Globals that programs with other libraries have.
foreign.globals = read [[
keras = cusp
layers = cusp.layers
losses = cusp.losses
metrics = cusp.metrics
nn = cusp.layers
np = cusp.ops
numpy = cusp.ops
ops = cusp.ops
optim = cusp.optimizers
optimizers = cusp.optimizers
tf = cusp
torch = cusp
]]

-- Arguments; the first of ours that the function has.
foreign.arguments = read [[
batch = batch_size
bias = use_bias
channels = filters
decay = weight_decay
dim = axis axes
dims = axis axes
eps = epsilon
hidden_size = units
in_features = units
keep_prob = rate
keepdim = keepdims
kernel = kernel_size
lr = learning_rate
max_iter = epochs
n_epochs = epochs
nb_epoch = epochs
nesterovs = nesterov
num_classes = depth units
num_embeddings = input_dim
num_epochs = epochs
num_units = units
out_channels = filters
out_features = units
p = rate
pad = padding
size = units pool_size shape
stride = strides
validation = validation_data
window = pool_size kernel_size
]]

for name, ours in pairs(foreign.tensor) do
  foreign.variable[name] = foreign.variable[name] or ours
end

return foreign
