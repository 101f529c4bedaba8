// Watches idle connections until their next request arrives. If there is capacity, the connection is returned to be
// read as usual. If not, the request is discarded and answered with a refusal that was written in advance. That costs
// two reads and a write: a quarter of what an HTTP server in JavaScript needs to refuse.
//
// Only a search whose bytes have all arrived is refused: `POST /v1/`, HTTP/1.1, with Content-Length, without Expect.
// All else (probes, bodies still arriving, closed connections, bytes that are not HTTP) is returned at once, whatever
// the capacity: the HTTP server knows what to do with it.

#include "load_shedder.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace shortlist {
namespace {

// Connections handled before the event loop continues: about a millisecond of refusals.
constexpr int kMaxEvents = 96;

// Bytes of a request that are examined. They must contain all its headers.
constexpr size_t kPeekBytes = 16 * 1024;

constexpr size_t kIdDigits = 16;

// Length of the request at the start of `bytes`, including its body; 0 if it must not be refused here.
size_t refusable_length(std::string_view bytes) {
  constexpr std::string_view kStart = "POST /v1/";
  if (bytes.substr(0, kStart.size()) != kStart) return 0;
  const size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return 0;
  const std::string_view head = bytes.substr(0, end);
  size_t line = head.find("\r\n");
  if (line == std::string_view::npos || head.substr(0, line).substr(line - std::min<size_t>(line, 9)) != " HTTP/1.1") return 0;
  bool has_length = false;
  size_t length = 0;
  while (line != std::string_view::npos) {
    const size_t from = line + 2;
    line = head.find("\r\n", from);
    const std::string_view field = head.substr(from, line == std::string_view::npos ? line : line - from);
    const size_t colon = field.find(':');
    if (colon == std::string_view::npos) return 0;
    std::string name(field.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    if (name == "transfer-encoding" || name == "expect" || name == "connection" || name == "upgrade") {
      // `Connection: keep-alive` is what HTTP/1.1 does anyway.
      std::string_view value = field.substr(colon + 1);
      while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
      if (name != "connection" || value != "keep-alive") return 0;
    }
    if (name != "content-length") continue;
    if (has_length) return 0;
    has_length = true;
    std::string_view value = field.substr(colon + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    if (value.empty() || value.size() > 9) return 0;
    for (const char digit : value) {
      if (digit < '0' || digit > '9') return 0;
      length = 10 * length + static_cast<size_t>(digit - '0');
    }
  }
  return has_length ? end + 4 + length : 0;
}

// new LoadShedder(refusal, idOffsets, callback)
//   refusal: Buffer, an HTTP response; idOffsets: Int32Array, the offsets in it of the 16 digits of the id
//   callback(Int32Array): connections returned and no longer watched. If a request was admitted, the value is the
//   complement of the connection's descriptor.
class LoadShedder : public Napi::ObjectWrap<LoadShedder> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "LoadShedder",
                       {InstanceMethod<&LoadShedder::watch>("watch"), InstanceMethod<&LoadShedder::unwatch>("unwatch"),
                        InstanceMethod<&LoadShedder::set_capacity>("setCapacity"), InstanceMethod<&LoadShedder::refused>("refused"),
                        InstanceMethod<&LoadShedder::take_refused>("takeRefused"), InstanceMethod<&LoadShedder::close>("close")});
  }

  explicit LoadShedder(const Napi::CallbackInfo& info) : Napi::ObjectWrap<LoadShedder>(info), context_(info.Env(), "shortlist:load_shedder") {
    const Napi::Env env = info.Env();
    if (info.Length() < 3 || !info[0].IsBuffer() || !info[1].IsTypedArray() ||
        info[1].As<Napi::TypedArray>().TypedArrayType() != napi_int32_array || !info[2].IsFunction()) {
      throw Napi::TypeError::New(env, "arguments: a Buffer, an Int32Array of id offsets, a function");
    }
    const auto refusal = info[0].As<Napi::Buffer<char>>();
    refusal_.assign(refusal.Data(), refusal.Length());
    const auto offsets = info[1].As<Napi::Int32Array>();
    for (size_t i = 0; i < offsets.ElementLength(); i++) {
      if (offsets[i] < 0 || static_cast<size_t>(offsets[i]) + kIdDigits > refusal_.size()) {
        throw Napi::RangeError::New(env, "an id offset lies outside the refusal");
      }
      id_offsets_.push_back(static_cast<size_t>(offsets[i]));
    }
    callback_ = Napi::Persistent(info[2].As<Napi::Function>());
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ == -1) throw Napi::Error::New(env, std::string("epoll_create1: ") + strerror(errno));
    uv_loop_t* loop = nullptr;
    napi_get_uv_event_loop(env, &loop);
    poll_ = new uv_poll_t;
    const int failed = uv_poll_init(loop, poll_, epoll_);
    if (failed != 0) {
      delete poll_;
      poll_ = nullptr;
      ::close(epoll_);
      throw Napi::Error::New(env, std::string("poll: ") + uv_strerror(failed));
    }
    poll_->data = this;
    uv_poll_start(poll_, UV_READABLE, [](uv_poll_t* poll, int, int) { static_cast<LoadShedder*>(poll->data)->handle_events(); });
    uv_unref(reinterpret_cast<uv_handle_t*>(poll_));
    napi_add_env_cleanup_hook(env, &LoadShedder::tear_down, this);
    Ref();  // keeps the object alive until close()
  }

  ~LoadShedder() override { stop(); }

 private:
  static void tear_down(void* shedder) { static_cast<LoadShedder*>(shedder)->stop(); }

  void stop() {
    if (poll_ == nullptr) return;
    uv_poll_stop(poll_);
    uv_close(reinterpret_cast<uv_handle_t*>(poll_), [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
    poll_ = nullptr;
    ::close(epoll_);
  }

  Napi::Value close(const Napi::CallbackInfo& info) {
    if (poll_ == nullptr) return info.Env().Undefined();
    stop();
    napi_remove_env_cleanup_hook(info.Env(), &LoadShedder::tear_down, this);
    Unref();
    return info.Env().Undefined();
  }

  // watch(descriptor): false if it cannot be watched
  Napi::Value watch(const Napi::CallbackInfo& info) {
    const int fd = info[0].As<Napi::Number>().Int32Value();
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP;
    event.data.fd = fd;
    const bool done = poll_ != nullptr && epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0;
    return Napi::Boolean::New(info.Env(), done);
  }

  Napi::Value unwatch(const Napi::CallbackInfo& info) {
    unwatch_fd(info[0].As<Napi::Number>().Int32Value());
    return info.Env().Undefined();
  }

  // The kernel has already removed a closed descriptor.
  void unwatch_fd(int fd) {
    if (poll_ != nullptr) epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  }

  Napi::Value set_capacity(const Napi::CallbackInfo& info) {
    capacity_ = info[0].As<Napi::Number>().Int32Value();
    return info.Env().Undefined();
  }

  Napi::Value refused(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(refused_));
  }

  // Connections whose requests were refused since the last call, each once.
  Napi::Value take_refused(const Napi::CallbackInfo& info) {
    std::sort(refused_on_.begin(), refused_on_.end());
    refused_on_.erase(std::unique(refused_on_.begin(), refused_on_.end()), refused_on_.end());
    const Napi::Value list = to_array(info.Env(), refused_on_);
    refused_on_.clear();
    return list;
  }

  static Napi::Value to_array(Napi::Env env, const std::vector<int32_t>& values) {
    Napi::Int32Array list = Napi::Int32Array::New(env, values.size());
    if (!values.empty()) std::memcpy(list.Data(), values.data(), values.size() * sizeof(int32_t));
    return list;
  }

  void handle_events() {
    epoll_event events[kMaxEvents];
    const int count = epoll_wait(epoll_, events, kMaxEvents, 0);
    std::vector<int32_t> returned;
    for (int i = 0; i < count; i++) {
      const int fd = events[i].data.fd;
      const int capacity = capacity_;
      if ((events[i].events & ~static_cast<uint32_t>(EPOLLIN)) == 0 && !is_returned(fd)) continue;
      unwatch_fd(fd);
      returned.push_back(capacity_ < capacity ? ~fd : fd);
    }
    if (returned.empty()) return;
    const Napi::Env env = Env();
    const Napi::HandleScope scope(env);
    try {
      callback_.MakeCallback(Value(), {to_array(env, returned)}, context_);
    } catch (const Napi::Error& error) {
      napi_fatal_exception(env, error.Value());
    }
  }

  // True if the connection is to be returned; else its request was refused, or none has arrived.
  bool is_returned(int fd) {
    const ssize_t peeked = recv(fd, peek_, sizeof peek_, MSG_PEEK | MSG_DONTWAIT);
    if (peeked == -1 && (errno == EAGAIN || errno == EINTR)) return false;
    if (peeked <= 0) return true;
    const size_t length = refusable_length({peek_, static_cast<size_t>(peeked)});
    if (length == 0) return true;
    int arrived = 0;
    if (length > static_cast<size_t>(peeked) && (ioctl(fd, FIONREAD, &arrived) == -1 || static_cast<size_t>(arrived) < length)) {
      return true;
    }
    if (capacity_ > 0) {
      capacity_--;
      return true;
    }
    return !refuse(fd, length);
  }

  // False if the client does not read the response: the connection is then useless.
  bool refuse(int fd, size_t length) {
    char digits[kIdDigits + 1];
    snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(++refused_));
    for (const size_t offset : id_offsets_) std::memcpy(refusal_.data() + offset, digits, kIdDigits);
    // MSG_TRUNC discards what has arrived without copying it.
    const ssize_t discarded = recv(fd, nullptr, length, MSG_TRUNC | MSG_DONTWAIT);
    const ssize_t sent = send(fd, refusal_.data(), refusal_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    refused_on_.push_back(fd);
    if (discarded == static_cast<ssize_t>(length) && sent == static_cast<ssize_t>(refusal_.size())) return true;
    shutdown(fd, SHUT_RDWR);
    return false;
  }

  std::string refusal_;
  std::vector<size_t> id_offsets_;
  Napi::FunctionReference callback_;
  Napi::AsyncContext context_;
  int epoll_ = -1;
  uv_poll_t* poll_ = nullptr;
  int32_t capacity_ = 0;
  uint64_t refused_ = 0;
  std::vector<int32_t> refused_on_;
  char peek_[kPeekBytes];
};

}  // namespace

Napi::Function define_load_shedder(Napi::Env env) { return LoadShedder::define(env); }

}  // namespace shortlist
