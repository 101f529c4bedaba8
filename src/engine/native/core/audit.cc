#include "audit.h"

#include <algorithm>

#include "assert.h"
#include "search.h"
#include "traverse.h"

namespace shortlist {
namespace {

/// The ef at which every row must find itself.
constexpr std::size_t kSelfEf = 50;
/// An unfound row is linked from up to kMaxNewLinks of the nearest kMaxLinkSources nodes that its search returns,
/// since the next search will expand those. This is repeated up to kMaxRounds times.
constexpr std::size_t kMaxLinkSources = 16;
constexpr std::size_t kMaxNewLinks = 2;
constexpr std::size_t kMaxRounds = 8;
/// Sample size and parameters of the comparison between codes and float32 rows.
constexpr std::uint32_t kComparedRows = 64;
constexpr std::size_t kComparedK = 10;
constexpr std::size_t kComparedEf = 64;

class Audit {
 public:
  explicit Audit(const AuditContext& context)
      : context_(context), graph_(context.built.view()), scorer_(row_scorer(context.kernels, context.built)),
        traversal_(context.kernels, graph_.rows.count), reached_(graph_.rows.count, false) {}

  void run() {
    if (graph_.entry == kNone) return;
    context_.built.figures.unreachable = link_unreached();
    if (graph_.rows.metric == Metric::ip) return;  // the nearest row by product is another one
    std::vector<std::uint32_t> rows;
    for (std::uint32_t row = 0; row < graph_.rows.count; row++) {
      if (!is_represented(row)) rows.push_back(row);
    }
    rows = find_unfound(rows);
    context_.built.figures.unfound = rows.size();
    for (std::size_t round = 0; round < kMaxRounds && !rows.empty(); round++) {
      for (const std::uint32_t row : rows) link_in(row);
      rows = find_unfound(rows);
    }
    if (context_.built.figures.unfound > 0) link_unreached();
  }

 private:
  /// Links every row that is not reachable from the entry. @return how many
  std::uint64_t link_unreached() {
    std::uint64_t linked = 0;
    reached_.assign(graph_.rows.count, false);
    full_rows_ = 0;
    mark_from(graph_.entry);
    for (std::uint32_t row = 0; row < graph_.rows.count; row++) {
      if (reached_[row] || is_represented(row)) continue;
      linked++;
      link_from_neighbours(row);
      mark_from(row);
      full_rows_ = std::min(full_rows_, row);
    }
    return linked;
  }

  /// Whether an equal row represents this one in the graph.
  bool is_represented(std::uint32_t row) {
    if (context_.built.next_equal.empty()) return false;
    if (later_.empty()) {
      later_.assign(graph_.rows.count, false);
      for (const std::uint32_t next : context_.built.next_equal) {
        if (next != kNone) later_[next] = true;
      }
    }
    return later_[row];
  }

  void mark_from(std::uint32_t start) {
    SHORTLIST_ASSERT(!reached_[start]);
    const Level& level = graph_.levels[0];
    std::vector<std::uint32_t> waiting{start};
    reached_[start] = true;
    while (!waiting.empty()) {
      const std::uint32_t* list = level.list(waiting.back());
      waiting.pop_back();
      for (std::uint32_t i = 0; i < level.slots && list[i] != kNone; i++) {
        if (reached_[list[i]]) continue;
        reached_[list[i]] = true;
        waiting.push_back(list[i]);
      }
    }
  }

  /// Links to a row from a reachable neighbour, or neighbour of a neighbour, that has a free slot.
  void link_from_neighbours(std::uint32_t row) {
    const Level& level = graph_.levels[0];
    const std::uint32_t* near = level.list(row);
    for (std::uint32_t i = 0; i < level.slots && near[i] != kNone; i++) {
      if (reached_[near[i]] && add_link(near[i], row)) return;
    }
    for (std::uint32_t i = 0; i < level.slots && near[i] != kNone; i++) {
      const std::uint32_t* next = level.list(near[i]);
      for (std::uint32_t j = 0; j < level.slots && next[j] != kNone; j++) {
        if (reached_[next[j]] && add_link(next[j], row)) return;
      }
    }
    link_from_anywhere(row);
  }

  /// Slots only fill up, so a full row is not tried again.
  void link_from_anywhere(std::uint32_t row) {
    for (; full_rows_ < graph_.rows.count; full_rows_++) {
      if (reached_[full_rows_] && add_link(full_rows_, row)) return;
    }
  }

  /// Links to a row from its nearest rows: in a free slot, or in place of a link whose target has another one.
  void link_in(std::uint32_t row) {
    walk_to(*scorer_, traversal_, row, kSelfEf);
    std::vector<std::uint32_t> near;
    for (std::size_t i = 0; i < traversal_.size(); i++) {
      if (traversal_.node(i) != row) near.push_back(traversal_.node(i));
    }
    near.resize(std::min(near.size(), kMaxLinkSources));
    std::size_t links = 0;
    for (const std::uint32_t from : near) links += links < kMaxNewLinks && (add_link(from, row) || replace_link(from, row)) ? 1 : 0;
    if (links > 0) return;
    if (near.empty()) return link_from_anywhere(row);
    // Replaces the last link of the nearest row. Its target may have to be linked again.
    context_.built.edit_list(0, near[0])[graph_.levels[0].slots - 1] = row;
  }

  /// Replaces a link whose target is also linked from one of the target's own neighbours.
  bool replace_link(std::uint32_t from, std::uint32_t to) {
    SHORTLIST_ASSERT(from != to);
    const Level& level = graph_.levels[0];
    std::uint32_t* list = context_.built.edit_list(0, from);
    for (std::uint32_t i = level.slots; i-- > 0;) {
      const std::uint32_t target = list[i];
      const std::uint32_t* back = level.list(target);
      for (std::uint32_t j = 0; j < level.slots && back[j] != kNone; j++) {
        if (back[j] == from || !has_link(back[j], target)) continue;
        list[i] = to;
        return true;
      }
    }
    return false;
  }

  bool has_link(std::uint32_t from, std::uint32_t to) const {
    const Level& level = graph_.levels[0];
    const std::uint32_t* list = level.list(from);
    return std::find(list, list + level.slots, to) != list + level.slots;
  }

  void walk_to(Scorer& scorer, Traversal& traversal, std::uint32_t row, std::size_t ef) {
    scorer.set_row(row);
    const Candidate start = descend(graph_, traversal, scorer);
    traversal.begin({.beam_width = ef, .max_expansions = ef, .min_found = ef}, start);
    traversal.run(graph_.levels[0], scorer);
  }

  bool add_link(std::uint32_t from, std::uint32_t to) {
    SHORTLIST_ASSERT(from < graph_.rows.count && to < graph_.rows.count);
    if (from == to) return false;
    const Level& level = graph_.levels[0];
    std::uint32_t* list = context_.built.edit_list(0, from);
    for (std::uint32_t i = 0; i < level.slots; i++) {
      if (list[i] == to) return true;
      if (list[i] != kNone) continue;
      list[i] = to;
      return true;
    }
    return false;
  }

  /// The rows that a search for their own vector does not find, ascending.
  std::vector<std::uint32_t> find_unfound(const std::vector<std::uint32_t>& rows) {
    struct Worker {
      std::unique_ptr<Scorer> scorer;
      Traversal traversal;
      std::vector<std::uint32_t> unfound;
    };
    std::vector<Worker> workers;
    for (std::size_t i = 0; i < context_.team.size(); i++) {
      workers.push_back({row_scorer(context_.kernels, context_.built), Traversal(context_.kernels, graph_.rows.count), {}});
    }
    context_.team.split(rows.size(), 64, [&](std::size_t worker_number, std::size_t from, std::size_t to) {
      if (!context_.keeps_running(worker_number)) return;
      Worker& worker = workers[worker_number];
      for (std::size_t i = from; i < to; i++) {
        const std::uint32_t row = rows[i];
        worker.scorer->set_row(row);
        const Candidate start = descend(graph_, worker.traversal, *worker.scorer);
        worker.traversal.begin({.beam_width = kSelfEf, .max_expansions = kSelfEf, .min_found = kSelfEf}, start);
        if (!worker.traversal.run_until(graph_.levels[0], *worker.scorer, row)) worker.unfound.push_back(row);
      }
    });
    std::vector<std::uint32_t> unfound;
    for (const Worker& worker : workers) unfound.insert(unfound.end(), worker.unfound.begin(), worker.unfound.end());
    std::sort(unfound.begin(), unfound.end());
    return unfound;
  }

  const AuditContext& context_;
  Graph graph_;
  std::unique_ptr<Scorer> scorer_;
  Traversal traversal_;
  std::vector<bool> reached_;
  /// Rows before this one are unreachable or full.
  std::uint32_t full_rows_ = 0;
  std::vector<bool> later_;
};

/// Share of the wanted scores that the other answer reaches.
double share_found(const std::vector<Hit>& found, const std::vector<Hit>& wanted) {
  if (wanted.empty()) return 1;
  std::size_t good = 0;
  for (const Hit& hit : found) good += hit.score >= wanted.back().score ? 1 : 0;
  return static_cast<double>(std::min(good, wanted.size())) / static_cast<double>(wanted.size());
}

}  // namespace

void audit_graph(const AuditContext& context) { Audit(context).run(); }

void measure_traversal(const AuditContext& context) {
  const Graph graph = context.built.view();
  const std::uint32_t count = std::min(kComparedRows, graph.rows.count);
  if (count == 0 || graph.kind == CodeKind::float32) return;
  std::vector<double> shares(count);
  std::vector<std::unique_ptr<Searcher>> searchers(context.team.size());
  context.team.split(count, 1, [&](std::size_t worker, std::size_t from, std::size_t) {
    if (!searchers[worker]) searchers[worker] = std::make_unique<Searcher>(context.kernels, graph);
    Searcher& searcher = *searchers[worker];
    const std::size_t row = static_cast<std::uint64_t>(from) * graph.rows.count / count;
    SearchRequest request{.query = graph.rows.row(row), .k = kComparedK, .ef = kComparedEf};
    request.allowed = graph.rows.count;
    request.by_floats = true;
    searcher.search(request);
    const std::vector<Hit> wanted = searcher.hits();
    request.by_floats = false;
    searcher.search(request);
    shares[from] = share_found(searcher.hits(), wanted);
  });
  double sum = 0;
  for (const double share : shares) sum += share;
  context.built.figures.traversal_recall = sum / count;
}

}  // namespace shortlist
