#include "server/guard.h"

#include <gtest/gtest.h>

namespace hearth::server {
namespace {

// The authors' reference: key 00..0f, text 00..0e.
TEST(SipHash, IsTheAuthors) {
  std::array<uint64_t, 2> key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
  std::string text;
  for (char c = 0; c < 15; ++c) text += c;
  EXPECT_EQ(sip_hash(key, text), 0xa129ca6149be45e5u);
  EXPECT_EQ(sip_hash(key, ""), 0x726fdb47dd0e0e31u);
  EXPECT_EQ(sip_hash(key, text.substr(0, 8)), 0x93f5f5799a932462u);
}

TEST(Guard, HostsOfThisMachineOnly) {
  Guard guard({.hosts = {"Models.Example.org"}, .bound = {"127.0.0.1"}});
  for (const char* host : {"localhost", "LOCALHOST:11434", "localhost.", "127.0.0.1:1", "127.9.9.9",
                           "[::1]:80", "0.0.0.0:11434", "models.example.org:443", "a.localhost",
                           "box.local", "host.docker.internal:11434"})
    EXPECT_TRUE(guard.host_allowed(host)) << host;
  for (const char* host :
       {"", "evil.test", "localhost.evil.test", "evil.test:11434", "192.168.1.5", "local",
        ".local.evil.test", "localhost:x", "localhost:1:2", "[::1", "[::1]x", "127.0.0.1.evil.test",
        "localhost@evil.test", "localhost/", "local host", "8.8.8.8", "[2001:db8::1]", "127.1",
        "2130706433", "localhost:123456", "\xc4\xb1ocalhost"})
    EXPECT_FALSE(guard.host_allowed(host)) << host;
}

TEST(Guard, AddressesWhereAllAreBound) {
  Guard guard({.api_key = "k", .bound = {"0.0.0.0"}, .any_address = true});
  EXPECT_TRUE(guard.host_allowed("192.168.1.5:11434"));
  EXPECT_TRUE(guard.host_allowed("[2001:db8::1]"));
  EXPECT_FALSE(guard.host_allowed("evil.test"));
  Guard one({.api_key = "k", .bound = {"192.168.1.5"}});
  EXPECT_TRUE(one.host_allowed("192.168.1.5"));
  EXPECT_FALSE(one.host_allowed("192.168.1.6"));
}

TEST(Guard, Origins) {
  Guard guard({.origins = {"https://chat.example.org", "https://*.example.net"}});
  for (const char* origin :
       {"http://localhost", "https://localhost:3000", "http://127.0.0.1:8080", "http://[::1]:5173",
        "app://obsidian.md", "file://", "tauri://localhost", "vscode-webview://abc",
        "https://chat.example.org", "HTTPS://CHAT.EXAMPLE.ORG", "https://a.example.net"})
    EXPECT_TRUE(guard.origin_allowed(origin, "localhost:11434")) << origin;
  for (const char* origin :
       {"http://evil.test", "null", "http://localhost.evil.test", "http://localhost:80.evil.test",
        "http://localhost:", "http://127.0.0.1:8080@evil.test", "chrome-extension://abc",
        "http://chat.example.org", "https://example.net", "https://chat.example.org:444"})
    EXPECT_FALSE(guard.origin_allowed(origin, "localhost:11434")) << origin;
  // A page of the server's own, under whatever allowed name it was asked for.
  EXPECT_TRUE(guard.origin_allowed("http://box.local:11434", "box.local:11434"));
  EXPECT_FALSE(guard.origin_allowed("http://box.local:11434", "box.local:11435"));
  EXPECT_TRUE(Guard({.origins = {"*"}}).origin_allowed("http://evil.test", "localhost"));
}

Request request(std::string method, std::vector<Header> headers) {
  Request out;
  out.method = std::move(method);
  out.headers = std::move(headers);
  return out;
}

TEST(Guard, PagesThatHideTheirOriginChangeNothing) {
  Guard guard({});
  EXPECT_TRUE(guard.site_allowed(request("POST", {})));  // no browser
  EXPECT_TRUE(guard.site_allowed(request("POST", {{"Sec-Fetch-Site", "same-origin"}})));
  EXPECT_TRUE(guard.site_allowed(request("POST", {{"Sec-Fetch-Site", "none"}})));
  EXPECT_FALSE(guard.site_allowed(request("POST", {{"Sec-Fetch-Site", "cross-site"}})));
  EXPECT_FALSE(guard.site_allowed(request("DELETE", {{"sec-fetch-site", "same-site"}})));
  EXPECT_TRUE(guard.site_allowed(request("GET", {{"Sec-Fetch-Site", "cross-site"}})));
  EXPECT_FALSE(guard.site_allowed(request("GET", {{"Origin", "http://evil.test"}})));
  EXPECT_TRUE(guard.site_allowed(
      request("POST", {{"Origin", "http://localhost:3000"}, {"Sec-Fetch-Site", "cross-site"}})));
}

TEST(Guard, Keys) {
  Guard guard({.api_key = "secret"});
  auto allowed = [&](std::vector<Header> headers) {
    return guard.key_allowed(request("GET", std::move(headers)));
  };
  EXPECT_TRUE(allowed({{"Authorization", "Bearer secret"}}));
  EXPECT_TRUE(allowed({{"authorization", "bearer  secret "}}));
  EXPECT_TRUE(allowed({{"x-api-key", "secret"}}));
  EXPECT_TRUE(allowed({{"Authorization", "Bearer dummy"}, {"X-Api-Key", "secret"}}));
  for (const char* value : {"", "Bearer", "Bearer ", "Bearer secre", "Bearer secrets",
                            "Bearer Secret", "Bearer secretsecret", "Basic secret"})
    EXPECT_FALSE(allowed({{"Authorization", value}})) << value;
  EXPECT_FALSE(allowed({}));
  EXPECT_TRUE(Guard({}).key_allowed(request("GET", {{"Authorization", "Bearer whatever"}})));
}

TEST(Guard, TenantsAreWhatTheyShow) {
  Guard guard({});
  auto tenant = [&](std::vector<Header> headers) {
    return guard.tenant(request("GET", std::move(headers)));
  };
  uint64_t a = tenant({{"Authorization", "Bearer a"}});
  EXPECT_EQ(a, tenant({{"Authorization", "bearer a"}}));
  EXPECT_EQ(a, tenant({{"X-Api-Key", "a"}}));
  EXPECT_NE(a, tenant({{"Authorization", "Bearer b"}}));
  EXPECT_NE(a, tenant({}));
  EXPECT_EQ(tenant({}), tenant({{"User-Agent", "x"}}));
  EXPECT_NE(a, Guard({}).tenant(request("GET", {{"Authorization", "Bearer a"}})))
      << "the key of the hash is random";
}

}  // namespace
}  // namespace hearth::server
