#ifndef CUSP_KERNELS_HASHES_H
#define CUSP_KERNELS_HASHES_H
/*
 * The hash functions of strings that TensorFlow's layers use, so that the same strings fall into
 * the same bins: Pike and Alakuijala's FarmHash (Fingerprint64 of github.com/google/farmhash);
 * Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012).
 */

#include <stddef.h>
#include <stdint.h>

uint64_t cusp_farmhash(const char *bytes, size_t length);
/** SipHash-2-4 under a key of two words. */
uint64_t cusp_siphash(const char *bytes, size_t length, const uint64_t key[2]);
/** One fingerprint of two. */
uint64_t cusp_fingerprint_join(uint64_t a, uint64_t b);

#endif
