#ifndef CUSP_BINDINGS_OPS_CALL_H
#define CUSP_BINDINGS_OPS_CALL_H
/* A call of an operation from Lua: its arguments are found (ops_find.c), read (ops_read.c) and
 * given to the row (ops.c). */

#include "binding.h"

/* One call being read. Kept small: it lives on the C stack of every call. */
typedef struct call {
  lua_State *L;
  const cusp_op *op;
  const cusp_signature *signature;
  int top; /* the arguments as they came are at 1 .. top */
  /* the stack index of each parameter's value, 0 for none, AT_NULL for an axis that is null */
  int where[CUSP_MAX_PARAMETERS];
  /* a NAME... parameter given as positional tensors: how many; 0: a table */
  int list_count;
  bool symbolic; /* a symbolic tensor was among them */
} call;

#define AT_NULL (-1)
#define INTS_CAPACITY 512
#define STACK_INPUTS 32

/* The arguments in C. */
typedef struct operands {
  int n_inputs, n_attrs, n_ints;
  cusp_node **inputs;
  cusp_node *few[STACK_INPUTS];
  cusp_attr attrs[CUSP_MAX_PARAMETERS];
  int64_t ints[INTS_CAPACITY]; /* what the lists among attrs point into */
} operands;

/** "x, axis, keepdims", until the next call in this thread. */
const char *cusp_lua_parameter_names(const cusp_signature *signature);
/** Whether there is a table that stands for no object of the library. */
bool cusp_lua_is_plain_table(lua_State *L, int index);
/** Fills `where` and `list_count`: positional arguments, then the keywords of a last table, whose
 * values it pushes. [-0, +?, e] */
void cusp_lua_find_arguments(call *c);
/** Reads what was found. Raises nothing. Stops at the first symbolic tensor: the call then goes
 * elsewhere as it came. */
cusp_status cusp_lua_read_arguments(call *c, operands *o);

#endif
