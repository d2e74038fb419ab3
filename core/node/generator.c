/* The key of a generator is a variable, which each draw advances. */
#include "generator.h"

#include "build.h"
#include "state.h"

struct cusp_generator {
  cusp_variable *state; /* uint64[2]: seed, draw */
};

static const cusp_shape key_shape = {.ndim = 1, .size = {2}};

static cusp_status key_leaf(cusp_node **out, uint64_t seed, uint64_t draw) {
  cusp_array key;
  CUSP_TRY(cusp_array_new(&key, CUSP_UINT64, &key_shape));
  ((uint64_t *)key.data)[0] = seed;
  ((uint64_t *)key.data)[1] = draw;
  cusp_status status = cusp_node_leaf(out, &key);
  cusp_array_release(&key);
  return status;
}

cusp_status cusp_generator_new(cusp_generator **out, uint64_t seed) {
  *out = NULL;
  cusp_generator *generator;
  cusp_node *key;
  CUSP_TRY(cusp_alloc_zeroed((void **)&generator, sizeof *generator));
  cusp_status status = key_leaf(&key, seed, 0);
  if (status == CUSP_OK) {
    status = cusp_variable_new(&generator->state, key, false);
    cusp_node_release(key);
  }
  if (status != CUSP_OK) {
    cusp_free(generator);
    return status;
  }
  *out = generator;
  return CUSP_OK;
}

void cusp_generator_free(cusp_generator *generator) {
  if (!generator)
    return;
  cusp_variable_release(generator->state);
  cusp_free(generator);
}

cusp_variable *cusp_generator_state(cusp_generator *generator) { return generator->state; }

static cusp_status set_state(cusp_generator *generator, uint64_t seed, uint64_t draw) {
  cusp_node *key;
  CUSP_TRY(key_leaf(&key, seed, draw));
  cusp_status status = cusp_variable_assign(generator->state, key);
  cusp_node_release(key);
  return status;
}

cusp_status cusp_generator_seed(cusp_generator *generator, uint64_t seed) {
  return set_state(generator, seed, 0);
}

/* The plan reads the state, uses it as the key, and adds (0, 1). */
static cusp_status next_traced(cusp_node **key, cusp_generator *generator) {
  cusp_scope scope = cusp_scope_open();
  cusp_node *step, *now;
  cusp_status status = key_leaf(&step, 0, 1);
  if (status == CUSP_OK) {
    cusp_scope_adopt(step);
    status = cusp_variable_read(&now, generator->state);
  }
  if (status == CUSP_OK) {
    cusp_node *advanced = cusp_add(now, step);
    status = cusp_built(advanced);
    if (status == CUSP_OK)
      status = cusp_variable_assign(generator->state, advanced);
  }
  if (status == CUSP_OK) {
    cusp_node_retain(now);
    *key = now;
  }
  cusp_scope_close(scope);
  return status;
}

cusp_status cusp_generator_next(cusp_node **key, cusp_generator *generator) {
  *key = NULL;
  if (cusp_state()->trace)
    return next_traced(key, generator);
  const uint64_t *now = generator->state->value->value.data;
  uint64_t seed = now[0], draw = now[1];
  CUSP_TRY(key_leaf(key, seed, draw));
  cusp_status status = set_state(generator, seed, draw + 1);
  if (status != CUSP_OK) {
    cusp_node_release(*key);
    *key = NULL;
  }
  return status;
}
