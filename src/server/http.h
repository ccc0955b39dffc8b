// One HTTP request and its answer, as handlers see them. A handler is a coroutine on the server's
// one thread of input and output; what computes or waits for a disk is offloaded (offload.h).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace hearth::server {

namespace asio = boost::asio;
template <class T>
using Task = asio::awaitable<T>;

// Content types.
inline constexpr std::string_view kJsonType = "application/json; charset=utf-8";

using Header = std::pair<std::string, std::string>;

struct Request {
  std::string method;
  std::string path;    // decoded and normalised: no empty segments, none at the end
  std::string query;   // as it came
  std::string rest;    // what a route's last {...} stands for: may hold slashes
  std::string body;    // whole; empty where the route reads it in pieces
  std::string id;      // of the request, in logs and in X-Request-Id
  std::string remote;  // the other side's address
  uint64_t tenant = 0;  // a keyed hash of the Authorization value; that of "anonymous" without one
  std::vector<Header> headers;  // names as they came

  std::string_view header(std::string_view name) const;  // without regard to case; empty: none
};

// Pending bytes of a stream beyond which its reader is dropped.
constexpr size_t kStreamBufferMax = 128 << 10;

class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const Request& request() const = 0;

  // The whole answer. Once, and not after begin_stream().
  virtual Task<void> reply(int status, std::string_view content_type, std::string body,
                           std::vector<Header> headers = {}) = 0;

  // The next piece of a body that the route reads in pieces; empty at its end. Valid until the next
  // call. kTooLarge over the route's limit, kNetwork when the client broke off, kCancelled when it
  // took too long.
  virtual Task<Result<std::span<const std::byte>>> read_body() = 0;

  // An answer in pieces: status 200 and the head go out at once.
  virtual Task<Result<void>> begin_stream(std::string_view content_type,
                                          std::vector<Header> headers = {}) = 0;
  // Takes bytes and returns at once; they are sent as the client reads. False when it is gone, or
  // has left more than kStreamBufferMax unread and was dropped: nothing more will be sent.
  virtual bool push(std::string_view bytes) = 0;
  // Sends what is pending and ends the answer.
  virtual Task<void> end_stream() = 0;

  // Called once, on the server's thread and not from within another call, if the client goes away
  // before the answer's end; or if the server stops: then gone() is false, and there is a moment in
  // which an error can still be pushed.
  virtual void on_gone(std::function<void()> callback) = 0;
  virtual bool gone() const = 0;

  // Words of the handler's own for the line of the log: model, tokens.
  virtual void note(std::string name, std::string value) = 0;
};

using Handler = Task<void> (*)(Exchange& exchange, void* context);

}  // namespace hearth::server
