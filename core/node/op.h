#ifndef CUSP_NODE_OP_H
#define CUSP_NODE_OP_H
/*
 * A row of the operation table: everything the project knows of one operation.
 * The Lua function and method, help(), the reference page, the gradient check and the fusion passes
 * are derived from it.
 */

#include "../kernels/call.h"

typedef struct cusp_node cusp_node;

/* ------------------------------------------------------------------ arguments */

/**
 * A parameter, parsed from `cusp_op.arguments` ("x1, x2", "x, axis: axes = nil, keepdims: bool =
 * false"): NAME           a tensor                     NAME?          a tensor or nil NAME... a
 * list of tensors (at most one, the first; the inputs of the node are its items) NAME: KIND     an
 * attribute without default   NAME: KIND = VALUE   with default (nil: absent) Tensor parameters
 * become the node's inputs in order (absent optional ones at the end are dropped; elsewhere only a
 * composition may go without, which sees NULL); the others its attrs, in order. Kinds: int, float,
 * bool, dtype, string, ints (a list, or one int for a list of one), shape (as ints), axis (an int,
 * 0-based here, 1-based in Lua), axes (ints, likewise; one axis gives a list of one), int_or_ints
 * (an INT or INTS attribute, as it was given: split's "3" is not "{3}"). Nested lists of ints are
 * flattened.
 */
typedef enum cusp_parameter_kind {
  CUSP_PARAMETER_TENSOR,
  CUSP_PARAMETER_TENSORS,
  CUSP_PARAMETER_INT,
  CUSP_PARAMETER_FLOAT,
  CUSP_PARAMETER_BOOL,
  CUSP_PARAMETER_DTYPE,
  CUSP_PARAMETER_STRING,
  CUSP_PARAMETER_INTS,
  CUSP_PARAMETER_SHAPE,
  CUSP_PARAMETER_AXIS,
  CUSP_PARAMETER_AXES,
  CUSP_PARAMETER_INT_OR_INTS
} cusp_parameter_kind;

#define CUSP_MAX_PARAMETERS 16
#define CUSP_MAX_INPUTS 8     /* of operations without a list */
#define CUSP_MAX_OUTPUTS 8    /* of one node */
#define CUSP_MAX_RESULTS 1024 /* of a composition (split, unstack) */

typedef struct cusp_parameter {
  char name[24];
  cusp_parameter_kind kind;
  bool optional;           /* a tensor that may be nil, or an attribute with a default */
  cusp_attr default_value; /* INTS and STRING point into storage that lives as long as the table */
} cusp_parameter;

typedef struct cusp_signature {
  int count, n_tensors, n_attrs;
  cusp_parameter parameters[CUSP_MAX_PARAMETERS];
} cusp_signature;

/* ------------------------------------------------------------------ inference */

typedef struct cusp_type {
  cusp_dtype dtype;
  cusp_shape shape;
} cusp_type;

/** What infer sees and fills. Inputs have been promoted (see cusp_promotion). */
typedef struct cusp_inference {
  const cusp_op *op;
  int n_inputs;
  const cusp_type *inputs;
  /* may be normalised in place (negative axes made positive); INTS may be pointed at `scratch` */
  cusp_attr *attrs;
  int64_t scratch[64];
  int n_outputs; /* 1 unless infer says otherwise */
  cusp_type outputs[CUSP_MAX_OUTPUTS];
} cusp_inference;

/* ------------------------------------------------------------------ gradients */

/** What a gradient rule sees and fills: nodes in, nodes out, built with build.h (which owns
 * temporaries). */
typedef struct cusp_gradient {
  const cusp_node *node;
  int n_inputs;
  cusp_node *const *x;  /* the node's inputs */
  cusp_node *const *y;  /* its outputs (picks, where there are several) */
  cusp_node *const *dy; /* cotangent of each output; NULL where none flows into that output */
  const bool *wanted;   /* whether a gradient of input i is needed */
  cusp_node **dx;       /* to fill; NULL stays "no gradient" (integer inputs, constants) */
} cusp_gradient;
/* A rule may give dx[i] in the broadcast shape or another float dtype: the caller sums it to x[i]'s
 * shape and casts. */

/* ------------------------------------------------------------------ rows */

enum {
  /* out[i] depends on in[i] alone, inputs broadcast; has .vector; fused into tiled loops */
  CUSP_OP_ELEMENTWISE = 1 << 0,
  CUSP_OP_REDUCTION = 1 << 1, /* has .reducer; attrs are (axes, keepdims) */
  CUSP_OP_VIEW = 1 << 2,      /* has .view: no work where strides allow */
  /* first input is a key (uint64[2]: seed, draw); equal keys give equal numbers */
  CUSP_OP_RANDOM = 1 << 3,
  CUSP_OP_ANY_STRIDES = 1 << 4, /* every kernel of the row reads inputs with any strides */
  CUSP_OP_IN_PLACE = 1 << 5,    /* outputs[0] may overwrite inputs[0] of the same size */
  CUSP_OP_HIDDEN = 1 << 6,      /* internal: not offered as cusp.ops.NAME */
  /* piecewise constant or not differentiable: no gradient flows, and that is right */
  CUSP_OP_NO_GRADIENT = 1 << 7,
  /* the results form one list, however many there are (split, unstack) */
  CUSP_OP_LIST = 1 << 9,
  /* an axis that is null, though it has a default, means all elements in one row */
  CUSP_OP_NULL_AXIS = 1 << 10,
  /* makes a tensor of values of the caller's, in the dtype that is an argument */
  CUSP_OP_FROM_DATA = 1 << 11,
  /* its last tensor is written into the first, or a copy, and has to fit its dtype */
  CUSP_OP_UPDATES = 1 << 12,
  /* a scan: of its outputs along the rounds, the last that nobody needs are left out */
  CUSP_OP_TRIMMED = 1 << 13,
  CUSP_OP_HANDS_ON = 1 << 14, /* its outputs are the first of its inputs */
  /* moves or compares elements of any kind: takes tensors of strings, which other rows refuse */
  CUSP_OP_STRINGS = 1 << 15,
  /* all processes take part, and run such rows in the order of the graph */
  CUSP_OP_COLLECTIVE = 1 << 16,
  /* its input among zeros: attributes are sizes, and where and at what steps the input goes */
  CUSP_OP_PLACES = 1 << 17,
  /* takes numbers of 16 bits as the float32 that they are */
  CUSP_OP_READS_HALVES = 1 << 18
};

/** Operands of a row with an ending. */
enum { CUSP_ENDING_SCALE = 1, CUSP_ENDING_SHIFT = 2 };

/** How inputs' dtypes are brought together before infer sees them (casts are inserted as nodes). */
typedef enum cusp_promotion {
  CUSP_PROMOTE_NONE = 0, /* inputs stay as they are */
  /* all to their result_type (add, where's branches via first_promoted, concatenate) */
  CUSP_PROMOTE_COMMON,
  /* all to the float dtype of their result_type (exp, divide, softmax, matmul of bools stays
     COMMON) */
  CUSP_PROMOTE_FLOAT,
  CUSP_PROMOTE_NO_BOOL, /* common, and bool becomes int32 */
  /* common, widened as sums are: bool and small ints become int32, small unsigned ints uint32 */
  CUSP_PROMOTE_SUM,
  CUSP_PROMOTE_BOOL, /* each to bool (x != 0): logical operations */
  /* FLOAT, where a Lua number counts as the tensor that it would be alone (logaddexp) */
  CUSP_PROMOTE_TENSORS
} cusp_promotion;

struct cusp_op {
  const char *name;      /* Keras's name, or NumPy's */
  const char *arguments; /* see cusp_parameter */
  const char *help;      /* one line, ends in a full stop */
  uint32_t flags;
  cusp_promotion promotion;
  int first_promoted; /* inputs before this one are left alone (where's condition, a random key) */
  cusp_status (*infer)(cusp_inference *);
  /* NULL with CUSP_OP_NO_GRADIENT, or where compose is set */
  cusp_status (*gradient)(cusp_gradient *);
  /** For VIEW rows: fills *out as a view of *in (see array.h) or says false. */
  bool (*view)(const cusp_attr *attrs, const cusp_array *in, const cusp_type *out_type,
               cusp_array *out);
  /* for functions that several rows share: what is the row's own */
  const void *detail;
  int vector;  /* ELEMENTWISE: a cusp_vector_id (kernels/vector.h) */
  int reducer; /* REDUCTION: a cusp_reducer_id (kernels/reduce.h) */
  /* ended by a row without a name; NULL for ELEMENTWISE, REDUCTION and always-VIEW rows */
  const cusp_kernel *kernels;
  /* the row that takes the same inputs of 16 bits and does not round its result to them; NULL:
     none */
  const char *wide;
  /* the row that takes a scale and a shift of each filter too: those that the bits of one more
     attribute name (CUSP_ENDING_*), in this order. Attributes of both are strides, low (the padding
     before), dilations and sizes of the axes between the first and the last. NULL: none */
  const char *ended;
  /** Floating point operations of a call, for profiles. NULL: one for each element of the outputs.
   */
  double (*work)(const cusp_call *call);
  /**
   * What some inputs call for in place of the row as it stands: a new reference in *out, which
   * stays NULL where the row is right (or NULL: it always is). Inputs come as they are, attributes
   * as they were given.
   */
  cusp_status (*instead)(cusp_node **out, const cusp_op *op, int n_inputs, cusp_node *const *inputs,
                         int n_attrs, const cusp_attr *attrs);
  /**
   * A composition: builds the result from other rows with build.h. Several results: fill outputs
   * (room for CUSP_MAX_RESULTS) and set *n_outputs, which is 1 before. Its messages need no prefix.
   * No node of this op is ever made.
   */
  cusp_status (*compose)(cusp_node *const *inputs, int n_inputs, const cusp_attr *attrs,
                         cusp_node **outputs, int *n_outputs);
};

/** A view whose functions are named after it. */
#define CUSP_VIEW_ROW(row)                                                                   \
  .flags = CUSP_OP_VIEW | CUSP_OP_STRINGS, .infer = infer_##row, .gradient = row##_gradient, \
  .view = view_##row

/** Families, ended by NULL; each is an array of rows ended by a row without a name.
 * core/ops/families.h is the list. */
extern const cusp_op *const cusp_op_families[];

#endif
