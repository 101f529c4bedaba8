// The load shedder of an overloaded worker (Linux): refuses requests before they are parsed, logged or allocated.

#pragma once

#include <napi.h>

namespace shortlist {

Napi::Function define_load_shedder(Napi::Env env);

}  // namespace shortlist
