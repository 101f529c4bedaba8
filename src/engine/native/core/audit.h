// What a finished graph must hold: every row can be reached, and finds itself. Rows that do not are linked in.
#pragma once
#include <functional>
#include <memory>

#include "build.h"
#include "scorer.h"

namespace shortlist {

struct AuditContext {
  const Kernels& kernels;
  BuiltGraph& built;
  ThreadTeam& team;
  /// False ends the work early.
  std::function<bool(std::size_t worker)> keeps_running;
};

/// Distances between rows of the graph, by whatever it is built on.
std::unique_ptr<Scorer> row_scorer(const Kernels& kernels, const BuiltGraph& built);

void audit_graph(const AuditContext& context);

/// Compares searches by codes with searches by float32 rows on the same graph.
void measure_traversal(const AuditContext& context);

}  // namespace shortlist
