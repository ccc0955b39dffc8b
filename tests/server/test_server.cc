#include "server/test_server.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <stdexcept>

#include "base/check.h"
#include "server/offload.h"

namespace hearth::server {
namespace {

using boost::system::error_code;

Told& told(void* context) { return *static_cast<Told*>(context); }

Task<void> sleep(milliseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(asio::use_awaitable);
}

Task<void> hello(Exchange& exchange, void* context) {
  told(context).tenant = exchange.request().tenant;
  co_await exchange.reply(200, "text/plain", "hello");
}

Task<void> echo(Exchange& exchange, void*) {
  co_await exchange.reply(200, "application/octet-stream", exchange.request().body);
}

Task<void> model(Exchange& exchange, void*) {
  co_await exchange.reply(200, "text/plain", exchange.request().rest);
}

Task<void> throws(Exchange&, void*) {
  throw std::runtime_error("on purpose");
  co_return;
}

Task<void> silent(Exchange&, void*) { co_return; }

Task<void> offloaded(Exchange& exchange, void*) {
  auto before = std::this_thread::get_id();
  auto worker = co_await offload([] { return std::this_thread::get_id(); });
  bool thrown = false;
  try {
    co_await offload([] { throw std::runtime_error("from a worker"); });
  } catch (const std::runtime_error&) {
    thrown = true;
  }
  auto tell = [] { return std::this_thread::get_id(); };
  auto of_short = co_await offload_long(kLongText, tell);
  auto of_long = co_await offload_long(kLongText + 1, tell);
  bool right = worker != before && std::this_thread::get_id() == before && thrown &&
               of_short == before && of_long != before;
  co_await exchange.reply(right ? 200 : 500, "text/plain", right ? "right" : "wrong");
}

Task<void> wait_for_gone(Exchange& exchange, void* context) {
  Told& tell = told(context);
  asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::seconds(20));
  exchange.on_gone([&] {
    ++tell.gone;
    tell.said_gone = exchange.gone();
    timer.cancel();
  });
  ++tell.begun;
  error_code ignored;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  co_await exchange.reply(200, "text/plain", "waited");
  ++tell.ended;
}

Task<void> ticks(Exchange& exchange, void*) {
  int count = 3;
  const std::string& query = exchange.request().query;
  std::from_chars(query.data(), query.data() + query.size(), count);
  (void)co_await exchange.begin_stream("text/plain");
  for (int i = 0; i < count; ++i) {
    exchange.push("tick\n");
    if (i % 16 == 15) co_await sleep(milliseconds(1));
  }
  co_await exchange.end_stream();
}

// A little at a time, as tokens come, for as long as the reader takes it.
Task<void> flood(Exchange& exchange, void* context) {
  Told& tell = told(context);
  exchange.on_gone([&] { ++tell.gone; });
  (void)co_await exchange.begin_stream("text/plain");
  std::string line(1023, 'x');
  line += '\n';
  ++tell.begun;
  while (exchange.push(line)) {
    tell.pushed += line.size();
    if (tell.pushed % (64 << 10) == 0) co_await sleep(milliseconds(1));
  }
  tell.refused = true;
  co_await sleep(milliseconds(20));
  co_await exchange.end_stream();
  ++tell.ended;
}

// Streams a line, then nothing: what the client does not take can't fill any buffer.
Task<void> until_stop(Exchange& exchange, void* context) {
  Told& tell = told(context);
  asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::seconds(20));
  exchange.on_gone([&] {
    ++tell.gone;
    timer.cancel();
  });
  (void)co_await exchange.begin_stream("text/plain");
  exchange.push("begun\n");
  ++tell.begun;
  error_code ignored;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  exchange.push(exchange.gone() ? "lost\n" : "stopped\n");
  co_await exchange.end_stream();
  ++tell.ended;
}

Task<void> unfinished(Exchange& exchange, void*) {
  (void)co_await exchange.begin_stream("text/plain");
  exchange.push("cut");
  co_await sleep(milliseconds(5));
}

Task<void> pieces(Exchange& exchange, void* context) {
  Told& tell = told(context);
  ++tell.begun;
  while (true) {
    auto piece = co_await exchange.read_body();
    if (!piece) {
      tell.refused = true;
      co_await exchange.reply(info(piece.error().code).http_status, "text/plain",
                              piece.error().message);
      co_return;
    }
    if (piece->empty()) break;
    tell.body_bytes += piece->size();
  }
  co_await exchange.reply(201, "text/plain", std::to_string(tell.body_bytes));
}

// Two handlers that do not hear that they shall stop.
Task<void> stuck(Exchange& exchange, void* context) {
  ++told(context).begun;
  co_await sleep(std::chrono::seconds(1000));
  co_await exchange.reply(200, "text/plain", "never");
}

Task<void> works(Exchange& exchange, void* context) {
  Told& tell = told(context);
  int done = co_await offload([&] {
    ++tell.begun;
    std::this_thread::sleep_for(milliseconds(900));
    return 1;
  });
  co_await exchange.reply(200, "text/plain", std::to_string(done));
}

constexpr Route kRoutes[] = {
    {"GET", "/hello", hello},
    {"DELETE", "/hello", hello},
    {"GET", "/public", hello, Dialect::kPlain, Scope::kPublic},
    {"GET", "/v1/models/{model}", model, Dialect::kOpenAi},
    {"GET", "/throw", throws, Dialect::kOpenAi},
    {"GET", "/silent", silent},
    {"GET", "/offload", offloaded},
    {"GET", "/wait", wait_for_gone},
    {"GET", "/ticks", ticks},
    {"GET", "/flood", flood},
    {"GET", "/until_stop", until_stop},
    {"GET", "/unfinished", unfinished},
    {"GET", "/stuck", stuck},
    {"GET", "/works", works},
    {"POST", "/echo", echo, Dialect::kPlain, Scope::kUse, BodyMode::kWhole},
    {"POST", "/api/take", echo, Dialect::kOllama, Scope::kUse, BodyMode::kWhole},
    {"POST", "/small", echo, Dialect::kPlain, Scope::kUse, BodyMode::kWhole, 100},
    {"PUT", "/pieces", pieces, Dialect::kPlain, Scope::kUse, BodyMode::kPieces},
};

}  // namespace

std::span<const Route> test_routes() { return kRoutes; }

TestServer::TestServer(ServerOptions options) {
  options.access_log = false;
  auto server = HttpServer::listen(options, test_routes(), &told);
  CHECK(server.has_value());
  server_ = std::move(*server);
  told.server = server_.get();
  thread_ = std::thread([this] {
    server_->run();
    ended_ = true;
  });
}

TestServer::~TestServer() {
  server_->stop(milliseconds(0));
  server_->stop(milliseconds(0));
  thread_.join();
}

RawClient::RawClient(uint16_t port, int receive_buffer) {
  fd_ = socket(AF_INET, SOCK_STREAM, 0);
  if (receive_buffer > 0)
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  sockaddr_in to = {};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) close();
  int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void RawClient::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void RawClient::reset() {
  linger at_once = {1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

bool RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

// False at the end, or when nothing came for ten seconds.
bool RawClient::receive() {
  pollfd ready = {fd_, POLLIN, 0};
  if (poll(&ready, 1, 10'000) != 1) return false;
  char bytes[16 << 10];
  ssize_t came = recv(fd_, bytes, sizeof bytes, 0);
  if (came <= 0) return false;
  in_.append(bytes, static_cast<size_t>(came));
  return true;
}

std::string RawClient::read_some() {
  if (in_.empty()) receive();
  return std::exchange(in_, {});
}

std::string RawClient::read_to_end() {
  while (receive()) {
  }
  return std::exchange(in_, {});
}

bool RawClient::at_end() {
  pollfd ready = {fd_, POLLIN, 0};
  if (poll(&ready, 1, 10'000) != 1) return false;
  char byte;
  return recv(fd_, &byte, 1, 0) <= 0;
}

Answer RawClient::read(bool head_only) {
  Answer answer;
  size_t end;
  while ((end = in_.find("\r\n\r\n")) == std::string::npos)
    if (!receive()) return answer;
  answer.head = in_.substr(0, end + 2);
  in_.erase(0, end + 4);
  int status = 0;
  std::from_chars(answer.head.data() + 9, answer.head.data() + 12, status);
  auto line = [&] {
    size_t at;
    while ((at = in_.find("\r\n")) == std::string::npos)
      if (!receive()) return std::string("0");
    std::string text = in_.substr(0, at);
    in_.erase(0, at + 2);
    return text;
  };
  auto take = [&](size_t bytes) {
    while (in_.size() < bytes)
      if (!receive()) return false;
    answer.body += in_.substr(0, bytes);
    in_.erase(0, bytes);
    return true;
  };
  if (head_only || status < 200 || status == 204) {
    answer.status = status;
  } else if (answer.has("Transfer-Encoding: chunked")) {
    while (true) {
      size_t size = 0;
      std::string text = line();
      auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), size, 16);
      if (error != std::errc() || at != text.data() + text.size()) return answer;
      if (size > 0 && !take(size)) return answer;
      if (line() != "") return answer;
      if (size == 0) break;
    }
    answer.status = status;
  } else if (size_t at = answer.head.find("Content-Length: "); at != std::string::npos) {
    size_t size = 0;
    std::from_chars(answer.head.data() + at + 16, answer.head.data() + answer.head.size(), size);
    if (take(size)) answer.status = status;
  } else {
    answer.body = read_to_end();
    answer.status = status;
  }
  return answer;
}

Answer RawClient::ask(std::string_view method, std::string_view target, std::string_view more,
                      std::string_view body) {
  std::string text;
  text.append(method).append(" ").append(target).append(" HTTP/1.1\r\n");
  if (more.find("Host:") == std::string_view::npos) text += "Host: localhost\r\n";
  text.append(more);
  if (!body.empty()) text.append("Content-Length: ").append(std::to_string(body.size())) += "\r\n";
  text.append("\r\n").append(body);
  send(text);
  return read(method == "HEAD");
}

}  // namespace hearth::server
