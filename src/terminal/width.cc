#include "terminal/width.h"

#include <unicode/ubrk.h>
#include <unicode/uchar.h>
#include <unicode/utext.h>

#include <memory>

#include "base/utf8.h"

namespace hearth::terminal {
namespace {

constexpr char32_t kEmojiSelector = 0xFE0F;

bool is_flag_half(char32_t code) { return code >= 0x1F1E6 && code <= 0x1F1FF; }

struct CloseBreaks {
  void operator()(UBreakIterator* breaks) const { ubrk_close(breaks); }
};

// Making one reads rules from ICU's data, so each thread keeps its own.
UBreakIterator* clusters() {
  thread_local const std::unique_ptr<UBreakIterator, CloseBreaks> made = [] {
    UErrorCode error = U_ZERO_ERROR;
    UBreakIterator* opened = ubrk_open(UBRK_CHARACTER, "en", nullptr, 0, &error);
    return std::unique_ptr<UBreakIterator, CloseBreaks>(U_SUCCESS(error) ? opened : nullptr);
  }();
  return made.get();
}

// Calls `ask` with an iterator over the text; `fallback` where ICU has none.
template <class Ask>
size_t with_clusters(std::string_view text, size_t fallback, Ask&& ask) {
  UBreakIterator* breaks = clusters();
  if (!breaks) return fallback;
  UErrorCode error = U_ZERO_ERROR;
  UText opened = UTEXT_INITIALIZER;
  utext_openUTF8(&opened, text.data(), static_cast<int64_t>(text.size()), &error);
  ubrk_setUText(breaks, &opened, &error);
  const int32_t found = U_SUCCESS(error) ? ask(breaks) : UBRK_DONE;
  utext_close(&opened);
  return found == UBRK_DONE ? fallback : static_cast<size_t>(found);
}

// A cluster lies within this many bytes, so that a step costs the same in a text of any length.
constexpr size_t kWindow = 256;

int cluster_width(std::string_view cluster) {
  int width = 0, flags = 0;
  for (size_t at = 0; at < cluster.size();) {
    const Decoded c = decode_utf8(cluster, at);
    at += c.bytes;
    if (c.code == kEmojiSelector && width == 1) width = 2;
    if (is_flag_half(c.code)) ++flags;
    if (width == 0) width = width_of(c.code);
  }
  return flags >= 2 ? 2 : width;
}

}  // namespace

int width_of(char32_t code) {
  const auto point = static_cast<UChar32>(code);
  if (code < 0x20 || (code >= 0x7F && code < 0xA0)) return 0;
  if (code < 0x300) return code == 0xAD ? 0 : 1;
  const uint32_t mask = U_GET_GC_MASK(point);
  if (mask & (U_GC_MN_MASK | U_GC_ME_MASK | U_GC_CF_MASK | U_GC_CC_MASK)) return 0;
  if (code >= 0x1160 && code <= 0x11FF) return 0;  // the later letters of a Hangul syllable
  const int east_asian = u_getIntPropertyValue(point, UCHAR_EAST_ASIAN_WIDTH);
  if (east_asian == U_EA_WIDE || east_asian == U_EA_FULLWIDTH) return 2;
  return 1;
}

int width_of(std::string_view text) {
  int width = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = next_cluster(text, at);
    width += cluster_width(text.substr(at, end - at));
    at = end;
  }
  return width;
}

size_t next_cluster(std::string_view text, size_t at) {
  if (at >= text.size()) return text.size();
  // Two characters of ASCII are two clusters, but for a carriage return with its line feed.
  const auto plain = [&](size_t i) { return static_cast<uint8_t>(text[i]) < 0x80; };
  if (plain(at) && (at + 1 == text.size() || (plain(at + 1) && text[at] != '\r'))) return at + 1;
  const std::string_view window = text.substr(at, kWindow);
  const size_t one = decode_utf8(window, 0).bytes;
  return at + with_clusters(window, one, [](UBreakIterator* breaks) {
           return ubrk_following(breaks, 0);
         });
}

size_t previous_cluster(std::string_view text, size_t at) {
  if (at == 0) return 0;
  size_t begin = at > kWindow ? at - kWindow : 0;
  while (begin > 0 && (static_cast<uint8_t>(text[begin]) & 0xC0) == 0x80) --begin;
  const std::string_view window = text.substr(begin, at - begin);
  size_t one = window.size() - 1;
  while (one > 0 && (static_cast<uint8_t>(window[one]) & 0xC0) == 0x80) --one;
  const size_t found = with_clusters(window, one, [&](UBreakIterator* breaks) {
    return ubrk_preceding(breaks, static_cast<int32_t>(window.size()));
  });
  return begin + found;
}

}  // namespace hearth::terminal
