// The door of an overloaded worker (Linux): refuses requests before anything of them is parsed, logged or allocated.

#pragma once

#include <napi.h>

namespace shortlist {

Napi::Function define_door(Napi::Env env);

}  // namespace shortlist
