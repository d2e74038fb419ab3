// Runs a network over sound as it comes, a block at a time, from C++17. Compile it with
//   c++ -std=c++17 stream.cpp $(pkg-config --cflags --libs cusp) -o stream
// Usage: stream MODEL BLOCK < floats > floats
// The model is one between [batch, time, 1] and [batch, time, 1], of causal convolutions, recurrent
// layers and layers that work on each step.
#include <cusp.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <vector>

namespace {

void check(cusp_result result) {
  if (result != CUSP_SUCCESS)
    throw std::runtime_error(cusp_last_error());
}

struct free_context {
  void operator()(cusp_context *context) const { cusp_context_free(context); }
};

// What goes from block to block is plain memory: 64 bytes are what its address is a multiple of.
struct state {
  explicit state(std::size_t bytes)
      : bytes(bytes), memory(std::aligned_alloc(64, (bytes + 63) / 64 * 64), std::free) {}
  std::size_t bytes;
  std::unique_ptr<void, void (*)(void *)> memory;
};

void run(const char *path, std::int64_t steps) {
  cusp_context *opened = nullptr;
  check(cusp_context_new(&opened));
  std::unique_ptr<cusp_context, free_context> context(opened);
  cusp_model *model = nullptr;
  cusp_predictor *predictor = nullptr;
  check(cusp_model_load(&model, context.get(), path));
  check(cusp_predictor_new_stream(&predictor, model, 1, steps));

  std::size_t bytes = 0;
  check(cusp_predictor_state_bytes(predictor, &bytes));
  state kept(bytes);
  check(cusp_predictor_start(predictor, kept.memory.get(), bytes));

  std::vector<float> in(static_cast<std::size_t>(steps)), out(in.size());
  const std::size_t size = in.size() * sizeof(float);
  while (std::fread(in.data(), sizeof(float), in.size(), stdin) == in.size()) {
    const cusp_input input = CUSP_INPUT(CUSP_ELEMENT_FLOAT32, in.data(), size);
    const cusp_output output = CUSP_OUTPUT(CUSP_ELEMENT_FLOAT32, out.data(), size);
    check(cusp_predictor_run(predictor, &input, 1, &output, 1, kept.memory.get(), bytes));
    std::fwrite(out.data(), sizeof(float), out.size(), stdout);
  }
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 3)
    return std::fprintf(stderr, "usage: stream MODEL BLOCK\n"), EXIT_FAILURE;
  try {
    run(argv[1], std::atoll(argv[2]));
  } catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
