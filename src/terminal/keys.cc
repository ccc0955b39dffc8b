#include "terminal/keys.h"

#include <algorithm>
#include <array>

#include "base/utf8.h"

namespace hearth::terminal {
namespace {

constexpr std::string_view kPasteBegin = "\x1b[200~", kPasteEnd = "\x1b[201~";

struct Sequence {
  std::string_view text;  // after ESC
  KeyKind kind;
};

// What follows ESC. Where a modifier is held, "1;5" (Control) and "1;3" (Alt) stand in between.
constexpr std::array kSequences = std::to_array<Sequence>({
    {"[A", KeyKind::kUp}, {"[B", KeyKind::kDown}, {"[C", KeyKind::kRight}, {"[D", KeyKind::kLeft},
    {"OA", KeyKind::kUp}, {"OB", KeyKind::kDown}, {"OC", KeyKind::kRight}, {"OD", KeyKind::kLeft},
    {"[H", KeyKind::kHome}, {"[F", KeyKind::kEnd}, {"OH", KeyKind::kHome}, {"OF", KeyKind::kEnd},
    {"[1~", KeyKind::kHome}, {"[4~", KeyKind::kEnd}, {"[7~", KeyKind::kHome},
    {"[8~", KeyKind::kEnd},
    {"[3~", KeyKind::kDelete}, {"[5~", KeyKind::kPageUp}, {"[6~", KeyKind::kPageDown},
    {"[Z", KeyKind::kBackTab},
    {"[1;5C", KeyKind::kWordRight}, {"[1;5D", KeyKind::kWordLeft},
    {"[1;3C", KeyKind::kWordRight}, {"[1;3D", KeyKind::kWordLeft},
    {"[5C", KeyKind::kWordRight}, {"[5D", KeyKind::kWordLeft},
    {"Oc", KeyKind::kWordRight}, {"Od", KeyKind::kWordLeft},
    {"[3;5~", KeyKind::kDeleteWordRight}, {"[3;3~", KeyKind::kDeleteWordRight},
    {"[27;5;13~", KeyKind::kNewline}, {"[13;5u", KeyKind::kNewline}, {"[13;2u", KeyKind::kNewline},
    {"b", KeyKind::kWordLeft}, {"f", KeyKind::kWordRight},
    {"d", KeyKind::kDeleteWordRight}, {"\x7f", KeyKind::kDeleteWordLeft},
    {"\x08", KeyKind::kDeleteWordLeft}, {"\r", KeyKind::kNewline}, {"\n", KeyKind::kNewline},
});

KeyKind kind_of(std::string_view sequence) {
  for (const Sequence& row : kSequences)
    if (row.text == sequence) return row.kind;
  return KeyKind::kUnknown;
}

Key control_key(char byte) {
  switch (byte) {
    case '\r': case '\n': return {KeyKind::kEnter};
    case '\t': return {KeyKind::kTab};
    case '\x08': case '\x7f': return {KeyKind::kBackspace};
    case '\x1b': return {KeyKind::kEscape};
    default: return {KeyKind::kControl, std::string(1, static_cast<char>(byte + 'a' - 1))};
  }
}

// Newlines of any kind become \n; other control characters but tabs go.
std::string clean_paste(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\r') {
      out += '\n';
      if (i + 1 < text.size() && text[i + 1] == '\n') ++i;
    } else if (c == '\n' || c == '\t' || static_cast<uint8_t>(c) >= 0x20) {
      if (c != '\x7f') out += c;
    }
  }
  return replace_invalid_utf8(out);
}

}  // namespace

std::vector<Key> KeyDecoder::push(std::string_view bytes) {
  buffer_ += bytes;
  std::vector<Key> keys;
  while (!buffer_.empty()) {
    if (pasting_) {
      take_paste(keys);
      if (pasting_) break;
      continue;
    }
    if (buffer_.starts_with(kPasteBegin)) {
      buffer_.erase(0, kPasteBegin.size());
      pasting_ = true;
      continue;
    }
    Key key{KeyKind::kUnknown};
    const size_t length = take(key);
    if (length == 0) break;
    buffer_.erase(0, length);
    if (key.kind != KeyKind::kUnknown) keys.push_back(std::move(key));
  }
  return keys;
}

std::vector<Key> KeyDecoder::flush() {
  std::vector<Key> keys;
  if (!pending()) return keys;
  // What was no sequence after all is Escape and what was typed after it.
  std::string rest = std::move(buffer_);
  buffer_.clear();
  if (rest.front() == '\x1b') keys.push_back({KeyKind::kEscape});
  for (Key& key : push(std::string_view(rest).substr(1))) keys.push_back(std::move(key));
  return keys;
}

size_t KeyDecoder::take(Key& key) const {
  const auto first = static_cast<uint8_t>(buffer_[0]);
  if (first == 0x1b) return take_escape(key);
  if (first < 0x20 || first == 0x7f) {
    key = control_key(buffer_[0]);
    return 1;
  }
  const size_t wanted = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  const Decoded c = decode_utf8(buffer_, 0);
  if (!c.valid && buffer_.size() < wanted && first >= 0xC2 && first <= 0xF4) return 0;
  key = {KeyKind::kText, c.valid ? buffer_.substr(0, c.bytes) : "\uFFFD"};
  return c.bytes;
}

size_t KeyDecoder::take_escape(Key& key) const {
  if (buffer_.size() == 1) return 0;
  if (buffer_[1] == '\x1b') {
    key.kind = KeyKind::kEscape;
    return 1;
  }
  if (buffer_[1] == '[') return take_csi(key);
  const size_t length = buffer_[1] == 'O' ? 3 : 2;
  if (buffer_.size() < length) return 0;
  key.kind = kind_of(std::string_view(buffer_).substr(1, length - 1));
  return length;
}

// ESC [ parameters intermediates final.
size_t KeyDecoder::take_csi(Key& key) const {
  constexpr size_t kSequenceMax = 32;
  for (size_t at = 2; at < buffer_.size(); ++at) {
    const auto byte = static_cast<uint8_t>(buffer_[at]);
    if (byte >= 0x40 && byte <= 0x7E) {
      key.kind = kind_of(std::string_view(buffer_).substr(1, at));
      return at + 1;
    }
    if (byte < 0x20 || byte > 0x7E || at > kSequenceMax) return at;  // broken off
  }
  return 0;
}

void KeyDecoder::take_paste(std::vector<Key>& keys) {
  const size_t end = buffer_.find(kPasteEnd);
  // The mark of the end may be cut by the end of what was read.
  const size_t kept = kPasteEnd.size() - 1;
  const size_t taken = end != std::string::npos    ? end
                       : buffer_.size() > kept ? buffer_.size() - kept : 0;
  const size_t room = kPasteBytesMax - std::min(kPasteBytesMax, paste_.size());
  paste_.append(buffer_, 0, std::min(taken, room));
  buffer_.erase(0, taken);
  if (end == std::string::npos) return;
  buffer_.erase(0, kPasteEnd.size());
  pasting_ = false;
  keys.push_back({KeyKind::kPaste, clean_paste(paste_)});
  paste_.clear();
}

}  // namespace hearth::terminal
