// KeyDecoder: what a terminal sends, as keys. Knows the sequences of xterm and its kin, the VT
// keys, and bracketed paste (what lies between ESC [200~ and ESC [201~ is one key of kind kPaste).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hearth::terminal {

enum class KeyKind : uint8_t {
  kText,     // one character, in `text`
  kPaste,    // a paste, in `text`, with newlines as \n
  kEnter, kNewline,  // Enter; Alt-Enter or Ctrl-Enter
  kTab, kBackTab, kBackspace, kDelete, kEscape,
  kUp, kDown, kLeft, kRight, kHome, kEnd, kPageUp, kPageDown,
  kWordLeft, kWordRight, kDeleteWordLeft, kDeleteWordRight,
  kControl,  // a control letter, in `text` as 'a' .. 'z'
  kUnknown,
};

struct Key {
  KeyKind kind;
  std::string text = {};
};

class KeyDecoder {
 public:
  // The keys that are complete with these bytes.
  std::vector<Key> push(std::string_view bytes);
  // Whether a key has begun; after a short while without more bytes, flush() takes it as it is
  // (a lone Escape).
  bool pending() const { return !buffer_.empty() && !pasting_; }
  std::vector<Key> flush();

  // A paste longer than this is cut, so that a terminal gone wild does not fill the memory.
  static constexpr size_t kPasteBytesMax = size_t{64} << 20;

 private:
  // The length of the key at the start of the buffer, 0 while it may go on.
  size_t take(Key& key) const;
  size_t take_escape(Key& key) const;
  size_t take_csi(Key& key) const;
  void take_paste(std::vector<Key>& keys);

  std::string buffer_, paste_;
  bool pasting_ = false;
};

}  // namespace hearth::terminal
