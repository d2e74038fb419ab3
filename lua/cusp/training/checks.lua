--- What is looked at before and while a model runs on data.
-- @module cusp.training.checks
local data = require "cusp.training.data"
local errors = require "cusp.base.errors"
local warnings = require "cusp.base.warnings"

local checks = {}

--- Raises where a method was called with a dot: model.fit{x, y}.
function checks.receiver(model, method)
  if type(model) ~= "table" or not model.__is_model then
    errors.raise(
      "%s: write it with a colon, model:%s(...); with a dot, the first argument is taken for the "
      .. "model", method, method)
  end
end

--- Raises unless the model was compiled.
function checks.compiled(model, method)
  checks.receiver(model, method)
  if not rawget(model, "compiled") then
    errors.raise(
      "%s: the model '%s' has to be compiled first: model:compile{optimizer = ..., loss = ...}",
      method, model.name)
  end
end

--- Raises where labels of a batch, or of a source of whole arrays, are out of range.
function checks.batch_labels(model, owner, batch)
  local loss = model.__own.compile_loss
  if loss and #loss.label_checks > 0 then
    loss:check_labels(owner, data.pack(batch.form, batch.tensors)[2])
  end
end

--- A function that does so.
function checks.labels(model, owner)
  return function(batch) checks.batch_labels(model, owner, batch) end
end

--- The value of `verbose` as 0, 1 or 2.
function checks.verbosity(owner, verbose)
  if verbose == "auto" or verbose == true then return 1 end
  if verbose == false then return 0 end
  if verbose ~= 0 and verbose ~= 1 and verbose ~= 2 then
    errors.raise("%s: verbose should be \"auto\", 0, 1 or 2, got %s", owner,
      errors.describe(verbose))
  end
  return verbose
end

function checks.shuffle(shuffle)
  if type(shuffle) ~= "boolean" and shuffle ~= "batch" then
    errors.raise("fit: shuffle should be true, false or \"batch\", got %s",
      errors.describe(shuffle))
  end
end

--- Raises unless `validation_freq` is a number or a list of numbers.
function checks.frequency(frequency)
  local list = type(frequency) == "table" and frequency or {frequency}
  for _, epoch in ipairs(list) do
    if math.type(epoch) ~= "integer" or epoch < 1 then list = {} end
  end
  if #list == 0 then
    errors.raise("fit: validation_freq should be a positive integer or a list of epochs, got %s",
      errors.describe(frequency))
  end
end

--- Raises where there was no batch; warns where the data ended before `limit` steps.
-- @tparam[opt] integer needed batches that the whole run would take
function checks.steps(owner, done, limit, needed)
  if done == 0 then errors.raise("%s: the data is empty: there was no batch", owner) end
  if not limit or done >= limit then return end
  if needed then
    warnings.warn(
      "%s: Your input ran out of data; interrupting training: %d of %d steps were done. Make sure "
      .. "that your data can give at "
      .. "least `steps_per_epoch * epochs` batches (in this case, %d batches).", owner, done, limit,
      needed)
  else
    warnings.warn("%s: the data ended after %d of %d steps", owner, done, limit)
  end
end

--- Warns where the loss has become nan, from which it does not come back.
-- @treturn boolean whether it has
function checks.lost(epoch, logs)
  if logs.loss == logs.loss then return false end
  warnings.warn("fit: the loss is nan since epoch %d, and so are weights: lower the learning rate, "
    .. "clip gradients (clipnorm = 1), or look for nan in the data. callbacks.TerminateOnNaN ends "
    .. "training there.", epoch)
  return true
end

--- Warns where a function gave no more batches after some epochs.
function checks.ran_out(done, epochs)
  warnings.warn("fit: Your input ran out of data; interrupting training after %d of %d epochs. "
    .. "A function that gives batches is called on after the nil that ends an epoch.", done, epochs)
end

--- Warns, once for each change, where other weights are trainable than when training began: in
-- Keras this waits for `compile`.
function checks.trainable(model, step)
  local trained = step.trained
  if not trained then return end
  local now = model.trainable_variables
  local same = #trained == #now
  for i, variable in ipairs(now) do same = same and trained[i] == variable end
  if same then
    step.warned_of = nil
  elseif step.warned_of ~= #now then
    step.warned_of = #now
    warnings.warn(
      "fit: the model's trainable weights have changed since its first training step (%d of them "
      .. "then, %d now); this takes "
      .. "effect at once, with the optimizer as it is: call model:compile() again for a new one",
      #trained, #now)
  end
end

return checks
