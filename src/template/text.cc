#include "template/text.h"

#include <string.h>

#include <algorithm>

#include "base/utf8.h"
#include "template/unicode.h"

namespace hearth::jinja {
size_t find_text(std::string_view text, std::string_view what, size_t from) {
  if (from > text.size()) return std::string_view::npos;
  if (what.empty()) return from;
  const void* found = memmem(text.data() + from, text.size() - from, what.data(), what.size());
  if (!found) return std::string_view::npos;
  return static_cast<size_t>(static_cast<const char*>(found) - text.data());
}

// Knuth, Morris and Pratt from the end: std::string_view::rfind takes the product of the lengths.
size_t rfind_text(std::string_view text, std::string_view what) {
  if (what.size() > text.size()) return std::string_view::npos;
  if (what.empty()) return text.size();
  if (what.size() <= 16) return text.rfind(what);
  auto at = [&](size_t i) { return what[what.size() - 1 - i]; };
  std::vector<uint32_t> border(what.size(), 0);
  for (size_t i = 1, k = 0; i < what.size(); ++i) {
    while (k > 0 && at(i) != at(k)) k = border[k - 1];
    if (at(i) == at(k)) ++k;
    border[i] = static_cast<uint32_t>(k);
  }
  for (size_t i = text.size(), k = 0; i-- > 0;) {
    while (k > 0 && text[i] != at(k)) k = border[k - 1];
    if (text[i] == at(k)) ++k;
    if (k == what.size()) return i;
  }
  return std::string_view::npos;
}

std::string_view strip_set(std::string_view text, std::string_view set, bool left) {
  while (!text.empty()) {
    size_t start = left ? 0 : last_character(text);
    size_t bytes = left ? decode_utf8(text, 0).bytes : text.size() - start;
    std::string_view character = text.substr(start, bytes);
    // A character is found in UTF-8 only where it starts: no false matches inside others.
    if (set.find(character) == std::string_view::npos) break;
    text = left ? text.substr(bytes) : text.substr(0, start);
  }
  return text;
}

Result<Rendered> replace_text(Interp& in, const Value& subject, std::string_view from,
                              const Value& to, int64_t count) {
  Rendered out;
  const std::string& text = subject.text();
  const std::vector<TextRange>& marks = subject.as<Str>().marks;
  in.heap.spend(text.size() / 16);
  size_t at = 0;
  while (count != 0) {
    size_t next = 0;
    if (from.empty()) {  // before every character and at the end
      if (at > text.size()) break;
      TRY(append_value(in, out, to));
      size_t bytes = at < text.size() ? decode_utf8(text, at).bytes : 1;
      if (at < text.size()) out.append(text, marks, at, at + bytes);
      at += bytes;
    } else {
      next = find_text(text, from, at);
      if (next == std::string_view::npos) break;
      out.append(text, marks, at, next);
      TRY(append_value(in, out, to));
      at = next + from.size();
    }
    if (count > 0) --count;
    in.heap.spend(1 + to.text().size() / 64);
  }
  if (at < text.size()) out.append(text, marks, at, text.size());
  return out;
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  size_t start = 0;
  for (size_t i = 0; i < text.size();) {
    Decoded next = decode_utf8(text, i);
    size_t end = i;
    i += next.bytes;
    if (!next.valid || !is_line_end(next.code)) continue;
    if (next.code == '\r' && i < text.size() && text[i] == '\n') ++i;
    lines.push_back(text.substr(start, (keep_ends ? i : end) - start));
    start = i;
  }
  if (start < text.size()) lines.push_back(text.substr(start));
  return lines;
}

std::vector<std::string_view> split_blanks(std::string_view text, int64_t count) {
  std::vector<std::string_view> words;
  text = strip_left(text);
  while (!text.empty()) {
    if (count >= 0 && static_cast<int64_t>(words.size()) == count) {
      words.push_back(strip_right(text));
      break;
    }
    size_t end = 0;
    while (end < text.size()) {
      Decoded next = decode_utf8(text, end);
      if (next.valid && is_space(next.code)) break;
      end += next.bytes;
    }
    words.push_back(text.substr(0, end));
    text = strip_left(text.substr(end));
  }
  return words;
}

std::vector<std::string_view> rsplit_blanks(std::string_view text, int64_t count) {
  std::vector<std::string_view> words;
  text = strip_right(text);
  while (!text.empty()) {
    if (count >= 0 && static_cast<int64_t>(words.size()) == count) {
      words.push_back(strip_left(text));
      break;
    }
    size_t start = text.size();
    while (start > 0) {
      size_t before = last_character(text.substr(0, start));
      Decoded last = decode_utf8(text, before);
      if (last.valid && is_space(last.code)) break;
      start = before;
    }
    words.push_back(text.substr(start));
    text = strip_right(text.substr(0, start));
  }
  std::ranges::reverse(words);
  return words;
}

Result<std::string> justify(Interp& in, const Value& value, int64_t width, std::string_view fill,
                            char align) {
  int64_t length = TRY(in.length(value));
  const std::string& text = value.text();
  if (width <= length) return text;
  auto room = static_cast<size_t>(width - length);
  if (room > (size_t{1} << 40)) return fail(Code::kTooLarge, "the template needs too much memory");
  TRY(in.fits(room * fill.size() + text.size()));
  // Where the room is odd, str.center puts the extra character left if the width is odd.
  size_t middle = room / 2 + (room & static_cast<size_t>(width) & 1);
  size_t left = align == '<' ? 0 : align == '>' ? room : middle;
  std::string out;
  for (size_t i = 0; i < left; ++i) out += fill;
  out += text;
  for (size_t i = left; i < room; ++i) out += fill;
  return out;
}

}  // namespace hearth::jinja
