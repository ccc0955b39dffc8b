// Router: a request's target -> the row of the route table that answers it; and the words of
// errors that are answered before a handler has seen a request. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "server/routes.h"

namespace hearth::server {

// A target taken apart. `path` is decoded, has one slash between segments and none at its end; a
// slash that came as %2F counts as a character of its segment.
struct Target {
  std::string path, query;
  std::string authority;  // of the absolute form, "http://host/path"; else empty
  size_t first_escaped_slash = std::string::npos;  // its place in `path`
};

// kInvalid for targets that are malformed, or that name segments "." or ".." (clients resolve
// those) or control characters. "*" is a path of its own.
Result<Target> parse_target(std::string_view target);

struct Match {
  const Route* route = nullptr;  // nullptr: 404 where `methods` is empty, else 405
  std::string rest;              // what the route's parameter stands for
  std::string methods;           // those that the path has, as Allow lists them
  Dialect dialect = Dialect::kPlain;
};

class Router {
 public:
  explicit Router(std::span<const Route> routes);  // the rows live as long as the router
  Match match(std::string_view method, const Target& target) const;

 private:
  struct Prefix {
    std::string_view path;  // up to and with the slash before the parameter
    std::vector<const Route*> routes;
  };
  std::unordered_map<std::string_view, std::vector<const Route*>> exact_;
  std::vector<Prefix> prefixes_;  // the longest first
};

// The whole body of an error answer, and its Content-Type.
std::string error_body(Dialect dialect, int status, std::string_view message);
std::string_view error_type(Dialect dialect);

}  // namespace hearth::server
