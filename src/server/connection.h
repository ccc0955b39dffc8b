// Connection: one client, from its first byte to its last. It reads requests one after the other,
// asks Guard and Router about them, runs the handler, and is the Exchange that the handler sees.
//
// One coroutine, serve(), does what goes in order. Two things happen beside it: while a handler
// runs, the socket is read on (what comes belongs to the next request; the end of the stream says
// that the client is gone), and what the handler pushes is written as the client takes it. Waits
// have no timers of their own: each has a deadline, and the server looks at all of them now and
// then (sweep()).
//
// On the server's thread. A connection lives as long as something of it is under way; the server
// holds plain pointers, which the connection takes back when it ends.
#pragma once

#include <array>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/access_log.h"
#include "server/guard.h"
#include "server/http_server.h"
#include "server/input_buffer.h"
#include "server/metrics.h"
#include "server/request_parser.h"
#include "server/router.h"

namespace hearth::server {

using Socket = asio::basic_stream_socket<asio::ip::tcp, asio::io_context::executor_type>;
using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>,
                                         asio::io_context::executor_type>;
using SteadyTime = std::chrono::steady_clock::time_point;

class Connection;

// What the connections of a server share.
struct ServerCore {
  ServerCore(const ServerOptions& options, std::span<const Route> routes, void* handlers,
             GuardOptions guards);

  ServerLimits limits;
  int send_buffer;
  Router router;
  Guard guard;
  AccessLog log;
  Metrics* metrics;  // nullptr: nothing is counted
  void* context;     // the handlers'
  bool draining = false;  // no request after the one that is answered
  bool stopping = false;  // what is answered shall end
  std::list<Connection*> connections;
  std::function<void()> on_empty;  // called when the last of them has ended while draining
  std::array<uint64_t, 2> id_key;  // request ids: a counted random number each
  uint64_t ids = 0;
  // The last member: when it ends, so does every coroutine, and connections need the rest for that.
  asio::io_context io{1};  // one thread

  std::string next_id();
  void log_request(const AccessLine& line);
};

class Connection final : public Exchange, public std::enable_shared_from_this<Connection> {
 public:
  Connection(ServerCore& core, Socket socket);
  ~Connection() override;

  void start();
  // Answers 503 to whatever comes and closes: the server has enough of them.
  void start_refusing();

  void sweep(SteadyTime now);  // ends what took too long
  void close_if_idle();        // unless a request came whole and is not answered yet
  void tell_stop();            // to the handler, if one runs: on_gone
  void drop();                 // closes at once

  const Request& request() const override { return request_; }
  Task<void> reply(int status, std::string_view content_type, std::string body,
                   std::vector<Header> headers) override;
  Task<Result<std::span<const std::byte>>> read_body() override;
  Task<Result<void>> begin_stream(std::string_view content_type,
                                  std::vector<Header> headers) override;
  bool push(std::string_view bytes) override;
  Task<void> end_stream() override;
  void on_gone(std::function<void()> callback) override;
  bool gone() const override { return gone_; }
  void note(std::string name, std::string value) override;

 private:
  enum class Answer : uint8_t { kNone, kWhole, kStream, kEnded };

  // In order: serve.
  Task<void> serve();
  Task<bool> read_head();
  Task<bool> answer_request();
  std::optional<Refusal> admit();
  std::optional<Refusal> admit_body();
  Task<void> refuse(Refusal why);
  Task<void> refuse_head(Refusal why);
  Task<void> answer_options();
  Task<bool> collect_body();
  Task<void> run_handler();
  bool end_answer();
  Task<void> linger();
  Task<void> refuse_connection();
  void begin_request();
  void record();

  // Reading.
  Task<bool> fill(size_t bytes);
  Task<bool> next_piece(std::string_view& piece);  // false: body_error_ says why
  void received(const boost::system::error_code& ec, size_t bytes);
  void watch();

  // Writing.
  Task<bool> write_all(std::string_view first, std::string_view second);
  void make_head(std::string& out, int status, std::string_view content_type,
                 std::optional<uint64_t> length, bool chunked, std::span<const Header> headers);
  void pump();
  bool frame_pending();
  size_t unread() const;
  bool stalled(size_t more) const { return unread() > 0 && unread() + more > kStreamBufferMax; }

  void lose();
  void tell_gone();
  Task<void> wait();  // until wake()
  void wake() { event_.cancel(); }

  ServerCore& core_;
  Socket socket_;
  Timer event_;
  std::list<Connection*>::iterator place_;
  std::string remote_;
  RequestParser parser_;
  InputBuffer in_;

  // Deadlines of what is waited for; max() where nothing is.
  SteadyTime read_deadline_ = SteadyTime::max(), write_deadline_ = SteadyTime::max();
  bool timed_out_ = false;
  bool refusing_ = false;
  bool reading_ = false;   // a read beside serve() is under way
  bool eof_ = false;       // nothing more will come
  bool piece_held_ = false;  // the handler has a view of `in_`
  bool answering_ = false; // from the head of a request to the end of its answer

  // Of the request that is answered.
  Request request_;
  uint64_t serial_ = 0;
  const Route* route_ = nullptr;
  Dialect dialect_ = Dialect::kPlain;
  std::string methods_, error_text_;
  SteadyTime began_;
  std::chrono::system_clock::time_point began_at_;
  bool keep_alive_ = true, head_only_ = false, expects_ = false, origin_allowed_ = false;
  std::optional<Refusal> body_error_;
  Answer answer_ = Answer::kNone;
  int status_ = 0;
  uint64_t answer_bytes_ = 0;
  bool gone_ = false;
  std::function<void()> gone_callback_;
  std::vector<Header> notes_;

  // What is written: heads, and of a stream what waits and what is on its way. `pending_` begins
  // with room for the line of its chunk.
  std::string out_, pending_, sending_;
  size_t sending_at_ = 0;
  bool writing_ = false, pump_posted_ = false, chunked_ = false, ending_ = false;
};

}  // namespace hearth::server
