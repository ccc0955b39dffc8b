#include "server/http_server.h"

#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>

#include "base/json.h"
#include "server/metrics.h"
#include "server/test_server.h"

namespace hearth::server {
namespace {

TEST(HttpServer, ListensWhereItMay) {
  auto at = [](std::string host, std::string key = {}, uint16_t port = 0) {
    return HttpServer::listen({.host = host, .port = port, .api_key = key}, test_routes(), nullptr);
  };
  auto loopback = at("127.0.0.1");
  ASSERT_TRUE(loopback);
  EXPECT_EQ((*loopback)->address(), "127.0.0.1:" + std::to_string((*loopback)->port()));
  for (const char* open : {"0.0.0.0", "::", "::ffff:0.0.0.0"}) {
    auto refused = at(open);
    ASSERT_FALSE(refused) << open;
    EXPECT_EQ(refused.error().code, Code::kDenied);
    EXPECT_NE(refused.error().message.find("key"), std::string::npos);
  }
  EXPECT_TRUE(at("0.0.0.0", "secret"));
  auto taken = at("127.0.0.1", {}, (*loopback)->port());
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Code::kBusy);
  EXPECT_EQ(at("203.0.113.7", "secret").error().code, Code::kInvalid);
  EXPECT_EQ(at("no such host", "secret").error().code, Code::kInvalid);
  EXPECT_EQ(at("127.0.0.1", "two words").error().code, Code::kInvalid);
}

TEST(HttpServer, LocalhostIsBothAddresses) {
  ServerOptions options;
  options.host = "localhost";
  TestServer server(options);
  RawClient four(server.port());
  EXPECT_EQ(four.ask("GET", "/hello").status, 200);
  int fd = socket(AF_INET6, SOCK_STREAM, 0);
  sockaddr_in6 to = {};
  to.sin6_family = AF_INET6;
  to.sin6_port = htons(server.port());
  to.sin6_addr = in6addr_loopback;
  int probe = socket(AF_INET6, SOCK_STREAM, 0);
  sockaddr_in6 any = {};
  any.sin6_family = AF_INET6;
  any.sin6_addr = in6addr_loopback;
  bool has_v6 = bind(probe, reinterpret_cast<sockaddr*>(&any), sizeof any) == 0;
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0, has_v6);
  ::close(probe);
  ::close(fd);
}

TEST(HttpServer, ForeignHostsAndOrigins) {
  TestServer server;
  RawClient client(server.port());
  EXPECT_EQ(client.ask("GET", "/hello", "Host: evil.test\r\n").status, 403);
  EXPECT_EQ(client.ask("GET", "/public", "Host: evil.test:80\r\n").status, 403);
  EXPECT_EQ(client.ask("GET", "/nowhere", "Host: evil.test\r\n").status, 403);
  EXPECT_EQ(client.ask("GET", "http://evil.test/hello").status, 400);
  EXPECT_EQ(client.ask("GET", "http://evil.test/hello", "Host: evil.test\r\n").status, 403);
  EXPECT_EQ(client.ask("GET", "http://localhost/hello").status, 200);
  EXPECT_EQ(client.ask("GET", "/hello", "Origin: http://evil.test\r\n").status, 403);
  EXPECT_EQ(client.ask("POST", "/echo", "Sec-Fetch-Site: cross-site\r\n", "x").status, 403);
  Answer form = client.ask("POST", "/api/take",
                           "Content-Type: application/x-www-form-urlencoded\r\n", "{}");
  EXPECT_EQ(form.body, "{}") << "as curl -d sends it";
  Answer page = client.ask("POST", "/echo", "Origin: http://localhost:3000\r\n"
                           "Sec-Fetch-Site: cross-site\r\n", "x");
  EXPECT_EQ(page.status, 200);
  EXPECT_TRUE(page.has("Access-Control-Allow-Origin: http://localhost:3000\r\n"));
  EXPECT_TRUE(page.has("Vary: Origin\r\n"));
  EXPECT_TRUE(client.ask("GET", "/nowhere", "Origin: http://localhost:3000\r\n")
                  .has("Access-Control-Allow-Origin: http://localhost:3000\r\n"))
      << "pages can read errors";
}

TEST(HttpServer, Preflights) {
  ServerOptions options;
  options.api_key = "secret";  // preflights carry none
  TestServer server(options);
  RawClient client(server.port());
  Answer yes = client.ask("OPTIONS", "/api/take",
                          "Origin: tauri://localhost\r\nAccess-Control-Request-Method: POST\r\n"
                          "Access-Control-Request-Headers: authorization,x-new-thing\r\n"
                          "Access-Control-Request-Private-Network: true\r\n");
  EXPECT_EQ(yes.status, 204);
  EXPECT_TRUE(yes.has("Access-Control-Allow-Origin: tauri://localhost\r\n"));
  EXPECT_TRUE(yes.has("Access-Control-Allow-Headers: authorization,x-new-thing\r\n"));
  EXPECT_TRUE(yes.has("Access-Control-Allow-Private-Network: true\r\n"));
  EXPECT_TRUE(yes.has("Access-Control-Allow-Methods: POST, OPTIONS\r\n"));
  Answer no = client.ask("OPTIONS", "/api/take",
                         "Origin: http://evil.test\r\nAccess-Control-Request-Method: POST\r\n");
  EXPECT_EQ(no.status, 403);
  EXPECT_FALSE(no.has("Access-Control"));
  EXPECT_EQ(client.ask("OPTIONS", "/nowhere").status, 404);
  EXPECT_EQ(client.ask("OPTIONS", "*").status, 204);
  EXPECT_TRUE(client.ask("OPTIONS", "/hello").has("Allow: GET, HEAD, DELETE, OPTIONS\r\n"));
}

TEST(HttpServer, Keys) {
  ServerOptions options;
  options.api_key = "secret";
  TestServer server(options);
  RawClient client(server.port());
  Answer none = client.ask("GET", "/v1/models/x");
  EXPECT_EQ(none.status, 401);
  EXPECT_TRUE(none.has("WWW-Authenticate: Bearer\r\n"));
  EXPECT_EQ((*Json::parse(none.body))["error"]["code"].as_string(), "invalid_api_key");
  EXPECT_EQ(client.ask("GET", "/hello", "Authorization: Bearer wrong\r\n").status, 401);
  EXPECT_EQ(client.ask("GET", "/hello", "Authorization: Bearer secret\r\n").status, 200);
  uint64_t tenant = server.told.tenant;
  EXPECT_EQ(client.ask("GET", "/hello", "X-Api-Key: secret\r\n").status, 200);
  EXPECT_EQ(server.told.tenant, tenant);
  EXPECT_EQ(client.ask("GET", "/public").status, 200);
  EXPECT_NE(server.told.tenant, tenant);
  EXPECT_EQ(client.ask("POST", "/echo", "Expect: 100-continue\r\n", "body").status, 401)
      << "before the body is asked for";
}

TEST(HttpServer, ErrorsOfPaths) {
  TestServer server;
  RawClient client(server.port());
  Answer v1 = client.ask("GET", "/v1/nowhere");
  EXPECT_EQ(v1.status, 404);
  EXPECT_TRUE((*Json::parse(v1.body))["error"]["message"].is_string()) << v1.body;
  Answer api = client.ask("GET", "/api/nowhere");
  EXPECT_TRUE((*Json::parse(api.body))["error"].is_string()) << api.body;
  EXPECT_TRUE(client.ask("GET", "/nowhere").has("Content-Type: text/plain"));
  Answer method = client.ask("GET", "/api/take");
  EXPECT_EQ(method.status, 405);
  EXPECT_TRUE(method.has("Allow: POST\r\n"));
  EXPECT_EQ(client.ask("GET", "/v1/models/org%2Fname%3Atag").body, "org/name:tag");
  EXPECT_EQ(client.ask("GET", "/v1//models/org/name/").body, "org/name");
  EXPECT_EQ(client.ask("GET", "/%zz").status, 400);
  EXPECT_EQ(client.ask("GET", "/a/../hello").status, 400);
  EXPECT_EQ(client.ask("BREW", "/hello").status, 405);
  EXPECT_EQ(client.ask("CONNECT", "localhost:80").status, 400);
}

TEST(HttpServer, TooManyConnections) {
  ServerOptions options;
  options.limits.connections = 3;
  options.limits.linger = milliseconds(100);
  TestServer server(options);
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<RawClient>(server.port()));
    EXPECT_EQ(clients.back()->ask("GET", "/hello").status, 200);
  }
  RawClient more(server.port());
  Answer refused = more.ask("GET", "/hello");
  EXPECT_EQ(refused.status, 503);
  EXPECT_TRUE(refused.has("Retry-After: "));
  EXPECT_TRUE(more.at_end());
  clients.clear();
  EXPECT_TRUE(soon([&] { return RawClient(server.port()).ask("GET", "/hello").status == 200; }));
}

TEST(HttpServer, ManyIdleConnectionsTakeLittle) {
  auto resident = [] {
    size_t all = 0, pages = 0;
    std::ifstream("/proc/self/statm") >> all >> pages;
    return pages * static_cast<size_t>(sysconf(_SC_PAGESIZE));
  };
  TestServer server;
  std::vector<std::unique_ptr<RawClient>> clients;
  constexpr size_t kCount = 400;
  size_t before = 0;
  for (size_t i = 0; i < kCount + 20; ++i) {
    if (i == 20) before = resident();
    clients.push_back(std::make_unique<RawClient>(server.port()));
    ASSERT_EQ(clients.back()->ask("POST", "/echo", {}, std::string(100'000, 'x')).status, 200);
    std::string().swap(clients.back()->read_buffer());
  }
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr size_t kMax = 1 << 20;  // those keep what was freed
#else
  constexpr size_t kMax = 16 << 10;
#endif
  EXPECT_LT((resident() - before) / kCount, kMax);
}

TEST(HttpServer, Drains) {
  TestServer server;
  RawClient idle(server.port()), busy(server.port());
  EXPECT_EQ(idle.ask("GET", "/hello").status, 200);
  busy.send("GET /ticks?3000 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  std::string begun = busy.read_some();
  EXPECT_FALSE(server->draining());
  server->stop(std::chrono::seconds(10));
  EXPECT_TRUE(server->draining());
  EXPECT_TRUE(idle.at_end());
  std::string all = begun + busy.read_to_end();
  EXPECT_TRUE(all.ends_with("0\r\n\r\n")) << "a stream that runs comes to its end";
  EXPECT_TRUE(soon([&] { return server.ended(); }));
  RawClient late(server.port());
  EXPECT_FALSE(late.send("GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n") &&
               late.read().status != 0);
}

TEST(HttpServer, WhoIsInNoRequestIsClosedAtOnce) {
  ServerOptions options;
  options.limits.head_time = options.limits.linger = std::chrono::hours(1);
  TestServer server(options);
  RawClient silent(server.port()), idle(server.port()), half(server.port()), refused(server.port());
  RawClient busy(server.port());
  EXPECT_EQ(idle.ask("GET", "/hello").status, 200);
  half.send("GET /hello HTTP/1.1\r\nHo");
  // Its answer was sent, and what it still sends would be read for an hour.
  refused.send("POST /small HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n\r\n");
  EXPECT_EQ(refused.read().status, 413);
  busy.send("GET /until_stop HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(soon([&] { return server.told.begun == 1; }));
  server->stop(std::chrono::hours(1));
  for (RawClient* client : {&silent, &idle, &half, &refused}) EXPECT_TRUE(client->at_end());
  EXPECT_EQ(server.told.gone, 0) << "who is inside a request is not told yet";
  EXPECT_FALSE(server.ended());
  busy.close();
  EXPECT_TRUE(soon([&] { return server.ended(); }));
}

TEST(HttpServer, TellsHandlersWhenTheDrainIsOver) {
  TestServer server;
  RawClient client(server.port());
  client.send("GET /until_stop HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(soon([&] { return server.told.begun == 1; }));
  server->stop(milliseconds(50));
  std::string all = client.read_to_end();
  EXPECT_TRUE(all.ends_with("8\r\nstopped\n\r\n0\r\n\r\n")) << all;
  EXPECT_EQ(server.told.gone, 1);
  EXPECT_TRUE(soon([&] { return server.ended(); }));
}

TEST(HttpServer, ASecondStopIsAtOnce) {
  TestServer server;
  RawClient client(server.port());
  client.send("GET /flood HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(soon([&] { return server.told.begun == 1; }));
  std::thread reader([&] { client.read_to_end(); });
  auto begin = steady_clock::now();
  server->stop(std::chrono::seconds(100));
  server->stop(std::chrono::seconds(100));
  EXPECT_TRUE(soon([&] { return server.ended(); }));
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(4));
  reader.join();
}

TEST(HttpServer, HandlersThatDoNotHearEndWithTheServer) {
  ServerOptions options;
  options.limits.stop_grace = milliseconds(10);
  TestServer server(options);
  std::vector<std::unique_ptr<RawClient>> clients;
  for (const char* path : {"/stuck", "/works", "/works", "/works"}) {  // there are two workers
    clients.push_back(std::make_unique<RawClient>(server.port()));
    clients.back()->send("GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  ASSERT_TRUE(soon([&] { return server.told.begun == 3; }));
  server->stop(milliseconds(10));
  EXPECT_TRUE(soon([&] { return server.ended(); }));
  for (auto& client : clients) EXPECT_TRUE(client->at_end());
}

TEST(HttpServer, StopsBeforeItRuns) {
  Told told;
  auto server = HttpServer::listen({.access_log = false}, test_routes(), &told);
  ASSERT_TRUE(server);
  (*server)->stop(milliseconds(0));
  (*server)->run();  // returns
  EXPECT_TRUE((*server)->draining());
}

TEST(HttpServer, Counts) {
  Metrics metrics;
  ServerOptions options;
  options.metrics = &metrics;
  TestServer server(options);
  RawClient client(server.port());
  client.ask("GET", "/hello");
  client.ask("GET", "/nowhere");
  client.ask("GET", "/hello");
  EXPECT_TRUE(soon([&] {
    return metrics.render().find("hearth:http_requests_total{status=\"200\"} 2\n") !=
           std::string::npos;
  }));
  EXPECT_NE(metrics.render().find("hearth:http_requests_total{status=\"404\"} 1\n"),
            std::string::npos);
  EXPECT_NE(metrics.render().find("hearth:http_connections 1\n"), std::string::npos);
}

// Python's own client and curl, with what they make of headers, chunks and connections.
TEST(HttpServer, RealClients) {
  TestServer server;
  std::string script = HEARTH_SOURCE_DIR "/tests/server/clients.py";
  std::string port = std::to_string(server.port()), python = "python3";
  char* arguments[] = {python.data(), script.data(), port.data(), nullptr};
  pid_t child = 0;
  if (posix_spawnp(&child, "python3", nullptr, nullptr, arguments, environ) != 0)
    GTEST_SKIP() << "no python3 here";
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace hearth::server
