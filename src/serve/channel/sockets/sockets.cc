// Sockets between processes: what node:net cannot do.
//
// All functions take and return file descriptors. `pair` makes a channel between the primary and a worker. `connection`
// connects this process to itself. `send` passes connections through a channel, many in one system call and without
// waiting for an answer; child_process and node:cluster pass one, and wait for the other side's event loop. `Receiver`
// calls back with the connections that arrive. The caller closes every descriptor returned from here. System errors are
// thrown with the name of their errno as `code`.

#include <errno.h>
#include <fcntl.h>
#include <napi.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#ifdef __linux__
#include "load_shedder.h"
#endif

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0  // macOS: Node ignores SIGPIPE anyway
#endif

namespace {

// The kernel's limit of descriptors in one message (SCM_MAX_FD).
constexpr size_t kMaxDescriptors = 253;

// Messages read before the event loop continues: more than one burst contains.
constexpr int kMaxMessages = 16;

[[noreturn]] void throw_errno(Napi::Env env, const char* action) {
  const int number = errno;
  Napi::Error error = Napi::Error::New(env, std::string(action) + ": " + uv_strerror(-number));
  error.Set("code", Napi::String::New(env, uv_err_name(-number)));
  throw error;
}

int descriptor_of(const Napi::CallbackInfo& info, size_t position) {
  if (info.Length() <= position || !info[position].IsNumber()) {
    throw Napi::TypeError::New(info.Env(), "a file descriptor is a number");
  }
  const int64_t value = info[position].As<Napi::Number>().Int64Value();
  if (value < 0 || value > INT32_MAX) throw Napi::TypeError::New(info.Env(), "a file descriptor is not negative");
  return static_cast<int>(value);
}

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK; }

void prepare(Napi::Env env, int fd) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1 || fcntl(fd, F_SETFD, FD_CLOEXEC) == -1) {
    throw_errno(env, "fcntl");
  }
}

Napi::Array pair_of(Napi::Env env, const int (&ends)[2]) {
  for (const int fd : ends) prepare(env, fd);
  Napi::Array pair = Napi::Array::New(env, 2);
  pair.Set(0u, ends[0]);
  pair.Set(1u, ends[1]);
  return pair;
}

Napi::Value make_pair(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == -1) throw_errno(env, "socketpair");
  return pair_of(env, ends);
}

int listen_on_loopback(sockaddr_in& address) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener == -1) return -1;
  socklen_t size = sizeof address;
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr* const any = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener, any, size) == 0 && listen(listener, 1) == 0 && getsockname(listener, any, &size) == 0) return listener;
  close(listener);
  return -1;
}

// Both ends of a TCP connection over the loopback. False if the system has no loopback, or another process connected
// first.
bool connect_to_self(int (&ends)[2]) {
  sockaddr_in address{};
  const int listener = listen_on_loopback(address);
  if (listener == -1) return false;
  ends[0] = socket(AF_INET, SOCK_STREAM, 0);
  bool connected = ends[0] != -1 && connect(ends[0], reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  sockaddr_in ours{}, theirs{};
  socklen_t size = sizeof ours;
  if (connected) {
    ends[1] = accept(listener, reinterpret_cast<sockaddr*>(&theirs), &size);
    connected = ends[1] != -1 && getsockname(ends[0], reinterpret_cast<sockaddr*>(&ours), &size) == 0 &&
                ours.sin_port == theirs.sin_port;
    if (!connected && ends[1] != -1) close(ends[1]);
  }
  if (!connected && ends[0] != -1) close(ends[0]);
  close(listener);
  return connected;
}

// connection(): a TCP connection like that of a client if possible, else a pair.
Napi::Value make_connection(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  int ends[2];
  if (!connect_to_self(ends)) return make_pair(info);
  return pair_of(env, ends);
}

Napi::Value close_descriptor(const Napi::CallbackInfo& info) {
  if (close(descriptor_of(info, 0)) == -1) throw_errno(info.Env(), "close");
  return info.Env().Undefined();
}

// send(channel, descriptors): how many were sent, from the first; fewer than given if the channel is full.
Napi::Value send_descriptors(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int channel = descriptor_of(info, 0);
  if (info.Length() < 2 || !info[1].IsTypedArray() || info[1].As<Napi::TypedArray>().TypedArrayType() != napi_int32_array) {
    throw Napi::TypeError::New(env, "descriptors are an Int32Array");
  }
  const Napi::Int32Array given = info[1].As<Napi::Int32Array>();
  size_t sent = 0;
  while (sent < given.ElementLength()) {
    const size_t count = std::min(kMaxDescriptors, given.ElementLength() - sent);
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxDescriptors * sizeof(int))> control{};
    char byte = 0;
    iovec part{&byte, 1};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    std::memcpy(CMSG_DATA(header), given.Data() + sent, count * sizeof(int));
    ssize_t written;
    do {
      written = sendmsg(channel, &message, MSG_NOSIGNAL);
    } while (written == -1 && errno == EINTR);
    if (written == 1) {
      sent += count;
      continue;
    }
    // Too many descriptors in transit: the channel counts as full.
    if (would_block() || errno == ETOOMANYREFS || errno == ENOBUFS) break;
    throw_errno(env, "sendmsg");
  }
  return Napi::Number::New(env, static_cast<double>(sent));
}

// Reads one message. False if there is none. Sets `ended` if the other side has closed.
bool receive_message(int channel, std::vector<int32_t>& into, bool& ended) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxDescriptors * sizeof(int))> control;
  char byte;
  iovec part{&byte, 1};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t read;
  do {
    read = recvmsg(channel, &message, 0);
  } while (read == -1 && errno == EINTR);
  if (read == -1) {
    ended = !would_block();
    return false;
  }
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      fcntl(fd, F_SETFD, FD_CLOEXEC);
      into.push_back(fd);
    }
  }
  ended = read == 0;
  return !ended;
}

// new Receiver(channel, callback): callback(Int32Array) for descriptors that arrive, callback(null) once at the end.
class Receiver : public Napi::ObjectWrap<Receiver> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Receiver", {InstanceMethod<&Receiver::close>("close")});
  }

  explicit Receiver(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<Receiver>(info), channel_(descriptor_of(info, 0)), context_(info.Env(), "shortlist:receiver") {
    const Napi::Env env = info.Env();
    if (info.Length() < 2 || !info[1].IsFunction()) throw Napi::TypeError::New(env, "a receiver calls a function");
    callback_ = Napi::Persistent(info[1].As<Napi::Function>());
    prepare(env, channel_);
    uv_loop_t* loop = nullptr;
    napi_get_uv_event_loop(env, &loop);
    poll_ = new uv_poll_t;
    const int failed = uv_poll_init(loop, poll_, channel_);
    if (failed != 0) {
      delete poll_;
      errno = -failed;
      throw_errno(env, "poll");
    }
    poll_->data = this;
    uv_poll_start(poll_, UV_READABLE, [](uv_poll_t* poll, int, int) { static_cast<Receiver*>(poll->data)->receive(); });
    napi_add_env_cleanup_hook(env, &Receiver::tear_down, this);
    Ref();  // keeps the object alive until close()
  }

  ~Receiver() override { stop(); }

 private:
  static void tear_down(void* receiver) { static_cast<Receiver*>(receiver)->stop(); }

  void stop() {
    if (poll_ == nullptr) return;
    uv_poll_stop(poll_);
    uv_close(reinterpret_cast<uv_handle_t*>(poll_), [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
    poll_ = nullptr;
  }

  Napi::Value close(const Napi::CallbackInfo& info) {
    if (poll_ == nullptr) return info.Env().Undefined();
    stop();
    napi_remove_env_cleanup_hook(info.Env(), &Receiver::tear_down, this);
    Unref();
    return info.Env().Undefined();
  }

  void receive() {
    const Napi::Env env = Env();
    const Napi::HandleScope scope(env);
    std::vector<int32_t> found;
    bool ended = false;
    for (int i = 0; i < kMaxMessages && receive_message(channel_, found, ended); i++) continue;
    if (!found.empty()) {
      Napi::Int32Array descriptors = Napi::Int32Array::New(env, found.size());
      std::memcpy(descriptors.Data(), found.data(), found.size() * sizeof(int32_t));
      call(descriptors);
    }
    if (ended && poll_ != nullptr) {
      uv_poll_stop(poll_);
      call(env.Null());
    }
  }

  // An exception from the callback becomes an uncaught exception of the process, as from any other event.
  void call(Napi::Value argument) {
    try {
      callback_.MakeCallback(Value(), {argument}, context_);
    } catch (const Napi::Error& error) {
      napi_fatal_exception(Env(), error.Value());
    }
  }

  const int channel_;
  uv_poll_t* poll_ = nullptr;
  Napi::FunctionReference callback_;
  Napi::AsyncContext context_;
};

Napi::Object define(Napi::Env env, Napi::Object exports) {
  exports.Set("pair", Napi::Function::New(env, make_pair, "pair"));
  exports.Set("connection", Napi::Function::New(env, make_connection, "connection"));
  exports.Set("close", Napi::Function::New(env, close_descriptor, "close"));
  exports.Set("send", Napi::Function::New(env, send_descriptors, "send"));
  exports.Set("Receiver", Receiver::define(env));
#ifdef __linux__
  exports.Set("LoadShedder", shortlist::define_load_shedder(env));
#endif
  return exports;
}

}  // namespace

NODE_API_MODULE(shortlist_sockets, define)
