-- Which public names and arguments of Keras are not here, and why: what `scripts/surface.lua`
-- and its spec accept, and what docs/absent.md is made from. `*` stands for any text. Entries of
-- `later` may be gone; of the others, each has to match something.
return {
  {
    title = "Other frameworks and other programs",
    reason = "They wrap, choose or talk to TensorFlow, JAX, Flax, PyTorch, scikit-learn or Orbax, "
      .. "none of which runs within Lua.",
    names = [[layers.FlaxLayer layers.JaxLayer layers.TFSMLayer layers.TorchModuleWrapper
      callbacks.OrbaxCheckpoint export.ExportArchive wrappers.* *config.set_backend
      config.is_nnx_enabled *Model:jax_state_sync utils.split_dataset(preferred_backend)
      *dataset_from_directory(format*) *timeseries_dataset_from_array(format*)
      callbacks.TensorBoard:summary *convert_weight distribution.*:distribute_tf_dataset
      distribution.*:backend_mesh distribution.*:backend_layout]],
  }, {
    title = "What Python needs and Lua does not",
    reason = "Scopes that only backends open, symbolic machinery, flags of a tracer or of another "
      .. "compiler: Cusp traces functions itself. What they are used for is `cusp.compile`, "
      .. "`cusp.GradientTape` and the modes of `compile`.",
    names = [[KerasTensor Operation StatelessScope SymbolicScope device tree.lists_to_tuples
      config.*flash_attention* config.enable_unsafe_deserialization
      *Model:compute_loss_and_updates *Model:stateless_compute_loss *Model:jit_compile
      utils.Config utils.legacy.* legacy.saving.* backend.get_uid
      optimizers.legacy.* saving.KerasFileEditor *Layer:add_metric
      optimizers.Muon:* *LossScaleOptimizer:check_finite optimizers.OptimizerMap:*
      dtype_policies.DTypePolicyMap:* layers.RNN:inner_loop metrics.AUC:interpolate_pr_auc
      layers.MelSpectrogram:linear_to_mel_weight_matrix layers.Random*:get_*
      layers.Dense:variable_serialization_spec layers.EinsumDense:variable_serialization_spec
      layers.Embedding:variable_serialization_spec layers.EinsumDense(gptq_unpacked_column_size)]],
  }, {
    title = "Sparse and ragged tensors",
    reason = "All tensors are dense.",
    names = [[ops.convert_to_tensor(ragged) ops.convert_to_tensor(sparse)]],
  }, {
    title = "Downloads",
    reason = "Nothing is downloaded: the readers of `cusp.datasets` take files that are there.",
    names = [[datasets.* ]],
  }, {
    title = "Fields of objects",
    reason = "An object has them once it is made, built or compiled; a class does not.",
    names = [[layers.MultiHeadAttention:*_dense
      layers.SpectralNormalization:normalized_weights *Layer:input_spec
      *Policy:compute_dtype *Policy:variable_dtype Function:operations
      callbacks.Callback:model *Model:run_eagerly *layers.Bidirectional:states]],
  }, {
    title = "Another form in Lua",
    reason = "What they are given, or the default, is read by other code than a declaration says; "
      .. "the reference has the form.",
    names = [[*Layer(autocast = ) *Layer(trainable = ) *Sequential(layers) *Sequential(trainable = )
      distribution.LayoutMap:* callbacks.CallbackList(*) callbacks.LambdaCallback(*)
      callbacks.EarlyStopping:get_monitor_value
      layers.GRU(use_cudnn = ) layers.LSTM(use_cudnn = ) layers.PReLU(alpha_initializer = )
      ops.*scan(unroll = ) utils.model_to_dot(subgraph)
      ops.*meshgrid(order) layers.*Cell:*dropout_mask
      utils.*:num_batches layers.Discretization:* layers.Normalization:finalize_state]],
  }, {
    title = "Quantization by calibration",
    reason = "Planned: GPTQ and AWQ choose the integers by what goes through a language model.",
    names = [[quantizers.GPTQConfig quantizers.AWQConfig dtype_policies.GPTQDTypePolicy
      dtype_policies.AWQDTypePolicy]],
  },
}
