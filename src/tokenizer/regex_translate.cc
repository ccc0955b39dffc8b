// From Oniguruma's syntax to PCRE2's, for what pre-tokenizer patterns use. The two differ in:
// \s (PCRE2 counts U+180E, Unicode no longer does), \w (PCRE2 leaves out marks and connecting
// punctuation but "_"), \p{Script} (PCRE2 means the script's
// extensions), \h (a hexadecimal digit there, a horizontal space here), and sets inside sets,
// which PCRE2 lacks.
#include <fmt/format.h>

#include "base/utf8.h"
#include "tokenizer/regex.h"

namespace hearth {
namespace {

// Unicode's White_Space, as the inside of a character class.
constexpr std::string_view kSpaces =
    R"(\t-\r\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

// Alphabetic, M, Nd, Pc. Of the characters that are alphabetic by property alone, only letters in
// circles and squares are no marks; and Oniguruma counts the numbers of Latin-1.
constexpr std::string_view kWordCharacters =
    R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{24b6}-\x{24e9}\x{1f130}-\x{1f149}\x{1f150}-\x{1f169})"
    R"(\x{1f170}-\x{1f189}\x{b2}\x{b3}\x{b9}\x{bc}-\x{be})";

// \b and \B there.
std::string bound(bool negated) {
  const std::string word = "[" + std::string(kWordCharacters) + "]";
  const std::string_view other = negated ? "=" : "!", same = negated ? "!" : "=";
  return fmt::format("(?:(?<={0})(?{1}{0})|(?<!{0})(?{2}{0}))", word, other, same);
}

class Translator {
 public:
  explicit Translator(std::string_view pattern) : in_(pattern) {}

  Result<std::string> run() {
    while (at_ < in_.size()) {
      const char c = in_[at_];
      if (c == '\\') {
        if (!escape()) return refuse();
      } else if (!in_class_ && c == '[') {
        open_class();
      } else if (in_class_ && c == ']') {
        in_class_ = false;
        copy(1);
      } else if (in_class_ && c == '[') {
        if (!posix_name()) return refuse();
      } else if (in_class_ && in_.substr(at_).starts_with("&&")) {
        return refuse();
      } else {
        copy(1);
      }
    }
    return std::move(out_);
  }

 private:
  void copy(size_t bytes) {
    out_.append(in_.substr(at_, bytes));
    at_ += bytes;
  }

  std::unexpected<Error> refuse() const {
    return fail(Code::kUnsupported, "pre-tokenizer pattern '{}': not supported from offset {}",
                replace_invalid_utf8(in_.substr(0, 200)), at_);
  }

  void open_class() {
    in_class_ = true;
    copy(1);
    if (in_.substr(at_).starts_with('^')) copy(1);
    if (in_.substr(at_).starts_with(']')) {
      out_ += "\\]";
      ++at_;
    }
  }

  bool posix_name() {
    const size_t end = in_.find(":]", at_);
    if (!in_.substr(at_).starts_with("[:") || end == std::string_view::npos) return false;
    copy(end + 2 - at_);
    return true;
  }

  bool escape() {
    if (at_ + 1 == in_.size()) return false;
    switch (in_[at_ + 1]) {
      case 's':
        set(kSpaces, false);
        return true;
      case 'S':
        // Inside a class there is no way to write the complement of a list.
        if (in_class_) copy(2);
        else set(kSpaces, true);
        return true;
      case 'w':
        set(kWordCharacters, false);
        return true;
      case 'W':
        if (in_class_) copy(2);
        else set(kWordCharacters, true);
        return true;
      case 'b': case 'B':
        if (in_class_) return false;
        out_ += bound(in_[at_ + 1] == 'B');
        at_ += 2;
        return true;
      case 'h':
        out_ += in_class_ ? "0-9a-fA-F" : "[0-9a-fA-F]";
        at_ += 2;
        return true;
      case 'H': case 'R': case 'X': case 'K': case 'g': case 'G': case 'k': case 'y': case 'Y':
        return false;
      case 'p': case 'P':
        return property();
      default:
        copy(2);
        return true;
    }
  }

  void set(std::string_view characters, bool negated) {
    at_ += 2;
    if (in_class_) {
      out_ += characters;
    } else {
      out_ += negated ? "[^" : "[";
      out_ += characters;
      out_ += ']';
    }
  }

  bool property() {
    const size_t end = in_.find('}', at_);
    if (at_ + 2 >= in_.size() || in_[at_ + 2] != '{' || end == std::string_view::npos) return false;
    std::string_view name = in_.substr(at_ + 3, end - at_ - 3);
    out_.append(in_.substr(at_, 3));
    if (name.starts_with('^')) {
      out_ += '^';
      name.remove_prefix(1);
    }
    // Longer names than those of the general categories are scripts.
    if (name.size() > 2 && name != "Any") out_ += "sc:";
    out_.append(name);
    out_ += '}';
    at_ = end + 1;
    return true;
  }

  std::string_view in_;
  size_t at_ = 0;
  bool in_class_ = false;
  std::string out_;
};

}  // namespace

Result<std::string> translate_pattern(std::string_view pattern) {
  return Translator(pattern).run();
}

}  // namespace hearth
