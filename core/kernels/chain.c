#include "chain.h"

#include "isa.h"

#include <string.h>

CUSP_ISA_DECLARE(const cusp_chain_loops, cusp_chain_loops);

const cusp_chain_loops *cusp_chain_loops_find(void) { return CUSP_ISA_CHOOSE(cusp_chain_loops); }

/* ------------------------------------------------------------------ patterns */

/*
 * A pattern lists an expression's functions from the last one back, each before its operands: a
 * letter from 'a' on is an operand of the chain, the same letter the same register.
 */
typedef struct pattern {
  const char *text;
  size_t loop; /* offset in cusp_chain_loops */
  int arity;
} pattern;

/* Longer ones before those that they contain. */
#define LOOP(name) offsetof(cusp_chain_loops, name)
static const pattern patterns[] = {
    {"+a*-^bac", LOOP(approach_square), 3},
    {"+a*-bac", LOOP(approach), 3},
    {"-a/*bc+rde", LOOP(descend), 5},
};

typedef struct symbol {
  char letter;
  cusp_vector_id id;
  bool commutes;
} symbol;

static const symbol symbols[] = {
    {'+', CUSP_VECTOR_add, true},      {'-', CUSP_VECTOR_subtract, false},
    {'*', CUSP_VECTOR_multiply, true}, {'/', CUSP_VECTOR_divide, false},
    {'^', CUSP_VECTOR_square, false},  {'r', CUSP_VECTOR_sqrt, false},
};

static const symbol *find_symbol(char letter) {
  for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++)
    if (symbols[i].letter == letter)
      return &symbols[i];
  return NULL;
}

/* ------------------------------------------------------------------ matching */

/** How far a pattern has been found. */
typedef struct state {
  const char *next;                         /* letter of the pattern */
  int16_t operand[CUSP_FUSED_MAX_OPERANDS]; /* -1: not met yet */
  int members[8], n_members;                /* instructions */
} state;

typedef struct matcher {
  const cusp_fused_program *program;
  int producer[CUSP_FUSED_MAX_REGISTERS]; /* instruction that writes it; -1: none */
  int readers[CUSP_FUSED_MAX_REGISTERS];  /* outputs count */
  state state;
} matcher;

static bool match(matcher *m, int reg);

static bool match_operands(matcher *m, int first, int second) {
  return match(m, first) && (second < 0 || match(m, second));
}

static bool match_instruction(matcher *m, int index, const symbol *function) {
  const cusp_fused_instruction *instruction = &m->program->instructions[index];
  if (instruction->function != cusp_vector_find(function->id, CUSP_FLOAT32))
    return false;
  m->state.members[m->state.n_members++] = index;
  const int a = instruction->operand[0], b = instruction->arity > 1 ? instruction->operand[1] : -1;
  const state before = m->state;
  if (match_operands(m, a, b))
    return true;
  m->state = before;
  return function->commutes && match_operands(m, b, a);
}

static bool match(matcher *m, int reg) {
  const char letter = *m->state.next++;
  const symbol *function = find_symbol(letter);
  if (function)
    return m->producer[reg] >= 0 && m->readers[reg] == 1 &&
           match_instruction(m, m->producer[reg], function);
  int16_t *operand = &m->state.operand[letter - 'a'];
  if (*operand < 0)
    *operand = (int16_t)reg;
  return *operand == reg;
}

/** Whether instruction `index` is the last of this pattern; the register that it writes may have
 * any readers. */
static bool match_whole(matcher *m, int index, const pattern *wanted) {
  m->state = (state){.next = wanted->text + 1};
  for (int k = 0; k < CUSP_FUSED_MAX_OPERANDS; k++)
    m->state.operand[k] = -1;
  return match_instruction(m, index, find_symbol(*wanted->text));
}

static void look_through(matcher *m, const cusp_fused_program *program) {
  m->program = program;
  memset(m->readers, 0, sizeof m->readers);
  memset(m->producer, -1, sizeof m->producer);
  for (int i = 0; i < program->n_instructions; i++) {
    const cusp_fused_instruction *instruction = &program->instructions[i];
    m->producer[instruction->result] = i;
    for (int k = 0; k < instruction->arity; k++)
      m->readers[instruction->operand[k]]++;
  }
  for (int k = 0; k < program->n_outputs; k++)
    m->readers[program->output_register[k]]++;
}

/* ------------------------------------------------------------------ joining */

static void join(cusp_fused_program *program, const state *found, const pattern *wanted) {
  const char *loops = (const char *)cusp_chain_loops_find();
  cusp_fused_instruction *last = &program->instructions[found->members[0]];
  memcpy(&last->function, loops + wanted->loop, sizeof last->function);
  last->arity = (int8_t)wanted->arity;
  memcpy(last->operand, found->operand, sizeof last->operand);
  for (int i = 1; i < found->n_members; i++) {
    last->joined++;
    program->instructions[found->members[i]].function = NULL;
  }
  int kept = 0;
  for (int i = 0; i < program->n_instructions; i++)
    if (program->instructions[i].function)
      program->instructions[kept++] = program->instructions[i];
  program->n_instructions = kept;
}

static bool join_one(cusp_fused_program *program, matcher *m) {
  look_through(m, program);
  for (int i = program->n_instructions - 1; i >= 0; i--)
    for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++)
      if (match_whole(m, i, &patterns[p])) {
        join(program, &m->state, &patterns[p]);
        return true;
      }
  return false;
}

void cusp_chains_join(cusp_fused_program *program) {
  matcher m;
  while (program->n_instructions > 2 && join_one(program, &m))
    ;
}
