/* Cells side by side, one in each lane of a vector register: number i of cell c stands at LANES * i + c. */
#ifndef CHEMNET_LANES_H
#define CHEMNET_LANES_H

#if defined(__GNUC__) || defined(__clang__)
#if defined(__AVX512F__)
#define LANES 8
#elif defined(__AVX__)
#define LANES 4
#else
#define LANES 2
#endif
typedef double lanes __attribute__((vector_size(8 * LANES), aligned(8), may_alias));
#else
#define LANES 1
typedef double lanes;
#endif

/* Sources that are compiled twice, for one cell and for LANES of them, take the type from here. */
#define CACHE_LINE 64

#endif
