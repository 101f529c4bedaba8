// What sanitizers should see of the core: kernels against each other, builds on many threads, searches against scans,
// and graph files with hostile bytes.
//
//   harness kernels             every instruction set gives what plain C++ gives
//   harness build               equal files on 1, 2, 3 and 8 threads; answers sound; scans in flight meanwhile
//   harness fields              graph files with each field of the header at its bounds, cut and rearranged (mutants.cc)
//   harness mutants N SEED      N files changed at random
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>

#include <unistd.h>

#include "../../../../src/engine/native/core/failure.h"
#include "../../../../src/engine/native/core/hash.h"
#include "../../../../src/engine/native/core/scan_pool.h"
#include "harness.h"

using namespace shortlist;
using namespace harness;

namespace {

std::vector<const Kernels*> available_kernels() {
  std::vector<const Kernels*> found{&kGenericKernels};
#if defined(__x86_64__)
  for (const char* name : {"avx2", "avx512"}) {
    setenv("SHORTLIST_ISA", name, 1);
    try {
      found.push_back(&choose_kernels());
    } catch (const Failure&) {
      std::printf("no %s on this processor\n", name);
    }
  }
  unsetenv("SHORTLIST_ISA");
#endif
  return found;
}

void compare_picks(const Kernels& kernels, std::uint64_t seed) {
  constexpr std::size_t kSlots = 40;
  std::mt19937_64 random(seed);
  std::vector<std::uint32_t> seen(4), allow(4), list((kSlots + 15) / 16 * 16, kNoLink);
  for (std::size_t i = 0; i < 4; i++) {
    seen[i] = static_cast<std::uint32_t>(random());
    allow[i] = static_cast<std::uint32_t>(random());
  }
  const std::size_t links = random() % (kSlots + 1);
  for (std::size_t i = 0; i < links; i++) list[i] = static_cast<std::uint32_t>(random() % 128);
  for (const std::uint32_t* set : {static_cast<const std::uint32_t*>(nullptr), static_cast<const std::uint32_t*>(allow.data())}) {
    std::vector<std::uint32_t> a(kSlots + kPickSlack), b(kSlots + kPickSlack);
    const std::size_t picked = kGenericKernels.pick_unseen(list.data(), kSlots, seen.data(), set, a.data());
    REQUIRE(kernels.pick_unseen(list.data(), kSlots, seen.data(), set, b.data()) == picked);
    REQUIRE(std::equal(a.begin(), a.begin() + picked, b.begin()));
  }
}

/// A pair whose canonical sum is clearly beyond its limit is marked, and one clearly short of it is not.
void check_tile(const Kernels& kernels, std::size_t dim, std::uint64_t seed) {
  const std::vector<float> rows = random_values(dim * kTileRows, seed), queries = random_values(dim * kTileQueries, seed + 1);
  std::vector<float> packed(dim * kTileQueries);
  const float* of_tile[kTileRows];
  float norms[kTileRows];
  for (std::size_t r = 0; r < kTileRows; r++) {
    of_tile[r] = &rows[r * dim];
    norms[r] = static_cast<float>(r);
  }
  for (std::size_t i = 0; i < packed.size(); i++) packed[i] = queries[i % kTileQueries * dim + i / kTileQueries];
  std::vector<std::uint32_t> all(kTileRows);
  for (std::uint32_t r = 0; r < kTileRows; r++) all[r] = r;
  for (const bool l2 : {false, true}) {
    std::vector<double> sums(kTileRows * kTileQueries);
    TileLimits limits;
    for (std::size_t q = 0; q < kTileQueries; q++) {
      const auto sum = l2 ? kGenericKernels.l2_rows : kGenericKernels.dot_rows;
      sum(&queries[q * dim], rows.data(), dim, all.data(), kTileRows, &sums[q * kTileRows]);
      limits.slacks[q] = 0.001f * static_cast<float>(q);
      limits.limits[q] = q == 5 ? std::nanf("") : static_cast<float>(sums[q * kTileRows + q % kTileRows]);
    }
    std::uint32_t entering[kTileRows];
    (l2 ? kernels.l2_tile : kernels.dot_tile)(packed.data(), of_tile, dim, limits, norms, entering);
    for (std::size_t q = 0; q < kTileQueries; q++) {
      for (std::size_t r = 0; r < kTileRows; r++) {
        const bool marked = entering[r] >> q & 1;
        const double slack = l2 ? 0 : 0.001 * static_cast<double>(q * r), limit = static_cast<double>(limits.limits[q]);
        const double above = l2 ? limit - sums[q * kTileRows + r] : sums[q * kTileRows + r] + slack - limit;
        const double rounding = 1e-6 * static_cast<double>(dim + 8) * (1 + std::abs(limit));
        REQUIRE(std::isnan(limit) ? marked : above > rounding ? marked : above < -rounding ? !marked : true);
      }
    }
  }
}

void compare_kernels(const Kernels& kernels, std::size_t dim, std::uint64_t seed) {
  const Kernels& plain = kGenericKernels;
  constexpr std::uint32_t kRows = 11;
  const std::size_t stride = code_stride(static_cast<std::uint32_t>(dim));
  Pages memory(stride * (kRows + 3));
  std::uint8_t* codes = memory.as<std::uint8_t>();
  std::mt19937_64 random(seed);
  for (std::size_t row = 0; row < kRows + 3; row++) {
    for (std::size_t j = 0; j < dim; j++) codes[row * stride + j] = static_cast<std::uint8_t>(random() % 128);
  }
  const std::uint8_t* query = codes + kRows * stride;
  std::vector<std::int8_t> high(stride + 64), low(stride + 64);
  const auto aligned = [](std::vector<std::int8_t>& plane) {
    return plane.data() + (64 - reinterpret_cast<std::uintptr_t>(plane.data()) % 64) % 64;
  };
  for (std::size_t j = 0; j < dim; j++) {
    aligned(high)[j] = static_cast<std::int8_t>(static_cast<int>(random() % 255) - 127);
    aligned(low)[j] = static_cast<std::int8_t>(random() % 128);
  }
  std::vector<std::uint32_t> rows(kRows);
  for (std::uint32_t& row : rows) row = static_cast<std::uint32_t>(random() % kRows);
  std::vector<std::uint32_t> a(kRows), b(kRows);
  plain.l2_codes(query, codes, stride, rows.data(), kRows, a.data());
  kernels.l2_codes(query, codes, stride, rows.data(), kRows, b.data());
  REQUIRE(a == b);
  plain.multiply_codes(query, codes, stride, rows.data(), kRows, a.data());
  kernels.multiply_codes(query, codes, stride, rows.data(), kRows, b.data());
  REQUIRE(a == b);
  // Two planes of a query lie end to end: those of the rows do as well.
  plain.dot_nibbles(query, codes, stride, rows.data(), kRows, a.data());
  kernels.dot_nibbles(query, codes, stride, rows.data(), kRows, b.data());
  REQUIRE(a == b);
  compare_picks(kernels, seed);
  std::vector<std::int64_t> c(kRows), d(kRows);
  const DotPlanes planes{aligned(high), aligned(low)};
  plain.dot_codes(planes, codes, stride, rows.data(), kRows, c.data());
  kernels.dot_codes(planes, codes, stride, rows.data(), kRows, d.data());
  REQUIRE(c == d);

  const std::vector<float> values = random_values(dim * kRows, seed), point = random_values(dim, seed + 1);
  std::vector<double> lows(dim), x(kRows), y(kRows);
  for (double& value : lows) value = -0.4 - static_cast<double>(random() % 100) / 1000;
  std::vector<std::uint8_t> first(dim), second(dim);
  const double lost = plain.encode(point.data(), lows.data(), 150, dim, first.data());
  REQUIRE(lost == kernels.encode(point.data(), lows.data(), 150, dim, second.data()));
  REQUIRE(first == second);
  plain.dot_rows(point.data(), values.data(), dim, rows.data(), kRows, x.data());
  kernels.dot_rows(point.data(), values.data(), dim, rows.data(), kRows, y.data());
  REQUIRE(x == y);
  const std::size_t half_stride = code_bytes(CodeKind::bfloat16, static_cast<std::uint32_t>(dim)) / 2;
  std::vector<std::uint16_t> halves(half_stride * kRows);
  for (std::size_t row = 0; row < kRows; row++) {
    to_bfloat16(&values[row * dim], static_cast<std::uint32_t>(dim), &halves[row * half_stride]);
  }
  for (const bool l2 : {false, true}) {
    (l2 ? plain.l2_halves : plain.dot_halves)(point.data(), halves.data(), dim, half_stride, rows.data(), kRows, x.data());
    (l2 ? kernels.l2_halves : kernels.dot_halves)(point.data(), halves.data(), dim, half_stride, rows.data(), kRows, y.data());
    REQUIRE(x == y);
  }
  check_tile(kernels, dim, seed);
  plain.l2_rows(point.data(), values.data(), dim, rows.data(), kRows, x.data());
  kernels.l2_rows(point.data(), values.data(), dim, rows.data(), kRows, y.data());
  REQUIRE(x == y);
}

int check_kernels() {
  for (const Kernels* kernels : available_kernels()) {
    for (std::size_t dim = 1; dim <= 200; dim++) compare_kernels(*kernels, dim, dim);
    for (const std::size_t dim : {255, 256, 257, 768, 1536, 2048, 16384}) compare_kernels(*kernels, dim, dim);
  }
  return 0;
}

int check_builds() {
  for (const Metric metric : {Metric::cosine, Metric::ip, Metric::l2}) {
    std::uint64_t digest = 0;
    for (const std::size_t threads : {1, 2, 3, 8}) {
      const Shard shard = make_shard(metric, 1500, 24, 6, threads);
      const std::uint64_t found = xxh64(shard.built.links.as<char>(), shard.built.links.bytes()) ^
                                  xxh64(shard.built.upper_links.data(), 4 * shard.built.upper_links.size());
      REQUIRE(threads == 1 || found == digest);
      digest = found;
      if (threads != 3) continue;
      ScanPool pool(choose_kernels(), 3);
      std::atomic<int> ended{0};
      std::atomic<bool> stop{false};
      for (int i = 0; i < 6; i++) {
        auto job = std::make_unique<ScanJob>();
        job->rows = shard.rows;
        job->queries = random_values(24 * 70, i);
        job->k = 20;
        job->is_cancelled = [&stop, i] { return i == 5 && stop; };
        job->done = [&ended](ScanJob&) { ended++; };
        pool.submit(std::move(job));
      }
      stop = true;
      const Graph graph = shard.built.view();
      Searcher searcher(choose_kernels(), graph);
      std::vector<std::uint32_t> words((1500 + 31) / 32, 0x55555555);
      words.back() &= (1u << (1500 & 31)) - 1;
      const RowSet allow{words.data()};
      std::size_t allowed = 0;
      for (const std::uint32_t word : words) allowed += static_cast<std::size_t>(__builtin_popcount(word));
      for (int i = 0; i < 50; i++) {
        std::vector<float> query = random_values(24, 1000 + i);
        if (metric == Metric::cosine) normalize(query, 24);
        const SearchRequest plain{
            .query = query.data(), .k = static_cast<std::size_t>(1 + i * 3), .ef = 30, .allow = nullptr, .allowed = 1500};
        searcher.search(plain);
        require_sound(shard.rows, plain, searcher.hits());
        const SearchRequest filtered{
            .query = query.data(), .k = 10, .ef = 30, .allow = &allow, .allowed = allowed, .by_floats = i % 2 == 0};
        searcher.search(filtered);
        require_sound(shard.rows, filtered, searcher.hits());
      }
      while (ended < 6) usleep(1000);
    }
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string command = count > 1 ? arguments[1] : "";
  if (command == "kernels") return check_kernels();
  if (command == "build") return check_builds();
  if (command == "fields") return check_fields();
  if (command == "mutants" && count == 4) {
    return check_mutants(std::strtoull(arguments[2], nullptr, 10), std::strtoull(arguments[3], nullptr, 10));
  }
  std::fprintf(stderr, "harness kernels | build | fields | mutants N SEED\n");
  return 64;
}
