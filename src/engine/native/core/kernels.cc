#include "kernels.h"

#include <cstdlib>
#include <cstring>
#include <string>

#include "failure.h"

namespace shortlist {
namespace {

#if defined(__x86_64__)
bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("popcnt") &&
         __builtin_cpu_supports("bmi");
}
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni");
}
#endif

const Kernels* find_kernels(const std::string& name) {
  if (name == "generic") return &kGenericKernels;
#if defined(__x86_64__)
  if (name == "avx2" && has_avx2()) return &kAvx2Kernels;
  if (name == "avx512" && has_avx512()) return &kAvx512Kernels;
#endif
  return nullptr;
}

const Kernels& fastest_kernels() {
  for (const char* name : {"avx512", "avx2"}) {
    if (const Kernels* found = find_kernels(name)) return *found;
  }
  return kGenericKernels;
}

}  // namespace

const Kernels& choose_kernels() {
  const char* forced = std::getenv("SHORTLIST_ISA");
  if (forced == nullptr || *forced == '\0') return fastest_kernels();
  if (const Kernels* found = find_kernels(forced)) return *found;
  throw Failure("usage", std::string("SHORTLIST_ISA is '") + forced +
                             "', and this processor runs: generic" + (find_kernels("avx2") ? ", avx2" : "") +
                             (find_kernels("avx512") ? ", avx512" : ""));
}

}  // namespace shortlist
