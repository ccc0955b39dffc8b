// The routes as one table: the server answers what a row says, and 404, 405 and the documentation
// come from the same rows.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "server/http.h"

namespace hearth::server {

// Whose words an answer to a bad request is written in, before a handler has seen it.
enum class Dialect : uint8_t { kOllama, kOpenAi, kPlain };

enum class Scope : uint8_t {
  kPublic,  // no key needed: health and the like
  kUse,     // a key, where one is set
};

enum class BodyMode : uint8_t {
  kNone,    // the route takes no body; what comes is read and dropped up to the limit
  kWhole,   // collected before the handler runs
  kPieces,  // the handler reads it
};

struct Route {
  std::string_view method;  // "GET" answers HEAD too
  std::string_view path;    // "/api/blobs/{digest}": the last segment may be one parameter, which
                            // takes all that follows, slashes included
  Handler handler = nullptr;
  Dialect dialect = Dialect::kPlain;
  Scope scope = Scope::kUse;
  BodyMode body = BodyMode::kNone;
  uint64_t body_max = 1 << 20;
  bool logs = true;         // a line in the log of requests
  std::string_view text;    // one line of documentation
};

}  // namespace hearth::server
