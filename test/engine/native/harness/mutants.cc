// Graph files with hostile bytes. Each is opened, checked, matched with its rows and, where all that passes, searched: whoever
// wrote a file, no read leaves it and no search runs for ever. Mostly the header's checksum is made right again, for a
// checksum keeps out accidents, not people.
#include <fcntl.h>
#include <unistd.h>

#include <cfloat>
#include <cstring>
#include <string>

#include "../../../../src/engine/native/core/failure.h"
#include "../../../../src/engine/native/core/graph_file.h"
#include "../../../../src/engine/native/core/hash.h"
#include "harness.h"

namespace harness {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kFormatAt = offsetof(GraphFileHeader, format), kSizeAt = offsetof(GraphFileHeader, file_bytes);
constexpr std::size_t kKindAt = offsetof(GraphFileHeader, code_kind), kScaleAt = offsetof(GraphFileHeader, scale);
constexpr std::size_t kSectionsAt = offsetof(GraphFileHeader, sections), kChecksumAt = offsetof(GraphFileHeader, checksum);
constexpr std::size_t kFieldsEnd = kSectionsAt + kSectionCount * sizeof(SectionEntry);
/// A search that takes longer runs for ever.
constexpr unsigned kMaxSeconds = 60;

template <typename T>
T get(const Bytes& bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

template <typename T>
void put(Bytes& bytes, std::size_t at, T value) {
  if (at + sizeof value <= bytes.size()) std::memcpy(bytes.data() + at, &value, sizeof value);
}

SectionEntry section_of(const Bytes& bytes, std::size_t i) {
  return get<SectionEntry>(bytes, kSectionsAt + i * sizeof(SectionEntry));
}

void fix_header(Bytes& bytes) {
  if (bytes.size() >= kPageBytes) put(bytes, kChecksumAt, xxh64(bytes.data(), kChecksumAt));
}

void fix_size(Bytes& bytes) { put(bytes, kSizeAt, static_cast<std::uint64_t>(bytes.size())); }

/// Checksums of sections that lie in the file.
void fix_sections(Bytes& bytes) {
  if (bytes.size() < kPageBytes) return;
  for (std::size_t i = 0; i < kSectionCount; i++) {
    const SectionEntry section = section_of(bytes, i);
    if (section.offset > bytes.size() || section.bytes > bytes.size() - section.offset) continue;
    put(bytes, kSectionsAt + i * sizeof(SectionEntry) + offsetof(SectionEntry, checksum), xxh64(bytes.data() + section.offset, section.bytes));
  }
}

struct Sample {
  Shard shard;
  GraphShape shape;
  Bytes bytes;
};

/// Opens one changed file after the other, and counts.
class Trial {
 public:
  Trial() {
    const char* folder = std::getenv("TMPDIR");
    path_ = std::string(folder != nullptr ? folder : "/tmp") + "/shortlist-mutant-" + std::to_string(getpid());
    log_ = open((path_ + ".txt").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    REQUIRE(log_ >= 0);
  }
  ~Trial() {
    close(log_);
    unlink(path_.c_str());
    unlink((path_ + ".txt").c_str());
  }

  const std::string& path() const { return path_; }

  /// @param name what was done; after a crash it stands in the file beside the mutant
  void run(const Sample& sample, const Bytes& bytes, const std::string& name, std::mt19937_64& random) {
    const std::string line = name + " of " + std::to_string(sample.shape.count) + " x " + std::to_string(sample.shape.dim) +
                             ", metric " + std::to_string(static_cast<int>(sample.shape.metric)) + "\n";
    REQUIRE(ftruncate(log_, 0) == 0 && pwrite(log_, line.data(), line.size(), 0) == static_cast<ssize_t>(line.size()));
    write_bytes(bytes);
    alarm(kMaxSeconds);
    try {
      const GraphFile file(path_, sample.shape);
      if (random() % 4 == 0) file.verify();
      if (random() % 4 == 0) file.match_rows(choose_kernels(), sample.shard.rows);
      search(file, sample.shard, random);
      check_export(file.view(sample.shard.rows), sample.shape);
      searched_++;
    } catch (const Failure& failure) {
      REQUIRE(failure.code() == "file_corrupt" || failure.code() == "format_unsupported");
      refused_++;
    }
    alarm(0);
  }

  int report(const char* what) const {
    REQUIRE(refused_ > 0 && searched_ > 0);
    std::printf("%s: %zu files, %zu refused, %zu searched (%s)\n", what, refused_ + searched_, refused_, searched_,
                choose_kernels().name);
    return 0;
  }

 private:
  void write_bytes(const Bytes& bytes) const {
    unlink(path_.c_str());  // another mapping of it must not change
    const int file = open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600);
    REQUIRE(file >= 0 && write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    close(file);
  }

  static void search(const GraphFile& file, const Shard& shard, std::mt19937_64& random) {
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
      const SearchRequest plain{
          .query = query.data(), .k = 1 + random() % 40, .ef = 1 + random() % 60, .allow = nullptr, .allowed = count};
      searcher.search(plain);
      require_in_range(shard.rows, plain, searcher.hits());
      const SearchRequest filtered{.query = query.data(),
                                   .k = 1 + random() % 10,
                                   .ef = 1 + random() % 20,
                                   .allow = &allow,
                                   .allowed = allowed,
                                   .by_floats = false,
                                   .plan = static_cast<Plan>(random() % kPlanCount)};
      searcher.search(filtered);
      require_in_range(shard.rows, filtered, searcher.hits());
    }
  }

  /// What holds even where chains of equal rows lie: they can give a row twice, or a score that is another's.
  static void require_in_range(const Rows& rows, const SearchRequest& request, const std::vector<Hit>& hits) {
    REQUIRE(hits.size() == std::min(request.k, request.allowed));
    for (const Hit& hit : hits) REQUIRE(hit.row < rows.count && (request.allow == nullptr || request.allow->has(hit.row)));
  }

  std::string path_;
  int log_;
  std::size_t refused_ = 0, searched_ = 0;
};

Sample make_sample(const Trial& trial, Metric metric, std::uint32_t count, std::uint32_t dim, std::uint32_t m, float spread) {
  Sample sample{make_shard(metric, count, dim, m, 1, spread), {metric, dim, count, m, 40}, {}};
  write_graph(trial.path(), sample.shard.built);
  const MappedFile file(trial.path());
  sample.bytes.assign(file.data(), file.data() + file.bytes());
  REQUIRE(sample.bytes.size() >= kPageBytes && section_of(sample.bytes, 0).offset == kPageBytes);
  return sample;
}

/// Graphs with and without upper levels, of one row and none, of dimensions that fill a line of codes and do not, and of
/// every kind of code.
std::vector<Sample> make_samples(const Trial& trial) {
  const std::uint32_t sizes[][3] = {{300, 5, 4}, {300, 70, 16}, {200, 300, 8}, {1, 3, 4}, {0, 8, 8}, {700, 16, 5}};
  std::vector<Sample> samples;
  for (const Metric metric : {Metric::cosine, Metric::ip, Metric::l2}) {
    for (const auto& [count, dim, m] : sizes) samples.push_back(make_sample(trial, metric, count, dim, m, 0));
  }
  samples.push_back(make_sample(trial, Metric::l2, 1000, 8, 6, 1e4f));
  samples.push_back(make_sample(trial, Metric::l2, 1000, 8, 6, 60.0f));
  std::set<std::uint32_t> kinds;
  for (Sample& sample : samples) {
    sample.shard.rows.values = sample.shard.values.data();
    kinds.insert(get<std::uint32_t>(sample.bytes, kKindAt));
  }
  REQUIRE((kinds == std::set<std::uint32_t>{0, 4, 7, 16}));
  return samples;
}

/// Changes some bytes, aimed at what decides where reads go.
void change_at_random(Bytes& bytes, std::mt19937_64& random) {
  const std::uint32_t odd[] = {0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 64, 4096, 300, 299, 301};
  const auto behind = [&] { return kPageBytes + 4 * (random() % ((bytes.size() - kPageBytes) / 4)); };
  const std::size_t changes = 1 + random() % 4;
  for (std::size_t i = 0; i < changes; i++) {
    const std::uint32_t value = random() % 3 == 0 ? static_cast<std::uint32_t>(random()) : odd[random() % 11];
    switch (random() % 7) {
      case 0: put(bytes, kFormatAt + 4 * (random() % ((kFieldsEnd - kFormatAt) / 4)), value); break;    // header fields and section table
      case 1: put(bytes, kScaleAt + 8 * (random() % 3) + 4, value); break;  // the quantizer's exponents
      case 2: put(bytes, behind(), value); break;
      case 3: put(bytes, behind(), static_cast<std::uint32_t>(random() % 400)); break;
      case 4: bytes[random() % bytes.size()] ^= static_cast<std::uint8_t>(1 << random() % 8); break;
      case 5: {  // one part over another: links for codes, chains for links
        const std::size_t length = 4 * (1 + random() % 64);
        const std::size_t from = behind(), to = behind();
        if (std::max(from, to) + length <= bytes.size()) std::memmove(&bytes[to], &bytes[from], length);
        break;
      }
      default:
        if (random() % 20 == 0) bytes.resize(random() % bytes.size());
        else if (random() % 20 == 0) bytes.resize(bytes.size() + 1 + random() % 5000);
    }
    if (bytes.size() < kPageBytes + 8) return;
  }
  if (random() % 5 == 0) return;
  if (random() % 2 == 0) fix_size(bytes);
  if (random() % 2 == 0) fix_sections(bytes);
  fix_header(bytes);
}

/// Every field of the header, as 4 bytes, 8 bytes and a float64, at the bounds of its type, of the file and of itself.
void try_fields(Trial& trial, const Sample& sample, std::mt19937_64& random) {
  const auto run = [&](std::size_t at, auto value) {
    Bytes bytes = sample.bytes;
    put(bytes, at, value);
    fix_header(bytes);
    trial.run(sample, bytes, "the header's byte " + std::to_string(at) + " changed", random);
  };
  const std::uint32_t count = sample.shape.count;
  const std::uint64_t size = sample.bytes.size();
  for (std::size_t at = kFormatAt; at < kFieldsEnd; at += 4) {
    const auto own = get<std::uint32_t>(sample.bytes, at);
    for (const std::uint32_t value : {0u, 1u, own - 1, own + 1, own ^ 0x80000000u, 2 * own, count - 1, count, count + 1, 33u,
                                      4096u, 0x7fffffffu, 0x80000000u, 0xfffffffeu, 0xffffffffu}) {
      if (value != own) run(at, value);
    }
  }
  for (std::size_t at = kSizeAt; at < kFieldsEnd; at += 8) {
    const auto own = get<std::uint64_t>(sample.bytes, at);
    for (const std::uint64_t value : {own + kPageBytes, own - kPageBytes, size, size - 1, size - own, std::uint64_t{1} << 32,
                                      std::uint64_t{1} << 63, ~std::uint64_t{0} - 4095, ~std::uint64_t{0}}) {
      if (value != own) run(at, value);
    }
    for (const double value : {-0.0, -1.0, 1e-300, 1e300, DBL_MAX, DBL_TRUE_MIN, HUGE_VAL, -HUGE_VAL, std::nan("")}) {
      run(at, value);
    }
  }
}

/// The file cut at, before and behind every page, and made longer.
void try_lengths(Trial& trial, const Sample& sample, std::mt19937_64& random) {
  const auto run = [&](std::size_t length) {
    for (const bool right_size : {false, true}) {
      Bytes bytes = sample.bytes;
      bytes.resize(length);
      if (right_size) fix_size(bytes);
      fix_header(bytes);
      trial.run(sample, bytes, "cut to " + std::to_string(length) + " bytes", random);
    }
  };
  for (std::size_t page = 0; page <= sample.bytes.size(); page += kPageBytes) {
    for (const std::size_t length : {page - 1, page, page + 1}) {
      if (length < sample.bytes.size()) run(length);
    }
  }
  for (const std::size_t more : {1, 8, 4095, 4096, 4097, 65536}) run(sample.bytes.size() + more);
}

/// Sections that change places, in the table and in the file, and sections of one value; all checksums are right.
void try_sections(Trial& trial, const Sample& sample, std::mt19937_64& random) {
  const auto run = [&](Bytes bytes, const std::string& name) {
    fix_sections(bytes);
    fix_header(bytes);
    trial.run(sample, bytes, name, random);
  };
  for (std::size_t i = 0; i < kSectionCount; i++) {
    const SectionEntry a = section_of(sample.bytes, i);
    const std::string name = "section " + std::to_string(i);
    for (std::size_t j = 0; j < kSectionCount; j++) {
      if (i == j) continue;
      const SectionEntry b = section_of(sample.bytes, j);
      const std::string pair = name + " and " + std::to_string(j);
      Bytes swapped = sample.bytes;
      std::swap_ranges(&swapped[kSectionsAt + i * sizeof(SectionEntry)], &swapped[kSectionsAt + (i + 1) * sizeof(SectionEntry)],
                       &swapped[kSectionsAt + j * sizeof(SectionEntry)]);
      run(swapped, pair + " swapped in the table");
      Bytes aliased = sample.bytes;
      put(aliased, kSectionsAt + i * sizeof(SectionEntry), b.offset);
      run(aliased, pair + " in one place");
      Bytes copied = sample.bytes;
      const std::size_t shared = std::min(a.bytes, b.bytes);
      if (shared > 0) std::memcpy(&copied[a.offset], &sample.bytes[b.offset], shared);
      run(copied, pair + " with equal bytes");
    }
    for (int i_value = 0; i_value < 260; i_value++) {
      Bytes filled = sample.bytes;
      for (std::size_t at = a.offset; at < a.offset + a.bytes; at++) {
        filled[at] = static_cast<std::uint8_t>(i_value < 256 ? i_value : random());
      }
      run(filled, name + " filled");
    }
  }
}

}  // namespace

int check_fields() {
  Trial trial;
  std::mt19937_64 random(1);
  for (const Sample& sample : make_samples(trial)) {
    try_fields(trial, sample, random);
    try_lengths(trial, sample, random);
    try_sections(trial, sample, random);
  }
  return trial.report("fields, lengths and sections");
}

int check_mutants(std::size_t wanted, std::uint64_t seed) {
  Trial trial;
  const std::vector<Sample> samples = make_samples(trial);
  for (std::size_t i = 0; i < wanted; i++) {
    std::mt19937_64 random(seed * 1'000'003 + i);  // so that one alone can be made again
    const Sample& sample = samples[random() % samples.size()];
    Bytes bytes = sample.bytes;
    change_at_random(bytes, random);
    trial.run(sample, bytes, "mutant " + std::to_string(i) + " of seed " + std::to_string(seed), random);
  }
  return trial.report("random changes");
}

}  // namespace harness
