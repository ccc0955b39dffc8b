// The head of an answer, as bytes.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "server/http.h"

namespace hearth::server {

// "Not Found"; "Unknown" for what has no name.
std::string_view status_text(int status);

struct AnswerHead {
  int status = 200;
  std::string_view content_type;           // empty: none is said
  std::optional<uint64_t> content_length;  // nothing: what follows is chunked, where `chunked`
  bool chunked = false;
  bool keep_alive = true;
  bool http_1_0 = false;                   // the request: keep-alive has to be said
  std::string_view request_id;
  std::string_view allowed_origin;         // empty: no page asked
  std::span<const Header> headers;
};

// Appends the head and its empty line. Control characters in values become blanks, so that no value
// can end its line.
void append_head(std::string& out, const AnswerHead& head,
                 std::chrono::system_clock::time_point now);

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string http_date(int64_t seconds);

}  // namespace hearth::server
