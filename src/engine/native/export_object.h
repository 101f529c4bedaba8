// The object of JavaScript that gives a graph as hnswlib's file, block by block.
#pragma once
#include <napi.h>

#include <memory>

#include "core/export_hnswlib.h"
#include "glue.h"

namespace addon {

class HnswlibExport final : public Napi::ObjectWrap<HnswlibExport> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "HnswlibExport",
                       {InstanceMethod<&HnswlibExport::bytes>("bytes"), InstanceMethod<&HnswlibExport::read>("read"),
                        InstanceMethod<&HnswlibExport::close>("close")});
  }

  explicit HnswlibExport(const Napi::CallbackInfo& info) : Napi::ObjectWrap<HnswlibExport>(info) {
    guarded(info.Env(), [&] {
      const Napi::Object options = arguments::object(info[0], "options");
      open_ = open_graph(info.Env(), options);
      const float factor = arguments::positive(options, "factor");
      open_.memory.pins.check(info.Env());
      export_ = std::make_unique<shortlist::HnswlibExport>(kernels(), open_.graph, open_.shape, factor);
    });
  }

 private:
  shortlist::HnswlibExport& exported() {
    if (!export_) throw Failure("internal", "use of a closed export");
    return *export_;
  }

  Napi::Value bytes(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] { return Napi::Number::New(info.Env(), static_cast<double>(exported().bytes())); });
  }

  Napi::Value read(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      auto block = arguments::array<Napi::Uint8Array>(info[0], "block", napi_uint8_array);
      open_.memory.pins.check(info.Env());
      return Napi::Number::New(info.Env(), static_cast<double>(exported().read(block.Data(), block.ByteLength())));
    });
  }

  void close(const Napi::CallbackInfo&) {
    export_.reset();
    open_ = {};
  }

  OpenGraph open_;
  std::unique_ptr<shortlist::HnswlibExport> export_;
};

}  // namespace addon
