// Assertions on what the core itself guarantees. Bytes from disk and arguments are checked by errors instead.
//
// -DSHORTLIST_ASSERTIONS turns them on; scripts/test-native.sh does so for the harness and its addon. In a release the
// condition is compiled but never evaluated.
#pragma once

#ifdef SHORTLIST_ASSERTIONS
#include <cstdio>
#include <cstdlib>
#define SHORTLIST_ASSERT(condition)                                                                        \
  do {                                                                                                     \
    if (!(condition)) {                                                                                    \
      std::fprintf(stderr, "%s:%d: assertion failed: %s\n", __FILE__, __LINE__, #condition);               \
      std::abort();                                                                                        \
    }                                                                                                      \
  } while (false)
#else
#define SHORTLIST_ASSERT(condition) static_cast<void>(sizeof(!(condition)))
#endif
