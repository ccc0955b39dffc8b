// What tests of the server share: a server with a few routes on a thread of its own, and a client
// that sends the bytes it is told to.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "server/http_server.h"

namespace hearth::server {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// What the handlers of test_routes() tell.
struct Told {
  HttpServer* server = nullptr;
  std::atomic<int> begun{0}, gone{0}, ended{0};
  std::atomic<uint64_t> body_bytes{0}, pushed{0}, tenant{0};
  std::atomic<bool> refused{false};  // a push said false
  std::atomic<bool> said_gone{false};
};

// GET /hello, /v1/models/{model}, /throw, /silent, /offload, /public (no key); /wait answers when
// the client is gone or the server stops; /ticks?COUNT streams lines, /flood as much as it can,
// /until_stop until it is told to end; /stuck and /works don't hear of that. POST /echo (1 MiB),
// /small (100 bytes), /api/take; PUT /pieces reads its body in pieces (1 MiB).
std::span<const Route> test_routes();

// Polls until it is so, for at most five seconds.
template <class F>
bool soon(F&& so) {
  for (int i = 0; i < 5000; ++i) {
    if (so()) return true;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return so();
}

class TestServer {
 public:
  explicit TestServer(ServerOptions options = {});
  ~TestServer();
  HttpServer& operator*() { return *server_; }
  HttpServer* operator->() { return server_.get(); }
  uint16_t port() const { return server_->port(); }
  Told told;
  // Whether run() has returned.
  bool ended() const { return ended_; }

 private:
  std::unique_ptr<HttpServer> server_;
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

struct Answer {
  int status = 0;  // 0: the connection ended before a whole answer
  std::string head, body;
  bool has(std::string_view text) const { return head.find(text) != std::string::npos; }
};

class RawClient {
 public:
  explicit RawClient(uint16_t port, int receive_buffer = 0);
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool send(std::string_view bytes);  // false when the other side does not take them
  Answer read(bool head_only = false);
  // Sends a request and reads its answer; `more` are header lines, each with its CRLF.
  Answer ask(std::string_view method, std::string_view target, std::string_view more = {},
             std::string_view body = {});
  std::string read_to_end();   // until the other side closes
  bool at_end();               // it has closed, or reset: waits for that
  std::string read_some();
  void finish() { ::shutdown(fd_, SHUT_WR); }
  void reset();                // closes with RST
  void close();
  std::string& read_buffer() { return in_; }

 private:
  bool receive();
  int fd_ = -1;
  std::string in_;
};

}  // namespace hearth::server
