#include "fetch/http_client.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <thread>

namespace hearth {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Takes connections one after the other; each gets the same bytes once its head (and so many bytes
// of body) came, and is closed, or held until the client goes.
class Peer {
 public:
  explicit Peer(std::string answer, bool hold = false, size_t body = 0)
      : answer_(std::move(answer)), hold_(hold), body_(body) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at = {};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof at;
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    EXPECT_EQ(listen(listener_, 8), 0);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &length);
    port_ = ntohs(at.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Peer() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  std::string url(std::string_view path = "/x") const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
  }
  // After the last call has ended.
  const std::string& seen() const { return seen_; }
  std::atomic<bool> left{false};  // the client closed the connection

 private:
  void serve() {
    for (int fd; (fd = accept(listener_, nullptr, nullptr)) >= 0; close(fd)) {
      seen_.clear();
      char buffer[65536];
      size_t head = std::string::npos;
      while (head == std::string::npos || seen_.size() < head + 4 + body_) {
        const ssize_t got = read(fd, buffer, sizeof buffer);
        if (got <= 0) break;
        seen_.append(buffer, static_cast<size_t>(got));
        head = seen_.find("\r\n\r\n");
      }
      send(fd, answer_.data(), answer_.size(), MSG_NOSIGNAL);
      if (!hold_) continue;
      while (read(fd, buffer, sizeof buffer) > 0) continue;
      left = true;
    }
  }
  std::string answer_, seen_;
  bool hold_;
  size_t body_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::thread thread_;
};

std::string whole(std::string_view body, std::string_view status = "200 OK") {
  return "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nConnection: close\r\n\r\n" + std::string(body);
}

TEST(HttpClient, SaysWhatItIsToldTo) {
  Peer peer(whole("{\"a\":1}"), false, 5);
  HttpClient client;
  auto reply = client.send({.method = "POST",
                            .url = peer.url("/api/copy"),
                            .headers = {{"Authorization", "Bearer k"}},
                            .body = "hello"});
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(reply->body, "{\"a\":1}");
  EXPECT_TRUE(peer.seen().starts_with("POST /api/copy HTTP/1.1\r\n")) << peer.seen();
  EXPECT_NE(peer.seen().find("\r\nAuthorization: Bearer k\r\n"), std::string::npos);
  EXPECT_NE(peer.seen().find("\r\nContent-Length: 5\r\n"), std::string::npos);
  EXPECT_TRUE(peer.seen().ends_with("\r\n\r\nhello")) << peer.seen();
}

TEST(HttpClient, OtherMethodsWithABody) {
  Peer peer(whole(""), false, 2);
  HttpClient client;
  ASSERT_TRUE(client.send({.method = "DELETE", .url = peer.url(), .body = "{}"}));
  EXPECT_TRUE(peer.seen().starts_with("DELETE /x HTTP/1.1\r\n")) << peer.seen();
  EXPECT_TRUE(peer.seen().ends_with("{}")) << peer.seen();
}

TEST(HttpClient, HeadHasNoBody) {
  Peer peer("HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\nConnection: close\r\n\r\n");
  HttpClient client;
  auto reply = client.send({.method = "HEAD", .url = peer.url()});
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->status, 404);
}

TEST(HttpClient, PiecesAndTheirEnd) {
  Peer peer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");
  HttpClient client;
  std::string all;
  auto reply = client.send({.url = peer.url()}, [&](std::string_view piece) -> Result<void> {
    all += piece;
    return {};
  });
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(all, "onetwo");
  EXPECT_EQ(reply->body, "");
  auto stopped = client.send({.url = peer.url()}, [](std::string_view) -> Result<void> {
    return fail(Code::kDiskFull, "no room for it");
  });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Code::kDiskFull);
  EXPECT_EQ(stopped.error().message, "no room for it");
}

TEST(HttpClient, AnErrorIsNoPiece) {
  Peer peer(whole("{\"error\":\"no\"}", "404 Not Found"));
  HttpClient client;
  bool called = false;
  auto reply = client.send({.url = peer.url()}, [&](std::string_view) -> Result<void> {
    called = true;
    return {};
  });
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 404);
  EXPECT_EQ(reply->body, "{\"error\":\"no\"}");
  EXPECT_FALSE(called);
}

TEST(HttpClient, WhatBreaksOffIsNoAnswer) {
  HttpClient client;
  for (const char* answer :
       {"", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfour",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n",
        "no HTTP at all\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    Peer peer(answer);
    auto reply = client.send({.url = peer.url()});
    ASSERT_FALSE(reply) << answer;
    EXPECT_EQ(reply.error().code, Code::kNetwork) << answer << ": " << reply.error().message;
  }
}

TEST(HttpClient, NobodyListens) {
  std::string url;
  {
    Peer peer("");
    url = peer.url();
  }
  const auto start = Clock::now();
  auto reply = HttpClient().send({.url = url});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kNetwork);
  EXPECT_LT(seconds_since(start), 0.5);
}

TEST(HttpClient, SilenceHasALimit) {
  Peer peer("", true);
  const auto start = Clock::now();
  auto reply = HttpClient().send({.url = peer.url(), .timeout = std::chrono::milliseconds(300)});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kNetwork);
  EXPECT_GE(seconds_since(start), 0.25);
  EXPECT_LT(seconds_since(start), 5);
}

TEST(HttpClient, CancellingClosesTheConnection) {
  Peer peer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n", true);
  std::atomic<bool> cancel{false};
  std::string all;
  const auto start = Clock::now();
  auto reply = HttpClient().send({.url = peer.url(), .cancel = &cancel},
                                 [&](std::string_view piece) -> Result<void> {
                                   all += piece;
                                   cancel = true;  // as a signal would, between two pieces
                                   return {};
                                 });
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kCancelled);
  EXPECT_EQ(all, "one");
  EXPECT_LT(seconds_since(start), 5);
  for (int i = 0; i < 200 && !peer.left; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_TRUE(peer.left);
}

TEST(HttpClient, AnswersHaveASize) {
  Peer peer(whole(std::string(2000, 'x')));
  auto reply = HttpClient().send({.url = peer.url(), .reply_bytes_max = 1000});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kTooLarge);
}

TEST(HttpClient, BodiesFromASource) {
  constexpr size_t kBytes = 300'000;
  Peer peer(whole("taken", "201 Created"), false, kBytes);
  HttpClient client;
  size_t sent = 0;
  HttpCall call{.method = "POST", .url = peer.url(), .source_bytes = kBytes};
  call.source = [&](std::span<char> buffer) -> Result<size_t> {
    const size_t bytes = std::min(buffer.size(), kBytes - sent);
    std::memset(buffer.data(), 'b', bytes);
    sent += bytes;
    return bytes;
  };
  auto reply = client.send(call);
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->status, 201);
  EXPECT_TRUE(peer.seen().starts_with("POST ")) << peer.seen().substr(0, 40);
  EXPECT_TRUE(peer.seen().ends_with(std::string(kBytes, 'b')));
  call.source = [](std::span<char>) -> Result<size_t> { return fail(Code::kIo, "cannot read it"); };
  auto broken = client.send(call);
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().message, "cannot read it");
}

TEST(HttpClient, GoesNowhereElse) {
  Peer peer("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n"
            "Connection: close\r\n\r\n");
  HttpClient client;
  auto reply = client.send({.url = peer.url()});
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 302);
  for (const char* url : {"file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/",
                          "http://", "", "not a url at all"}) {
    auto refused = client.send({.url = url});
    ASSERT_FALSE(refused) << url;
    EXPECT_EQ(refused.error().code, Code::kInvalid) << url << ": " << refused.error().message;
  }
  auto injected = client.send({.url = peer.url(), .headers = {{"A", "b\r\nC: d"}}});
  ASSERT_FALSE(injected);
  EXPECT_EQ(injected.error().code, Code::kInvalid);
}

TEST(HttpClient, NoProxyToThisMachine) {
  Peer peer(whole("direct"));
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  auto reply = HttpClient().send({.url = peer.url()});
  unsetenv("http_proxy");
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->body, "direct");
}

TEST(HttpClient, Loopback) {
  for (const char* host : {"localhost", "a.localhost", "127.0.0.1", "127.9.9.9", "::1"})
    EXPECT_TRUE(is_loopback(host)) << host;
  for (const char* host : {"127.evil.test", "example.com", "10.0.0.1", "localhost.test", ""})
    EXPECT_FALSE(is_loopback(host)) << host;
}

}  // namespace
}  // namespace hearth
