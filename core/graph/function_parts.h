#ifndef CUSP_GRAPH_FUNCTION_PARTS_H
#define CUSP_GRAPH_FUNCTION_PARTS_H
/* What a compiled function consists of: shared by the files that run one. */

#include "function.h"
#include "plan.h"
#include "steady.h"

/** Where the memory of a leaf comes from. */
typedef struct cusp_leaf_source {
  enum { CUSP_FROM_ARGUMENT, CUSP_FROM_VARIABLE, CUSP_FROM_CONSTANT } kind;
  int index;
} cusp_leaf_source;

struct cusp_function {
  cusp_plan *plan;
  cusp_type *argument_types;
  int n_arguments, n_results, n_variables, n_assigned, n_leaves;
  cusp_variable **variables; /* read or assigned; retained */
  int *assigned;             /* output n_results + i replaces variables[assigned[i]] */
  cusp_leaf_source *sources; /* by leaf */
  cusp_array *leaves;        /* scratch of a run; those of steady values come last */
  cusp_steady steady;
  cusp_array *results; /* scratch: results, then assigned values */
  void **destinations;
  cusp_node **fresh; /* scratch: new values of assigned variables */
};

/** As cusp_function_new. `lent`: all outputs, assigned values too, go row-major to memory that each
 * run is given; then cusp_function_run cannot be used. */
CUSP_NODISCARD cusp_status cusp_function_make(cusp_function **out, cusp_trace *trace, int n_outputs,
                                              cusp_node *const *outputs, bool lent);

#endif
