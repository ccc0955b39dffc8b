#include "server/connection.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <cstring>

#include "base/check.h"
#include "base/log.h"
#include "base/rng.h"
#include "server/head_writer.h"

namespace hearth::server {
namespace {

using boost::system::error_code;
using std::chrono::steady_clock;

constexpr size_t kJoinMax = 4 << 10;        // a body so small is sent in one piece with its head
constexpr size_t kPipelinedMax = 16 << 10;  // bytes of later requests that are read beforehand
constexpr size_t kBodyRoom = 64 << 10;      // read at once of a body
constexpr size_t kSkippedMax = 64 << 10;    // of a refused request's body
constexpr size_t kLingerMax = 1 << 20;
constexpr size_t kKept = 16 << 10;          // what strings may keep from one request to the next
constexpr size_t kChunkRoom = 10;           // eight hexadecimal digits and CRLF
// Doubled from here, a string's capacity comes to just what a full buffer needs.
constexpr size_t kPendingFirst = (4 << 10) + kChunkRoom;
constexpr size_t kIdMax = 128;

template <class T>
void clear(T& text) {
  if (text.capacity() > kKept) T().swap(text);
  text.clear();
}

bool visible(std::string_view text) {
  for (char c : text)
    if (c <= 0x20 || c >= 0x7F) return false;
  return !text.empty();
}

bool same_authority(std::string_view a, std::string_view b) {
  auto x = host_name(a), y = host_name(b);
  return x && x == y;
}

}  // namespace

ServerCore::ServerCore(const ServerOptions& options, std::span<const Route> routes, void* handlers,
                       GuardOptions guards)
    : limits(options.limits),
      send_buffer(options.send_buffer),
      router(routes),
      guard(std::move(guards)),
      log(options.access_log ? STDERR_FILENO : -1),
      metrics(options.metrics),
      context(handlers),
      id_key(random_key()) {}

std::string ServerCore::next_id() {
  auto x = philox(id_key[0], id_key[1], ids++);
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", x[0], x[1], x[2], x[3]);
}

void ServerCore::log_request(const AccessLine& line) {
  if (log.add(line)) asio::post(io, [this] { log.flush(); });
}

Connection::Connection(ServerCore& core, Socket socket)
    : core_(core),
      socket_(std::move(socket)),
      event_(core.io, SteadyTime::max()),
      parser_(core.limits.head) {
  place_ = core_.connections.insert(core_.connections.end(), this);
  if (core_.metrics != nullptr)
    core_.metrics->set(Metric::kConnections, {}, static_cast<double>(core_.connections.size()));
  error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  // A client that vanished without a word is noticed within two minutes.
  using Seconds = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPIDLE>;
  using Interval = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPINTVL>;
  socket_.set_option(asio::socket_base::keep_alive(true), ignored);
  socket_.set_option(Seconds(60), ignored);
  socket_.set_option(Interval(10), ignored);
  if (core_.send_buffer > 0)
    socket_.set_option(asio::socket_base::send_buffer_size(core_.send_buffer), ignored);
  auto peer = socket_.remote_endpoint(ignored);
  if (!ignored) request_.remote = peer.address().to_string();
}

Connection::~Connection() {
  core_.connections.erase(place_);
  if (core_.metrics != nullptr)
    core_.metrics->set(Metric::kConnections, {}, static_cast<double>(core_.connections.size()));
  if (core_.draining && core_.connections.empty() && core_.on_empty) core_.on_empty();
}

void Connection::start() {
  auto ended = [](std::exception_ptr thrown) {
    if (!thrown) return;
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& e) {
      log(LogLevel::kError, "a connection ended: {}", e.what());
    } catch (...) {
      log(LogLevel::kError, "a connection ended for an unknown reason");
    }
  };
  asio::co_spawn(core_.io, [self = shared_from_this()] { return self->serve(); }, ended);
}

void Connection::start_refusing() {
  refusing_ = true;
  start();
}

Task<void> Connection::serve() {
  if (refusing_) {
    co_await refuse_connection();
    co_return;
  }
  while (co_await read_head())
    if (!co_await answer_request()) break;
  // What the client still sends must not reset the connection before it has read our answer.
  if (serial_ > 0 && socket_.is_open() && !parser_.body_done() && !eof_) co_await linger();
  error_code ignored;
  socket_.close(ignored);
}

void Connection::begin_request() {
  parser_.reset();
  if (!reading_) in_.shrink();
  request_.method.clear();
  clear(request_.path);
  clear(request_.query);
  clear(request_.rest);
  clear(request_.body);
  request_.headers.clear();
  ++serial_;
  route_ = nullptr;
  dialect_ = Dialect::kPlain;
  keep_alive_ = true;
  head_only_ = expects_ = origin_allowed_ = piece_held_ = false;
  body_error_.reset();
  answer_ = Answer::kNone;
  status_ = 0;
  answer_bytes_ = 0;
  gone_ = false;
  notes_.clear();
}

Task<bool> Connection::read_head() {
  begin_request();
  bool first = serial_ == 1, started = false;
  while (true) {
    size_t used = 0;
    ParseStep step = in_.empty() ? ParseStep::kMore : parser_.head(in_.view(), request_, used);
    in_.consume(used);
    if (step == ParseStep::kDone) co_return true;
    if (step == ParseStep::kRefused) {
      co_await refuse_head(parser_.refusal());
      co_return false;
    }
    if (in_.empty() && core_.draining) co_return false;
    if (in_.empty() && !first) {
      read_deadline_ = steady_clock::now() + core_.limits.idle;
    } else if (!started) {
      read_deadline_ = steady_clock::now() + core_.limits.head_time;
      started = true;
    }
    bool more = co_await fill(1);
    if (!socket_.is_open()) co_return false;  // the server ends, whatever came just now
    if (more) continue;
    if (timed_out_ && !in_.empty())
      co_await refuse_head({408, "the head of the request took too long"});
    co_return false;
  }
}

// What comes before there is a request to answer.
Task<void> Connection::refuse_head(Refusal why) {
  answering_ = true;
  keep_alive_ = false;
  began_ = steady_clock::now();
  began_at_ = std::chrono::system_clock::now();
  request_.id = core_.next_id();
  co_await refuse(why);
  end_answer();
}

Task<bool> Connection::answer_request() {
  read_deadline_ = SteadyTime::max();
  answering_ = true;
  gone_ = eof_;
  began_ = steady_clock::now();
  began_at_ = std::chrono::system_clock::now();
  std::string_view id = request_.header("x-request-id");
  request_.id = id.size() <= kIdMax && visible(id) ? std::string(id) : core_.next_id();
  std::optional<Refusal> no = admit();
  bool options = !no && request_.method == "OPTIONS" && route_ == nullptr;
  if (!no && !options) no = admit_body();
  bool small = request_.header("expect").empty() &&
               parser_.content_length().value_or(kSkippedMax + 1) <= kSkippedMax;
  if (no ? small : options || route_->body != BodyMode::kPieces) {
    bool came = parser_.body_done() || co_await collect_body();
    if (!came && !no) no = body_error_;
  }
  if (no) {
    co_await refuse(*no);
  } else if (options) {
    co_await answer_options();
  } else {
    co_await run_handler();
  }
  if (answer_ == Answer::kNone) co_await refuse({500, "the server failed at this request"});
  co_return end_answer();
}

// Whether the request may be answered at all, and by which row.
std::optional<Refusal> Connection::admit() {
  head_only_ = request_.method == "HEAD";
  keep_alive_ = parser_.keep_alive();
  auto target = parse_target(request_.path);
  if (!target) {
    error_text_ = std::move(target.error().message);
    return Refusal{400, error_text_};
  }
  Match match = core_.router.match(request_.method, *target);
  dialect_ = match.dialect;
  request_.path = std::move(target->path);
  request_.query = std::move(target->query);
  request_.rest = std::move(match.rest);
  methods_ = std::move(match.methods);
  std::string_view host = request_.header("host");
  if (!target->authority.empty() && !host.empty() && !same_authority(target->authority, host))
    return Refusal{400, "the request's target and its Host name different hosts"};
  bool old = parser_.http_1_0() && host.empty();  // no browser sends this
  if (!old && !core_.guard.host_allowed(host))
    return Refusal{403, "the request's Host is no name of this server"};
  if (!core_.guard.site_allowed(request_))
    return Refusal{403, "pages of this origin may not use this server"};
  origin_allowed_ = !request_.header("origin").empty();
  if (request_.method == "OPTIONS" && match.route == nullptr) {
    bool known = !methods_.empty() || request_.path == "*";
    return known ? std::nullopt : std::optional(Refusal{404, "there is nothing at this path"});
  }
  if (match.route == nullptr && methods_.empty())
    return Refusal{404, "there is nothing at this path"};
  if (match.route == nullptr) return Refusal{405, "this path does not have this method"};
  route_ = match.route;
  if (route_->scope != Scope::kPublic && !core_.guard.key_allowed(request_))
    return Refusal{401, "a valid API key is needed: Authorization: Bearer KEY"};
  request_.tenant = core_.guard.tenant(request_);
  return std::nullopt;
}

// What the head says of the body.
std::optional<Refusal> Connection::admit_body() {
  std::string_view expect = request_.header("expect");
  if (!expect.empty() && !parser_.http_1_0()) {
    constexpr std::string_view kContinue = "100-continue";
    if (expect.size() != kContinue.size() ||
        strncasecmp(expect.data(), kContinue.data(), kContinue.size()) != 0)
      return Refusal{417, "of all expectations only 100-continue can be met"};
    expects_ = parser_.has_body();
  }
  if (parser_.content_length().value_or(0) > route_->body_max)
    return Refusal{413, "the request's body is too large"};
  if (!parser_.body_done()) parser_.set_body_limit(route_->body_max);
  return std::nullopt;
}

Task<bool> Connection::collect_body() {
  std::string_view piece;
  if (route_ == nullptr) parser_.set_body_limit(kSkippedMax);
  bool keep = route_ != nullptr && route_->body == BodyMode::kWhole;
  if (keep) request_.body.reserve(std::min(parser_.content_length().value_or(0), kBodyRoom));
  do {
    if (!co_await next_piece(piece)) co_return false;
    if (keep) request_.body.append(piece);
  } while (!piece.empty());
  co_return true;
}

Task<bool> Connection::next_piece(std::string_view& piece) {
  while (true) {
    size_t used = 0;
    ParseStep step = parser_.body(in_.view(), used, piece);
    in_.consume(used);
    if (step == ParseStep::kRefused) {
      body_error_ = parser_.refusal();
      co_return false;
    }
    if (step == ParseStep::kDone || !piece.empty()) co_return true;
    if (step == ParseStep::kPiece) continue;
    if (std::exchange(expects_, false) && in_.empty())
      co_await write_all("HTTP/1.1 100 Continue\r\n\r\n", {});
    read_deadline_ = steady_clock::now() + core_.limits.body_idle;
    bool more = co_await fill(std::min(parser_.content_length().value_or(kBodyRoom), kBodyRoom));
    read_deadline_ = SteadyTime::max();
    if (more) continue;
    body_error_ = timed_out_ ? Refusal{408, "the body of the request took too long"}
                             : Refusal{499, "the client broke off"};
    co_return false;
  }
}

Task<Result<std::span<const std::byte>>> Connection::read_body() {
  std::string_view piece;
  piece_held_ = false;
  if (!body_error_ && (parser_.body_done() || co_await next_piece(piece))) {
    piece_held_ = !piece.empty();
    if (!piece_held_ && gone_callback_) watch();
    co_return std::as_bytes(std::span(piece));
  }
  Code code = body_error_->status == 413   ? Code::kTooLarge
              : body_error_->status == 408 ? Code::kCancelled
              : body_error_->status == 499 ? Code::kNetwork
                                           : Code::kInvalid;
  co_return fail(code, "{}", body_error_->text);
}

Task<void> Connection::refuse(Refusal why) {
  std::vector<Header> headers;
  if (why.status == 401) headers.emplace_back("WWW-Authenticate", "Bearer");
  if (why.status == 405) headers.emplace_back("Allow", methods_);
  co_await reply(why.status, error_type(dialect_), error_body(dialect_, why.status, why.text),
                 std::move(headers));
}

Task<void> Connection::refuse_connection() {
  static constexpr std::string_view kAnswer =
      "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nRetry-After: 1\r\n"
      "Connection: close\r\nContent-Length: 39\r\n\r\nthe server has too many connections now";
  co_await write_all(kAnswer, {});
  co_await linger();
  error_code ignored;
  socket_.close(ignored);
}

// A preflight, or a question for what a path has.
Task<void> Connection::answer_options() {
  std::vector<Header> headers;
  std::string_view wanted = request_.header("access-control-request-method");
  headers.emplace_back("Allow", methods_ + (methods_.empty() ? "OPTIONS" : ", OPTIONS"));
  if (origin_allowed_ && !wanted.empty()) {
    headers.emplace_back("Access-Control-Allow-Methods",
                         methods_ + (methods_.empty() ? "OPTIONS" : ", OPTIONS"));
    std::string_view fields = request_.header("access-control-request-headers");
    if (!fields.empty()) headers.emplace_back("Access-Control-Allow-Headers", fields);
    if (request_.header("access-control-request-private-network") == "true")
      headers.emplace_back("Access-Control-Allow-Private-Network", "true");
    headers.emplace_back("Access-Control-Max-Age", "600");
  }
  co_await reply(204, {}, {}, std::move(headers));
}

Task<void> Connection::run_handler() {
  try {
    co_await route_->handler(*this, core_.context);
  } catch (const std::exception& e) {
    log(LogLevel::kError, "{} {}: {}", route_->method, route_->path, e.what());
  } catch (...) {
    log(LogLevel::kError, "{} {}: unknown exception", route_->method, route_->path);
  }
}

// Whether another request may follow.
bool Connection::end_answer() {
  bool cut = answer_ == Answer::kStream;  // not ended: the client has to see that something lacks
  record();
  answering_ = false;
  gone_callback_ = nullptr;
  if (answer_ != Answer::kWhole) {
    clear(pending_);
    clear(sending_);
    sending_at_ = 0;
  }
  if (cut) drop();
  return keep_alive_ && socket_.is_open() && parser_.body_done() && !core_.draining;
}

void Connection::record() {
  double seconds = std::chrono::duration<double>(steady_clock::now() - began_).count();
  if (core_.metrics != nullptr) {
    core_.metrics->add(Metric::kHttpRequests, {}, 1, fmt::format_int(status_).c_str());
    core_.metrics->observe(Metric::kHttpTime, {}, seconds);
  }
  if (!core_.log.enabled() || (route_ != nullptr && !route_->logs)) return;
  std::string_view path = request_.path;
  core_.log_request({.time = began_at_,
                     .id = request_.id,
                     .method = request_.method,
                     .path = path.substr(0, path.find('?')),  // one is there if refused early
                     .remote = request_.remote,
                     .status = status_,
                     .bytes = answer_bytes_,
                     .milliseconds = seconds * 1e3,
                     .gone = gone_,
                     .notes = notes_});
}

Task<void> Connection::linger() {
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  read_deadline_ = steady_clock::now() + core_.limits.linger;
  for (size_t dropped = 0; dropped < kLingerMax;) {
    in_.consume(in_.size());
    if (!co_await fill(InputBuffer::kSmall)) break;
    dropped += in_.size();
  }
}

void Connection::make_head(std::string& out, int status, std::string_view content_type,
                           std::optional<uint64_t> length, bool chunked,
                           std::span<const Header> headers) {
  status_ = status;
  keep_alive_ = keep_alive_ && parser_.body_done() && !core_.draining;
  append_head(out,
              {.status = status,
               .content_type = content_type,
               .content_length = length,
               .chunked = chunked,
               .keep_alive = keep_alive_,
               .http_1_0 = parser_.http_1_0(),
               .request_id = request_.id,
               .allowed_origin = origin_allowed_ ? request_.header("origin") : std::string_view(),
               .headers = headers},
              began_at_);
}

Task<void> Connection::reply(int status, std::string_view content_type, std::string body,
                             std::vector<Header> headers) {
  CHECK(answer_ == Answer::kNone);
  answer_ = Answer::kWhole;
  bool bodiless = status == 204 || status == 304;
  out_.clear();
  make_head(out_, status, content_type,
            bodiless ? std::nullopt : std::optional<uint64_t>(body.size()), false, headers);
  std::string_view rest = bodiless || head_only_ ? std::string_view() : body;
  answer_bytes_ = rest.size();
  if (rest.size() <= kJoinMax) {
    out_.append(rest);
    rest = {};
  }
  if (!co_await write_all(out_, rest)) keep_alive_ = false;
}

Task<Result<void>> Connection::begin_stream(std::string_view content_type,
                                            std::vector<Header> headers) {
  CHECK(answer_ == Answer::kNone);
  answer_ = Answer::kStream;
  chunked_ = !parser_.http_1_0();
  if (!chunked_) keep_alive_ = false;  // its end is that of the connection
  ending_ = false;
  sending_.clear();
  sending_at_ = 0;
  make_head(sending_, 200, content_type, std::nullopt, chunked_, headers);
  pending_.reserve(kPendingFirst);
  pending_.assign(kChunkRoom, ' ');
  pump();
  watch();
  if (gone_) co_return fail(Code::kNetwork, "the client is gone");
  co_return Result<void>();
}

size_t Connection::unread() const {
  size_t pending = pending_.size() > kChunkRoom ? pending_.size() - kChunkRoom : 0;
  return pending + sending_.size() - sending_at_;
}

bool Connection::push(std::string_view bytes) {
  if (gone_ || answer_ != Answer::kStream) return false;
  if (head_only_ || bytes.empty()) return true;
  if (stalled(bytes.size())) pump();
  if (gone_) return false;
  if (stalled(bytes.size())) {
    if (core_.metrics != nullptr) core_.metrics->add(Metric::kStreamsDropped, {}, 1);
    drop();
    return false;
  }
  answer_bytes_ += bytes.size();
  pending_.append(bytes);
  if (!writing_ && !pump_posted_) {
    pump_posted_ = true;
    // All that is pushed until then goes out in one piece.
    asio::post(core_.io, [self = shared_from_this()] {
      self->pump_posted_ = false;
      self->pump();
    });
  }
  return true;
}

// Moves what is pending to what is sent, as one chunk. False when there is nothing to send.
bool Connection::frame_pending() {
  bool any = pending_.size() > kChunkRoom;
  if (!any && !(ending_ && chunked_)) return false;
  clear(sending_);
  sending_.swap(pending_);
  pending_.reserve(kPendingFirst);
  pending_.assign(kChunkRoom, ' ');
  sending_at_ = kChunkRoom;
  if (chunked_ && any) {
    std::array<char, kChunkRoom> digits;
    size_t size = sending_.size() - kChunkRoom;
    char* end = std::to_chars(digits.data(), digits.data() + 8, size, 16).ptr;
    *end++ = '\r', *end++ = '\n';
    size_t count = static_cast<size_t>(end - digits.data());
    sending_at_ = kChunkRoom - count;
    sending_.replace(sending_at_, count, digits.data(), count);
    sending_.append("\r\n");
  }
  if (ending_ && chunked_) sending_.append("0\r\n\r\n");
  ending_ = false;
  return true;
}

// Writes what the kernel takes, and goes on when it takes more.
void Connection::pump() {
  if (writing_) return;
  while (socket_.is_open() && answer_ == Answer::kStream) {
    if (sending_at_ == sending_.size() && !frame_pending()) break;
    error_code ec;
    auto rest = asio::buffer(sending_.data() + sending_at_, sending_.size() - sending_at_);
    size_t wrote = socket_.write_some(rest, ec);
    if (ec == asio::error::would_block) {
      writing_ = true;
      write_deadline_ = steady_clock::now() + core_.limits.write;
      socket_.async_wait(Socket::wait_write, [self = shared_from_this()](error_code failed) {
        self->writing_ = false;
        self->write_deadline_ = SteadyTime::max();
        failed ? self->lose() : self->pump();
      });
      return;
    }
    if (ec) return lose();
    sending_at_ += wrote;
  }
  wake();
}

Task<void> Connection::end_stream() {
  if (answer_ != Answer::kStream) co_return;
  ending_ = !head_only_;
  pump();
  while (!gone_ && (writing_ || unread() > 0)) co_await wait();
  if (gone_) co_return;
  answer_ = Answer::kEnded;
}

Task<bool> Connection::write_all(std::string_view first, std::string_view second) {
  while (!first.empty() || !second.empty()) {
    std::array<asio::const_buffer, 2> parts = {asio::buffer(first.data(), first.size()),
                                               asio::buffer(second.data(), second.size())};
    error_code ec;
    size_t wrote = socket_.write_some(parts, ec);
    if (ec == asio::error::would_block) {
      write_deadline_ = steady_clock::now() + core_.limits.write;
      co_await socket_.async_wait(Socket::wait_write,
                                  asio::redirect_error(asio::use_awaitable, ec));
      write_deadline_ = SteadyTime::max();
      wrote = 0;
    }
    if (ec) {
      lose();
      co_return false;
    }
    size_t of_first = std::min(wrote, first.size());
    first.remove_prefix(of_first);
    second.remove_prefix(wrote - of_first);
  }
  co_return true;
}

Task<bool> Connection::fill(size_t bytes) {
  if (reading_) {
    size_t had = in_.size();
    while (reading_ && in_.size() == had) co_await wait();
    co_return in_.size() > had;
  }
  if (eof_) co_return false;
  auto room = in_.room(bytes);
  error_code ec;
  size_t came = co_await socket_.async_read_some(asio::buffer(room.data(), room.size()),
                                                 asio::redirect_error(asio::use_awaitable, ec));
  received(ec, came);
  co_return !ec;
}

void Connection::received(const error_code& ec, size_t bytes) {
  in_.filled(bytes);
  if (!ec) return;
  eof_ = true;
  if (answering_) lose();
}

// Reads on beside the handler: what comes is the next request's, and the end tells of itself.
void Connection::watch() {
  if (reading_ || eof_ || !answering_ || piece_held_ || !parser_.body_done() ||
      in_.size() >= kPipelinedMax)
    return;
  reading_ = true;
  auto room = in_.room(InputBuffer::kSmall / 4);
  socket_.async_read_some(asio::buffer(room.data(), room.size()),
                          [self = shared_from_this()](const error_code& ec, size_t bytes) {
                            self->reading_ = false;
                            self->received(ec, bytes);
                            self->wake();
                            self->watch();
                          });
}

void Connection::on_gone(std::function<void()> callback) {
  gone_callback_ = std::move(callback);
  if (gone_ || core_.stopping) return tell_gone();
  watch();
}

void Connection::lose() {
  if (!gone_ && answering_) {
    gone_ = true;
    tell_gone();
  }
  wake();
}

void Connection::tell_gone() {
  if (!gone_callback_) return;
  // Not from within a call of the handler's.
  asio::post(core_.io, [self = shared_from_this(), serial = serial_] {
    if (self->serial_ != serial || !self->gone_callback_) return;
    std::exchange(self->gone_callback_, nullptr)();
  });
}

void Connection::note(std::string name, std::string value) {
  notes_.emplace_back(std::move(name), std::move(value));
}

Task<void> Connection::wait() {
  error_code ignored;
  co_await event_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

void Connection::sweep(SteadyTime now) {
  if (now >= write_deadline_) {
    if (answer_ == Answer::kStream && core_.metrics != nullptr)
      core_.metrics->add(Metric::kStreamsDropped, {}, 1);
    drop();
  } else if (now >= read_deadline_) {
    read_deadline_ = SteadyTime::max();
    timed_out_ = true;
    error_code ignored;
    socket_.cancel(ignored);
  }
}

void Connection::close_if_idle() {
  error_code ignored;
  if (!answering_) socket_.close(ignored);
}

void Connection::tell_stop() {
  if (answering_) tell_gone();
}

void Connection::drop() {
  error_code ignored;
  if (!socket_.is_open()) return;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  socket_.close(ignored);
  write_deadline_ = read_deadline_ = SteadyTime::max();
  eof_ = true;
  lose();
}

}  // namespace hearth::server
