// One open graph, for JavaScript: queries come and answers leave through buffers that are shared once.
#pragma once
#include <napi.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "core/search.h"
#include "glue.h"

namespace addon {

/// Numbers in a search's account: counters of addon.ts.
constexpr std::size_t kAccountNumbers = 8;

/// An open graph over its rows.
class Shard final : public Napi::ObjectWrap<Shard> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Shard",
                       {InstanceMethod<&Shard::search>("search"), InstanceMethod<&Shard::figures>("figures"),
                        InstanceMethod<&Shard::verify>("verify"), InstanceMethod<&Shard::close>("close")});
  }

  explicit Shard(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Shard>(info) {
    guarded(info.Env(), [&] {
      const Napi::Object options = arguments::object(info[0], "options");
      open_ = open_graph(info.Env(), options);
      searcher_ = std::make_unique<shortlist::Searcher>(kernels(), open_.graph);
      pin_buffers(options);
    });
  }

 private:
  void pin_buffers(const Napi::Object& options) {
    const Napi::Float32Array query = arguments::floats(options, "query");
    const auto rows = arguments::array<Napi::Uint32Array>(options.Get("foundRows"), "foundRows", napi_uint32_array);
    const Napi::Float32Array scores = arguments::floats(options, "foundScores");
    const auto counters = arguments::array<Napi::Float64Array>(options.Get("counters"), "counters", napi_float64_array);
    arguments::require_length(query, "query", open_.shape.dim);  // once all are read, since reading an option may run code
    arguments::require_length(scores, "foundScores", rows.ElementLength());
    arguments::require_length(counters, "counters", kAccountNumbers);
    capacity_ = rows.ElementLength();
    query_ = open_.memory.pins.pin(query);
    found_rows_ = open_.memory.pins.pin(rows);
    found_scores_ = open_.memory.pins.pin(scores);
    counters_ = open_.memory.pins.pin(counters);
  }

  /// search(k, ef, allow | undefined, allowed, plan, mostScanned, allowList | undefined): how many rows were found. The rest of the
  /// account is in the counters, in the order of Account in addon.ts.
  Napi::Value search(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      if (!searcher_) throw Failure("internal", "search of a closed index");
      const std::uint32_t count = open_.graph.rows.count;
      const std::size_t k = arguments::whole(info[0], "k", 0, static_cast<double>(capacity_));
      const std::size_t ef = std::min<std::uint64_t>(count, arguments::whole(info[1], "ef", 0, arguments::kMaxEffort));
      open_.memory.pins.check(info.Env());
      const std::uint32_t dim = open_.graph.rows.dim;
      arguments::require_finite(info.Env(), "query", query_, dim);
      shortlist::SearchRequest request{query_, k, ef};
      request.allowed = count;
      shortlist::RowSet allow{};
      if (!info[2].IsUndefined()) {
        allow.words = arguments::row_set(info[2], count).Data();
        request.allow = &allow;
        request.allowed = arguments::whole(info[3], "allowed", 0, count);
        if (!info[6].IsUndefined()) {
          const Napi::Uint32Array list = arguments::row_list(info[6], count);
          allow.list = list.Data();
          allow.listed = list.ElementLength();
        }
        request.plan = static_cast<shortlist::Plan>(arguments::whole(info[4], "plan", 0, shortlist::kPlanCount - 1));
      }
      request.most_scanned = arguments::whole(info[5], "mostScanned", 0, arguments::kMaxEffort);
      const shortlist::SearchAccount& account = searcher_->search(request);
      const std::vector<shortlist::Hit>& hits = searcher_->hits();
      if (hits.size() > capacity_) throw Failure("internal", "more rows than the buffers hold");
      for (std::size_t i = 0; i < hits.size(); i++) {
        found_rows_[i] = hits[i].row;
        found_scores_[i] = hits[i].score;
      }
      const double numbers[kAccountNumbers] = {
          static_cast<double>(account.visited), static_cast<double>(account.computed), static_cast<double>(account.plan),
          account.near_share, account.costs.widened, account.costs.two_hop, account.costs.code_scan,
          account.costs.exact_scan};
      std::copy(numbers, numbers + kAccountNumbers, counters_);
      return Napi::Number::New(info.Env(), static_cast<double>(hits.size()));
    });
  }

  Napi::Value figures(const Napi::CallbackInfo& info) {
    if (!open_.file) throw to_error(info.Env(), "internal", "figures of a closed index");
    return figures_object(info.Env(), open_.file->figures(), open_.file->kind());
  }

  /// verify(): compares all of the graph with the rows, which it reads.
  void verify(const Napi::CallbackInfo& info) {
    guarded(info.Env(), [&] {
      if (!open_.file) throw Failure("internal", "verify of a closed index");
      open_.memory.pins.check(info.Env());
      open_.file->match_all(kernels(), open_.graph.rows);
    });
  }

  void close(const Napi::CallbackInfo&) {
    searcher_.reset();
    open_ = {};
  }

  OpenGraph open_;
  std::unique_ptr<shortlist::Searcher> searcher_;
  float* query_ = nullptr;
  std::uint32_t* found_rows_ = nullptr;
  float* found_scores_ = nullptr;
  double* counters_ = nullptr;
  std::size_t capacity_ = 0;
};

}  // namespace addon
