#ifndef CUSP_BINDINGS_BINDING_H
#define CUSP_BINDINGS_BINDING_H
/*
 * What the files of the bindings share: the userdata kinds and how they are made and recognised.
 *
 * Two habits keep Lua's errors (which jump) from leaking the engine's objects:
 *  - an empty but valid userdata is pushed before the engine is asked for what it will hold;
 *  - between cusp_scope_open and cusp_scope_close no function of Lua's is called that can raise:
 * values are read with lua_type, lua_rawgeti, lua_tonumberx and the like, after lua_checkstack, and
 * failures travel as cusp_status.
 */

#include "raise.h"

#include "../core/cusp.h"

/** Every userdata of ours starts with the address of its kind, which tells kinds apart faster than
 * their metatables do. */
typedef struct cusp_lua_tensor {
  const void *kind;
  cusp_node *node; /* a reference and a hold; NULL: empty or closed */
  bool untouched;  /* an operator's result that no function has been given yet; see compare.c */
} cusp_lua_tensor;

typedef struct cusp_lua_variable {
  const void *kind;
  cusp_variable *variable; /* a reference; NULL: empty */
} cusp_lua_variable;

extern const char cusp_lua_tensor_kind[], cusp_lua_variable_kind[];

/** The userdata at `index` if it is of that kind, otherwise NULL. Raises nothing. */
static inline void *cusp_lua_test(lua_State *L, int index, const void *kind) {
  if (lua_type(L, index) != LUA_TUSERDATA || lua_rawlen(L, index) < sizeof(cusp_lua_variable))
    return NULL;
  const void **box = lua_touserdata(L, index);
  return *box == kind ? (void *)box : NULL;
}
static inline cusp_lua_tensor *cusp_lua_test_tensor(lua_State *L, int index) {
  cusp_lua_tensor *tensor = cusp_lua_test(L, index, cusp_lua_tensor_kind);
  if (tensor)
    tensor->untouched = false;
  return tensor;
}
static inline cusp_lua_variable *cusp_lua_test_variable(lua_State *L, int index) {
  return cusp_lua_test(L, index, cusp_lua_variable_kind);
}

/* ------------------------------------------------------------------ class.c */

/** Makes the metatable `name` with these functions and __index = its methods table; pushes the
 * metatable. [-0, +1, m] */
void cusp_lua_new_class(lua_State *L, const char *name, const luaL_Reg *metamethods,
                        const luaL_Reg *methods);
/** Sets a field of the table on the top of the stack; no text leaves it nil. [-0, +0, m] */
void cusp_lua_set_text(lua_State *L, const char *name, const char *text);
void cusp_lua_set_integer(lua_State *L, const char *name, lua_Integer value);
/** The dtype that the string at `index` names; raises "function: expected a dtype such as ..." for
 * anything else. */
cusp_dtype cusp_lua_check_dtype(lua_State *L, int index, const char *function);

/* ------------------------------------------------------------------ tensor.c */

/** Pushes an empty tensor; collects garbage first where the engine holds much. [-0, +1, m] */
cusp_lua_tensor *cusp_lua_new_tensor(lua_State *L);
/** Puts a reference (taken over) into an empty tensor. Raises nothing. */
void cusp_lua_fill_tensor(cusp_lua_tensor *tensor, cusp_node *node);
/** Puts an array, whose reference is taken over whatever happens, into an empty tensor. Raises
 * nothing. */
CUSP_NODISCARD cusp_status cusp_lua_fill_array(cusp_lua_tensor *tensor, cusp_array *array);
/** As cusp_lua_fill_array, into the tensors from stack index `first` on. */
CUSP_NODISCARD cusp_status cusp_lua_fill_arrays(lua_State *L, int first, int count,
                                                cusp_array *arrays);
/**
 * The tensor at `index`, or the value of the variable there, which then replaces it on the stack.
 * Raises "function: expected a tensor, got ..." for anything else.
 */
cusp_node *cusp_lua_check_tensor(lua_State *L, int index, const char *function);
/** As cusp_lua_check_tensor, computed: node->value is there. */
cusp_node *cusp_lua_check_value(lua_State *L, int index, const char *function);
/** As above; strings are an error. */
cusp_node *cusp_lua_check_numbers(lua_State *L, int index, const char *function);
/** Pushes a table of the sizes. [-0, +1, m] */
void cusp_lua_push_shape(lua_State *L, const cusp_shape *shape);
/** Tells the collector of the engine's bytes; see tensor.c. Runs finalisers. */
void cusp_lua_collect(lua_State *L);
/** Pushes as many tensors as there are nodes, or one table of them; takes the references over, also
 * when it raises. */
int cusp_lua_push_nodes(lua_State *L, int count, cusp_node **nodes, bool as_table);
/** Makes the metatable and the methods of tensors; leaves nothing. */
void cusp_lua_open_tensor(lua_State *L);

/** Gives the metatable on the top of the stack the operators: those of tensors and of variables are
 * the same. [-0, +0, m] */
void cusp_lua_set_operators(lua_State *L);

/* ------------------------------------------------------------------ values.c */

/** Whether the value at `index` is a table whose metatable has a true `__symbolic`. Raises
 * nothing. */
bool cusp_lua_is_symbolic(lua_State *L, int index);
/** Whether the value at `index` says that there is none: nil, or JSON's null. Raises nothing. */
bool cusp_lua_is_null(lua_State *L, int index);
/** Whether the value at `index` is cusp.None, a size that is not known. Raises nothing. */
bool cusp_lua_is_none(lua_State *L, int index);
/** "a string \"relu\"", "a table", "nil": what came, for messages; a thread-local buffer. Raises
 * nothing. */
const char *cusp_lua_got(lua_State *L, int index);
/** "cusp.ops" of a table that has such a name, lent by it; NULL for others. Raises nothing. */
const char *cusp_lua_namespace_name(lua_State *L, int index);
/** Whether the list at `table`, which ends after `length` items, has more after a nil. Raises
 * nothing; needs three slots. */
bool cusp_lua_has_hole(lua_State *L, int table, lua_Unsigned length);
/** The error of a list with a hole after `length` items. */
CUSP_NODISCARD cusp_status cusp_lua_fail_hole(lua_Unsigned length);
/** Reads a list of integers (or one integer) into `ints`, *count of them. Raises nothing. */
CUSP_NODISCARD cusp_status cusp_lua_to_ints(int64_t *ints, int capacity, int *count, lua_State *L,
                                            int index);
/** Reads a shape, its sizes not negative. Raises nothing. */
CUSP_NODISCARD cusp_status cusp_lua_to_shape(cusp_shape *shape, lua_State *L, int index);

/* ------------------------------------------------------------------ convert.c, elements.c */

#define CUSP_LUA_ANY_DTYPE (-1)

/**
 * The value at `index` as a node owned by the innermost scope: a tensor, a variable, a number
 * (weak, unless a dtype is asked for), a boolean or nested tables of them. *node is NULL on
 * failure. Raises nothing.
 */
CUSP_NODISCARD cusp_status cusp_lua_to_node(cusp_node **node, lua_State *L, int index, int dtype);
/** cusp.engine.tensor(data, options). */
int cusp_lua_tensor_from_data(lua_State *L);
/** t:tolist(), t:flat(), t:item(...). */
int cusp_lua_tensor_tolist(lua_State *L);
int cusp_lua_tensor_flat(lua_State *L);
int cusp_lua_tensor_item(lua_State *L);
/** t:tobytes(). (bytes.c) */
int cusp_lua_tensor_tobytes(lua_State *L);

/* ------------------------------------------------------------------ truth.c */

/** How many truth values are remembered. [-0, +0, m] */
size_t cusp_lua_count_truths(lua_State *L);
/** Forgets all but the first `count`. [-0, +0, m] */
void cusp_lua_keep_truths(lua_State *L, size_t count);
/** Remembers the tensor at `index` where it is a truth value of an open trace that the user's code
 * asked for itself; one of several elements only where it stands for an operator. [-0, +0, m] */
void cusp_lua_note_truth(lua_State *L, int index, bool of_operator);
/**
 * Pushes a list of places, "script.lua:12: greater", of such values that nothing in `trace` is
 * computed from and that are not in the list at stack index `outputs`. [-0, +1, m]
 */
void cusp_lua_push_unused_truths(lua_State *L, const cusp_trace *trace, int outputs);
/** Forgets those of a trace that ends. [-0, +0, -] */
void cusp_lua_forget_truths(lua_State *L, const cusp_trace *trace);

/* ------------------------------------------------------------------ compare.c */

/** Gives the metatable on the top of the stack the operators < and <=. [-0, +0, m] */
void cusp_lua_set_comparisons(lua_State *L);
/** Warns of a result of an operator that is collected without having been used. [-0, +0, e] */
void cusp_lua_warn_untouched(lua_State *L, const cusp_node *node);
/** Adds its function to the module table on the top of the stack. */
void cusp_lua_open_compare(lua_State *L);

/* ------------------------------------------------------------------ absent.c */

/** Pushes what the library makes of the string key at index 2, which the tensor or variable
 * (`what`) at index 1 does not have: nil, or an error with the nearest name. [-0, +1, e] */
int cusp_lua_absent_field(lua_State *L, const char *what);
/** Adds its function to the module table on the top of the stack. */
void cusp_lua_open_absent(lua_State *L);

/* ------------------------------------------------------------------ the others */

/** Pushes "tensor(...)" for an evaluated or traced node; `name` is "tensor" or "Variable".
 * (print.c) [-0, +1, m] */
void cusp_lua_push_text(lua_State *L, const char *name, const cusp_node *node);
/**
 * The table at stack index `ops` gets one function a row, hidden ones through a metatable (so that
 * listing it shows what is offered); the table at `methods` those that start with a tensor.
 * (ops.c) */
void cusp_lua_open_ops(lua_State *L, int ops, int methods);
/** Pushes the function of a row, or nil. (ops.c) */
void cusp_lua_push_op(lua_State *L, const char *name);
/** cusp.engine.describe() (ops_describe.c), cusp.engine.set_symbolic_handler(f) (ops.c). */
int cusp_lua_describe(lua_State *L);
int cusp_lua_set_symbolic_handler(lua_State *L);
/** Pushes an empty variable, to be filled with a reference. (variable.c) [-0, +1, m] */
cusp_lua_variable *cusp_lua_new_variable(lua_State *L);
/** The open file of the reader at `index`, lent while the reader lives. Raises for anything else.
 * (files.c) */
struct cusp_file *cusp_lua_check_file(lua_State *L, int index, const char *function);
/** The compiled function at `index`; raises "function: expected a compiled function, got ..." for
 * anything else. (function.c) */
cusp_function *cusp_lua_check_function(lua_State *L, int index, const char *function);
/** The runner at `index`, which is the caller's from now on; NULL for anything else. (function.c)
 * Raises nothing. */
cusp_runner *cusp_lua_take_runner(lua_State *L, int index);
/** Pushes an attribute as Lua has it; axes stay 0-based, as the engine keeps them. (graph.c)
 * [-0, +1, m] */
void cusp_lua_push_attribute(lua_State *L, const cusp_attr *attr);
/** Pushes the graph of what computes the list of tensors at index 2 in `trace`: values, leaves,
 * operations and outputs, values numbered from 1. (traced.c) [-0, +1, e] */
int cusp_lua_push_graph(lua_State *L, const cusp_trace *trace);
/** Each adds its functions to the module table on the top of the stack. */
void cusp_lua_open_arguments(lua_State *L);
void cusp_lua_open_evaluate(lua_State *L);
void cusp_lua_open_settings(lua_State *L);
void cusp_lua_open_counters(lua_State *L);
/** engine.profile_start and profile_stop. [-0, +0, m] (profile.c) */
void cusp_lua_open_profile(lua_State *L);
void cusp_lua_open_system(lua_State *L);
void cusp_lua_open_samples(lua_State *L);
void cusp_lua_open_variable(lua_State *L);
void cusp_lua_open_tape(lua_State *L);
void cusp_lua_open_branch(lua_State *L);
void cusp_lua_open_truth(lua_State *L);
void cusp_lua_open_function(lua_State *L);
void cusp_lua_open_graph(lua_State *L);
void cusp_lua_open_traced(lua_State *L);
void cusp_lua_open_data(lua_State *L);
void cusp_lua_open_generator(lua_State *L);
void cusp_lua_open_files(lua_State *L);
void cusp_lua_open_chunks(lua_State *L); /* after open_files */
void cusp_lua_open_locale(lua_State *L);
void cusp_lua_open_modules(lua_State *L);
void cusp_lua_open_unpack(lua_State *L);
void cusp_lua_open_lend(lua_State *L);
void cusp_lua_open_watch(lua_State *L);
int luaopen_cusp_engine(lua_State *L);

#endif
