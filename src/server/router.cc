#include "server/router.h"

#include <algorithm>

#include "base/check.h"
#include "base/json.h"

namespace hearth::server {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Handlers may take what is between any two slashes, escaped ones too, for a segment.
Result<void> check_parts(std::string_view segment) {
  while (true) {
    size_t end = std::min(segment.find('/'), segment.size());
    std::string_view part = segment.substr(0, end);
    if (part.empty() || part == "." || part == "..")
      return fail(Code::kInvalid, "the path has a segment '{}'", part);
    if (end == segment.size()) return {};
    segment.remove_prefix(end + 1);
  }
}

// Appends one segment, decoded.
Result<void> decode_segment(std::string_view raw, Target& out) {
  size_t begin = out.path.size();
  for (size_t i = 0; i < raw.size(); ++i) {
    char c = raw[i];
    if (c == '%') {
      int high = i + 2 < raw.size() ? hex_digit(raw[i + 1]) : -1;
      int low = i + 2 < raw.size() ? hex_digit(raw[i + 2]) : -1;
      if (high < 0 || low < 0) return fail(Code::kInvalid, "the path has a malformed %-escape");
      c = static_cast<char>(high * 16 + low);
      if (c == '/') out.first_escaped_slash = std::min(out.first_escaped_slash, out.path.size());
      i += 2;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      return fail(Code::kInvalid, "the path has a control character");
    out.path += c;
  }
  return check_parts(std::string_view(out.path).substr(begin));
}

bool answers(const Route& route, std::string_view method) {
  return route.method == method || (route.method == "GET" && method == "HEAD");
}

// Errors of paths that no row has are written in the words of their neighbours.
Dialect dialect_of(std::string_view path) {
  auto under = [&](std::string_view root) {
    return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
  };
  if (under("/v1")) return Dialect::kOpenAi;
  return under("/api") ? Dialect::kOllama : Dialect::kPlain;
}

void choose(const std::vector<const Route*>& rows, std::string_view method, Match& match) {
  for (const Route* row : rows) {
    if (answers(*row, method)) {
      match.route = row;
      match.dialect = row->dialect;
      return;
    }
    if (match.methods.empty()) match.dialect = row->dialect;
    match.methods += match.methods.empty() ? "" : ", ";
    match.methods += row->method;
    if (row->method == "GET") match.methods += ", HEAD";
  }
}

// The words of OpenAI's `type` and `code` for a status.
struct OpenAiWords {
  int status;
  std::string_view type, code;
};
constexpr OpenAiWords kOpenAiWords[] = {
    {401, "authentication_error", "invalid_api_key"},
    {403, "permission_error", ""},
    {404, "not_found_error", "not_found"},
    {405, "invalid_request_error", "method_not_allowed"},
    {413, "invalid_request_error", "request_too_large"},
    {503, "service_unavailable_error", "overloaded"},
};

OpenAiWords openai_words(int status) {
  for (const OpenAiWords& row : kOpenAiWords)
    if (row.status == status) return row;
  return {status, status >= 500 ? "server_error" : "invalid_request_error", ""};
}

std::string ollama_body(int, std::string_view message) {
  std::string out = R"({"error":)";
  append_json_string(out, message);
  return out += "}";
}

std::string openai_body(int status, std::string_view message) {
  OpenAiWords words = openai_words(status);
  std::string out = R"({"error":{"message":)";
  append_json_string(out, message);
  out.append(R"(,"type":")").append(words.type).append(R"(","param":null,"code":)");
  if (words.code.empty()) return out += "null}}";
  return out.append("\"").append(words.code).append("\"}}");
}

std::string plain_body(int, std::string_view message) { return std::string(message) + "\n"; }

struct DialectRow {
  Dialect dialect;
  std::string (*body)(int status, std::string_view message);
  std::string_view type;
};
constexpr DialectRow kDialects[] = {
    {Dialect::kOllama, ollama_body, "application/json; charset=utf-8"},
    {Dialect::kOpenAi, openai_body, "application/json"},
    {Dialect::kPlain, plain_body, "text/plain; charset=utf-8"},
};

const DialectRow& row_of(Dialect dialect) {
  const DialectRow& row = kDialects[static_cast<size_t>(dialect)];
  CHECK(row.dialect == dialect);
  return row;
}

}  // namespace

Result<Target> parse_target(std::string_view target) {
  Target out;
  if (target == "*") {
    out.path = target;
    return out;
  }
  target = target.substr(0, target.find('#'));
  for (std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    target.remove_prefix(scheme.size());
    size_t end = std::min(target.find_first_of("/?"), target.size());
    out.authority = target.substr(0, end);
    target.remove_prefix(end);
    if (out.authority.empty()) return fail(Code::kInvalid, "the request's target has no host");
    if (target.empty() || target[0] == '?') {
      out.path = "/";
      if (!target.empty()) out.query = target.substr(1);
      return out;
    }
    break;
  }
  if (!target.starts_with('/'))
    return fail(Code::kInvalid, "the request's target does not begin with a slash");
  size_t question = std::min(target.find('?'), target.size());
  if (question < target.size()) out.query = target.substr(question + 1);
  target = target.substr(0, question);
  out.path.reserve(target.size());
  while (!target.empty()) {
    target.remove_prefix(1);  // a slash
    size_t end = std::min(target.find('/'), target.size());
    if (end > 0) {
      out.path += '/';
      TRY(decode_segment(target.substr(0, end), out));
    }
    target.remove_prefix(end);
  }
  if (out.path.empty()) out.path = "/";
  return out;
}

Router::Router(std::span<const Route> routes) {
  for (const Route& route : routes) {
    size_t brace = route.path.find('{');
    if (brace == std::string_view::npos) {
      exact_[route.path].push_back(&route);
      continue;
    }
    CHECK(brace > 0 && route.path[brace - 1] == '/' && route.path.ends_with('}'));
    std::string_view path = route.path.substr(0, brace);
    auto at = std::ranges::find(prefixes_, path, &Prefix::path);
    if (at == prefixes_.end()) at = prefixes_.insert(at, Prefix{path, {}});
    at->routes.push_back(&route);
  }
  std::ranges::sort(prefixes_, std::greater{},
                    [](const Prefix& prefix) { return prefix.path.size(); });
}

Match Router::match(std::string_view method, const Target& target) const {
  Match match;
  match.dialect = dialect_of(target.path);
  if (target.first_escaped_slash == std::string::npos) {
    auto found = exact_.find(target.path);
    if (found != exact_.end()) {
      choose(found->second, method, match);
      return match;
    }
  }
  for (const Prefix& prefix : prefixes_) {
    size_t begin = prefix.path.size();
    if (target.path.size() <= begin || !target.path.starts_with(prefix.path) ||
        target.first_escaped_slash < begin)
      continue;
    match.rest = target.path.substr(begin);
    choose(prefix.routes, method, match);
    return match;
  }
  return match;
}

std::string error_body(Dialect dialect, int status, std::string_view message) {
  return row_of(dialect).body(status, message);
}

std::string_view error_type(Dialect dialect) { return row_of(dialect).type; }

}  // namespace hearth::server
