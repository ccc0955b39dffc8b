// HttpClient: the one way out of this process. A call is sent, and its answer comes whole or in
// pieces; libcurl, whose header no other folder includes, does HTTP and TLS.
//
//   HttpClient client;
//   HttpReply reply = TRY(client.send({.url = "http://127.0.0.1:11434/api/version"}));
//
// Redirects are not followed, and only http and https are spoken. What is addressed to this machine
// goes through no proxy; else http_proxy and its like count, as they do for curl. Connections are
// kept for the next call. One thread at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace hearth {

// Gets the body of an answer as it comes, where its status is 2xx. An error ends the call, and is
// its result.
using PieceSink = std::function<Result<void>(std::string_view piece)>;

// Fills the buffer with the next bytes of a body; fewer only at its end.
using PieceSource = std::function<Result<size_t>(std::span<char> buffer)>;

struct HttpCall {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;                // sent where it is not empty, or
  PieceSource source;              // this one, of `source_bytes`
  uint64_t source_bytes = 0;
  std::chrono::milliseconds connect_timeout{10'000};  // to this machine: a second at most
  std::chrono::milliseconds timeout{0};               // of the whole call; 0: none
  uint64_t reply_bytes_max = 64u << 20;               // beyond it: kTooLarge
  std::function<void()> on_wait;                      // now and then, while nothing comes
  const std::atomic<bool>* cancel = nullptr;          // set: the connection is closed, kCancelled
};

struct HttpReply {
  int status = 0;
  std::string body;  // without what a sink got
};

// Whether an address names this machine: "localhost", 127.0.0.0/8, "::1".
bool is_loopback(std::string_view host);

class HttpClient {
 public:
  HttpClient();
  ~HttpClient();
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;

  // An answer of any status is a reply. kNetwork when there is none, or not all of it; kInvalid for
  // an address that is none.
  Result<HttpReply> send(const HttpCall& call, const PieceSink& sink = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth
