// Checks a finished graph: every row is reachable from the entry and is found by its own vector. Other rows get links.
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
  /// Returns false once the build is cancelled.
  std::function<bool(std::size_t worker)> keeps_running;
};

/// Distances between rows, by the codes that the graph is built with.
std::unique_ptr<Scorer> row_scorer(const Kernels& kernels, const BuiltGraph& built);

void audit_graph(const AuditContext& context);

/// Compares searches by codes with searches by float32 rows on the same graph.
void measure_traversal(const AuditContext& context);

}  // namespace shortlist
