// The background work of one thread of JavaScript.
#pragma once
#include <napi.h>

#include "checks.h"
#include "searches.h"

namespace addon {

struct Background {
  explicit Background(Napi::Env env) : checks(env), searches(env) {}

  /// The instance of this environment, which frees it.
  static Background& of(Napi::Env env) {
    auto* background = env.GetInstanceData<Background>();
    if (background == nullptr) env.SetInstanceData(background = new Background(env));
    return *background;
  }

  Checks checks;
  Searches searches;
};

}  // namespace addon
