#ifndef CUSP_KERNELS_CALL_H
#define CUSP_KERNELS_CALL_H
/* A call of a kernel: its arrays, and the arguments that are not tensors. */

#include "../base/transport.h"
#include "../tensor/array.h"

/* What rows and sub-graphs are is known above; here they are carried along. */
typedef struct cusp_op cusp_op;
typedef struct cusp_subgraphs cusp_subgraphs;
typedef struct cusp_plan cusp_plan;

typedef enum cusp_attr_kind {
  CUSP_ATTR_NONE = 0, /* absent, or nil: for "= nil" defaults */
  CUSP_ATTR_INT,
  CUSP_ATTR_FLOAT,
  CUSP_ATTR_BOOL,      /* in .integer */
  CUSP_ATTR_INTS,      /* .ints[0 .. count-1] */
  CUSP_ATTR_DTYPE,     /* in .integer */
  CUSP_ATTR_STRING,    /* .string, NUL-terminated */
  CUSP_ATTR_SUBGRAPHS, /* .subgraphs, of a choice or a loop; a node holds a reference */
  /* an axis given as null where the default is another; only rows with CUSP_OP_NULL_AXIS see it,
     and no node */
  CUSP_ATTR_NULL
} cusp_attr_kind;

/** One argument that is not a tensor. Plain data; a node owns deep copies. */
typedef struct cusp_attr {
  cusp_attr_kind kind;
  int32_t count; /* of ints */
  union {
    int64_t integer;
    double number;
    const int64_t *ints;
    const char *string;
    cusp_subgraphs *subgraphs;
  };
} cusp_attr;

static inline cusp_attr cusp_attr_none(void) { return (cusp_attr){0}; }
static inline cusp_attr cusp_attr_int(int64_t i) {
  return (cusp_attr){.kind = CUSP_ATTR_INT, .integer = i};
}
static inline cusp_attr cusp_attr_float(double f) {
  return (cusp_attr){.kind = CUSP_ATTR_FLOAT, .number = f};
}
static inline cusp_attr cusp_attr_bool(bool b) {
  return (cusp_attr){.kind = CUSP_ATTR_BOOL, .integer = b};
}
static inline cusp_attr cusp_attr_dtype(cusp_dtype d) {
  return (cusp_attr){.kind = CUSP_ATTR_DTYPE, .integer = d};
}
static inline cusp_attr cusp_attr_string(const char *s) {
  return (cusp_attr){.kind = CUSP_ATTR_STRING, .string = s};
}
/** Lends `ints`; they are copied when a node is made. */
static inline cusp_attr cusp_attr_ints(const int64_t *ints, int count) {
  return (cusp_attr){.kind = CUSP_ATTR_INTS, .count = count, .ints = ints};
}
static inline cusp_attr cusp_attr_shape(const cusp_shape *shape) {
  return cusp_attr_ints(shape->size, shape->ndim);
}

/**
 * One call of a kernel within a plan. Shapes, strides and attributes are fixed when the plan is
 * made (`prepare`); data pointers and `workspace` are set before each `run`.
 */
typedef struct cusp_call {
  const cusp_op *op; /* for kernels that stand beside their rows; */
  const char *name;  /* the row's, for messages */
  const cusp_attr *attrs;
  int n_inputs, n_outputs;
  cusp_array *inputs;
  cusp_array *outputs;    /* row-major, uninitialised */
  size_t workspace_bytes; /* prepare may ask for scratch memory, */
  void *workspace;        /* lent during run, aligned to 64, uninitialised */
  void *state;            /* prepare may make one (a oneDNN primitive); `release` frees it */
  /* bit i: run may be given outputs[0].data == inputs[i].data (set by prepare or cusp_op flags) */
  uint64_t in_place;
  /* bit i: inputs[i] is the same in all runs but for those after a variable was assigned; where the
     kernel `keeps`, its storage is set in each run */
  uint64_t steady;
  bool recurs;       /* in a compiled function: steady inputs are likely to be the same for long */
  size_t kept_bytes; /* what prepare expects the state to keep of steady inputs */
} cusp_call;

typedef struct cusp_kernel {
  const char *name;
  /** Whether it can run this call; reasons go to the trace. NULL: always. */
  bool (*can_run)(const cusp_call *call);
  /** Whether it reads input `i` with its present strides; NULL: only row-major inputs (the plan
   * inserts copies). */
  bool (*accepts)(const cusp_call *call, int input);
  cusp_status (*prepare)(cusp_call *call); /* NULL: nothing to prepare */
  cusp_status (*run)(cusp_call *call);     /* no allocation; may use cusp_parallel_for */
  void (*release)(cusp_call *call);        /* frees what prepare made; NULL: nothing */
  bool keeps; /* its state keeps forms of steady inputs (tensor/forms.h), which run makes */
  /** Waits for what `run` only began. A plan calls it before anybody reads the outputs, and before
   * it ends, whatever happened. NULL: `run` does all. */
  cusp_status (*finish)(cusp_call *call, cusp_span *span);
  /* the plans that it runs, by number, NULL behind the last; lent (NULL: it runs none) */
  const cusp_plan *(*inner)(const cusp_call *call, int index);
} cusp_kernel;

/** `accepts` of kernels that read any strides. */
static inline bool cusp_accepts_any(const cusp_call *call, int input) {
  (void)call, (void)input;
  return true;
}

#endif
