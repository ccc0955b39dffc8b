#include "server/http_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"
#include "server/connection.h"

namespace hearth::server {
namespace {

using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Acceptor = asio::basic_socket_acceptor<tcp, asio::io_context::executor_type>;

constexpr size_t kRefusedMax = 64;  // connections that are told so, beyond the limit
constexpr milliseconds kAcceptPause{50};  // when descriptors have run out
constexpr milliseconds kUnwindTime{500};  // for coroutines whose sockets were closed

Result<std::vector<asio::ip::address>> addresses_of(const std::string& host) {
  if (host == "localhost")
    return std::vector<asio::ip::address>{asio::ip::address_v4::loopback(),
                                          asio::ip::address_v6::loopback()};
  std::string name = host;
  if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
  error_code ec;
  auto address = asio::ip::make_address(name, ec);
  if (!ec) return std::vector{address};
  asio::io_context io;
  tcp::resolver resolver(io);
  auto found = resolver.resolve(name, "", ec);
  if (ec || found.empty())
    return fail(Code::kInvalid, "'{}' is no address of this machine ({}); 127.0.0.1 is for this "
                "machine alone, 0.0.0.0 for the network too", host, ec.message());
  return std::vector{found.begin()->endpoint().address()};
}

Error listen_error(const error_code& ec, const tcp::endpoint& at) {
  std::string where = at.address().to_string();
  if (ec == asio::error::address_in_use)
    return {Code::kBusy, fmt::format("port {} of {} is taken: is a server running already? Choose "
                                     "another port, or stop it", at.port(), where)};
  if (ec == asio::error::access_denied)
    return {Code::kDenied, fmt::format("port {} may not be used: ports below 1024 are for root",
                                       at.port())};
  if (ec == boost::system::errc::address_not_available)
    return {Code::kInvalid, fmt::format("{} is no address of this machine", where)};
  return {Code::kIo, fmt::format("can't listen on port {} of {}: {}", at.port(), where,
                                 ec.message())};
}

Result<Acceptor> open_acceptor(asio::io_context& io, const tcp::endpoint& at) {
  Acceptor acceptor(io);
  error_code ec;
  acceptor.open(at.protocol(), ec);
  if (!ec) acceptor.set_option(asio::socket_base::reuse_address(true), ec);
  // "::" takes IPv4 too; ::1 is that address alone.
  if (!ec && at.address().is_v6())
    acceptor.set_option(asio::ip::v6_only(!at.address().is_unspecified()), ec);
  if (!ec) acceptor.bind(at, ec);
  if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
  if (ec) return std::unexpected(listen_error(ec, at));
  return acceptor;
}

std::string text_of(const tcp::endpoint& at) {
  std::string address = at.address().to_string();
  return at.address().is_v6() ? fmt::format("[{}]:{}", address, at.port())
                              : fmt::format("{}:{}", address, at.port());
}

GuardOptions guards(const ServerOptions& options, const std::vector<asio::ip::address>& bound) {
  GuardOptions out{.api_key = options.api_key, .origins = options.origins, .hosts = options.hosts};
  for (const auto& address : bound) {
    out.bound.push_back(address.to_string());
    out.any_address |= address.is_unspecified();
  }
  return out;
}

}  // namespace

struct HttpServer::Impl {
  ServerCore core;
  std::vector<Acceptor> acceptors;
  std::string address;
  uint16_t port = 0;
  Timer sweeper{core.io}, stop_timer{core.io};
  milliseconds sweep_period{500};
  std::atomic<bool> draining{false};
  bool served = false;

  Impl(const ServerOptions& options, std::span<const Route> routes, void* context,
       GuardOptions guards)
      : core(options, routes, context, std::move(guards)) {
    const ServerLimits& limits = options.limits;
    milliseconds least = std::min({limits.head_time, limits.body_idle, limits.idle, limits.write,
                                   limits.linger});
    sweep_period = std::clamp(least / 8, milliseconds(2), milliseconds(500));
  }

  Result<void> open(const std::vector<asio::ip::address>& addresses, uint16_t wanted);
  Task<void> accept(Acceptor& acceptor);
  void take(Socket socket);
  void sweep();
  void stop(milliseconds drain);
  void tell_all();
  void drop_all();
};

// Where there are two addresses, the second is a convenience: it has the port of the first, and a
// machine without IPv6 does not have it.
Result<void> HttpServer::Impl::open(const std::vector<asio::ip::address>& addresses,
                                    uint16_t wanted) {
  constexpr int kTries = 16;  // a free port of the first address may be taken at the second
  for (int i = 0; i < kTries; ++i) {
    acceptors.clear();
    acceptors.push_back(TRY(open_acceptor(core.io, {addresses[0], wanted})));
    auto at = acceptors[0].local_endpoint();
    address = text_of(at);
    port = at.port();
    if (addresses.size() == 1) return {};
    auto second = open_acceptor(core.io, {addresses[1], port});
    if (second) {
      acceptors.push_back(std::move(*second));
      return {};
    }
    if (second.error().code != Code::kBusy) return {};
    if (wanted != 0) return std::unexpected(second.error());
  }
  return fail(Code::kBusy, "no port is free at {} addresses at once", addresses.size());
}

Task<void> HttpServer::Impl::accept(Acceptor& acceptor) {
  Timer pause(core.io);
  while (acceptor.is_open()) {
    error_code ec;
    Socket socket =
        co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, ec));
    if (!ec) {
      take(std::move(socket));
    } else if (acceptor.is_open() && ec != asio::error::operation_aborted) {
      log(LogLevel::kWarn, "no connection can be taken now: {}", ec.message());
      pause.expires_after(kAcceptPause);
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    }
  }
}

void HttpServer::Impl::take(Socket socket) {
  size_t have = core.connections.size();
  if (have >= core.limits.connections + kRefusedMax) return;  // closes it
  auto connection = std::make_shared<Connection>(core, std::move(socket));
  have < core.limits.connections ? connection->start() : connection->start_refusing();
}

void HttpServer::Impl::sweep() {
  sweeper.expires_after(sweep_period);
  sweeper.async_wait([this](const error_code& ec) {
    if (ec) return;
    auto now = steady_clock::now();
    for (Connection* connection : core.connections) connection->sweep(now);
    core.log.flush();
    sweep();
  });
}

void HttpServer::Impl::stop(milliseconds drain) {
  if (core.draining) return drop_all();
  core.draining = true;
  draining = true;
  error_code ignored;
  for (Acceptor& acceptor : acceptors) acceptor.close(ignored);
  core.on_empty = [this] { core.io.stop(); };
  if (core.connections.empty()) return core.io.stop();
  for (Connection* connection : core.connections) connection->close_if_idle();
  stop_timer.expires_after(drain);
  stop_timer.async_wait([this](const error_code& ec) {
    if (!ec) tell_all();
  });
}

void HttpServer::Impl::tell_all() {
  core.stopping = true;
  for (Connection* connection : core.connections) connection->tell_stop();
  stop_timer.expires_after(core.limits.stop_grace);
  stop_timer.async_wait([this](const error_code& ec) {
    if (!ec) drop_all();
  });
}

void HttpServer::Impl::drop_all() {
  core.stopping = true;
  for (Connection* connection : core.connections) connection->drop();
  stop_timer.expires_after(kUnwindTime);
  stop_timer.async_wait([this](const error_code& ec) {
    if (!ec) core.io.stop();
  });
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() { impl_->core.on_empty = nullptr; }

Result<std::unique_ptr<HttpServer>> HttpServer::listen(const ServerOptions& options,
                                                       std::span<const Route> routes,
                                                       void* context) {
  auto addresses = TRY(addresses_of(options.host));
  bool loopback = std::ranges::all_of(
      addresses, [](const auto& address) { return is_loopback(address.to_string()); });
  if (!loopback && options.api_key.empty())
    return fail(Code::kDenied, "{} is reachable from other machines, so a key is needed: set "
                "HEARTH_API_KEY, or listen on 127.0.0.1", options.host);
  if (!options.api_key.empty() && options.api_key.find_first_of(" \t\r\n") != std::string::npos)
    return fail(Code::kInvalid, "the API key has blanks in it, which no client can send");
  auto impl = std::make_unique<Impl>(options, routes, context, guards(options, addresses));
  TRY(impl->open(addresses, options.port));
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

std::string HttpServer::address() const { return impl_->address; }
uint16_t HttpServer::port() const { return impl_->port; }
asio::io_context& HttpServer::io() { return impl_->core.io; }
bool HttpServer::draining() const { return impl_->draining; }

void HttpServer::run() {
  if (!impl_->served) {
    impl_->served = true;
    for (Acceptor& acceptor : impl_->acceptors)
      asio::co_spawn(impl_->core.io, impl_->accept(acceptor), asio::detached);
    impl_->sweep();
  }
  while (!impl_->core.io.stopped()) {
    try {
      impl_->core.io.run();
    } catch (const std::exception& e) {  // from what others have posted
      log(LogLevel::kError, "the server goes on after: {}", e.what());
    }
  }
  impl_->core.log.flush();
}

void HttpServer::stop(milliseconds drain) {
  impl_->draining = true;
  asio::post(impl_->core.io, [this, drain] { impl_->stop(drain); });
}

}  // namespace hearth::server
