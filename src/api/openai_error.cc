// Errors in OpenAI's words.
#include <iterator>

#include "api/openai.h"
#include "base/check.h"

namespace hearth::api {
namespace {

struct ErrorRow {
  Code code;
  int status;              // 0: that of the code's own row
  std::string_view type;
  std::string_view slug;   // where the error has none; empty: null
};

// Clients repeat 408, 409, 429 and 5xx: what stays wrong has another status here.
constexpr ErrorRow kRows[] = {
    {Code::kUsage, 0, "invalid_request_error", {}},
    {Code::kInvalid, 0, "invalid_request_error", {}},
    {Code::kCorrupt, 400, "invalid_request_error", {}},
    {Code::kUnsupported, 400, "invalid_request_error", "unsupported"},
    {Code::kNotFound, 0, "invalid_request_error", "model_not_found"},
    {Code::kExists, 400, "invalid_request_error", "already_exists"},
    {Code::kTooLarge, 0, "invalid_request_error", "request_too_large"},
    {Code::kBusy, 0, "service_unavailable_error", "overloaded"},
    {Code::kDenied, 0, "permission_error", "permission_denied"},
    {Code::kIo, 0, "server_error", {}},
    {Code::kDiskFull, 0, "server_error", "disk_full"},
    {Code::kNetwork, 0, "server_error", {}},
    {Code::kCancelled, 0, "invalid_request_error", "cancelled"},
    {Code::kOutOfMemory, 0, "server_error", "out_of_memory"},
    {Code::kInternal, 0, "server_error", {}},
};
static_assert(std::size(kRows) == static_cast<size_t>(Code::kInternal) + 1);

// Slugs that have a status and a type of their own.
struct SlugRow {
  std::string_view slug;
  int status;
  std::string_view type;
};
constexpr SlugRow kSlugs[] = {{"context_length_exceeded", 400, "invalid_request_error"},
                              {"invalid_api_key", 401, "authentication_error"},
                              {"rate_limit_exceeded", 429, "rate_limit_error"}};

struct Shown {
  int status;
  std::string_view type, slug;
};

Shown shown(const ApiError& error) {
  const ErrorRow& row = kRows[static_cast<size_t>(error.error.code)];
  CHECK(row.code == error.error.code);
  for (const SlugRow& special : kSlugs)
    if (special.slug == error.code) return {special.status, special.type, special.slug};
  int status = row.status != 0 ? row.status : info(row.code).http_status;
  return {status, row.type, error.code.empty() ? row.slug : std::string_view(error.code)};
}

void append_or_null(std::string& out, std::string_view text) {
  if (text.empty()) out += "null";
  else append_json_string(out, text);
}

}  // namespace

void append_openai_error(const ApiError& error, std::string& out) {
  Shown how = shown(error);
  out += "{\"error\":{\"message\":";
  append_json_string(out, error.error.message);
  out += ",\"type\":";
  append_json_string(out, how.type);
  out += ",\"param\":";
  append_or_null(out, error.param);
  out += ",\"code\":";
  append_or_null(out, how.slug);
  out += "}}";
}

ApiReply openai_error(const ApiError& error) {
  ApiReply out{.status = shown(error).status};
  append_openai_error(error, out.body);
  return out;
}

}  // namespace hearth::api
