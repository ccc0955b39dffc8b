#include "server/router.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace hearth::server {
namespace {

Task<void> nothing(Exchange&, void*) { co_return; }

constexpr Route kRows[] = {
    {"GET", "/", nothing},
    {"GET", "/v1/models", nothing, Dialect::kOpenAi},
    {"GET", "/v1/models/{model}", nothing, Dialect::kOpenAi},
    {"DELETE", "/v1/models/{model}", nothing, Dialect::kOpenAi},
    {"POST", "/v1/models/special/{rest}", nothing, Dialect::kOpenAi},
    {"POST", "/api/chat", nothing, Dialect::kOllama},
    {"POST", "/api/blobs/{digest}", nothing, Dialect::kOllama},
    {"HEAD", "/api/blobs/{digest}", nothing, Dialect::kOllama},
};

struct Case {
  const char* method;
  const char* target;
  const char* route;  // "": 404, "405"
  const char* rest = "";
};

TEST(Router, FindsRows) {
  Router router(kRows);
  for (const Case& c : std::initializer_list<Case>{
           {"GET", "/", "/"},
           {"GET", "//", "/"},
           {"HEAD", "/", "/"},
           {"GET", "/v1/models", "/v1/models"},
           {"GET", "/v1/models/", "/v1/models"},
           {"GET", "//v1///models//?x=/y", "/v1/models"},
           {"GET", "/%76%31/models", "/v1/models"},
           {"GET", "/v1%2Fmodels", ""},
           {"GET", "/v1/models%2Fa", ""},
           {"GET", "/v1/models/org/name:tag", "/v1/models/{model}", "org/name:tag"},
           {"GET", "/v1/models/org%2Fname%3Atag", "/v1/models/{model}", "org/name:tag"},
           {"GET", "/v1/models/a//b/", "/v1/models/{model}", "a/b"},
           {"POST", "/v1/models/special/x", "/v1/models/special/{rest}", "x"},
           {"GET", "/v1/models/special/x", "405"},
           {"GET", "http://localhost/v1/models?q", "/v1/models"},
           {"GET", "http://localhost", "/"},
           {"GET", "/V1/models", ""},
           {"PUT", "/v1/models", "405"},
           {"GET", "/api/chat", "405"},
           {"GET", "/api/blobs/sha256:ab", "405"},
           {"HEAD", "/api/blobs/sha256:ab", "/api/blobs/{digest}", "sha256:ab"},
           {"POST", "/api/blobs/", ""},
           {"GET", "/v1x/models", ""},
       }) {
    auto target = parse_target(c.target);
    ASSERT_TRUE(target) << c.target;
    Match match = router.match(c.method, *target);
    std::string got = match.route != nullptr      ? std::string(match.route->path)
                      : match.methods.empty() ? ""
                                              : "405";
    EXPECT_EQ(got, c.route) << c.method << " " << c.target;
    EXPECT_EQ(match.route != nullptr ? match.rest : "", c.rest) << c.target;
  }
}

TEST(Router, TellsWhichMethodsThereAre) {
  Router router(kRows);
  EXPECT_EQ(router.match("POST", *parse_target("/v1/models/a")).methods, "GET, HEAD, DELETE");
  EXPECT_EQ(router.match("GET", *parse_target("/nowhere")).methods, "");
}

TEST(Router, ErrorsAreInTheWordsOfThePath) {
  Router router(kRows);
  auto dialect = [&](const char* path) {
    return router.match("BREW", *parse_target(path)).dialect;
  };
  EXPECT_EQ(dialect("/v1/nowhere"), Dialect::kOpenAi);
  EXPECT_EQ(dialect("/v1"), Dialect::kOpenAi);
  EXPECT_EQ(dialect("/v1/models"), Dialect::kOpenAi);
  EXPECT_EQ(dialect("/api/nowhere"), Dialect::kOllama);
  EXPECT_EQ(dialect("/apis"), Dialect::kPlain);
  EXPECT_EQ(dialect("/"), Dialect::kPlain);
}

TEST(Target, RefusesWhatIsMalformedOrClimbs) {
  for (std::string_view target :
       {"", "v1", "/%", "/%4", "/%zz", "/a%00b", "/%0d%0aX", "/..", "/a/../b", "/%2e%2e/x", "/.",
        "/v1/models/..%2f..", "/a%2f", "/%2f", "/a%2F%2Fb", "/a/%2e", "http://", "http:///x",
        "ftp://localhost/", "/\x7f"}) {
    EXPECT_FALSE(parse_target(target)) << target;
  }
  EXPECT_EQ(parse_target("/a%20b/%C3%A9?x=%zz")->path, "/a b/\xC3\xA9");
  EXPECT_EQ(parse_target("/a?x=%zz#f")->query, "x=%zz");
  EXPECT_EQ(parse_target("http://u:1/p?q")->authority, "u:1");
}

TEST(ErrorBody, IsTheDialects) {
  auto openai = Json::parse(error_body(Dialect::kOpenAi, 404, "no \"x\"\n"));
  ASSERT_TRUE(openai);
  EXPECT_EQ((*openai)["error"]["message"].as_string(), "no \"x\"\n");
  EXPECT_EQ((*openai)["error"]["type"].as_string(), "not_found_error");
  EXPECT_TRUE((*openai)["error"].find("param")->is_null());
  EXPECT_TRUE((*openai)["error"]["code"].is_string());
  auto other = Json::parse(error_body(Dialect::kOpenAi, 431, "x"));
  EXPECT_EQ((*other)["error"]["type"].as_string(), "invalid_request_error");
  EXPECT_TRUE((*other)["error"].find("code")->is_null());
  EXPECT_EQ(error_body(Dialect::kOllama, 404, "\"x"), R"({"error":"\"x"})");
  EXPECT_EQ(error_body(Dialect::kPlain, 404, "x"), "x\n");
}

}  // namespace
}  // namespace hearth::server
