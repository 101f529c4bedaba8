// What sanitizers should see of the core: kernels against each other, builds on many threads, searches against scans,
// and graph files with hostile bytes.
//
//   harness kernels             every instruction set gives what plain C++ gives
//   harness build               equal files on 1, 2, 3 and 8 threads; answers sound; scans in flight meanwhile
//   harness mutants N SEED      N changed files are opened and, where they pass, searched
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "../../../src/engine/native/core/build.h"
#include "../../../src/engine/native/core/export_hnswlib.h"
#include "../../../src/engine/native/core/failure.h"
#include "../../../src/engine/native/core/graph_file.h"
#include "../../../src/engine/native/core/hash.h"
#include "../../../src/engine/native/core/scan_pool.h"
#include "../../../src/engine/native/core/search.h"

using namespace shortlist;

namespace {

constexpr std::size_t kPage = 4096;

#define REQUIRE(condition)                                                        \
  do {                                                                            \
    if (!(condition)) {                                                           \
      std::fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition); \
      std::exit(1);                                                               \
    }                                                                             \
  } while (false)

std::vector<float> random_values(std::size_t count, std::uint64_t seed, float scale = 1) {
  std::mt19937_64 random(seed);
  std::vector<float> values(count);
  for (float& value : values) {
    value = scale * (static_cast<float>(random() >> 40) / static_cast<float>(1 << 24) - 0.5f);
  }
  return values;
}

void normalize(std::vector<float>& values, std::size_t dim) {
  for (std::size_t from = 0; from < values.size(); from += dim) {
    double sum = 0;
    for (std::size_t j = 0; j < dim; j++) sum += static_cast<double>(values[from + j]) * values[from + j];
    for (std::size_t j = 0; j < dim; j++) values[from + j] = static_cast<float>(values[from + j] / std::sqrt(sum));
  }
}

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
  const float* tile_rows[kTileRows] = {&values[0], &values[dim], &values[2 * dim], &values[3 * dim]};
  std::vector<double> packed((dim + 7) / 8 * 8 * kTileQueries);
  for (std::size_t j = 0; j < dim; j++) {
    for (std::size_t q = 0; q < kTileQueries; q++) packed[(j / 8 * kTileQueries + q) * 8 + j % 8] = values[(4 + q) * dim + j];
  }
  double tile[kTileRows * kTileQueries], plain_tile[kTileRows * kTileQueries];
  for (const bool l2 : {false, true}) {
    (l2 ? plain.l2_tile : plain.dot_tile)(packed.data(), tile_rows, dim, plain_tile);
    (l2 ? kernels.l2_tile : kernels.dot_tile)(packed.data(), tile_rows, dim, tile);
    REQUIRE(std::memcmp(tile, plain_tile, sizeof tile) == 0);
  }
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

struct Shard {
  std::vector<float> values;
  Rows rows;
  BuiltGraph built;
};

Shard make_shard(Metric metric, std::uint32_t count, std::uint32_t dim, std::uint32_t m, std::size_t threads) {
  Shard shard;
  shard.values = random_values(std::size_t{count} * dim, count + dim);
  for (std::uint32_t row = 0; row + 10 < count; row += 7) {  // some equal rows
    std::copy_n(shard.values.data(), dim, shard.values.data() + std::size_t{row} * dim);
  }
  if (metric == Metric::cosine) normalize(shard.values, dim);
  shard.rows = {shard.values.data(), count, dim, metric};
  BuildOptions options;
  options.threads = threads;
  options.progress = [](std::uint64_t) { return true; };
  shard.built = build_graph(choose_kernels(), shard.rows, {m, 40, 42}, options);
  return shard;
}

void require_sound(const Rows& rows, const SearchRequest& request, const std::vector<Hit>& hits) {
  REQUIRE(hits.size() == std::min(request.k, request.allowed));
  std::set<std::uint32_t> seen;
  for (std::size_t i = 0; i < hits.size(); i++) {
    REQUIRE(hits[i].row < rows.count && seen.insert(hits[i].row).second);
    REQUIRE(request.allow == nullptr || request.allow->has(hits[i].row));
    REQUIRE(i == 0 || is_before(hits[i - 1], hits[i]));
    double raw;
    raw_rows(choose_kernels(), rows, request.query, &hits[i].row, 1, &raw);
    REQUIRE(hits[i].score == to_score(rows.metric, raw));
  }
}

/// What hnswlib would follow: links of level 0 and above, from the bytes of an export.
void check_export(const Graph& graph, const GraphShape& shape) {
  HnswlibExport exported(choose_kernels(), graph, shape, 1);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(exported.bytes()));
  std::vector<std::uint8_t> block(1 << 12);
  std::size_t size = 0;
  for (std::size_t read; (read = exported.read(block.data(), block.size())) > 0; size += read) {
    REQUIRE(size + read <= bytes.size());
    std::memcpy(bytes.data() + size, block.data(), read);
  }
  REQUIRE(size == bytes.size());
  const auto get = [&](std::size_t at) {
    std::uint32_t value;
    REQUIRE(at + 4 <= bytes.size());
    std::memcpy(&value, bytes.data() + at, 4);
    return value;
  };
  const auto check_list = [&](std::size_t at, std::uint32_t row, std::uint32_t most, auto may_link) {
    const std::uint32_t links = get(at);
    REQUIRE(links <= most);
    for (std::uint32_t i = 1; i <= links; i++) REQUIRE(get(at + 4 * i) < shape.count && get(at + 4 * i) != row && may_link(get(at + 4 * i)));
  };
  const std::size_t element = 12 + 8 * std::size_t{shape.m} + 4 * std::size_t{shape.dim}, list_bytes = 4 + 4 * std::size_t{shape.m};
  for (std::uint32_t row = 0; row < shape.count; row++) {
    check_list(96 + row * element, row, 2 * shape.m, [](std::uint32_t) { return true; });
    REQUIRE(get(96 + (row + 1) * element - 8) == row);
  }
  std::vector<std::uint32_t> levels(shape.count);
  std::size_t at = 96 + shape.count * element;
  for (std::uint32_t row = 0; row < shape.count; row++) {
    levels[row] = static_cast<std::uint32_t>(get(at) / list_bytes);
    at += 4 + get(at);
  }
  REQUIRE(at == bytes.size());
  const std::uint32_t entry = get(52);
  REQUIRE(shape.count == 0 ? entry == kNone : levels[entry] == get(48));
  at = 96 + shape.count * element;
  for (std::uint32_t row = 0; row < shape.count; at += 4 + levels[row] * list_bytes, row++) {
    REQUIRE(levels[row] <= get(48));
    for (std::uint32_t level = 1; level <= levels[row]; level++) {
      check_list(at + 4 + (level - 1) * list_bytes, row, shape.m, [&](std::uint32_t to) { return levels[to] >= level; });
    }
  }
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
        const SearchRequest plain{query.data(), static_cast<std::size_t>(1 + i * 3), 30, nullptr, 1500, false};
        searcher.search(plain);
        require_sound(shard.rows, plain, searcher.hits());
        const SearchRequest filtered{query.data(), 10, 30, &allow, allowed, i % 2 == 0};
        searcher.search(filtered);
        require_sound(shard.rows, filtered, searcher.hits());
      }
      while (ended < 6) usleep(1000);
    }
  }
  return 0;
}

/// Changes some bytes, aimed at what decides where reads go; mostly makes the header's checksum right again.
void mutate(std::vector<std::uint8_t>& bytes, std::mt19937_64& random) {
  const auto put32 = [&](std::size_t at, std::uint32_t value) {
    if (at + 4 <= bytes.size()) std::memcpy(bytes.data() + at, &value, 4);
  };
  const std::uint32_t odd[] = {0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 64, 4096, 300, 299, 301};
  const std::size_t changes = 1 + random() % 4;
  for (std::size_t i = 0; i < changes; i++) {
    const std::uint32_t value = random() % 3 == 0 ? static_cast<std::uint32_t>(random()) : odd[random() % 11];
    switch (random() % 6) {
      case 0: put32(8 + 4 * (random() % 110), value); break;              // header fields and section table
      case 1: put32(96 + 8 * (random() % 3) + 4, value); break;           // the quantizer's exponents
      case 2: put32(kPage + 4 * (random() % ((bytes.size() - kPage) / 4)), value); break;  // anything behind it
      case 3: put32(kPage + 4 * (random() % ((bytes.size() - kPage) / 4)), static_cast<std::uint32_t>(random() % 400)); break;
      case 4: bytes[random() % bytes.size()] ^= static_cast<std::uint8_t>(1 << random() % 8); break;
      default:
        if (random() % 20 == 0) bytes.resize(random() % bytes.size());
        else if (random() % 20 == 0) bytes.resize(bytes.size() + 1 + random() % 5000);
    }
    if (bytes.size() < kPage + 8) return;
  }
  if (random() % 5 == 0) return;
  if (random() % 2 == 0) {
    const std::uint64_t size = bytes.size();
    std::memcpy(bytes.data() + 16, &size, 8);
  }
  const std::uint64_t checksum = xxh64(bytes.data(), kPage - 8);
  std::memcpy(bytes.data() + kPage - 8, &checksum, 8);
}

std::vector<std::uint8_t> read_bytes(const std::string& path) {
  const MappedFile file(path);
  return {file.data(), file.data() + file.bytes()};
}

void write_bytes(const std::string& path, const std::vector<std::uint8_t>& bytes) {
  unlink(path.c_str());  // another mapping of it must not change
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600);
  REQUIRE(file >= 0 && write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  close(file);
}

void search_mutant(const GraphFile& file, const Shard& shard, std::mt19937_64& random) {
  const std::uint32_t count = shard.rows.count, dim = shard.rows.dim;
  const Graph graph = file.view(shard.rows);
  Searcher searcher(choose_kernels(), graph);
  std::vector<std::uint32_t> words((count + 31) / 32);
  for (std::uint32_t& word : words) word = static_cast<std::uint32_t>(random());
  if (count % 32 != 0 && !words.empty()) words.back() &= (1u << (count % 32)) - 1;
  std::size_t allowed = 0;
  for (const std::uint32_t word : words) allowed += static_cast<std::size_t>(__builtin_popcount(word));
  const RowSet allow{words.data()};
  for (int i = 0; i < 2; i++) {
    const std::vector<float> query = random_values(dim, random(), i == 0 ? 1.0f : 1e18f);
    searcher.search({query.data(), 1 + random() % 40, 1 + random() % 60, nullptr, count, false});
    searcher.search({query.data(), 1 + random() % 10, 1 + random() % 20, &allow, allowed, false});
  }
}

int check_mutants(std::size_t wanted, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const char* folder = std::getenv("TMPDIR");
  const std::string path = std::string(folder != nullptr ? folder : "/tmp") + "/shortlist-mutant-" + std::to_string(getpid());
  struct Sample {
    Shard shard;
    GraphShape shape;
    std::vector<std::uint8_t> bytes;
  };
  std::vector<Sample> samples;
  const std::uint32_t sizes[][3] = {{300, 5, 4}, {300, 70, 16}, {1, 3, 4}, {0, 8, 8}, {700, 16, 5}};
  for (const Metric metric : {Metric::cosine, Metric::ip, Metric::l2}) {
    for (const auto& [count, dim, m] : sizes) {
      Sample sample{make_shard(metric, count, dim, m, 1), {metric, dim, count, m, 40}, {}};
      sample.shard.rows.values = sample.shard.values.data();
      write_graph(path, sample.shard.built);
      sample.bytes = read_bytes(path);
      samples.push_back(std::move(sample));
      samples.back().shard.rows.values = samples.back().shard.values.data();
    }
  }
  std::size_t refused = 0, searched = 0;
  for (std::size_t i = 0; i < wanted; i++) {
    const Sample& sample = samples[random() % samples.size()];
    std::vector<std::uint8_t> bytes = sample.bytes;
    mutate(bytes, random);
    write_bytes(path, bytes);
    try {
      const GraphFile file(path, sample.shape);
      if (random() % 4 == 0) file.verify();
      if (random() % 4 == 0) file.match_rows(choose_kernels(), sample.shard.rows);
      search_mutant(file, sample.shard, random);
      check_export(file.view(sample.shard.rows), sample.shape);
      searched++;
    } catch (const Failure& failure) {
      REQUIRE(failure.code() == "file_corrupt" || failure.code() == "format_unsupported");
      refused++;
    }
  }
  unlink(path.c_str());
  std::printf("%zu mutants: %zu refused, %zu searched (%s)\n", wanted, refused, searched, choose_kernels().name);
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string command = count > 1 ? arguments[1] : "";
  if (command == "kernels") return check_kernels();
  if (command == "build") return check_builds();
  if (command == "mutants" && count == 4) {
    return check_mutants(std::strtoull(arguments[2], nullptr, 10), std::strtoull(arguments[3], nullptr, 10));
  }
  std::fprintf(stderr, "harness kernels | build | mutants N SEED\n");
  return 64;
}
