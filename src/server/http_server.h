// HttpServer: HTTP/1.1 on one thread. Coroutines answer what the rows of a route table say; the
// limits and timeouts below hold for every connection.
//
//   auto server = TRY(HttpServer::listen({.port = 11434}, routes, &handlers));
//   asio::signal_set signals(server->io(), SIGINT, SIGTERM);   // a handler that calls stop()
//   server->run();
//
// Handlers that are still suspended when run() returns are destroyed with the server: what they
// hold must live as long.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/http.h"
#include "server/request_parser.h"
#include "server/routes.h"

namespace hearth::server {

class Metrics;

struct ServerLimits {
  HeadLimits head;
  size_t connections = 4096;  // beyond them: 503
  std::chrono::milliseconds head_time{10'000};   // from the first byte of a head to its last
  std::chrono::milliseconds body_idle{30'000};   // from one piece of a body to the next
  std::chrono::milliseconds idle{75'000};        // between requests
  std::chrono::milliseconds write{30'000};       // while the client takes nothing of an answer
  std::chrono::milliseconds linger{1'000};       // reading what a client still sends after the end
  std::chrono::milliseconds stop_grace{1'000};   // for handlers, after they were told to stop
};

struct ServerOptions {
  std::string host = "127.0.0.1";  // "localhost" is 127.0.0.1 and ::1; a name or an address
  uint16_t port = 0;               // 0: any that is free
  std::string api_key;             // empty: none is asked for, and only loopback is bound
  std::vector<std::string> origins, hosts;  // allowed besides the usual ones (guard.h)
  ServerLimits limits;
  int send_buffer = 0;             // bytes of the kernel's per connection; 0: its own choice
  bool access_log = true;          // a line of JSON per request on stderr
  Metrics* metrics = nullptr;      // borrowed; nullptr: nothing is counted
};

class HttpServer {
 public:
  // Listens, but answers nothing before run(). `routes` and `context`, which handlers are given,
  // live as long as the server. kDenied without a key on an address that others reach, kBusy where
  // the port is taken, kInvalid for a host that is none of this machine.
  static Result<std::unique_ptr<HttpServer>> listen(const ServerOptions& options,
                                                    std::span<const Route> routes, void* context);
  ~HttpServer();

  std::string address() const;  // "127.0.0.1:11434", "[::1]:11434"
  uint16_t port() const;
  asio::io_context& io();

  void run();  // the calling thread serves until stop() is through
  // From any thread. Takes no more connections and closes those from which no head of a request has
  // come whole, or whose answer was sent; answers that run may end within `drain`, then their
  // handlers are told through on_gone(), with gone() still false: they have limits.stop_grace to
  // say why and end. What is left then is closed. A second call closes everything at once.
  void stop(std::chrono::milliseconds drain);
  bool draining() const;  // from any thread

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth::server
