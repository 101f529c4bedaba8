// The object of JavaScript for one open graph: queries and answers pass through buffers that are shared once.
#pragma once
#include <napi.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "background.h"
#include "core/search.h"
#include "glue.h"

namespace addon {

/// Numbers in the account of a search: counters of addon.ts.
constexpr std::size_t kAccountNumbers = 8;

class Shard final : public Napi::ObjectWrap<Shard> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Shard",
                       {InstanceMethod<&Shard::search>("search"), InstanceMethod<&Shard::search_later>("searchLater"),
                        InstanceMethod<&Shard::figures>("figures"), InstanceMethod<&Shard::verify>("verify"),
                        InstanceMethod<&Shard::close>("close")});
  }

  explicit Shard(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Shard>(info) {
    guarded(info.Env(), [&] {
      const Napi::Object options = arguments::object(info[0], "options");
      shard_ = std::make_shared<OpenShard>();
      shard_->open = open_graph(info.Env(), options);
      shard_->hidden = read_hidden(options.Get("hidden"));
      searcher_ = std::make_unique<shortlist::Searcher>(kernels(), shard_->open.graph, shard_->hidden);
      pin_buffers(options);
    });
  }

 private:
  std::vector<std::uint32_t> read_hidden(const Napi::Value& value) const {
    if (value.IsUndefined()) return {};
    const Napi::Uint32Array rows = arguments::row_list(value, "hidden", shard_->open.graph.rows.count);
    return {rows.Data(), rows.Data() + rows.ElementLength()};
  }

  void pin_buffers(const Napi::Object& options) {
    const Napi::Float32Array query = arguments::floats(options, "query");
    const auto rows = arguments::array<Napi::Uint32Array>(options.Get("foundRows"), "foundRows", napi_uint32_array);
    const Napi::Float32Array scores = arguments::floats(options, "foundScores");
    const auto counters = arguments::array<Napi::Float64Array>(options.Get("counters"), "counters", napi_float64_array);
    arguments::require_length(query, "query", shard_->open.shape.dim);  // once all are read, since reading an option may run code
    arguments::require_length(scores, "foundScores", rows.ElementLength());
    arguments::require_length(counters, "counters", kAccountNumbers);
    capacity_ = rows.ElementLength();
    query_ = shard_->open.memory.pins.pin(query);
    found_rows_ = shard_->open.memory.pins.pin(rows);
    found_scores_ = shard_->open.memory.pins.pin(scores);
    counters_ = shard_->open.memory.pins.pin(counters);
  }

  /// Reads the arguments (k, ef, allow | undefined, allowed, plan, maxScanned, allowList | undefined).
  /// @param allow receives the set that the request points to
  shortlist::SearchRequest read_request(const Napi::CallbackInfo& info, const float* query, shortlist::RowSet& allow) const {
    const std::uint32_t count = shard_->open.graph.rows.count;
    const std::size_t k = arguments::whole(info[0], "k", 0, static_cast<double>(capacity_));
    const std::size_t ef = std::min<std::uint64_t>(count, arguments::whole(info[1], "ef", 0, arguments::kMaxEffort));
    shard_->open.memory.pins.check(info.Env());
    arguments::require_finite(info.Env(), "query", query, shard_->open.graph.rows.dim);
    shortlist::SearchRequest request{.query = query, .k = k, .ef = ef};
    request.allowed = count - shard_->hidden.size();
    if (!info[2].IsUndefined()) {
      allow.words = arguments::row_set(info[2], count).Data();
      request.allow = &allow;
      request.allowed = arguments::whole(info[3], "allowed", 0, static_cast<double>(request.allowed));
      if (!info[6].IsUndefined()) {
        const Napi::Uint32Array list = arguments::row_list(info[6], "allowList", count);
        allow.list = list.Data();
        allow.listed = list.ElementLength();
      }
      request.plan = static_cast<shortlist::Plan>(arguments::whole(info[4], "plan", 0, shortlist::kPlanCount - 1));
    }
    request.max_scanned = arguments::whole(info[5], "maxScanned", 0, arguments::kMaxEffort);
    return request;
  }

  /// search(as read_request): the number of rows found. The account is in the counters.
  Napi::Value search(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      if (!searcher_) throw Failure("internal", "search of a closed index");
      shortlist::RowSet allow{};
      const shortlist::SearchRequest request = read_request(info, query_, allow);
      const shortlist::SearchAccount& account = searcher_->search(request);
      const std::vector<shortlist::Hit>& hits = searcher_->hits();
      if (hits.size() > capacity_) throw Failure("internal", "more rows than the buffers hold");
      copy_hits(hits, found_rows_, found_scores_);
      copy_account(account, counters_);
      return Napi::Number::New(info.Env(), static_cast<double>(hits.size()));
    });
  }

  /// searchLater(as read_request, and the query): a promise of {rows, scores, counters}.
  Napi::Value search_later(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&] {
      if (!searcher_) throw Failure("internal", "search of a closed index");
      const auto query = arguments::array<Napi::Float32Array>(info[7], "query", napi_float32_array);
      arguments::require_length(query, "query", shard_->open.graph.rows.dim);
      shortlist::RowSet allow{};
      const shortlist::SearchRequest request = read_request(info, query.Data(), allow);
      return Background::of(env).searches.start(env, std::make_unique<Later>(env, shard_, request, query.Data()));
    });
  }

  class Later final : public LongSearch {
   public:
    using LongSearch::LongSearch;

   private:
    Napi::Value result(Napi::Env env) override {
      const shortlist::SearchAccount& found = account();
      const std::vector<shortlist::Hit>& best = hits();
      Napi::Uint32Array rows = Napi::Uint32Array::New(env, best.size());
      Napi::Float32Array scores = Napi::Float32Array::New(env, best.size());
      Napi::Float64Array counters = Napi::Float64Array::New(env, kAccountNumbers);
      copy_hits(best, rows.Data(), scores.Data());
      copy_account(found, counters.Data());
      Napi::Object answer = Napi::Object::New(env);
      answer.Set("rows", rows);
      answer.Set("scores", scores);
      answer.Set("counters", counters);
      return answer;
    }
  };

  static void copy_hits(const std::vector<shortlist::Hit>& hits, std::uint32_t* rows, float* scores) {
    for (std::size_t i = 0; i < hits.size(); i++) {
      rows[i] = hits[i].row;
      scores[i] = hits[i].score;
    }
  }

  /// In the order of Account in addon.ts.
  static void copy_account(const shortlist::SearchAccount& account, double* counters) {
    const double numbers[kAccountNumbers] = {
        static_cast<double>(account.visited), static_cast<double>(account.computed), static_cast<double>(account.plan),
        account.near_share, account.costs.widened, account.costs.two_hop, account.costs.code_scan,
        account.costs.exact_scan};
    std::copy(numbers, numbers + kAccountNumbers, counters);
  }

  Napi::Value figures(const Napi::CallbackInfo& info) {
    if (!shard_) throw to_error(info.Env(), "internal", "figures of a closed index");
    return figures_object(info.Env(), shard_->open.file->figures(), shard_->open.file->kind());
  }

  /// verify(): reads all rows and compares the graph with them.
  void verify(const Napi::CallbackInfo& info) {
    guarded(info.Env(), [&] {
      if (!shard_) throw Failure("internal", "verify of a closed index");
      const OpenGraph& open = shard_->open;
      open.memory.pins.check(info.Env());
      open.file->match_all(kernels(), open.graph.rows);
    });
  }

  /// Background searches continue and keep what they need.
  void close(const Napi::CallbackInfo&) {
    searcher_.reset();
    shard_.reset();
  }

  std::shared_ptr<OpenShard> shard_;
  std::unique_ptr<shortlist::Searcher> searcher_;
  const float* query_ = nullptr;
  std::uint32_t* found_rows_ = nullptr;
  float* found_scores_ = nullptr;
  double* counters_ = nullptr;
  std::size_t capacity_ = 0;
};

}  // namespace addon
