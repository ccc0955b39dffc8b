// Any bytes as a connection, or any order of what requests are made of: in what pieces they come
// changes nothing of what is read, so that a proxy before us and we see the same requests.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "server/request_parser.h"

namespace hearth::server {
namespace {

constexpr uint64_t kBodyMax = 64;
constexpr std::string_view kParts[] = {
    "GET ", "POST ", "/x", "/a?b", "http://h/p", " HTTP/1.1\r\n", " HTTP/1.0\r\n", "\r\n", "\n",
    "\r", "Host: a\r\n", "Host:", "Content-Length: ", "0", "5", "70", "+5", "5, 5", "-1", "0x5",
    "Transfer-Encoding: ", "chunked", "Chunked", "gzip, chunked", "identity",
    "Connection: close\r\n", "Connection: keep-alive\r\n", "Upgrade: h2c\r\n",
    "Expect: 100-continue\r\n", "X: y\r\n", " ", "\t", ":", ";", "5\r\nhello\r\n",
    "5;e=1\r\nhello\r\n", "0\r\n", "0\r\n\r\n", "ffffffffffffffff\r\n", "05\r\n", "hello",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\n"};

std::string connection_of(const uint8_t* data, size_t size, bool of_parts) {
  if (!of_parts) return {reinterpret_cast<const char*>(data), size};
  std::string out;
  for (const uint8_t* at = data; at < data + size; ++at) {
    if (*at < std::size(kParts)) out += kParts[*at];
    else out += static_cast<char>(*at);
  }
  return out;
}

// All that was read of a connection, as text: heads, bodies and how it ended.
std::string read_all(std::string_view bytes, size_t step) {
  RequestParser parser({.bytes = 1024, .fields = 10, .target = 200});
  std::string have, out;
  Request request;
  bool in_head = true;
  const auto more = [&] {
    if (bytes.empty()) return false;
    have += bytes.substr(0, step);
    bytes.remove_prefix(std::min(step, bytes.size()));
    return true;
  };
  if (!more()) return out;
  while (true) {
    size_t used = 0;
    std::string_view piece;
    const ParseStep got =
        in_head ? parser.head(have, request, used) : parser.body(have, used, piece);
    CHECK(used <= have.size());
    out += piece;
    if (in_head && got == ParseStep::kDone) {
      CHECK(!request.method.empty() && !request.path.empty());
      out += request.method + " " + request.path + "\n";
      for (const Header& header : request.headers) out += header.first + ":" + header.second + "\n";
      parser.set_body_limit(kBodyMax);
      in_head = false;
    } else if (!in_head && got == ParseStep::kDone) {
      out += "\nends\n";
      parser.reset();
      request = {};
      in_head = true;
    }
    have.erase(0, used);
    if (got == ParseStep::kRefused) {
      const Refusal& why = parser.refusal();
      CHECK(why.status >= 400 && why.status < 600 && !why.text.empty());
      return out + "refused";  // whether for its length or for what is in it may differ
    }
    CHECK(got != ParseStep::kPiece || used > 0);
    if (got == ParseStep::kMore && !more()) return out;
  }
}

}  // namespace
}  // namespace hearth::server

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hearth::server;
  if (size == 0) return 0;
  const std::string bytes = connection_of(data + 1, size - 1, data[0] % 4 != 0);
  const std::string whole = read_all(bytes, bytes.size() + 1);
  CHECK(read_all(bytes, 1) == whole);
  CHECK(read_all(bytes, 1 + data[0] / 4) == whole);
  return 0;
}
