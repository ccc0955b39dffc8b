#include "server/connection.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "server/test_server.h"

namespace hearth::server {
namespace {

ServerOptions quick() {
  ServerOptions options;
  for (auto member : {&ServerLimits::head_time, &ServerLimits::body_idle, &ServerLimits::idle,
                      &ServerLimits::write, &ServerLimits::linger})
    options.limits.*member = milliseconds(150);
  return options;
}

TEST(Connection, KeepsAliveAndPipelines) {
  TestServer server;
  RawClient client(server.port());
  Answer hello = client.ask("GET", "/hello");
  EXPECT_EQ(hello.status, 200);
  EXPECT_EQ(hello.body, "hello");
  EXPECT_FALSE(hello.has("Connection: close"));
  EXPECT_EQ(client.ask("POST", "/echo", {}, std::string(300'000, 'x')).body.size(), 300'000u);
  std::string many;
  for (int i = 0; i < 2000; ++i)
    many += "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n" +
            std::to_string(1000 + i % 9000);
  std::thread sender([&] { EXPECT_TRUE(client.send(many)); });
  for (int i = 0; i < 2000; ++i) ASSERT_EQ(client.read().body, std::to_string(1000 + i % 9000));
  sender.join();
}

TEST(Connection, RequestsBehindOneThatWaitsAreNotLost) {
  TestServer server;
  RawClient client(server.port());
  client.send("GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hel");
  ASSERT_TRUE(soon([&] { return server.told.begun == 1; }));
  client.send("lo HTTP/1.1\r\nHost: localhost\r\n\r\n");
  client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40000\r\n\r\n");
  client.send(std::string(40000, 'b'));
  EXPECT_EQ(server.told.gone, 0);
  server->stop(milliseconds(0));  // ends /wait; what follows is not answered any more
  Answer waited = client.read();
  EXPECT_EQ(waited.body, "waited");
  EXPECT_TRUE(waited.has("Connection: close"));
}

TEST(Connection, WhatCameDuringAnAnswerIsAnsweredNext) {
  TestServer server;
  RawClient client(server.port());
  std::string next = "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n";
  client.send("GET /ticks?400 HTTP/1.1\r\nHost: localhost\r\n\r\n" + next);
  client.send(std::string(60000, 'b'));
  client.send("GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(client.read().body.size(), 5u * 400);
  EXPECT_EQ(client.read().body.size(), 60000u);
  EXPECT_EQ(client.read().body, "hello");
}

TEST(Connection, HeadHasNoBody) {
  TestServer server;
  RawClient client(server.port());
  Answer head = client.ask("HEAD", "/hello");
  EXPECT_EQ(head.status, 200);
  EXPECT_TRUE(head.has("Content-Length: 5\r\n"));
  EXPECT_EQ(client.ask("HEAD", "/ticks").status, 200);
  EXPECT_EQ(client.ask("HEAD", "/nowhere").status, 404);
  EXPECT_EQ(client.ask("GET", "/hello").body, "hello") << "the connection goes on";
}

TEST(Connection, SpeaksHttp10) {
  TestServer server;
  RawClient closes(server.port());
  closes.send("GET /ticks?3 HTTP/1.0\r\n\r\n");
  std::string all = closes.read_to_end();
  EXPECT_TRUE(all.ends_with("\r\n\r\ntick\ntick\ntick\n")) << all;
  EXPECT_EQ(all.find("chunked"), std::string::npos);
  RawClient stays(server.port());
  for (int i = 0; i < 2; ++i) {
    stays.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    Answer answer = stays.read();
    EXPECT_EQ(answer.body, "hello");
    EXPECT_TRUE(answer.has("Connection: keep-alive"));
  }
  RawClient asks(server.port());
  EXPECT_TRUE(asks.ask("GET", "/hello", "Connection: close\r\n").has("Connection: close"));
  EXPECT_TRUE(asks.at_end());
}

TEST(Connection, BodiesOfEveryKind) {
  TestServer server;
  RawClient again(server.port());
  again.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
             "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: u\r\n\r\n");
  EXPECT_EQ(again.read().body, "abcde");
  again.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
             "Content-Length: 3\r\n\r\n");
  Answer first = again.read();
  EXPECT_EQ(first.status, 100);
  again.send("xyz");
  EXPECT_EQ(again.read().body, "xyz");
  EXPECT_EQ(again.ask("POST", "/echo", "Content-Length: 0\r\n").body, "");
  EXPECT_EQ(again.ask("PUT", "/pieces", {}, std::string(700'000, 'x')).body, "700000");
  EXPECT_EQ(again.ask("GET", "/hello", {}, "a body that nobody asked for").body, "hello");
  EXPECT_EQ(again.ask("GET", "/nowhere", {}, "and here").status, 404);
  EXPECT_EQ(again.ask("GET", "/hello").body, "hello");
}

TEST(Connection, BodiesOverTheLimit) {
  TestServer server;
  auto refused = [&](std::string_view bytes) {
    RawClient client(server.port());
    client.send(bytes);
    Answer answer = client.read();
    EXPECT_TRUE(answer.has("Connection: close")) << bytes;
    EXPECT_TRUE(client.at_end());
    return answer.status;
  };
  std::string head = " HTTP/1.1\r\nHost: localhost\r\n";
  EXPECT_EQ(refused("POST /echo" + head + "Content-Length: 1048577\r\n\r\n"), 413) << "at once";
  EXPECT_EQ(refused("POST /echo" + head + "Content-Length: 18446744073709551615\r\n\r\n"), 413);
  std::string expects = "POST /small" + head + "Expect: 100-continue\r\n";
  EXPECT_EQ(refused(expects + "Content-Length: 101\r\n\r\n"), 413);
  EXPECT_EQ(refused("POST /small" + head + "Transfer-Encoding: chunked\r\n\r\n65\r\n"), 413);
  EXPECT_EQ(refused("POST /small" + head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n"), 400);
  EXPECT_EQ(refused("POST /small" + head + "Expect: magic\r\nContent-Length: 3\r\n\r\n"), 417);
  EXPECT_EQ(refused("PUT /pieces" + head + "Transfer-Encoding: chunked\r\n\r\n100001\r\n"), 413);
  RawClient client(server.port());
  EXPECT_EQ(client.ask("POST", "/small", {}, std::string(100, 'x')).status, 200);
  EXPECT_EQ(client.ask("POST", "/small", {}, std::string(101, 'x')).status, 413);
  EXPECT_EQ(client.ask("GET", "/hello").status, 200) << "a short body is skipped";
}

TEST(Connection, MalformedRequestsAreAnsweredOnceAndClosed) {
  TestServer server;
  for (std::string_view bytes :
       {"GET / HTTP/1.1\nHost: localhost\n\n", "\x16\x03\x01", "GET / HTTP/3.0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"}) {
    RawClient client(server.port());
    client.send(bytes);
    std::string all = client.read_to_end();
    EXPECT_TRUE(all.starts_with("HTTP/1.1 400 ") || all.starts_with("HTTP/1.1 505 ")) << all;
    EXPECT_EQ(all.find("\r\nDate: "), all.rfind("\r\nDate: ")) << "one answer only: " << all;
  }
  RawClient client(server.port());
  client.send("GET /" + std::string(9000, 'x'));
  EXPECT_EQ(client.read().status, 414);
  RawClient large(server.port());
  std::string fields = "GET / HTTP/1.1\r\nHost: localhost\r\nX: ";
  large.send(fields + std::string(64 << 10, 'x'));
  EXPECT_EQ(large.read().status, 431);
}

TEST(Connection, TimesOut) {
  TestServer server(quick());
  auto takes = [](auto&& wait) {
    auto begin = steady_clock::now();
    wait();
    return steady_clock::now() - begin >= milliseconds(140);
  };
  RawClient silent(server.port());
  EXPECT_TRUE(takes([&] { EXPECT_EQ(silent.read_to_end(), ""); })) << "nothing was ever said";
  RawClient head(server.port());
  EXPECT_TRUE(takes([&] {
    for (char c : std::string_view("GET / HTTP/1.1\r\nHost: localhost\r\nX: yyyyyyyyyyyyy")) {
      if (!head.send(std::string_view(&c, 1))) break;
      std::this_thread::sleep_for(milliseconds(10));
    }
    EXPECT_EQ(head.read().status, 408) << "however steadily it drips";
  }));
  RawClient body(server.port());
  body.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc");
  EXPECT_TRUE(takes([&] { EXPECT_EQ(body.read().status, 408); }));
  EXPECT_TRUE(body.at_end());
  RawClient pieces(server.port());
  pieces.send("PUT /pieces HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc");
  pieces.read();
  EXPECT_TRUE(server.told.refused);
  RawClient idle(server.port());
  EXPECT_EQ(idle.ask("GET", "/hello").status, 200);
  EXPECT_TRUE(takes([&] { EXPECT_EQ(idle.read_to_end(), ""); }));
}

TEST(Connection, ASteadyBodyMayTakeItsTime) {
  TestServer server(quick());
  RawClient client(server.port());
  client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n");
  for (int i = 0; i < 10; ++i) {
    std::this_thread::sleep_for(milliseconds(40));
    client.send("x");
  }
  EXPECT_EQ(client.read().body, "xxxxxxxxxx");
}

TEST(Connection, StreamsComeAsTheyAreMade) {
  TestServer server;
  RawClient client(server.port());
  client.send("GET /until_stop HTTP/1.1\r\nHost: localhost\r\n\r\n");
  std::string text;
  while (text.find("begun") == std::string::npos) text += client.read_some();
  EXPECT_NE(text.find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  EXPECT_TRUE(text.ends_with("\r\n\r\n6\r\nbegun\n\r\n")) << text;
  EXPECT_EQ(server.told.ended, 0);
}

TEST(Connection, AReaderThatDoesNotReadIsDropped) {
  ServerOptions options;
  options.send_buffer = 16 << 10;
  TestServer server(options);
  RawClient client(server.port(), 4 << 10);
  client.send("GET /flood HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(soon([&] { return server.told.ended == 1; }));
  EXPECT_TRUE(server.told.refused);
  EXPECT_EQ(server.told.gone, 1);
  EXPECT_GT(server.told.pushed, kStreamBufferMax / 2);
  EXPECT_LT(server.told.pushed, 2 * kStreamBufferMax + (256 << 10));
  RawClient other(server.port());
  EXPECT_EQ(other.ask("GET", "/hello").status, 200);
}

TEST(Connection, AReaderThatKeepsUpIsNotDropped) {
  TestServer server;
  RawClient client(server.port());
  client.send("GET /flood HTTP/1.1\r\nHost: localhost\r\n\r\n");
  size_t got = 0;
  while (got < (8u << 20)) {
    size_t came = client.read_some().size();
    ASSERT_GT(came, 0u);
    got += came;
  }
  EXPECT_FALSE(server.told.refused);
  client.reset();
  EXPECT_TRUE(soon([&] { return server.told.ended == 1; }));
  EXPECT_EQ(server.told.gone, 1);
}

TEST(Connection, AStalledStreamIsDroppedInTime) {
  ServerOptions options = quick();
  options.send_buffer = 8 << 10;
  TestServer server(options);
  RawClient client(server.port(), 4 << 10);
  client.send("GET /ticks?20000 HTTP/1.1\r\nHost: localhost\r\n\r\n");  // 100 kB, under the limit
  std::this_thread::sleep_for(milliseconds(1500));
  std::string all = client.read_to_end();
  EXPECT_FALSE(all.ends_with("0\r\n\r\n"));
}

TEST(Connection, AnswersThatAreNotTakenEnd) {
  ServerOptions options = quick();
  options.send_buffer = 8 << 10;
  TestServer server(options);
  RawClient client(server.port(), 4 << 10);
  std::string body(1 << 20, 'x');
  client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n\r\n" + body);
  std::this_thread::sleep_for(milliseconds(800));
  EXPECT_LT(client.read_to_end().size(), body.size());
}

TEST(Connection, AClientThatLeavesIsNoticedAtOnce) {
  TestServer server;
  for (std::string_view path : {"/wait", "/until_stop"})
    for (bool reset : {false, true}) {
      server.told.gone = server.told.ended = server.told.begun = 0;
      RawClient client(server.port());
      client.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
      ASSERT_TRUE(soon([&] { return server.told.begun == 1; }));
      auto begin = steady_clock::now();
      reset ? client.reset() : client.close();
      ASSERT_TRUE(soon([&] { return server.told.ended == 1; })) << path;
      EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(2));
      EXPECT_EQ(server.told.gone, 1);
    }
  EXPECT_TRUE(server.told.said_gone);
}

TEST(Connection, AHalfClosedClientGetsItsAnswers) {
  TestServer server;
  RawClient client(server.port());
  client.send("GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"
              "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
  client.finish();
  EXPECT_EQ(client.read().body, "hello");
  EXPECT_EQ(client.read().body, "hello");
  EXPECT_TRUE(client.at_end());
}

TEST(Connection, ABodyThatBreaksOff) {
  TestServer server;
  for (std::string_view path : {"POST /echo", "PUT /pieces"}) {
    RawClient client(server.port());
    client.send(std::string(path) + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc");
    if (path.starts_with("PUT")) {
      ASSERT_TRUE(soon([&] { return server.told.body_bytes == 3; }));
    }
    client.finish();
    client.read_to_end();
  }
  EXPECT_TRUE(soon([&] { return server.told.refused.load(); }));
}

TEST(Connection, HandlersThatFail) {
  TestServer server;
  RawClient client(server.port());
  Answer thrown = client.ask("GET", "/throw");
  EXPECT_EQ(thrown.status, 500);
  EXPECT_EQ(thrown.body.find("on purpose"), std::string::npos) << "not the client's business";
  EXPECT_TRUE(Json::parse(thrown.body)) << thrown.body;
  EXPECT_EQ(client.ask("GET", "/silent").status, 500);
  EXPECT_EQ(client.ask("GET", "/hello").status, 200);
  client.send("GET /unfinished HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(client.read().status, 0) << "a stream that was not ended does not look whole";
}

TEST(Connection, WorkersDoTheWork) {
  TestServer server;
  RawClient client(server.port());
  for (int i = 0; i < 50; ++i) EXPECT_EQ(client.ask("GET", "/offload").body, "right");
}

TEST(Connection, RequestIds) {
  TestServer server;
  RawClient client(server.port());
  std::string good = "X-Request-Id: my-id.1\r\n";
  EXPECT_TRUE(client.ask("GET", "/hello", good).has(good));
  for (std::string bad : {std::string(129, 'x'), std::string("a b"), std::string("\xc3\xa9")}) {
    Answer answer = client.ask("GET", "/hello", "X-Request-Id: " + bad + "\r\n");
    EXPECT_FALSE(answer.has(bad));
    EXPECT_TRUE(answer.has("X-Request-Id: "));
  }
  EXPECT_NE(client.ask("GET", "/hello").head, client.ask("GET", "/hello").head);
}

TEST(Connection, IsSmallWhileIdle) { EXPECT_LE(sizeof(Connection), 2048u); }

}  // namespace
}  // namespace hearth::server
