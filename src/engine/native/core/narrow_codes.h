// Measures on the finished graph how deep in the order by code the nearest rows are: searches score that many rows
// again. If 4-bit codes need hardly more depth than 7-bit codes, they replace those, and searches read half the
// memory. It measures recall and never time, so that builds are reproducible.
#pragma once
#include "audit.h"

namespace shortlist {

/// Sets the depth of the graph's codes, and replaces them with 4-bit codes where those are good enough.
void narrow_codes(const AuditContext& context);

}  // namespace shortlist
