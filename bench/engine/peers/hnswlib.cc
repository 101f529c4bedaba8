// hnswlib itself, compiled for this processor, without a binding: the upper bound of what bindings of it can reach. It
// builds and searches on its own and times itself; the bench drives it over stdin and stdout as it drives every engine
// (host.ts says how).
//
//   hnswlib build METRIC DIM ROWS BASE.f32 INDEX M EF_CONSTRUCTION SEED THREADS
//   hnswlib search METRIC DIM QUERIES.f32 INDEX
//
// The headers are those of hnswlib-node.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "hnswlib.h"

namespace {

using Graph = hnswlib::HierarchicalNSW<float>;
using Clock = std::chrono::steady_clock;

constexpr uint32_t kNoRow = 0xffffffff;
constexpr double kWarmSeconds = 0.1;

double SecondsSince(Clock::time_point started) {
  return std::chrono::duration<double>(Clock::now() - started).count();
}

std::unique_ptr<hnswlib::SpaceInterface<float>> SpaceOf(const std::string& metric, size_t dim) {
  if (metric == "cosine") return std::make_unique<hnswlib::InnerProductSpace>(dim);
  return std::make_unique<hnswlib::L2Space>(dim);
}

std::vector<float> ReadFloats(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::vector<float> values(static_cast<size_t>(file.tellg()) / sizeof(float));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
  if (!file) throw std::runtime_error(path + " ended early");
  return values;
}

// Kilobytes of a field of /proc/self/status; 0 where there is none.
size_t StatusKilobytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(field + ":", 0) == 0) return std::strtoull(line.c_str() + field.size() + 1, nullptr, 10);
  }
  return 0;
}

void Build(char** args) {
  const size_t dim = std::stoull(args[1]);
  const size_t rows = std::stoull(args[2]);
  const auto space = SpaceOf(args[0], dim);
  const auto values = ReadFloats(args[3]);
  const size_t threads = std::stoull(args[8]);
  Graph graph(space.get(), rows, std::stoull(args[5]), std::stoull(args[6]), std::stoull(args[7]));
  const auto started = Clock::now();
  graph.addPoint(values.data(), 0);  // the first one alone: threads that find no entry point race for it
  std::atomic<size_t> next{1};
  const auto work = [&] {
    for (size_t row = next++; row < rows; row = next++) graph.addPoint(values.data() + row * dim, row);
  };
  std::vector<std::thread> others;
  for (size_t i = 1; i < threads; i++) others.emplace_back(work);
  work();
  for (auto& other : others) other.join();
  const double graph_seconds = SecondsSince(started);
  graph.saveIndex(args[4]);
  std::printf("@{\"graphSeconds\":%.6f,\"seconds\":%.6f}\n", graph_seconds, SecondsSince(started));
}

class Searcher {
 public:
  Searcher(char** args)
      : dim_(std::stoull(args[1])), space_(SpaceOf(args[0], dim_)), queries_(ReadFloats(args[2])), path_(args[3]) {}

  void Open() {
    const auto started = Clock::now();
    graph_ = std::make_unique<Graph>(space_.get(), path_);
    std::printf("@{\"openMs\":%.3f}\n", SecondsSince(started) * 1000);
  }

  void Answer(size_t k, size_t ef, const std::string& path) {
    graph_->setEf(ef);
    std::vector<uint32_t> rows(Count() * k, kNoRow);
    for (size_t query = 0; query < Count(); query++) {
      size_t place = query * k;
      for (auto found = Search(query, k); !found.empty(); found.pop()) {
        rows[place++] = static_cast<uint32_t>(found.top().second);
      }
    }
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(rows.data()), static_cast<std::streamsize>(rows.size() * sizeof(uint32_t)));
    if (!file.flush()) throw std::runtime_error("cannot write " + path);
    std::printf("@{}\n");
  }

  void Time(size_t k, size_t ef, double least_seconds) {
    graph_->setEf(ef);
    Pass(k, std::min(kWarmSeconds, least_seconds), true);
    const auto started = Clock::now();
    std::vector<double> times = Pass(k, least_seconds, false);
    const double seconds = SecondsSince(started);
    const size_t count = times.size();
    std::sort(times.begin(), times.end());
    const auto at = [&](size_t percent) { return 1e6 * times[(count * percent + 99) / 100 - 1]; };
    std::printf("@{\"qps\":%.2f,\"p50Us\":%.3f,\"p99Us\":%.3f}\n", static_cast<double>(count) / seconds, at(50), at(99));
  }

 private:
  size_t Count() const { return queries_.size() / dim_; }

  std::priority_queue<std::pair<float, hnswlib::labeltype>> Search(size_t query, size_t k) const {
    return graph_->searchKnn(queries_.data() + query * dim_, k);
  }

  // Seconds of each search: whole passes over the queries until the time is over, or a part of one to warm up.
  std::vector<double> Pass(size_t k, double least_seconds, bool partly) const {
    std::vector<double> times;
    const auto started = Clock::now();
    do {
      for (size_t query = 0; query < Count() && !(partly && SecondsSince(started) > least_seconds); query++) {
        const auto asked = Clock::now();
        Search(query, k);
        times.push_back(SecondsSince(asked));
      }
    } while (SecondsSince(started) < least_seconds);
    return times;
  }

  size_t dim_;
  std::unique_ptr<hnswlib::SpaceInterface<float>> space_;
  std::vector<float> queries_;
  std::string path_;
  std::unique_ptr<Graph> graph_;
};

void Serve(char** args) {
  Searcher searcher(args);
  for (std::string line; std::getline(std::cin, line);) {
    size_t k = 0, ef = 0;
    double milliseconds = 0;
    int end = 0;
    if (line == "open") {
      searcher.Open();
    } else if (line == "memory") {
      std::printf("@{\"rssBytes\":%zu,\"anonBytes\":%zu}\n", StatusKilobytes("VmRSS") * 1024, StatusKilobytes("RssAnon") * 1024);
    } else if (std::sscanf(line.c_str(), "answer %zu {\"ef\":%zu} %n", &k, &ef, &end) == 2 && end > 0) {
      searcher.Answer(k, ef, line.substr(static_cast<size_t>(end)));
    } else if (std::sscanf(line.c_str(), "time %zu {\"ef\":%zu} %lf", &k, &ef, &milliseconds) == 3) {
      searcher.Time(k, ef, milliseconds / 1000);
    } else {
      throw std::runtime_error("no such request: " + line);
    }
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc == 11 && std::string(argv[1]) == "build") {
      Build(argv + 2);
    } else if (argc == 6 && std::string(argv[1]) == "search") {
      Serve(argv + 2);
    } else {
      throw std::runtime_error("see the head of hnswlib.cc for the arguments");
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "hnswlib: %s\n", error.what());
    return 1;
  }
  return 0;
}
