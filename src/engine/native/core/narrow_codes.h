// How deep, in the order by code, the nearest rows lie, measured on the finished graph: searches score so many rows
// again. And whether codes of 4 bits lie hardly deeper than those of 7: then searches go by them, and read half the
// memory. Judged by recall alone, never by time, so that builds stay reproducible.
#pragma once
#include "audit.h"

namespace shortlist {

/// Sets the depth of the graph's codes, and replaces the codes by 4-bit ones where those are good enough.
void narrow_codes(const AuditContext& context);

}  // namespace shortlist
