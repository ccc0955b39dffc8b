#include "base/result.h"

#include <fmt/format.h>

#include "base/check.h"
#include "base/utf8.h"

namespace hearth {
namespace {

constexpr CodeInfo kCodes[] = {
    {Code::kUsage, "usage", 400, 2, false},
    {Code::kInvalid, "invalid", 400, 1, false},
    {Code::kCorrupt, "corrupt", 422, 1, false},
    {Code::kUnsupported, "unsupported", 501, 1, false},
    {Code::kNotFound, "not_found", 404, 1, false},
    {Code::kExists, "exists", 409, 1, false},
    {Code::kTooLarge, "too_large", 413, 1, false},
    {Code::kBusy, "busy", 503, 1, true},
    {Code::kDenied, "denied", 403, 1, false},
    {Code::kIo, "io", 500, 1, false},
    {Code::kDiskFull, "disk_full", 507, 1, true},
    {Code::kNetwork, "network", 502, 1, true},
    {Code::kCancelled, "cancelled", 499, 1, false},
    {Code::kOutOfMemory, "out_of_memory", 507, 1, true},
    {Code::kInternal, "internal", 500, 1, false},
};

constexpr bool in_order() {
  for (size_t i = 0; i < std::size(kCodes); ++i)
    if (kCodes[i].code != static_cast<Code>(i)) return false;
  return std::size(kCodes) == static_cast<size_t>(Code::kInternal) + 1;
}
static_assert(in_order(), "kCodes has one row per Code, in the order of the enum");

// Messages quote what files say: a message stays one line of UTF-8 without control characters
// (which could steer a terminal), and of a readable length.
std::string one_line(std::string_view text) {
  constexpr size_t kBytesMax = 900;
  std::string out;
  for (size_t at = 0; at < text.size();) {
    if (out.size() >= kBytesMax) return out + "...";
    Decoded d = decode_utf8(text, at);
    at += d.bytes;
    bool control = d.code < 0x20 || (d.code >= 0x7F && d.code < 0xA0);
    append_utf8(out, control ? U' ' : d.code);
  }
  return out;
}

}  // namespace

const CodeInfo& info(Code code) {
  CHECK(static_cast<size_t>(code) < std::size(kCodes));
  return kCodes[static_cast<size_t>(code)];
}

std::unexpected<Error> fail_formatted(Code code, fmt::string_view format, fmt::format_args args) {
  return std::unexpected(Error{code, one_line(fmt::vformat(format, args))});
}

Error with_context(Error error, std::string_view context) {
  error.message = fmt::format("{}: {}", context, error.message);
  return error;
}

}  // namespace hearth
