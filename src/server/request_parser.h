// RequestParser: bytes of a connection -> the head of a request and its body, and a refusal of all
// that two programs could read differently. Pure: no sockets, no clocks. Behind it is Beast's
// parser; what this adds are limits, and strictness where Beast is lenient: bare line feeds, folded
// lines, any Transfer-Encoding but exactly "chunked", a Content-Length that is not one number.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "server/http.h"

namespace hearth::server {

struct HeadLimits {
  size_t bytes = 32 << 10;  // of the head, request line included
  size_t fields = 100;
  size_t target = 8 << 10;
};

// Why a request is not served: `text` is one of a fixed set and lives for ever.
struct Refusal {
  int status = 400;
  std::string_view text;
};

enum class ParseStep : uint8_t {
  kMore,     // nothing more can be said before more bytes come
  kPiece,    // of the body: `piece` has it, perhaps with nothing in it
  kDone,     // the head, or the body, has ended
  kRefused,  // refusal() says why; the connection can't be used any further
};

class RequestParser {
 public:
  explicit RequestParser(const HeadLimits& limits);
  ~RequestParser();

  void reset();  // for the next request

  // `bytes` are those of the request that have come so far; at kDone the first `used` of them were
  // its head, and method, target (in `path`, as it came) and headers of `into` are set. Bytes given
  // once are given again, with what has come since, after kMore; `used` may be more than 0 then.
  ParseStep head(std::string_view bytes, Request& into, size_t& used);

  // The same of the body, after the head. `piece` is a part of `bytes`.
  ParseStep body(std::string_view bytes, size_t& used, std::string_view& piece);
  void set_body_limit(uint64_t bytes);  // before the first body()

  // After the head.
  bool http_1_0() const;
  bool keep_alive() const;
  bool has_body() const;      // more than nothing, as far as the head tells
  bool body_done() const;
  std::optional<uint64_t> content_length() const;
  const Refusal& refusal() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth::server
